//! A job that is recorded in a journal.

use std::time::Instant;

use super::run::Run;
use super::{Job, JobError, execute};
use crate::flow::error::Error;
use crate::flow::event::Event;
use crate::flow::journal::{JobJournal, Journal};
use crate::flow::report::Report;

/// Runs a job, unless the journal records it as done. Records what the job does.
pub(super) async fn run(job: Job, journal: &Journal, started: Instant) -> Result<Report, JobError> {
    let journal = match open(&job, journal).await {
        Ok(journal) => journal,
        Err(error) => {
            let mut report = Report::new(job.pipeline.name());
            report.source = job.source_info();
            report.failures.push(error.to_string());
            return Err(JobError {
                report: Box::new(report),
                errors: vec![error],
            });
        }
    };
    let _active = journal.enter().await;
    if let Some(report) = journal.done() {
        (job.observer)(Event::Known(&report));
        return Ok(report);
    }
    let begin = {
        let journal = journal.clone();
        tokio::task::spawn_blocking(move || journal.begin())
    };
    if begin.await.unwrap_or_default() {
        (job.observer)(Event::Changed(job.source.name()));
    }
    let (run, source) = Run::new(job);
    let report = execute(run.record_in(journal.clone()), source, started).await?;
    let finished = report.clone();
    // The task does not panic. If the runtime shuts down, the task is cancelled with it.
    let _ = tokio::task::spawn_blocking(move || journal.finish(&finished)).await;
    Ok(report)
}

/// The part of the journal for this job.
fn open(
    job: &Job,
    journal: &Journal,
) -> impl Future<Output = Result<JobJournal, Error>> + Send + use<> {
    let (file, state) = (job.source.name().to_owned(), job.source.state());
    let (journal, pipeline) = (journal.clone(), job.pipeline.clone());
    let sink = job.sink.identity();
    async move {
        let Some(sink) = sink else {
            let reason = std::io::Error::other("a journal notes uploads, and nothing else");
            return Err(Error::Source { file, reason });
        };
        let (place, state) = state
            .await
            .map_err(|reason| Error::Source { file, reason })?;
        Ok(journal.job(&pipeline, &sink, &place, &state))
    }
}
