//! One plugin over one file, in a store of its own.
//!
//! Promise: whatever a plugin does ends its stage and nothing else. Its store is dropped when it returns, traps, reaches
//! a limit or is no longer wanted, and with the store go its memory, its handles and its calls. An output counts only
//! once the plugin has returned ok and everything upstream has turned out whole.

mod file;
pub(crate) mod pipe;
pub(crate) mod state;
mod stream;
pub(crate) mod wasi3;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::WasiCtxBuilder;

use crate::bindings::{Descriptor, GuestError};
use crate::engine::Engine;
use crate::error::{PluginError, StageCause};
use crate::grants::{Granted, Grants};
use crate::limits::{CpuMeter, Exceeded, Limits, STACK};
use crate::plugin::{Plugin, Pre, World};
use crate::report::Usage;
use crate::scratch::{Scratch, TempFile};
use crate::stream::{Content, Interrupted, Sender};
use crate::text;
use state::StageState;

/// Handles of a plugin that has folders, whatever its limit: each may be an open file, of which a process often has no more
/// than 1,024.
const OPEN_FILES: u64 = 128;

/// Characters of a plugin's error message.
const MAX_ERROR: usize = 1000;

/// A plugin with its config, its limits and what it is granted.
///
/// ```no_run
/// # async fn example(host: forebay::Host) -> Result<(), forebay::Error> {
/// use forebay::{Limits, Stage};
/// use serde_json::json;
///
/// let resize = host.load_file("image-resize.wasm").await?;
/// let stage = Stage::new(&resize)
///     .config(json!({ "max_width": 2048 }))
///     .limits(Limits::default().memory(256 << 20));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Stage {
    pub(crate) name: String,
    pub(crate) plugin: Plugin,
    pub(crate) config: Value,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    /// What `grants` stand for, once the pipeline is built.
    pub(crate) granted: Option<Granted>,
    /// The plugin, linked with what it is granted, once the pipeline is built.
    pre: Option<Pre>,
}

impl Stage {
    /// A stage with an empty config, the default limits and no grants, named like its plugin.
    pub fn new(plugin: &Plugin) -> Self {
        Self {
            name: plugin.name().to_owned(),
            plugin: plugin.clone(),
            config: Value::Object(serde_json::Map::new()),
            limits: Limits::default(),
            grants: Grants::none(),
            granted: None,
            pre: None,
        }
    }

    /// Sets the config: a JSON object that fits the plugin's schema. Checked when the pipeline is built.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what it may do beyond working on its file; nothing unless set. Folders are opened when the pipeline is built.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self.granted = None;
        self.pre = None;
        self
    }

    /// Sets the name that messages and reports show.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// What it may use.
    pub fn limits_in_force(&self) -> &Limits {
        &self.limits
    }

    /// What it may do.
    pub fn grants_in_force(&self) -> &Grants {
        &self.grants
    }

    /// The stage with its folders open and its plugin linked.
    ///
    /// # Errors
    /// What is wrong with a grant, or which grant an import needs, in words.
    pub(crate) fn open(mut self) -> Result<Self, String> {
        if let Some(grant) = self.grants.for_workflows() {
            return Err(format!(
                "the grant `{grant}` is for workflows, and this is a {} plugin",
                self.plugin.world()
            ));
        }
        if self.granted.is_none() {
            self.granted = Some(Granted::open(&self.grants)?);
        }
        if self.pre.is_none() {
            self.pre = Some(self.plugin.link(&self.grants)?);
        }
        Ok(self)
    }

    /// The limits that its store is held to.
    fn limits_of_store(&self) -> Limits {
        let limits = self.limits.clone();
        let folders = self.granted.as_ref().is_some_and(Granted::has_folders);
        if folders || self.plugin.world() == World::File {
            let handles = limits.handles.min(OPEN_FILES);
            limits.handles(handles)
        } else {
            limits
        }
    }

    /// The state of a store for this stage.
    fn state(
        &self,
        limits: &Limits,
        add: impl FnOnce(&mut WasiCtxBuilder) -> wasmtime::Result<()>,
    ) -> Result<StageState, StageCause> {
        let granted = self.granted.clone().unwrap_or_default();
        StageState::with_wasi(limits, &granted, add)
            .map_err(|error| StageCause::Host(format!("{error:#}")))
    }
}

/// What is known of a file that moves through a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileInfo {
    /// Base name with extension.
    pub name: String,
    /// Media type, sniffed.
    pub media_type: String,
    /// Length in bytes, where it is known in advance.
    pub size: Option<u64>,
}

/// A file that a plugin has begun to emit. Name, type and size are the plugin's word.
#[derive(Debug)]
pub(crate) struct Emitted {
    pub(crate) info: FileInfo,
    pub(crate) content: Content,
}

/// A stage that succeeded.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) usage: Usage,
    pub(crate) outputs: Outputs,
}

#[derive(Debug)]
pub(crate) enum Outputs {
    /// Emitted while the stage ran; the ends are still to be passed on.
    Streamed(Vec<Sender>),
    /// Complete files in scratch.
    Stored(Vec<StoredFile>),
}

/// A complete file in scratch.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) info: FileInfo,
    pub(crate) file: TempFile,
}

/// Why a stage did not succeed.
#[derive(Debug)]
pub(crate) enum StageEnd {
    /// It failed by itself.
    Failed(StageCause),
    /// Upstream failed, or nothing downstream wants its outputs; the error of that is told elsewhere.
    Interrupted,
}

impl<C: Into<StageCause>> From<C> for StageEnd {
    fn from(cause: C) -> Self {
        Self::Failed(cause.into())
    }
}

/// What the host lends a stage besides its plugin.
pub(crate) struct Environment<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) scratch: &'a Scratch,
    /// Bytes that a channel may hold.
    pub(crate) budget: usize,
    /// Where a stream plugin's outputs go as they begin.
    pub(crate) emitted: mpsc::UnboundedSender<Emitted>,
}

/// Runs a stage over a file. Dropping the future ends the plugin.
pub(crate) async fn run(
    stage: &Stage,
    info: FileInfo,
    content: Content,
    environment: Environment<'_>,
) -> Result<Done, StageEnd> {
    match &stage.pre {
        Some(Pre::Stream(pre)) => stream::run(stage, pre, info, content, environment).await,
        Some(Pre::File(pre)) => file::run(stage, pre, info, content, environment).await,
        // Pipelines refuse it when they are built.
        Some(Pre::Workflow(_)) => Err(StageCause::Host("a workflow is no stage".into()).into()),
        None => Err(StageCause::Host("the stage was not built into a pipeline".into()).into()),
    }
}

/// Asks a plugin for its descriptor.
pub(crate) async fn describe(
    engine: &Engine,
    pre: &Pre,
    limits: Limits,
) -> Result<Descriptor, String> {
    let state = StageState::new(&limits, &Granted::default());
    let state = state.map_err(|error| format!("{error:#}"))?;
    let mut guest = Guest::new(engine, state, limits);
    let call = async |store: &mut Store<StageState>| match pre {
        Pre::Stream(pre) => {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| {
                    plugin
                        .forebay_plugin_transform()
                        .call_describe(accessor)
                        .await
                })
                .await?
        }
        Pre::File(pre) => {
            let plugin = pre.instantiate_async(&mut *store).await?;
            plugin
                .forebay_plugin_file_transform()
                .call_describe(&mut *store)
                .await
        }
        Pre::Workflow(pre) => {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| {
                    plugin
                        .forebay_plugin_workflow()
                        .call_describe(accessor)
                        .await
                })
                .await?
        }
    };
    match guest.run(call).await {
        Ok(descriptor) => Ok(descriptor),
        Err(StageEnd::Failed(cause)) => Err(cause.to_string()),
        Err(StageEnd::Interrupted) => Err(Interrupted.to_string()),
    }
}

/// A store under its limits.
pub(crate) struct Guest {
    store: Store<StageState>,
    limits: Limits,
    meter: Arc<CpuMeter>,
    started: Instant,
}

impl Guest {
    pub(crate) fn new(engine: &Engine, state: StageState, limits: Limits) -> Self {
        let mut store = Store::new(engine, state);
        let meter = Arc::new(CpuMeter::default());
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(usize::try_from(limits.call_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        let (watch, most) = (meter.clone(), limits.cpu_time);
        store.epoch_deadline_callback(move |_| {
            if watch.now() > most {
                return Err(Exceeded::CpuTime(most).into());
            }
            // Other tasks get their turn at every tick, so a plugin that only computes slows nobody by more than that.
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        Self {
            store,
            limits,
            meter,
            started: Instant::now(),
        }
    }

    /// Runs calls into the guest, timed, and tells what ended them.
    pub(crate) async fn run<T>(
        &mut self,
        calls: impl AsyncFnOnce(&mut Store<StageState>) -> wasmtime::Result<T>,
    ) -> Result<T, StageEnd> {
        let left = self.time_left();
        let meter = self.meter.clone();
        let measured = meter.measure(self.limits.cpu_time, calls(&mut self.store));
        match tokio::time::timeout(left, measured).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(self.explain(&error)),
            Ok(Err(exceeded)) => Err(exceeded.into()),
            Err(_) => Err(Exceeded::WallClock(self.limits.wall_clock).into()),
        }
    }

    /// Finds our own reason in what wasmtime gives back; anything else is a trap.
    fn explain(&self, error: &wasmtime::Error) -> StageEnd {
        if error.is::<Interrupted>() {
            StageEnd::Interrupted
        } else if let Some(&exceeded) = error.downcast_ref::<Exceeded>() {
            exceeded.into()
        } else if let Some(cause) = error.downcast_ref::<StageCause>() {
            cause.clone().into()
        } else if error.downcast_ref() == Some(&Trap::StackOverflow) {
            Exceeded::Stack(STACK as u64).into()
        } else if error.downcast_ref() == Some(&Trap::CannotBlockSyncTask) {
            let why = "it waited in a function that is not `async`; a file plugin takes WASI 0.2 for what it waits for";
            StageCause::Trap(why.into()).into()
        } else if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
            Exceeded::Handles(self.limits.handles).into()
        } else {
            // It may quote names from the component.
            let trap = text::tidy(&error.root_cause().to_string(), MAX_ERROR);
            // These have no types that could be named.
            if trap.contains("fuel allocated for hostcalls") {
                return Exceeded::CallBytes(self.limits.call_bytes).into();
            }
            if trap.contains("handle limit exceeded") {
                return Exceeded::Handles(self.limits.handles).into();
            }
            StageCause::Trap(match self.store.data().log.last_line() {
                Some(line) => format!("{trap}: {line}"),
                None => trap,
            })
            .into()
        }
    }

    /// What the store holds.
    pub(crate) fn state(&mut self) -> &mut StageState {
        self.store.data_mut()
    }

    /// What the plugin printed.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.store.data().log.lines()
    }

    pub(crate) fn usage(&self) -> Usage {
        let state = self.store.data();
        Usage {
            bytes_in: state.taken(),
            bytes_out: state.emitted_bytes(),
            cpu_time: self.meter.total(),
            wall_clock: self.started.elapsed(),
            peak_memory: state.memory.peak(),
        }
    }

    /// Wall-clock time that is left.
    fn time_left(&self) -> Duration {
        self.limits
            .wall_clock
            .saturating_sub(self.started.elapsed())
    }
}

impl From<GuestError> for PluginError {
    fn from(error: GuestError) -> Self {
        let tidy = |text: String| text::tidy(&text, MAX_ERROR);
        match error {
            GuestError::Unsupported(text) => Self::Unsupported(tidy(text)),
            GuestError::InvalidInput(text) => Self::InvalidInput(tidy(text)),
            GuestError::InvalidConfig(text) => Self::InvalidConfig(tidy(text)),
            GuestError::Failed(text) => Self::Failed(tidy(text)),
        }
    }
}
