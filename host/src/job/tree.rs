//! The growing tree of a job's files.
//!
//! A file moves in a *lane*: from the stage that emits it to the sink, with an instance for each stage that is left. The
//! first output of a stage goes on in the lane of its input. For another there must be a free lane; if there is none, it
//! waits in scratch, so that the plugin is never held up by a file that comes after another of its own. Ends need no lane
//! to be passed on, so lanes are always given back and nothing waits forever.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::outputs::Family;
use super::{Event, Job, Observer, Progress};
use crate::disk;
use crate::error::{Error, SinkError, StageCause, StageError};
use crate::held::Held;
use crate::host::Shared;
use crate::journal::JobJournal;
use crate::limits::Exceeded;
use crate::lock::lock;
use crate::media;
use crate::pipeline::Pipeline;
use crate::report::{FileReport, StageReport};
use crate::scratch::{Scratch, TempFile};
use crate::sink::{Delivered, Outgoing, Sink};
use crate::source::Source;
use crate::stage::{self, Environment, FileInfo, Outputs, StageEnd};
use crate::stream::{Content, Sender, channel};

/// What all tasks of a running job share.
pub(super) struct Run {
    host: Arc<Shared>,
    pub(super) pipeline: Pipeline,
    sink: Arc<dyn Sink>,
    observer: Observer,
    fan_out: Arc<Semaphore>,
    journal: Option<JobJournal>,
    /// Whether reports tell the SHA-256 of every file between two stages.
    hash_files: bool,
    beside: Option<Scratch>,
    /// Told once the job has its turn.
    begun: Notify,
    /// Told once the job has reached a limit of its own.
    over: Notify,
    results: Mutex<Results>,
}

#[derive(Default)]
pub(super) struct Results {
    pub(super) source: FileInfo,
    pub(super) files: Vec<(Vec<usize>, FileReport)>,
    pub(super) errors: Vec<Error>,
    deliveries: u64,
    /// Files that stages have emitted, all stages together.
    emitted: u64,
    /// A file that never became whole; what ended it must have an error of its own.
    pub(super) interrupted: Option<String>,
}

/// A file between two stages.
pub(super) struct Moving {
    /// What upstream says of it.
    pub(super) info: FileInfo,
    pub(super) content: Content,
    pub(super) origin: Origin,
}

/// How a file came to be.
#[derive(Clone, Default)]
pub(super) struct Origin {
    /// The stages that it went through. Each is filled in when the stage has succeeded, which is before the content ends.
    pub(super) trail: Vec<Arc<OnceLock<StageReport>>>,
    /// The type of the file that the last stage was given; `None` for the source.
    pub(super) came_from: Option<String>,
    /// The source itself, where it can be read again, as long as no stage has changed it.
    pub(super) again: Option<Arc<Held>>,
    /// Its place among the outputs of each stage so far: a report lists files in this order, whichever is done first.
    pub(super) place: Vec<usize>,
}

/// The right to have one file in work: a place in the job's fan-out and the instances that the pipeline needs.
pub(super) struct Lane {
    _fan_out: OwnedSemaphorePermit,
    _instances: OwnedSemaphorePermit,
}

impl Run {
    /// A job about to start, and its source.
    pub(super) fn new(job: Job, journal: Option<JobJournal>) -> (Arc<Self>, Source) {
        let run = Self {
            host: job.host,
            pipeline: job.pipeline,
            sink: job.sink,
            observer: job.observer,
            fan_out: Arc::new(Semaphore::new(job.lanes)),
            journal,
            hash_files: job.hash_files,
            beside: job.beside,
            begun: Notify::new(),
            over: Notify::new(),
            results: Mutex::default(),
        };
        (Arc::new(run), job.source)
    }

    pub(super) fn results(&self) -> MutexGuard<'_, Results> {
        lock(&self.results)
    }

    pub(super) fn fail(&self, error: Error) {
        (self.observer)(Event::Failed(&error));
        if matches!(error, Error::Job { .. }) {
            self.over.notify_one();
        }
        self.results().errors.push(error);
    }

    /// Waits until the job has reached a limit of its own.
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

    /// Counts a file that a stage has emitted. None goes on that is one too many.
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

    fn fail_stage(&self, at: usize, file: &str, cause: StageCause) {
        let plugin = self
            .pipeline
            .stages()
            .get(at)
            .map(|stage| stage.plugin.name().to_owned())
            .unwrap_or_default();
        self.fail(Error::Stage(Box::new(StageError {
            stage: self.pipeline.label(at),
            plugin,
            file: file.to_owned(),
            cause,
        })));
    }

    fn instances(&self) -> u32 {
        u32::try_from(self.pipeline.stages().len()).unwrap_or(u32::MAX)
    }

    /// A lane, if one is free.
    pub(super) fn try_lane(&self) -> Option<Lane> {
        Some(Lane {
            _fan_out: self.fan_out.clone().try_acquire_owned().ok()?,
            _instances: self
                .host
                .instances
                .clone()
                .try_acquire_many_owned(self.instances())
                .ok()?,
        })
    }

    /// A lane, as soon as one is free. `None` only if the host were being torn down.
    pub(super) async fn lane(&self) -> Option<Lane> {
        Some(Lane {
            _fan_out: self.fan_out.clone().acquire_owned().await.ok()?,
            _instances: self
                .host
                .instances
                .clone()
                .acquire_many_owned(self.instances())
                .await
                .ok()?,
        })
    }

    pub(super) async fn start(self: Arc<Self>, source: Source) {
        let file = source.name().to_owned();
        let (stages, most) = (
            self.pipeline.stages().len(),
            self.host.max_instances as usize,
        );
        if stages > most {
            return self.fail(crate::error::PipelineError::TooLong { stages, most }.into());
        }
        // Before anything is opened: however many jobs wait, they hold nothing.
        let Some(lane) = self.lane().await else {
            return;
        };
        self.begun.notify_one();
        let scratch = match &self.beside {
            Some(larger) => larger.beside(),
            None => Scratch::new(&self.host.scratch, self.pipeline.limits().scratch_bytes),
        };
        let scratch = match scratch {
            Ok(scratch) => scratch,
            Err(reason) => return self.fail(Error::scratch(file, reason)),
        };
        let opened = match source.open().await {
            Ok(opened) => opened,
            Err(reason) => return self.fail(Error::Source { file, reason }),
        };
        let (sender, content) = channel(self.host.budget());
        let info = FileInfo {
            name: file.clone(),
            media_type: media::UNKNOWN.into(),
            size: opened.size,
        };
        let ending = content.ending();
        let moving = Moving {
            info,
            content,
            origin: Origin {
                again: opened.again(),
                ..Origin::default()
            },
        };
        let pump = {
            let (observer, chunk) = (self.observer.clone(), self.host.chunk);
            tokio::spawn(opened.pump(chunk, sender, move |bytes| observer(Event::Read(bytes))))
        };
        let pump = AbortOnDrop(pump);
        self.clone()
            .advance(moving, 0, Arc::new(lane), scratch)
            .await;
        // A source that is still open is one that nobody wants any more; its next byte may never come.
        if !ending.is_open()
            && let Err(reason) = pump.wait().await
        {
            self.fail(Error::Source { file, reason });
        }
    }

    /// Moves a file through the stages from `at` on and into the sink.
    pub(super) fn advance(
        self: Arc<Self>,
        file: Moving,
        at: usize,
        lane: Arc<Lane>,
        scratch: Scratch,
    ) -> BoxFuture {
        Box::pin(async move {
            let Some(file) = self.settle(file, at).await else {
                return;
            };
            if self.pipeline.stages().get(at).is_some() {
                self.transform(file, at, lane, scratch).await;
            } else {
                self.deliver(file, scratch).await;
            }
        })
    }

    /// Gives a file the type that its bytes show, a name that fits, and holds the stage before to its word.
    async fn settle(&self, mut file: Moving, at: usize) -> Option<Moving> {
        let Ok(head) = file.content.peek(media::SNIFF_LEN).await else {
            self.interrupted(&file.info.name);
            return None;
        };
        let sniffed = media::sniff(&head);
        let media_type = media::settle(sniffed, &file.info.media_type).to_owned();
        file.info.name = media::fit_name(&file.info.name, &media_type);
        file.info.media_type = media_type;
        match &file.origin.came_from {
            None => {
                (self.observer)(Event::Opened(&file.info));
                self.results().source = file.info.clone();
            }
            Some(given) => {
                let before = at.saturating_sub(1);
                let stage = self.pipeline.stages().get(before)?;
                let produces = &stage.plugin.descriptor().produces;
                let kept = produces.is_empty() && *given == file.info.media_type;
                if !kept && !produces.contains(&file.info.media_type) {
                    let produces = if produces.is_empty() {
                        given.clone()
                    } else {
                        produces.join(", ")
                    };
                    let FileInfo {
                        name, media_type, ..
                    } = file.info;
                    self.fail_stage(
                        before,
                        &name,
                        StageCause::OutputType {
                            name: name.clone(),
                            media_type,
                            produces,
                        },
                    );
                    return None;
                }
            }
        }
        Some(file)
    }

    async fn transform(
        self: Arc<Self>,
        file: Moving,
        at: usize,
        lane: Arc<Lane>,
        scratch: Scratch,
    ) {
        let Some(stage) = self.pipeline.stages().get(at) else {
            return;
        };
        let Moving {
            info,
            mut content,
            mut origin,
        } = file;
        if !stage.plugin.accepts(&info.media_type) {
            let accepts = stage.plugin.descriptor().accepts.join(", ");
            let media_type = info.media_type;
            return self.fail_stage(
                at,
                &info.name,
                StageCause::NotAccepted {
                    media_type,
                    accepts,
                },
            );
        }
        let fingerprint = self.hash_files.then(|| content.hash());
        let report = Arc::new(OnceLock::new());
        origin.trail.push(report.clone());
        origin.came_from = Some(info.media_type.clone());
        origin.again = None;
        let mut outputs = Family::new(self.clone(), origin, at + 1, lane.clone(), scratch.clone());
        let (emitted, mut begun) = mpsc::unbounded_channel();
        let environment = Environment {
            engine: &self.host.engine,
            scratch: &scratch,
            budget: self.host.budget(),
            emitted,
        };
        let ended = {
            let mut running = std::pin::pin!(stage::run(stage, info.clone(), content, environment));
            loop {
                tokio::select! {
                    biased;
                    Some(output) = begun.recv() => outputs.streamed(output),
                    ended = &mut running => break ended,
                }
            }
        };
        // The first output may have been done before the stage was: its instance counted until now.
        drop(lane);
        while let Ok(output) = begun.try_recv() {
            outputs.streamed(output);
        }
        match ended {
            Ok(done) => {
                let label = self.pipeline.label(at);
                let mut said = StageReport::new(label, stage, info.name, done.usage);
                said.input_sha256 = fingerprint.and_then(|sha256| sha256.get().cloned());
                (self.observer)(Event::Transformed(&said));
                let _ = report.set(said);
                match done.outputs {
                    Outputs::Streamed(senders) => senders.into_iter().for_each(Sender::finish),
                    Outputs::Stored(files) => {
                        files.into_iter().for_each(|file| outputs.stored(file))
                    }
                }
            }
            Err(StageEnd::Failed(cause)) => self.fail_stage(at, &info.name, cause),
            Err(StageEnd::Interrupted) => self.interrupted(&info.name),
        }
        outputs.finish().await;
    }

    async fn deliver(&self, file: Moving, scratch: Scratch) {
        let Moving {
            info,
            mut content,
            origin,
        } = file;
        let delivery = {
            let mut results = self.results();
            results.deliveries += 1;
            results.deliveries
        };
        let fingerprint = self.hash_files.then(|| content.hash());
        (self.observer)(Event::Delivering(delivery, &info));
        let progress = Progress::new(self.observer.clone(), delivery);
        let ending = content.ending();
        let delivered = match self
            .sink
            .put(Outgoing {
                info: info.clone(),
                place: origin.place.clone(),
                content,
                scratch,
                again: origin.again,
                journal: self
                    .journal
                    .as_ref()
                    .map(|journal| journal.file(&origin.place)),
                progress,
            })
            .await
        {
            Ok(delivered) if ending.is_whole() => delivered,
            Ok(_) => {
                let reason = SinkError::Other("the sink returned before the file was whole".into());
                return self.fail(Error::Sink {
                    file: info.name,
                    reason,
                });
            }
            Err(SinkError::Interrupted) => return self.interrupted(&info.name),
            Err(reason) => {
                return self.fail(Error::Sink {
                    file: info.name,
                    reason,
                });
            }
        };
        let Delivered {
            size,
            sha256,
            place,
        } = delivered;
        let sha256 = sha256.or_else(|| fingerprint?.get().cloned());
        let mut stages: Vec<StageReport> = origin
            .trail
            .iter()
            .filter_map(|stage| stage.get().cloned())
            .collect();
        if self.hash_files {
            // What a stage made for this file is what the next one was given.
            let mut made = sha256.clone();
            for stage in stages.iter_mut().rev() {
                stage.output_sha256 = made.take();
                made.clone_from(&stage.input_sha256);
            }
        }
        let report = FileReport {
            name: info.name,
            media_type: info.media_type,
            size,
            sha256,
            stages,
            place,
        };
        (self.observer)(Event::Delivered(delivery, &report));
        self.results().files.push((origin.place, report));
    }

    /// Starts a file that waits in scratch.
    pub(super) async fn resume(
        self: Arc<Self>,
        mut file: Moving,
        stored: TempFile,
        at: usize,
        lane: Arc<Lane>,
        scratch: Scratch,
    ) {
        let (opened, charge) = match stored.open() {
            Ok(opened) => opened,
            Err(reason) => return self.fail(Error::scratch(file.info.name, reason)),
        };
        let name = file.info.name.clone();
        let (sender, content) = channel(self.host.budget());
        file.content = content;
        let (size, chunk) = (file.info.size, self.host.chunk);
        let pump = AbortOnDrop(tokio::spawn(async move {
            let _until_it_is_read = charge;
            disk::pump(opened, size, chunk, sender, |_| {}).await
        }));
        self.clone().advance(file, at, lane, scratch).await;
        if let Err(reason) = pump.wait().await {
            self.fail(Error::scratch(name, reason));
        }
    }
}
/// A task that ends when its handle goes.
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    /// Waits for the task; its panic becomes the caller's.
    pub(crate) async fn wait(mut self) -> T {
        self.wait_on().await
    }

    /// Breaks the task off, and waits until it is.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }

    /// As [`wait`](Self::wait), for a task that may still be stopped.
    pub(crate) async fn wait_on(&mut self) -> T {
        match (&mut self.0).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going, and everything that waits with it.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
