//! What all tasks of a running job share: its limits, its permits and its results.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use forebay_core::FileInfo;
use forebay_core::mutex::lock;
use forebay_core::scratch::{Removal, Scratch};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Job;
use super::stage_run::StageRun;
use crate::flow::cancel::Cancel;
use crate::flow::error::Error;
use crate::flow::event::{Event, Observers};
#[cfg(feature = "journal")]
use crate::flow::journal::JobJournal;
use crate::flow::pipeline::Pipeline;
use crate::flow::places::Entered;
use crate::flow::report::{FileReport, StageMessage};
use crate::flow::runtime::Runtime;
use crate::flow::sink::Sink;
use crate::flow::source::Source;
use crate::sandbox::cause::{StageCause, StageError};
use crate::sandbox::limits::Exceeded;
use crate::sandbox::usage::Usage;

/// What all tasks of a running job share.
pub(super) struct Run {
    pub(super) host: Arc<Runtime>,
    pub(super) pipeline: Pipeline,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) observers: Observers,
    fan_out: Arc<Semaphore>,
    #[cfg(feature = "journal")]
    pub(super) journal: Option<JobJournal>,
    /// Whether reports contain the SHA-256 of every file between two stages.
    pub(super) hash_files: bool,
    pub(super) parent_scratch: Option<Scratch>,
    pub(super) cancel: Cancel,
    queue_timeout: Option<Duration>,
    /// The host is not drained before this is dropped, which is when the job's last task ends.
    _token: TaskTrackerToken,
    /// Counts this job, unless it is a part of another.
    _running: Option<Entered>,
    /// Notified when the job gets its permit and starts.
    pub(super) begun: Notify,
    /// Notified when the job reaches one of its own limits.
    over: Notify,
    results: Mutex<Results>,
}

#[derive(Default)]
pub(super) struct Results {
    pub(super) source: FileInfo,
    /// The type that the source's bytes show, if another one was set.
    pub(super) detected_type: Option<String>,
    pub(super) files: Vec<(Vec<usize>, FileReport)>,
    pub(super) errors: Vec<Error>,
    pub(super) deliveries: u64,
    /// What plugins printed whose stages succeeded; at most [`MOST_MESSAGES`].
    pub(super) messages: Vec<StageMessage>,
    /// The stages that were started, in this order.
    pub(super) stages: Vec<Arc<StageRun>>,
    /// Tells when the job's scratch is removed.
    pub(super) scratch_removal: Option<Removal>,
    /// How many files all stages together have emitted.
    emitted: u64,
    /// Name of a file whose upstream stage failed. The stage's own error is reported separately.
    pub(super) interrupted: Option<String>,
}

/// How many lines of its plugins a job keeps. A line has at most 1 KiB.
const MOST_MESSAGES: usize = 100;

impl Results {
    /// Keeps what the plugin of a stage printed about a file.
    pub(super) fn said(&mut self, stage: &str, file: &str, lines: Vec<String>) {
        let room = MOST_MESSAGES.saturating_sub(self.messages.len());
        self.messages
            .extend(lines.into_iter().take(room).map(|text| StageMessage {
                stage: stage.to_owned(),
                file: file.to_owned(),
                text,
            }));
    }
}

/// Allows one file in flight: one permit of the job's fan-out, and room for an instance of each stage of the
/// pipeline.
pub(super) struct Permit {
    _fan_out: OwnedSemaphorePermit,
    _instances: OwnedSemaphorePermit,
}

impl Run {
    /// Returns a job that is about to start, and its source.
    pub(super) fn new(job: Job) -> (Self, Source) {
        let source = job.source_info();
        let run = Self {
            _token: job.host.places.token(),
            _running: (job.parent_scratch.is_none()).then(|| job.host.places.running.enter()),
            host: job.host,
            pipeline: job.pipeline,
            sink: job.sink,
            observers: job.observers,
            fan_out: Arc::new(Semaphore::new(job.fan_out_limit)),
            #[cfg(feature = "journal")]
            journal: None,
            hash_files: job.hash_files,
            parent_scratch: job.parent_scratch,
            cancel: job.cancel,
            queue_timeout: job.queue_timeout,
            begun: Notify::new(),
            over: Notify::new(),
            results: Mutex::default(),
        };
        run.results().source = source;
        (run, job.source)
    }

    /// Records in a journal what happens to the files.
    #[cfg(feature = "journal")]
    pub(super) fn record_in(mut self, journal: JobJournal) -> Self {
        self.journal = Some(journal);
        self
    }

    pub(super) fn results(&self) -> MutexGuard<'_, Results> {
        lock(&self.results)
    }

    pub(super) fn fail(&self, error: Error) {
        self.observers.emit(|| Event::failed(&error));
        if matches!(error, Error::Job { .. }) {
            self.over.notify_one();
        }
        self.results().errors.push(error);
    }

    /// Waits until the job reaches one of its own limits.
    pub(super) async fn over_limit(&self) {
        let limit = self.pipeline.limits().wall_clock;
        let late = async {
            self.begun.notified().await;
            tokio::time::sleep(limit).await;
        };
        tokio::select! {
            () = self.over.notified() => {}
            () = late => {
                let file = self.results().source.name.clone();
                let limit = Exceeded::WallClock(limit);
                self.fail(Error::Job { file, limit });
            }
        }
    }

    /// Counts a file that a stage has emitted. Returns `false` for every file beyond the limit; such a file is not sent
    /// on.
    pub(super) fn admit(&self, name: &str) -> bool {
        let most = self.pipeline.limits().output_files;
        let count = {
            let mut results = self.results();
            results.emitted += 1;
            results.emitted
        };
        if count == most + 1 {
            self.fail(Error::Job {
                file: name.to_owned(),
                limit: Exceeded::OutputFiles(most),
            });
        }
        count <= most
    }

    pub(super) fn interrupted(&self, file: &str) {
        self.results()
            .interrupted
            .get_or_insert_with(|| file.to_owned());
    }

    /// Name of a stage's plugin.
    pub(super) fn plugin(&self, at: usize) -> &str {
        let stage = self.pipeline.stages().get(at);
        stage.map_or("", |stage| stage.plugin.name())
    }

    pub(super) fn fail_stage(&self, at: usize, file: &str, cause: StageCause, usage: Usage) {
        self.fail(Error::Stage(Box::new(StageError {
            stage: self.pipeline.label(at),
            plugin: self.plugin(at).to_owned(),
            file: file.to_owned(),
            cause,
            usage,
        })));
    }

    /// Returns a permit, if one is free.
    pub(super) fn try_permit(&self) -> Option<Permit> {
        Some(Permit {
            _fan_out: self.fan_out.clone().try_acquire_owned().ok()?,
            _instances: self
                .host
                .places
                .instances
                .clone()
                .try_acquire_many_owned(self.pipeline.places())
                .ok()?,
        })
    }

    /// Returns the permit with which the job starts. Waits for it no longer than the job may.
    ///
    /// # Errors
    /// [`Error::Busy`] if none was free in time, and [`Error::Draining`] if the host takes no more jobs.
    pub(super) async fn first_permit(&self) -> Result<Option<Permit>, Error> {
        let file = || self.results().source.name.clone();
        // What is a part of a job has begun with it.
        if self.parent_scratch.is_none() && self.host.places.draining.is_cancelled() {
            return Err(Error::Draining { file: file() });
        }
        if let Some(permit) = self.try_permit() {
            return Ok(Some(permit));
        }
        self.observers.emit(|| Event::Waiting { file: file() });
        let _waiting = self.host.places.waiting.enter();
        let place = async {
            let permit = self.permit().await;
            if self.host.places.stop.is_cancelled() {
                // It has the place of a job that was cancelled, and is about to be cancelled as well.
                return std::future::pending().await;
            }
            permit
        };
        let Some(most) = self.queue_timeout else {
            return Ok(place.await);
        };
        let waited = tokio::time::timeout(most, place).await;
        waited.map_err(|_| Error::Busy {
            file: file(),
            waited: most,
        })
    }

    /// Waits for a permit. Returns `None` only if the host is being torn down.
    pub(super) async fn permit(&self) -> Option<Permit> {
        Some(Permit {
            _fan_out: self.fan_out.clone().acquire_owned().await.ok()?,
            _instances: self
                .host
                .places
                .instances
                .clone()
                .acquire_many_owned(self.pipeline.places())
                .await
                .ok()?,
        })
    }
}
