//! `transforms`: the stages that a workflow was lent.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use wasmtime::component::{Accessor, HasSelf, Resource};

use super::bindings::forebay::plugin::transforms::{self, TransformError};
use super::bounded_json::{self, JsonError};
use super::files::Handle;
use super::job_file::JobFile;
use super::session::Session;
use crate::flow::error::Error;
use crate::flow::event::{Event, Observers};
use crate::flow::job::Job;
use crate::flow::job::JobError;
use crate::flow::pipeline::Pipeline;
use crate::flow::pipeline::PipelineError;
use crate::flow::place::Place;
use crate::flow::report::{FileReport, Report};
use crate::flow::sink::SinkError;
use crate::flow::sink::{Delivered, Outgoing, Sink};
use crate::flow::source::Source;
use crate::sandbox::bindings::GuestError;
use crate::sandbox::cause::{PluginError, StageCause};
use crate::sandbox::stage::Stage;
use crate::sandbox::state::{StageState, Tally};
use forebay_core::disk::WriteError;
use forebay_core::mutex::lock;
use forebay_core::replay::ReplayableFile;
use forebay_core::scratch::Scratch;
use forebay_core::text;

/// Maximum length of a config from a workflow, in bytes.
const MAX_CONFIG: usize = 1 << 20;

/// Characters of a stage's name that a message repeats.
const MAX_NAME: usize = 100;

/// Memory that such a config may take once it is read, in bytes. Calls of `apply` may wait side by side.
const MAX_CONFIG_MEMORY: u64 = 4 << 20;

impl transforms::Host for StageState {
    fn stages(&mut self) -> wasmtime::Result<Vec<String>> {
        let session = self.session()?;
        Ok(session
            .workflow
            .lent()
            .map(|(name, _)| name.to_owned())
            .collect())
    }
}

impl transforms::HostWithStore<StageState> for HasSelf<StageState> {
    async fn apply(
        accessor: &Accessor<StageState, Self>,
        stage: String,
        config: String,
        input: Resource<Handle>,
    ) -> wasmtime::Result<Result<Vec<Resource<Handle>>, TransformError>> {
        let (session, tally, file, _held) = accessor.with(|mut access| {
            let state = access.get();
            // Each call holds its config in memory while it waits. One that is too long is refused at once.
            let held = state
                .host_memory
                .hold(config.len().min(MAX_CONFIG) as u64)?;
            Ok::<_, wasmtime::Error>((
                state.session()?,
                state.tally.clone(),
                state.file(&input)?,
                held,
            ))
        })?;
        let _call = session.calls.try_acquire().map_err(|_| {
            StageCause::Host("too many calls of `apply` wait at once, at most 256 may".into())
        })?;
        let made = match session.apply(&stage, &config, &file).await {
            Ok(made) => made,
            Err(error) => return Ok(Err(error)),
        };
        count(&tally, &made)?;
        accessor.with(|mut access| {
            let state = access.get();
            let handles: wasmtime::Result<Vec<_>> =
                made.into_iter().map(|file| state.hand_out(file)).collect();
            handles.map(Ok)
        })
    }
}

/// Counts what stages make for a workflow as its output.
fn count(tally: &Tally, made: &[Arc<JobFile>]) -> Result<(), crate::sandbox::limits::Exceeded> {
    made.iter().try_for_each(|file| {
        tally.add_file()?;
        tally.add_bytes(file.size())
    })
}

impl Session {
    async fn apply(
        &self,
        name: &str,
        config: &str,
        file: &Arc<JobFile>,
    ) -> Result<Vec<Arc<JobFile>>, TransformError> {
        let Some(stage) = self.workflow.stage(name) else {
            let lent: Vec<&str> = self.workflow.lent().map(|(name, _)| name).collect();
            return Err(TransformError::Denied(format!(
                "no stage `{}` was lent to this workflow, which has: {}",
                text::tidy(name, MAX_NAME),
                lent.join(", ")
            )));
        };
        if config.len() > MAX_CONFIG {
            return Err(TransformError::Stage(GuestError::InvalidConfig(format!(
                "has {} bytes, at most {MAX_CONFIG} are taken",
                config.len()
            ))));
        }
        // The semaphore is closed only with the session.
        let _place = self.stages.acquire().await;
        let stage = merge(stage, config)
            .map_err(|problem| TransformError::Stage(GuestError::InvalidConfig(problem)))?;
        let pipeline = Pipeline::builder(name).stage(stage).build();
        let pipeline = pipeline.map_err(|error| {
            TransformError::Stage(GuestError::InvalidConfig(match error {
                PipelineError::Config { problem, .. } => problem,
                error => error.to_string(),
            }))
        })?;
        let sink = Arc::new(Collect::new(self.scratch.clone()));
        let (source, observers) = (Source::replayable(&file.bytes), self.observers.clone());
        let collect: Arc<dyn Sink> = sink.clone();
        let ended = Job::new(self.host.clone(), pipeline, source, collect)
            .observe(passing_on(observers))
            .hash_files(self.hash_files)
            .part_of(&self.scratch)
            .run()
            .await;
        let report = ended.map_err(|error| TransformError::Stage(in_guest_words(error)))?;
        Ok(sink
            .files(&report)
            .into_iter()
            .map(|mut made| {
                made.stages.splice(..0, file.stages.iter().cloned());
                Arc::new(made)
            })
            .collect())
    }
}

/// A stage with some fields of its config replaced.
fn merge(stage: &Stage, config: &str) -> Result<Stage, String> {
    let mut merged = stage.config.clone();
    if !config.is_empty() {
        let given = bounded_json::read(config, MAX_CONFIG_MEMORY).map_err(|error| match error {
            JsonError::Syntax(error) => error.to_string(),
            JsonError::TooLarge => "takes too much memory".into(),
        })?;
        let (Value::Object(given), Value::Object(fields)) = (given, &mut merged) else {
            return Err("is not an object".into());
        };
        fields.extend(given);
    }
    Ok(stage.clone().config(merged))
}

/// Passes on only the events about what stages read and did. Where files are delivered is not of interest yet.
pub(super) fn passing_on(observers: Observers) -> impl Fn(&Event) + Send + Sync {
    move |event| {
        if matches!(
            event,
            Event::Waiting { .. }
                | Event::Read { .. }
                | Event::Started { .. }
                | Event::Ended { .. }
        ) {
            observers.pass_on(event);
        }
    }
}

/// Converts the error of a stage to the contract's error, which contains nothing about this machine.
fn in_guest_words(error: JobError) -> GuestError {
    let Some(first) = error.errors.into_iter().next() else {
        return GuestError::Failed("the stage failed".into());
    };
    let Error::Stage(stage) = first else {
        tracing::warn!("a stage of a workflow: {first}");
        return GuestError::Failed("the host could not run the stage".into());
    };
    match stage.cause {
        StageCause::Plugin(PluginError::Unsupported(text)) => GuestError::Unsupported(text),
        StageCause::Plugin(PluginError::InvalidInput(text)) => GuestError::InvalidInput(text),
        StageCause::Plugin(PluginError::InvalidConfig(text)) => GuestError::InvalidConfig(text),
        StageCause::Plugin(PluginError::Failed(text)) => GuestError::Failed(text),
        StageCause::Host(reason) => {
            tracing::warn!("a stage of a workflow: {reason}");
            GuestError::Failed("the host could not run the stage".into())
        }
        cause @ StageCause::NotAccepted { .. } => GuestError::Unsupported(cause.to_string()),
        cause => GuestError::Failed(cause.to_string()),
    }
}

/// Keeps the files of a job in scratch.
#[derive(Debug)]
pub(super) struct Collect {
    scratch: Scratch,
    files: Mutex<Vec<Option<JobFile>>>,
}

impl Collect {
    pub(super) fn new(scratch: Scratch) -> Self {
        Self {
            scratch,
            files: Mutex::default(),
        }
    }

    /// The files, in the order of the job's report. Each has the stages that it went through.
    pub(super) fn files(&self, report: &Report) -> Vec<JobFile> {
        let mut files = lock(&self.files);
        let place = |file: &FileReport| match &file.place {
            Place::Custom { note } => usize::try_from(note.as_u64()?).ok(),
            _ => None,
        };
        report
            .files
            .iter()
            .filter_map(|file| {
                let mut made = files.get_mut(place(file)?)?.take()?;
                made.stages.clone_from(&file.stages);
                Some(made)
            })
            .collect()
    }
}

#[async_trait]
impl Sink for Collect {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let scratch = |error: std::io::Error| SinkError::Other(format!("scratch: {error}").into());
        let spooled =
            ReplayableFile::spool(&self.scratch, file.info, Vec::new(), &mut file.content).await;
        let held = spooled.map_err(|error| match error {
            WriteError::Interrupted => SinkError::Interrupted,
            WriteError::Io(error) => scratch(error),
        })?;
        let (size, sha256) = (held.size(), held.sha256.clone());
        let mut files = lock(&self.files);
        files.push(Some(JobFile::new(held)));
        let mut delivered = Delivered::custom(size, (files.len() - 1).into());
        delivered.sha256 = sha256;
        Ok(delivered)
    }
}
