//! A pipeline over one source.
//!
//! Promise: stages and deliveries of a job overlap, and the job uses a bounded number of instances and a bounded amount of
//! memory, however many files its plugins emit. Dropping the job's future ends its plugins, closes its connections and
//! removes its scratch.

mod outputs;
mod tree;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::assets::{Phase, Retry};
use crate::error::{Error, JobError};
use crate::host::Shared;
use crate::journal::{JobJournal, Journal};
use crate::media;
use crate::pipeline::Pipeline;
use crate::report::{FileReport, Report, StageReport};
use crate::scratch::Scratch;
use crate::sink::Sink;
use crate::source::Source;
use crate::stage::FileInfo;
use tree::{Results, Run};

pub(crate) use tree::AbortOnDrop;

/// What happens in a job, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The journal knows the job as done: this is what it did then.
    Known(&'a Report),
    /// The source of this name is not what it was when the journal noted it.
    Changed(&'a str),
    /// The source was opened; its type was sniffed.
    Opened(&'a FileInfo),
    /// So many more bytes were read from the source.
    Read(u64),
    /// A stage is done with a file.
    Transformed(&'a StageReport),
    /// A file begins to go into the sink. The number tells this delivery from others of the job.
    Delivering(u64, &'a FileInfo),
    /// So many more bytes of that delivery were sent.
    Sent(u64, u64),
    /// What that delivery is busy with.
    Phase(u64, Phase),
    /// Something of that delivery failed for now, and is tried again.
    Retry(u64, &'a Retry),
    /// That delivery is done.
    Delivered(u64, &'a FileReport),
    /// Something failed; the job goes on with its other files.
    Failed(&'a Error),
}

pub(crate) type Observer = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// Tells a job's observer how far a delivery is.
#[derive(Clone)]
pub struct Progress {
    observer: Observer,
    delivery: u64,
}

impl Progress {
    pub(crate) fn new(observer: Observer, delivery: u64) -> Self {
        Self { observer, delivery }
    }

    /// The number that tells this delivery from others of the job.
    pub(crate) fn delivery(&self) -> u64 {
        self.delivery
    }

    /// Says that so many more bytes have been sent.
    pub fn sent(&self, bytes: u64) {
        (self.observer)(Event::Sent(self.delivery, bytes));
    }
}

impl Progress {
    pub(crate) fn phase(&self, phase: Phase) {
        (self.observer)(Event::Phase(self.delivery, phase));
    }

    pub(crate) fn retry(&self, retry: &Retry) {
        (self.observer)(Event::Retry(self.delivery, retry));
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.delivery).finish()
    }
}

/// A job that is ready to run. [`Host::run`](crate::Host::run) is the short form.
#[must_use = "a job does nothing until it is run"]
pub struct Job {
    host: Arc<Shared>,
    pipeline: Pipeline,
    source: Source,
    sink: Arc<dyn Sink>,
    observer: Observer,
    lanes: usize,
    journal: Option<Journal>,
    hash_files: bool,
    /// A job that this one is part of: both together hold in scratch what that one may.
    beside: Option<Scratch>,
}

impl Job {
    pub(crate) fn new(
        host: Arc<Shared>,
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
            lanes: 4,
            journal: None,
            hash_files: false,
            beside: None,
        }
    }

    /// Calls this for every [`Event`], from whichever thread it happens on. It must not block.
    pub fn observe(mut self, observer: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// How many files of this job may be in work at a time; 4 unless set.
    pub fn fan_out(mut self, files: usize) -> Self {
        self.lanes = files.max(1);
        self
    }

    /// Notes in a journal what is done, and does not do again what is noted there already. For jobs that upload; their
    /// source must be a file or bytes, since nothing else can be told from what it was.
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

    /// Makes it a part of a larger one, whose scratch this is.
    pub(crate) fn beside(mut self, scratch: &Scratch) -> Self {
        self.beside = Some(scratch.clone());
        self
    }

    /// Runs the job. Must be called within a tokio runtime; dropping the future cancels the job.
    ///
    /// # Errors
    /// When anything failed. The error has the report of what did succeed.
    pub async fn run(self) -> Result<Report, JobError> {
        let started = Instant::now();
        let source = FileInfo {
            name: self.source.name().to_owned(),
            media_type: media::UNKNOWN.into(),
            size: None,
        };
        let journal = match self.journal_of_job().await {
            Ok(journal) => journal,
            Err(error) => {
                let mut report = Report::new(self.pipeline.name());
                report.source = source;
                report.failures.push(error.to_string());
                return Err(JobError {
                    report: Box::new(report),
                    errors: vec![error],
                });
            }
        };
        let _active = match &journal {
            Some(journal) => Some(journal.enter().await),
            None => None,
        };
        if let Some(journal) = journal.clone() {
            if let Some(report) = journal.done() {
                (self.observer)(Event::Known(&report));
                return Ok(report);
            }
            let begun = tokio::task::spawn_blocking(move || journal.begin());
            if begun.await.unwrap_or_default() {
                (self.observer)(Event::Changed(&source.name));
            }
        }
        let (run, from) = Run::new(self, journal.clone());
        run.results().source = source;
        // In a task of its own: the first stage shares its thread with nobody, whatever else the caller awaits.
        let mut task = AbortOnDrop(tokio::spawn(run.clone().start(from)));
        let stopped = tokio::select! {
            biased;
            () = task.wait_on() => false,
            () = run.over_limit() => true,
        };
        if stopped {
            // What it does ends here, before anyone reads what it has done.
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
            if let Some(journal) = journal {
                let report = report.clone();
                let _ = tokio::task::spawn_blocking(move || journal.finish(&report)).await;
            }
            Ok(report)
        } else {
            Err(JobError {
                report: Box::new(report),
                errors,
            })
        }
    }
}

impl Job {
    /// This job's part of the journal, if there is one.
    fn journal_of_job(
        &self,
    ) -> impl Future<Output = Result<Option<JobJournal>, Error>> + Send + use<> {
        let (file, state) = (self.source.name().to_owned(), self.source.state());
        let (journal, pipeline) = (self.journal.clone(), self.pipeline.clone());
        let sink = self.sink.identity();
        async move {
            let Some(journal) = journal else {
                return Ok(None);
            };
            let Some(sink) = sink else {
                let reason = std::io::Error::other("a journal notes uploads, and nothing else");
                return Err(Error::Source { file, reason });
            };
            let (place, state) = state
                .await
                .map_err(|reason| Error::Source { file, reason })?;
            Ok(Some(journal.job(&pipeline, &sink, &place, &state)))
        }
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
