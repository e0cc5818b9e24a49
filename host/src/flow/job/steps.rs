//! The steps of a file: from the source, through the stages, into the sink.
//!
//! A file needs a *permit* from the stage that emits it to the sink. The first output of a stage takes the permit of
//! its input. Every other output needs its own permit. While none is free, the output waits in scratch. So a plugin is
//! never blocked by one of its own outputs. The end of a file is passed on without a permit, so permits are always
//! returned and nothing waits forever.

use std::pin::Pin;
use std::sync::Arc;

use forebay_core::FileInfo;
use forebay_core::channel::Sender;
use forebay_core::media;
use forebay_core::scratch::{Scratch, TempFile};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::feed::Feed;
use super::in_flight::{InFlight, Origin};
use super::outputs::Outputs;
use super::run::{Permit, Run};
use super::stage_run::StageRun;
use crate::flow::error::Error;
use crate::flow::event::{Event, Progress};
use crate::flow::pipeline::PipelineError;
use crate::flow::report::{FileReport, StageReport};
use crate::flow::sink::{Delivered, Outgoing, SinkError};
use crate::flow::source::Source;
use crate::sandbox::cause::{StageCause, StageEnd};
use crate::sandbox::run::{self, Environment, StageOutputs};
use crate::sandbox::usage::Usage;

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Run {
    pub(super) async fn start(self: Arc<Self>, source: Source) {
        let file = source.name().to_owned();
        let declared = source.declared_type().map(str::to_owned);
        let (instances, most) = (self.pipeline.places(), self.host.places.max_instances);
        if instances > most {
            let stages = self.pipeline.stages().len();
            let (instances, most) = (instances as usize, most as usize);
            let error = PipelineError::TooLong {
                stages,
                instances,
                most,
            };
            return self.fail(error.into());
        }
        // The permit comes before anything is opened, so that waiting jobs hold no resources, however many they are.
        let permit = match self.first_permit().await {
            Ok(Some(permit)) => permit,
            Ok(None) => return,
            Err(error) => return self.fail(error),
        };
        let _running = self.host.places.jobs.enter();
        self.begun.notify_one();
        let scratch = match &self.parent_scratch {
            Some(parent) => parent.for_part(),
            None => self.host.scratch(self.pipeline.limits().scratch_bytes),
        };
        self.results().scratch_removal = Some(scratch.removal());
        let opened = match source.open().await {
            Ok(opened) => opened,
            Err(reason) => return self.fail(Error::Source { file, reason }),
        };
        let info = FileInfo {
            name: file.clone(),
            media_type: media::UNKNOWN.into(),
            size: opened.size,
        };
        let origin = Origin {
            replay: opened.replay(),
            declared,
            ..Origin::default()
        };
        let (content, feed) = Feed::new(opened, &self);
        let in_flight = InFlight {
            info,
            content,
            origin,
        };
        self.clone()
            .advance(in_flight, 0, Arc::new(permit), scratch)
            .await;
        if let Some(reason) = feed.fault().await {
            self.fail(Error::Source { file, reason });
        }
    }

    /// Moves a file through the stages from `at` on and into the sink.
    pub(super) fn advance(
        self: Arc<Self>,
        file: InFlight,
        at: usize,
        permit: Arc<Permit>,
        scratch: Scratch,
    ) -> BoxFuture {
        Box::pin(async move {
            let Some(file) = self.settle(file, at).await else {
                return;
            };
            let Some(at) = self.next_for(&file.info, at) else {
                return;
            };
            if self.pipeline.stages().get(at).is_some() {
                self.transform(file, at, permit, scratch).await;
            } else {
                self.deliver(file, permit, scratch).await;
            }
        })
    }

    /// The first stage from `at` on that is for this file, or the number of stages. `None` if that cannot be told, which
    /// fails the job.
    fn next_for(&self, file: &FileInfo, at: usize) -> Option<usize> {
        let stages = self.pipeline.stages().len();
        for at in at..stages {
            let Some(when) = self.pipeline.when(at) else {
                return Some(at);
            };
            match when.fits(file) {
                Some(true) => return Some(at),
                Some(false) => {}
                None => {
                    let when = when.to_string();
                    let cause = StageCause::UnknownSize { when };
                    self.fail_stage(at, &file.name, cause, Usage::default());
                    return None;
                }
            }
        }
        Some(stages)
    }

    /// Sets a file's type from its bytes, unless it was set for the source, and a name that fits this type. Checks that the stage before may emit this
    /// type.
    async fn settle(&self, mut file: InFlight, at: usize) -> Option<InFlight> {
        let Ok(head) = file.content.peek(media::SNIFF_LEN).await else {
            self.interrupted(&file.info.name);
            return None;
        };
        let sniffed = media::sniff(&head);
        let declared = file.origin.declared.take();
        if declared.is_some() {
            self.results().detected_type = Some(sniffed.to_owned());
        }
        let media_type =
            declared.unwrap_or_else(|| media::settle(sniffed, &file.info.media_type).to_owned());
        file.info.name = media::fit_name(&file.info.name, &media_type);
        file.info.media_type = media_type;
        match &file.origin.came_from {
            None => {
                self.observers.emit(|| Event::Opened {
                    info: file.info.clone(),
                });
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
                    let stage_run = file.origin.trail.last();
                    let usage = stage_run.map(|stage| stage.usage.get());
                    self.fail_stage(
                        before,
                        &name,
                        StageCause::OutputType {
                            name: name.clone(),
                            media_type,
                            produces,
                        },
                        usage.unwrap_or_default(),
                    );
                    return None;
                }
            }
        }
        Some(file)
    }

    async fn transform(
        self: Arc<Self>,
        file: InFlight,
        at: usize,
        permit: Arc<Permit>,
        scratch: Scratch,
    ) {
        let Some(stage) = self.pipeline.stages().get(at) else {
            return;
        };
        let InFlight {
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
                Usage::default(),
            );
        }
        let fingerprint = self.hash_files.then(|| content.hash());
        let stage_run = Arc::new(StageRun::start(&self, at, &info.name));
        self.results().stages.push(stage_run.clone());
        origin.trail.push(stage_run.clone());
        origin.came_from = Some(info.media_type.clone());
        origin.replay = None;
        origin.stored = None;
        let mut outputs = Outputs::new(
            self.clone(),
            origin,
            at + 1,
            permit.clone(),
            scratch.clone(),
        );
        let (emitted, mut begun) = mpsc::unbounded_channel();
        let environment = Environment {
            engine: &self.host.engine,
            scratch: &scratch,
            budget: self.host.budget(),
            emitted,
            usage: stage_run.usage.clone(),
        };
        let ended = {
            // What the plugin prints is logged within it.
            let span = tracing::info_span!(
                "stage",
                job = self.pipeline.name(),
                stage = self.pipeline.label(at),
                plugin = stage.plugin.name(),
                file = ?info.name,
            );
            let running = run::run(stage, info.clone(), content, environment).instrument(span);
            let mut running = std::pin::pin!(running);
            loop {
                tokio::select! {
                    biased;
                    Some(output) = begun.recv() => outputs.streamed(output),
                    ended = &mut running => break ended,
                }
            }
        };
        // The first output may have finished before the stage did. The stage's instance counted until now.
        drop(permit);
        while let Ok(output) = begun.try_recv() {
            outputs.streamed(output);
        }
        match ended {
            Ok(done) => {
                stage_run.usage.set(done.usage);
                let sha256 = fingerprint.and_then(|sha256| sha256.get().cloned());
                stage_run.end(&self, Ok(sha256));
                let label = self.pipeline.label(at);
                self.results().said(&label, &info.name, done.messages);
                match done.outputs {
                    StageOutputs::Streamed(senders) => senders.into_iter().for_each(Sender::finish),
                    StageOutputs::Stored(files) => {
                        files.into_iter().for_each(|file| outputs.stored(file))
                    }
                }
            }
            Err(StageEnd::Failed(cause)) => {
                stage_run.end(&self, Err(cause.to_string()));
                self.fail_stage(at, &info.name, cause, stage_run.usage.get());
            }
            Err(StageEnd::Interrupted) => {
                stage_run.end(&self, Err("interrupted".into()));
                self.interrupted(&info.name);
            }
        }
        outputs.finish().await;
    }

    async fn deliver(&self, file: InFlight, permit: Arc<Permit>, scratch: Scratch) {
        let InFlight {
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
        self.observers.emit(|| Event::Delivering {
            delivery,
            info: info.clone(),
        });
        let progress = Progress::new(self.observers.clone(), delivery);
        let ending = content.ending();
        let delivered = match self
            .sink
            .put(Outgoing {
                info: info.clone(),
                place: origin.place.clone(),
                content,
                scratch,
                replay: origin.replay,
                stored: origin.stored,
                permit: Some(permit),
                #[cfg(feature = "journal")]
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
            Err(SinkError::Scratch(reason)) => {
                return self.fail(Error::scratch(info.name, reason));
            }
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
            .filter_map(|stage| stage.succeeded())
            .collect();
        if self.hash_files {
            // The output of a stage for this file is the input of the next stage.
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
        self.observers.emit(|| Event::Delivered {
            delivery,
            report: Box::new(report.clone()),
        });
        origin.trail.iter().for_each(|stage| stage.deliver());
        self.results().files.push((origin.place, report));
    }

    /// Sends on a file that waits in scratch.
    pub(super) async fn resume(
        self: Arc<Self>,
        mut file: InFlight,
        stored: TempFile,
        at: usize,
        permit: Arc<Permit>,
        scratch: Scratch,
    ) {
        let stored = Arc::new(stored);
        let (content, fault) = match stored.content(file.info.size, self.host.chunk) {
            Ok(opened) => opened,
            Err(reason) => return self.fail(Error::scratch(file.info.name, reason)),
        };
        let name = file.info.name.clone();
        file.content = content;
        file.origin.stored = Some(stored);
        self.clone().advance(file, at, permit, scratch).await;
        if let Some(reason) = fault.take() {
            self.fail(Error::scratch(name, reason));
        }
    }
}
