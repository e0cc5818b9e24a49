//! A job that is recorded in a journal.

use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt as _, TryStreamExt as _};

use super::run::Run;
use super::{Job, JobError, execute};
use crate::flow::error::Error;
use crate::flow::event::Event;
use crate::flow::journal::{Active, JobJournal, Journal, Urgency};
use crate::flow::report::Report;
use crate::flow::sink::{Sink, SinkError};
use crate::flow::source::SourceState;

/// How many assets of one job are asked for at the same time, before the job is skipped.
const ASKED: usize = 8;

/// Runs a job, unless the journal records it as done and the sink still has its files. Records what the job does.
pub(super) async fn run(
    mut job: Job,
    journal: &Journal,
    started: Instant,
) -> Result<Report, JobError> {
    let (cancel, begin) = (job.cancel.clone(), begin(&job, journal));
    let begun = cancel.unless_requested(begin).await;
    let (journal, _active) = match begun {
        Some(Ok(Begun::Known(report))) => {
            job.observers.emit(|| Event::Known {
                report: report.clone(),
            });
            return Ok(*report);
        }
        Some(Ok(Begun::Anew(journal, active))) => (journal, active),
        Some(Err(error)) => return Err(failed(&job, error)),
        None => {
            let file = job.source.name().to_owned();
            return Err(failed(&job, Error::Cancelled { file }));
        }
    };
    let slot = job.slot.take();
    let (run, source) = Run::new(job);
    let ended = execute(run.record_in(journal.clone()), source, started).await;
    let recorded = match &ended {
        Ok(report) => journal.finish(report),
        Err(_) => journal.check(),
    };
    let recorded = match recorded {
        Ok(()) => {
            let urgency = match slot {
                Some(_) => Urgency::HoldsUpAResult,
                None => Urgency::HoldsUpWork,
            };
            let synced = journal.synced(urgency);
            // Another job may run in the meantime. If nothing can be recorded any more, none is to begin before this one
            // has ended with the error.
            drop(slot);
            synced.await
        }
        Err(error) => Err(error),
    };
    let Err(error) = recorded else {
        return ended;
    };
    let error = Error::from(error);
    Err(match ended {
        Ok(report) => JobError::after(report, error),
        Err(mut failed) => {
            failed.add(error);
            failed
        }
    })
}

/// How a job begins.
enum Begun {
    /// It is done, and this is its report.
    Known(Box<Report>),
    /// It must run.
    Anew(JobJournal, Active),
}

fn begin(
    job: &Job,
    journal: &Journal,
) -> impl Future<Output = Result<Begun, Error>> + Send + use<> {
    let opened = open(job, journal);
    let (sink, observers) = (job.sink.clone(), job.observers.clone());
    let name = job.source.name().to_owned();
    async move {
        let journal = opened.await?;
        let active = journal.enter().await;
        // The same job may have run until now, and its record may have failed.
        journal.check()?;
        let gone = gone(sink, &journal).await;
        let gone = gone.map_err(|reason| Error::Sink {
            file: name.clone(),
            reason,
        })?;
        if !gone.is_empty() {
            observers.emit(|| Event::Gone { file: name.clone() });
            gone.into_iter().for_each(|file| journal.gone(file));
        } else if let Some(report) = journal.done() {
            return Ok(Begun::Known(Box::new(report)));
        }
        if journal.begin() {
            observers.emit(|| Event::Changed { file: name.clone() });
        }
        journal.check()?;
        Ok(Begun::Anew(journal, active))
    }
}

/// The files of the job that the journal records as delivered and the sink does not have any more.
async fn gone(sink: Arc<dyn Sink>, journal: &JobJournal) -> Result<Vec<String>, SinkError> {
    let asked = journal.delivered().into_iter().map(|(file, place)| {
        let sink = sink.clone();
        async move {
            let there = sink.still_has(&place).await?;
            Ok::<_, SinkError>((!there).then_some(file))
        }
    });
    let gone: Vec<Option<String>> = futures::stream::iter(asked)
        .buffer_unordered(ASKED)
        .try_collect()
        .await?;
    Ok(gone.into_iter().flatten().collect())
}

/// A job that failed before it was started.
fn failed(job: &Job, error: Error) -> JobError {
    job.observers.emit(|| Event::failed(&error));
    let mut report = Report::new(job.pipeline.name());
    report.source = job.source_info();
    JobError::after(report, error)
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
        journal.check()?;
        let Some(sink) = sink else {
            let reason = std::io::Error::other("a journal notes uploads, and nothing else");
            return Err(Error::Source { file, reason });
        };
        let SourceState { place, state } = state
            .await
            .map_err(|reason| Error::Source { file, reason })?;
        Ok(journal.job(&pipeline, &sink, &place, &state))
    }
}
