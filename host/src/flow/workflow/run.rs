//! One run of a workflow: prepares its inputs, runs its plugin, and keeps or deletes its assets.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::Value;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::bounded_json::{self, JsonError};
use super::definition::Workflow;
use super::error::WorkflowError;
use super::job_file::JobFile;
use super::session::Session;
use super::transforms::{Collect, passing_on};
use crate::flow::cancel::Cancel;
use crate::flow::error::Error;
use crate::flow::event::{Event, Events, Observers};
use crate::flow::job::{AbortOnDrop, Job, JobHandle};
use crate::flow::report::{InputReport, WorkflowReport, config_sha256};
use crate::flow::runtime::Runtime;
use crate::flow::sink::Sink;
use crate::flow::source::Source;
use crate::sandbox::cause::{PluginError, StageCause, StageEnd};
use crate::sandbox::guest::Guest;
use crate::sandbox::limits::Exceeded;
use crate::sandbox::pre::Pre;
use crate::sandbox::state::StageState;
use crate::sandbox::usage::Usage;
use crate::sandbox::world::World;
use forebay_assets::Assets;
use forebay_core::FileInfo;
use forebay_core::replay::ReplayableFile;
use forebay_core::scratch::Scratch;

/// How many sources become inputs at the same time.
const TAKEN_IN: usize = 4;

/// Maximum length of a result, in bytes. It names assets by their ids; it may contain a few small files as they are.
const MAX_RESULT: usize = 16 << 20;

/// A run that is ready to start. [`Host::run_workflow`](crate::Host::run_workflow) is the short form.
#[must_use = "a workflow does nothing until it is run"]
pub struct WorkflowJob {
    host: Arc<Runtime>,
    workflow: Workflow,
    sources: Vec<Source>,
    assets: Assets,
    observers: Observers,
    hash_files: bool,
    cancel: Cancel,
    queue_timeout: Option<Duration>,
}

impl WorkflowJob {
    pub(crate) fn new(
        host: Arc<Runtime>,
        workflow: Workflow,
        sources: Vec<Source>,
        assets: Assets,
    ) -> Self {
        let mut cancel = Cancel::default();
        cancel.on(host.places.stop.clone().cancelled_owned());
        Self {
            host,
            workflow,
            sources,
            assets,
            observers: Observers::default(),
            hash_files: false,
            cancel,
            queue_timeout: None,
        }
    }

    /// Calls `observer` for every [`Event`]; see [`Job::observe`](crate::Job::observe).
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observers.add(observer);
        self
    }

    /// Returns the events as a stream, too; see [`Job::events`](crate::Job::events).
    pub fn events(mut self) -> (Self, Events) {
        let events = self.observers.stream();
        (self, events)
    }

    /// Cancels the run when this future ends. It then fails with [`Error::Cancelled`], after the assets that it had created
    /// are deleted; see [`Job::cancel_on`](crate::Job::cancel_on).
    pub fn cancel_on(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.cancel.on(signal);
        self
    }

    /// How long the run may wait for a place, once its sources have become inputs. It then fails with [`Error::Busy`].
    pub fn queue_timeout(mut self, most: Duration) -> Self {
        self.queue_timeout = Some(most);
        self
    }

    /// Whether the report contains the SHA-256 of the sources and of every file between two stages; see
    /// [`Job::hash_files`](crate::Job::hash_files).
    pub fn hash_files(mut self, hash: bool) -> Self {
        self.hash_files = hash;
        self
    }

    /// Runs the workflow over all of its sources. Must be called within a tokio runtime. Dropping the future cancels
    /// the run and deletes the assets that it had created ([`Assets::settle`] waits for that).
    ///
    /// # Errors
    /// If a source could not become an input, which is before the plugin starts, or if the plugin did not succeed. In
    /// both cases no asset stays in the service.
    pub async fn run(self) -> Result<WorkflowReport, WorkflowError> {
        // In a separate task, as for jobs.
        let (mut report, session) = AbortOnDrop(tokio::spawn(self.go())).await?;
        // The assets are kept here and not in the task, so that they stay only if the caller gets the report.
        report.files = session.keep();
        Ok(report)
    }

    /// Starts the run in a task of its own; see [`Job::spawn`](crate::Job::spawn).
    pub fn spawn(self) -> JobHandle<Result<WorkflowReport, WorkflowError>> {
        let token = CancellationToken::new();
        let job = self.cancel_on(token.clone().cancelled_owned());
        JobHandle::new(job.run(), token)
    }

    async fn go(mut self) -> Result<(WorkflowReport, Arc<Session>), WorkflowError> {
        let started = Instant::now();
        let _token = self.host.places.token();
        let _running = self.host.places.running.enter();
        let name = self.workflow.name().to_owned();
        if self.host.places.draining.is_cancelled() {
            return Err(Error::Draining { file: name }.into());
        }
        let stop = self.stop();
        tokio::pin!(stop);
        let _last_to_go = self.assets.under_way();
        let most = self.workflow.job_limits().scratch_bytes;
        let scratch = self.host.scratch(most);
        let inputs = tokio::select! {
            biased;
            error = &mut stop => return Err(stopped(&self.observers, error)),
            inputs = self.take_in(&scratch) => inputs?,
        };
        let session = Arc::new(Session::new(
            self.host,
            self.workflow,
            inputs,
            self.assets,
            scratch,
            self.observers,
            self.hash_files,
        ));
        let host = session.host.clone();
        let place = tokio::select! {
            biased;
            error = &mut stop => Err(error),
            place = place(&host, &session, self.queue_timeout) => place,
        };
        let place = place.map_err(|error| stopped(&session.observers, error))?;
        let (result, mut report) = run(&session, stop).await;
        if self.hash_files {
            let files: Vec<_> = session
                .inputs
                .iter()
                .map(|input| input.bytes.clone())
                .collect();
            // The same number of open files as when the sources became inputs.
            let hashes: Vec<_> = futures::stream::iter(files.into_iter().map(hash))
                .buffered(TAKEN_IN)
                .collect()
                .await;
            for (input, sha256) in report.inputs.iter_mut().zip(hashes) {
                input.sha256 = sha256.ok();
            }
        }
        report.elapsed = started.elapsed();
        match result {
            Ok(result) => {
                report.result = result;
                drop(place);
                Ok((report, session))
            }
            Err(error) => {
                session.observers.emit(|| Event::failed(&error));
                report.failures.push(error.to_string());
                session.discard().await;
                Err(WorkflowError {
                    errors: vec![error],
                    report: Some(Box::new(report)),
                })
            }
        }
    }

    /// Waits for what ends the run from outside: a signal, or the limit of its time.
    fn stop(&self) -> impl Future<Output = Error> + Send + use<> {
        let limit = self.workflow.job_limits().wall_clock;
        let file = self.workflow.name().to_owned();
        let cancel = self.cancel.clone();
        async move {
            tokio::select! {
                () = cancel.requested() => Error::Cancelled { file },
                () = tokio::time::sleep(limit) => {
                    let limit = Exceeded::WallClock(limit);
                    Error::Job { file, limit }
                }
            }
        }
    }

    /// Makes the workflow's inputs from the sources: all of them, or none.
    async fn take_in(&mut self, scratch: &Scratch) -> Result<Vec<Arc<JobFile>>, WorkflowError> {
        let sources = std::mem::take(&mut self.sources);
        let Self {
            host,
            workflow,
            observers,
            hash_files,
            ..
        } = &*self;
        let taken = sources.into_iter().map(|source| async {
            let Some(pipeline) = workflow.pipeline() else {
                let file = source.name().to_owned();
                let input = source.into_replayable(scratch).await;
                return input
                    .map(|input| vec![JobFile::new(input)])
                    .map_err(|reason| vec![Error::Source { file, reason }]);
            };
            let sink = Arc::new(Collect::new(scratch.clone()));
            let collect: Arc<dyn Sink> = sink.clone();
            let report = Job::new(host.clone(), pipeline.clone(), source, collect)
                .observe(passing_on(observers.clone()))
                .hash_files(*hash_files)
                .part_of(scratch)
                .run()
                .await
                .map_err(|error| error.errors)?;
            Ok(sink.files(&report))
        });
        let taken: Vec<Result<Vec<JobFile>, Vec<Error>>> = futures::stream::iter(taken)
            .buffered(TAKEN_IN)
            .collect()
            .await;
        let mut inputs = Vec::new();
        let mut errors = Vec::new();
        let plugin = workflow.plugin();
        for taken in taken {
            match taken {
                Err(failed) => errors.extend(failed),
                Ok(files) => {
                    for input in files {
                        observers.emit(|| Event::Opened {
                            info: input.info().clone(),
                        });
                        let FileInfo {
                            name, media_type, ..
                        } = input.info();
                        if plugin.accepts(media_type) {
                            inputs.push(Arc::new(input));
                            continue;
                        }
                        let accepts = plugin.descriptor().accepts.join(", ");
                        errors.push(Error::Input {
                            file: name.clone(),
                            workflow: workflow.name().to_owned(),
                            media_type: media_type.clone(),
                            accepts,
                        });
                    }
                }
            }
        }
        for error in &errors {
            observers.emit(|| Event::failed(error));
        }
        if errors.is_empty() {
            Ok(inputs)
        } else {
            Err(WorkflowError {
                errors,
                report: None,
            })
        }
    }
}

impl fmt::Debug for WorkflowJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowJob")
            .field("workflow", &self.workflow.name())
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of a file, in hex.
async fn hash(file: Arc<ReplayableFile>) -> io::Result<String> {
    file.sha256().await
}

/// A run that is stopped before its plugin is started.
fn stopped(observers: &Observers, error: Error) -> WorkflowError {
    observers.emit(|| Event::failed(&error));
    error.into()
}

/// Waits for the places of a workflow.
async fn place<'a>(
    host: &'a Runtime,
    session: &Session,
    queue_timeout: Option<Duration>,
) -> Result<Option<SemaphorePermit<'a>>, Error> {
    let (semaphore, count) = (&host.places.workflows, session.workflow.plugin().places());
    if let Ok(place) = semaphore.try_acquire_many(count) {
        return Ok(Some(place));
    }
    let file = || session.workflow.name().to_owned();
    session.observers.emit(|| Event::Waiting { file: file() });
    let _waiting = host.places.waiting.enter();
    // If the host is being torn down, no permits are left. Then nothing waits for this run either.
    let place = async { semaphore.acquire_many(count).await.ok() };
    let Some(most) = queue_timeout else {
        return Ok(place.await);
    };
    let waited = tokio::time::timeout(most, place).await;
    waited.map_err(|_| Error::Busy {
        file: file(),
        waited: most,
    })
}

/// Runs the plugin until it ends or is stopped, and reports what it did.
async fn run(
    session: &Arc<Session>,
    stop: impl Future<Output = Error>,
) -> (Result<Value, Error>, WorkflowReport) {
    let workflow = &session.workflow;
    let plugin = workflow.plugin();
    let failed = |cause| Error::Workflow {
        workflow: workflow.name().to_owned(),
        plugin: plugin.name().to_owned(),
        cause,
    };
    let descriptor = plugin.descriptor();
    let inputs = session.inputs.iter().map(|input| InputReport {
        info: input.info().clone(),
        sha256: None,
        stages: input.stages.clone(),
    });
    let mut report = WorkflowReport {
        workflow: workflow.name().to_owned(),
        plugin: descriptor.name.clone(),
        version: descriptor.version.clone(),
        digest: plugin.digest().to_owned(),
        config_sha256: config_sha256(workflow.config()),
        inputs: inputs.collect(),
        files: Vec::new(),
        result: Value::Null,
        raw_result: workflow.is_raw(),
        failures: Vec::new(),
        messages: Vec::new(),
        usage: Usage::default(),
        limits: workflow.limits().clone(),
        grants: serde_json::json!(workflow.grants()),
        elapsed: Duration::ZERO,
    };
    let granted = workflow.granted();
    let limits = granted.bound(workflow.limits(), World::Workflow);
    let state = match StageState::new(&limits, granted) {
        Ok(state) => state,
        Err(error) => return (Err(failed(StageCause::Host(format!("{error:#}")))), report),
    };
    let mut guest = Guest::new(&session.host.engine, state, limits);
    let mut result = tokio::select! {
        biased;
        error = stop => Err(error),
        result = call(session, &mut guest) => result.map_err(failed),
    };
    report.messages = guest.messages();
    report.usage = guest.usage();
    if result.is_ok() {
        match guest.finish().await {
            Ok(usage) => report.usage = usage,
            Err(end) => result = Err(failed(cause(end))),
        }
    }
    (result, report)
}

/// Calls the plugin. Its result must be JSON, and must name only files that the workflow may name.
async fn call(session: &Arc<Session>, guest: &mut Guest) -> Result<Value, StageCause> {
    let workflow = &session.workflow;
    let Some(Pre::Workflow(pre)) = workflow.pre() else {
        return Err(StageCause::Host("not a workflow".into()));
    };
    let state = guest.state();
    state.extension = Some(session.clone());
    // The inputs count as read, whether or not their bytes enter the plugin.
    let given = session.inputs.iter().map(|input| input.size()).sum();
    state.taken.store(given, Ordering::Relaxed);
    let config = workflow.config().to_string();
    let returned = guest
        .run(async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| {
                    plugin
                        .forebay_plugin_workflow()
                        .call_run(accessor, config)
                        .await
                })
                .await?
        })
        .await
        .map_err(cause)?;
    let text = returned.map_err(PluginError::from)?;
    if text.len() > MAX_RESULT {
        return Err(StageCause::Result(format!(
            "has {} bytes, at most {MAX_RESULT} are taken",
            text.len()
        )));
    }
    let most = workflow.limits().host_memory;
    let result = bounded_json::read(&text, most).map_err(|error| match error {
        JsonError::Syntax(error) => StageCause::Result(format!("is not JSON: {error}")),
        JsonError::TooLarge => Exceeded::HostMemory(most).into(),
    })?;
    if !workflow.is_raw() {
        session.with_allowed(|allowed| allowed.check(&result))?;
    }
    Ok(result)
}

fn cause(end: StageEnd) -> StageCause {
    match end {
        StageEnd::Failed(cause) => cause,
        StageEnd::Interrupted => StageCause::Host("interrupted".into()),
    }
}
