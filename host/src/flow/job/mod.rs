//! A pipeline over one source.
//!
//! Promise: stages and deliveries of a job overlap, and the job uses a bounded number of instances and a bounded amount of
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
    /// The scratch of the job that this one is part of. Both share one limit.
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

    /// Calls this for every [`Event`], from whichever thread it happens on. It must not block.
    pub fn observe(mut self, observer: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// How many files of this job may be in work at a time; 4 unless set.
    pub fn fan_out(mut self, files: usize) -> Self {
        self.fan_out_limit = files.max(1);
        self
    }

    /// Notes in a journal what is done, and does not do again what is noted there already. For jobs that upload; their
    /// source must be a file or bytes, since nothing else can be told from what it was.
    #[cfg(feature = "journal")]
    pub fn journal(mut self, journal: &Journal) -> Self {
        self.journal = Some(journal.clone());
        self
    }

    /// Whether the report tells the SHA-256 of the source and of every file between two stages, so that it shows which plugin
    /// made what of what. Each file is then read by the hash as well, at some 1.5 GiB/s a core.
    pub fn hash_files(mut self, hash: bool) -> Self {
        self.hash_files = hash;
        self
    }

    /// Makes it a part of a larger job, whose scratch this is.
    #[cfg(feature = "workflow")]
    pub(crate) fn part_of(mut self, scratch: &Scratch) -> Self {
        self.parent_scratch = Some(scratch.clone());
        self
    }

    /// Runs the job. Must be called within a tokio runtime; dropping the future cancels the job.
    ///
    /// # Errors
    /// When anything failed. The error has the report of what did succeed.
    pub async fn run(self) -> Result<Report, JobError> {
        let started = Instant::now();
        #[cfg(feature = "journal")]
        if let Some(journal) = self.journal.clone() {
            return recorded::run(self, &journal, started).await;
        }
        let (run, source) = Run::new(self);
        execute(run, source, started).await
    }

    /// What is known of the source before it is opened.
    fn source_info(&self) -> FileInfo {
        FileInfo {
            name: self.source.name().to_owned(),
            media_type: media::UNKNOWN.into(),
            size: None,
        }
    }
}

/// Runs a job to its end and reports it.
async fn execute(run: Run, source: Source, started: Instant) -> Result<Report, JobError> {
    let run = Arc::new(run);
    // A task of its own, so that the first stage does not share its thread with whatever else the caller awaits.
    let mut task = AbortOnDrop(tokio::spawn(run.clone().start(source)));
    let over_limit = tokio::select! {
        biased;
        () = task.wait_on() => false,
        () = run.over_limit() => true,
    };
    if over_limit {
        // The task ends here, before anyone reads its results.
        task.stop().await;
    }
    let Results {
        source,
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
