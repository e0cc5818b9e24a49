//! Runs a pipeline over one source.
//!
//! Promise: stages and deliveries of a job overlap. The job uses a bounded number of instances and a bounded amount of
//! memory, however many files its plugins emit. Dropping the job's future ends its plugins, closes its connections and
//! removes its scratch. A job that is cancelled by its own signal does the same and still returns its report.

mod abort_on_drop;
mod error;
mod feed;
mod handle;
mod in_flight;
mod outputs;
mod pull;
#[cfg(feature = "journal")]
mod recorded;
mod run;
mod stage_run;
mod steps;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flow::cancel::Cancel;
use crate::flow::error::Error;
use crate::flow::event::{Event, Events, Observers};
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
use tokio_util::sync::CancellationToken;

pub(crate) use abort_on_drop::AbortOnDrop;
pub use error::JobError;
pub use handle::JobHandle;
pub use pull::{Output, Outputs, Single, ToCaller};

/// A job that is ready to run, from [`Host::job`](crate::Host::job) or, if its results go to the caller, from
/// [`Host::pull`](crate::Host::pull). [`Host::run`](crate::Host::run) is the short form.
#[must_use = "a job does nothing until it is run"]
pub struct Job<S = Arc<dyn Sink>> {
    host: Arc<Runtime>,
    pipeline: Pipeline,
    source: Source,
    /// Where the results go.
    sink: S,
    observers: Observers,
    fan_out_limit: usize,
    #[cfg(feature = "journal")]
    journal: Option<Journal>,
    hash_files: bool,
    /// The scratch of the parent job, if this job is part of one. Both share one limit.
    parent_scratch: Option<Scratch>,
    cancel: Cancel,
    /// How long the job may wait for its first place.
    queue_timeout: Option<Duration>,
    /// What the job holds while it works.
    slot: Option<Box<dyn Send>>,
}

impl<S> Job<S> {
    pub(crate) fn new(host: Arc<Runtime>, pipeline: Pipeline, source: Source, sink: S) -> Self {
        let mut cancel = Cancel::default();
        cancel.on(host.places.stop.clone().cancelled_owned());
        Self {
            host,
            pipeline,
            source,
            sink,
            observers: Observers::default(),
            fan_out_limit: 4,
            #[cfg(feature = "journal")]
            journal: None,
            hash_files: false,
            parent_scratch: None,
            cancel,
            queue_timeout: None,
            slot: None,
        }
    }

    /// Calls `observer` for every [`Event`], on the thread on which the event happens. The observer must not block. A job
    /// may have several.
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observers.add(observer);
        self
    }

    /// Returns the events of the job as a stream, too. What is not read yet is kept in memory; there is one event for
    /// each chunk that is read or sent.
    pub fn events(mut self) -> (Self, Events) {
        let events = self.observers.stream();
        (self, events)
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

    /// Cancels the job when this future ends, such as that of a `tokio_util::sync::CancellationToken`. The job then fails
    /// with [`Error::Cancelled`], and its report contains what was done before. Everything in flight is removed, as if the
    /// job had been dropped. A job may have several signals.
    pub fn cancel_on(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.cancel.on(signal);
        self
    }

    /// How long the job may wait for a place when it starts. It then fails with [`Error::Busy`] and has read nothing. It
    /// waits as long as it takes, unless this is set.
    pub fn queue_timeout(mut self, most: Duration) -> Self {
        self.queue_timeout = Some(most);
        self
    }

    /// Gives the job something that it drops when its work is done, such as a permit that limits how many jobs run at a
    /// time. With a [journal](Self::journal), [`run`](Self::run) returns when its record is on disk, which may then take up
    /// to 50 ms longer: the records of many small jobs share one sync of the disk, and other jobs run in the meantime.
    pub fn slot(mut self, slot: impl Send + 'static) -> Self {
        self.slot = Some(Box::new(slot));
        self
    }

    /// Makes this job a part of a larger job that has this scratch.
    #[cfg(feature = "workflow")]
    pub(crate) fn part_of(mut self, scratch: &Scratch) -> Self {
        self.parent_scratch = Some(scratch.clone());
        self
    }

    /// The same job with another sink.
    fn with_sink(self, sink: Arc<dyn Sink>) -> Job {
        Job {
            host: self.host,
            pipeline: self.pipeline,
            source: self.source,
            sink,
            observers: self.observers,
            fan_out_limit: self.fan_out_limit,
            #[cfg(feature = "journal")]
            journal: self.journal,
            hash_files: self.hash_files,
            parent_scratch: self.parent_scratch,
            cancel: self.cancel,
            queue_timeout: self.queue_timeout,
            slot: self.slot,
        }
    }
}

impl Job {
    /// Runs the job. Must be called within a tokio runtime. Dropping the future cancels the job.
    ///
    /// # Errors
    /// If anything failed. The error contains the report of what succeeded.
    pub async fn run(mut self) -> Result<Report, JobError> {
        let started = Instant::now();
        #[cfg(feature = "journal")]
        if let Some(journal) = self.journal.clone() {
            return recorded::run(self, &journal, started).await;
        }
        let _slot = self.slot.take();
        let (run, source) = Run::new(self);
        execute(run, source, started).await
    }

    /// Runs the job if a place is free now. Otherwise it fails with [`Error::Busy`].
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn try_run(self) -> Result<Report, JobError> {
        self.queue_timeout(Duration::ZERO).run().await
    }

    /// Starts the job in a task of its own, so that it runs whether or not anybody waits for it. Must be called within a
    /// tokio runtime.
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use forebay::{Error, Host, Memory, Pipeline, Source};
    ///
    /// let host = Host::builder().build()?;
    /// let pipeline = Pipeline::builder("as it is").build()?;
    /// let (_writer, never_ends) = tokio::io::duplex(64);
    /// let job = host.job(&pipeline, Source::reader("a.txt", never_ends), Memory::new()).spawn();
    ///
    /// let error = job.cancel().await.unwrap_err();
    /// assert!(matches!(error.errors[0], Error::Cancelled { .. }));
    /// assert!(error.report.files.is_empty());
    /// # Ok(()) }
    /// # tokio::runtime::Runtime::new()?.block_on(example())?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(self) -> JobHandle {
        let token = CancellationToken::new();
        let job = self.cancel_on(token.clone().cancelled_owned());
        JobHandle::new(job.run(), token)
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
    let stopped = tokio::select! {
        biased;
        () = &mut task => false,
        () = run.over_limit() => true,
        () = run.cancel.requested() => {
            let file = run.results().source.name.clone();
            run.fail(Error::Cancelled { file });
            true
        }
    };
    if stopped {
        // The task ends here, before its results are read.
        task.stop().await;
        wait_for_tasks(run.clone()).await;
    }
    for stage in &run.results().stages {
        stage.cancelled(&run);
    }
    let Results {
        source,
        detected_type,
        mut files,
        mut errors,
        interrupted,
        stages,
        messages,
        scratch_removal,
        ..
    } = std::mem::take(&mut *run.results());
    if let Some(removal) = scratch_removal {
        removal.wait().await;
    }
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
        stages: if errors.is_empty() {
            Vec::new()
        } else {
            let stages = stages.iter();
            stages.filter_map(|stage| stage.unreported()).collect()
        },
        messages,
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

/// Waits until the tasks of a stopped job have ended. They were aborted, and each ends on the thread that runs it.
async fn wait_for_tasks(run: Arc<Run>) {
    /// A task that computes ends at the next tick of the engine's clock, which is much sooner.
    const MOST: Duration = Duration::from_secs(5);
    let started = Instant::now();
    // This function and its caller have one each.
    while Arc::strong_count(&run) > 2 && started.elapsed() < MOST {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl<S> fmt::Debug for Job<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("pipeline", &self.pipeline.name())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
