//! Runs a pipeline over one source.
//!
//! Promise: stages and deliveries of a job overlap. The job uses a bounded number of instances and a bounded amount of
//! memory, however many files its plugins emit. Dropping the job's future ends its plugins, closes its connections and
//! removes its scratch.

mod abort_on_drop;
mod error;
mod in_flight;
mod outputs;
#[cfg(feature = "journal")]
mod recorded;
mod run;
mod steps;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::flow::error::Error;
use crate::flow::event::{Event, Observer};
#[cfg(feature = "journal")]
use crate::flow::journal::Journal;
use crate::flow::pipeline::Pipeline;
use crate::flow::report::Report;
use crate::flow::runtime::Runtime;
use crate::flow::sink::Sink;
use crate::flow::source::Source;
use forebay_core::FileInfo;
use forebay_core::media;
use forebay_core::scratch::Scratch;
use run::{Results, Run};

pub(crate) use abort_on_drop::AbortOnDrop;
pub use error::JobError;

/// A job that is ready to run. [`Host::run`](crate::Host::run) is the short form.
#[must_use = "a job does nothing until it is run"]
pub struct Job {
    host: Arc<Runtime>,
    pipeline: Pipeline,
    source: Source,
    sink: Arc<dyn Sink>,
    observer: Observer,
    fan_out_limit: usize,
    #[cfg(feature = "journal")]
    journal: Option<Journal>,
    hash_files: bool,
    /// The scratch of the parent job, if this job is part of one. Both share one limit.
    parent_scratch: Option<Scratch>,
}

impl Job {
    pub(crate) fn new(
        host: Arc<Runtime>,
        pipeline: Pipeline,
        source: Source,
        sink: Arc<dyn Sink>,
    ) -> Self {
        Self {
            host,
            pipeline,
            source,
            sink,
            observer: Arc::new(|_| {}),
            fan_out_limit: 4,
            #[cfg(feature = "journal")]
            journal: None,
            hash_files: false,
            parent_scratch: None,
        }
    }

    /// Calls `observer` for every [`Event`], on the thread on which the event happens. The observer must not block.
    pub fn observe(mut self, observer: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// How many files of this job may be in flight at the same time; 4 by default.
    pub fn fan_out(mut self, files: usize) -> Self {
        self.fan_out_limit = files.max(1);
        self
    }

    /// Records in a journal what is done, and does not repeat what is recorded there already. For jobs that upload.
    /// Their source must be a file or bytes, because the journal cannot detect a change of any other source.
    #[cfg(feature = "journal")]
    pub fn journal(mut self, journal: &Journal) -> Self {
        self.journal = Some(journal.clone());
        self
    }

    /// Whether the report contains the SHA-256 of the source and of every file between two stages, so that it shows
    /// which plugin made which file from which input. Each file is then hashed as well, at about 1.5 GiB/s per core.
    pub fn hash_files(mut self, hash: bool) -> Self {
        self.hash_files = hash;
        self
    }

    /// Makes this job a part of a larger job that has this scratch.
    #[cfg(feature = "workflow")]
    pub(crate) fn part_of(mut self, scratch: &Scratch) -> Self {
        self.parent_scratch = Some(scratch.clone());
        self
    }

    /// Runs the job. Must be called within a tokio runtime. Dropping the future cancels the job.
    ///
    /// # Errors
    /// If anything failed. The error contains the report of what succeeded.
    pub async fn run(self) -> Result<Report, JobError> {
        let started = Instant::now();
        #[cfg(feature = "journal")]
        if let Some(journal) = self.journal.clone() {
            return recorded::run(self, &journal, started).await;
        }
        let (run, source) = Run::new(self);
        execute(run, source, started).await
    }

    /// What is known about the source before it is opened.
    fn source_info(&self) -> FileInfo {
        FileInfo {
            name: self.source.name().to_owned(),
            media_type: media::UNKNOWN.into(),
            size: None,
        }
    }
}

/// Runs a job to its end and returns its report.
async fn execute(run: Run, source: Source, started: Instant) -> Result<Report, JobError> {
    let run = Arc::new(run);
    // A separate task, so that the first stage does not share its thread with whatever else the caller awaits.
    let mut task = AbortOnDrop(tokio::spawn(run.clone().start(source)));
    let over_limit = tokio::select! {
        biased;
        () = task.wait_on() => false,
        () = run.over_limit() => true,
    };
    if over_limit {
        // The task ends here, before its results are read.
        task.stop().await;
    }
    let Results {
        source,
        detected_type,
        mut files,
        mut errors,
        interrupted,
        ..
    } = std::mem::take(&mut *run.results());
    if let Some(file) = interrupted.filter(|_| errors.is_empty()) {
        errors.push(Error::Interrupted { file });
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    let report = Report {
        pipeline: run.pipeline.name().to_owned(),
        source,
        detected_type,
        files: files.into_iter().map(|(_, file)| file).collect(),
        failures: errors.iter().map(ToString::to_string).collect(),
        elapsed: started.elapsed(),
    };
    if errors.is_empty() {
        Ok(report)
    } else {
        Err(JobError {
            report: Box::new(report),
            errors,
        })
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("pipeline", &self.pipeline.name())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
