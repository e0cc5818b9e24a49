//! The host: an engine, its limits on what runs at a time, and the places that it may use on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "workflow")]
use forebay_assets::Assets;
use forebay_core::DEFAULT_CHUNK;
use tokio::sync::Semaphore;

use crate::flow::error::Error;
use crate::flow::job::{Job, JobError};
use crate::flow::pipeline::Pipeline;
use crate::flow::report::Report;
#[cfg(feature = "workflow")]
use crate::flow::report::WorkflowReport;
use crate::flow::runtime::Runtime;
use crate::flow::sink::Sink;
use crate::flow::source::Source;
#[cfg(feature = "workflow")]
use crate::flow::workflow::{Workflow, WorkflowError, WorkflowJob};
use crate::sandbox::engine::Engine;
use crate::sandbox::plugin::{self, AddImports, Bounds, Plugin};

/// Workflows that may run at a time, over all callers; further ones wait.
const WORKFLOWS: u32 = 16;

/// Loads plugins and runs jobs. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Host(Arc<Runtime>);

impl Host {
    /// Starts with the defaults: 256 instances, 32 uploads of workflows at a time, pieces of 256 KiB, scratch in the
    /// system's temporary folder, no cache.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            instances: 256,
            uploads: 32,
            chunk: DEFAULT_CHUNK,
            scratch: std::env::temp_dir(),
            cache: None,
            bounds: Bounds {
                component_bytes: 128 << 20,
                compile_time: Duration::from_secs(300),
                workflow_imports: workflow_imports(),
            },
        }
    }

    /// Loads a plugin from a file.
    ///
    /// # Errors
    /// [`Error::Load`] when it cannot be read, is no component, exports no plugin world, imports what is never granted or
    /// does not fit this host, or cannot say what it is.
    pub async fn load_file(&self, path: impl AsRef<Path>) -> Result<Plugin, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match plugin::read(path, self.0.bounds).await {
            Ok(bytes) => self.load(&name, bytes).await,
            Err(reason) => Err(Error::Load {
                plugin: name,
                reason,
            }),
        }
    }

    /// Loads a plugin from the bytes of a component; `name` is what an error calls it.
    ///
    /// # Errors
    /// As for [`load_file`](Self::load_file).
    pub async fn load(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Result<Plugin, Error> {
        // The plugin is asked what it is: that takes an instance.
        let _instance = self.0.instances.acquire().await;
        Plugin::load(&self.0.engine, bytes.into(), self.0.bounds)
            .await
            .map_err(|reason| Error::Load {
                plugin: name.to_owned(),
                reason,
            })
    }

    /// Runs a pipeline over a source, into a sink. Must be called within a tokio runtime; dropping the future cancels the
    /// job.
    ///
    /// # Errors
    /// When anything failed. The error has the report of what did succeed.
    pub async fn run(
        &self,
        pipeline: &Pipeline,
        source: Source,
        sink: impl Sink + 'static,
    ) -> Result<Report, JobError> {
        self.job(pipeline, source, sink).run().await
    }

    /// Runs a workflow over sources; what it may do with `assets` is what it was granted. Must be called within a tokio
    /// runtime; dropping the future cancels the run, and deletes the assets that it had made.
    ///
    /// # Errors
    /// When a source could not be taken in, or the workflow did not succeed. Either way nothing is left with the service.
    #[cfg(feature = "workflow")]
    pub async fn run_workflow(
        &self,
        workflow: &Workflow,
        sources: impl IntoIterator<Item = Source>,
        assets: &Assets,
    ) -> Result<WorkflowReport, WorkflowError> {
        self.workflow_job(workflow, sources, assets).run().await
    }

    /// Prepares a run of a workflow, to be observed.
    #[cfg(feature = "workflow")]
    pub fn workflow_job(
        &self,
        workflow: &Workflow,
        sources: impl IntoIterator<Item = Source>,
        assets: &Assets,
    ) -> WorkflowJob {
        WorkflowJob::new(
            self.0.clone(),
            workflow.clone(),
            sources.into_iter().collect(),
            assets.clone(),
        )
    }

    /// Prepares a job, to be observed or set up further before it runs.
    pub fn job(&self, pipeline: &Pipeline, source: Source, sink: impl Sink + 'static) -> Job {
        Job::new(self.0.clone(), pipeline.clone(), source, Arc::new(sink))
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("instances", &self.0.max_instances)
            .field("chunk", &self.0.chunk)
            .finish_non_exhaustive()
    }
}

/// Sets up a [`Host`].
#[derive(Debug, Clone)]
pub struct HostBuilder {
    instances: u32,
    uploads: usize,
    chunk: usize,
    scratch: PathBuf,
    cache: Option<PathBuf>,
    bounds: Bounds,
}

impl HostBuilder {
    /// How many plugin instances may run at a time, over all jobs; further files wait. Each reserves 4 GiB of address
    /// space, but takes memory only as it uses it.
    #[must_use]
    pub fn instances(mut self, most: u32) -> Self {
        self.instances = most.max(1);
        self
    }

    /// How many uploads that workflows ask for may be under way at a time, over all runs; further ones wait.
    #[must_use]
    pub fn uploads(mut self, most: usize) -> Self {
        self.uploads = most.clamp(1, 10_000);
        self
    }

    /// Bytes that are read from a source at a time; from 4 KiB to 16 MiB. Each channel of a job holds four such pieces.
    #[must_use]
    pub fn chunk_size(mut self, bytes: usize) -> Self {
        self.chunk = bytes.clamp(4 << 10, 16 << 20);
        self
    }

    /// The most bytes that a component may have; 128 MiB unless set. One built from CPython has some 20 MiB.
    #[must_use]
    pub fn component_bytes(mut self, most: u64) -> Self {
        self.bounds.component_bytes = most;
        self
    }

    /// How long a component may take to compile; 5 minutes unless set. A compilation cannot be broken off: one that takes
    /// longer is given up, and ends in the background.
    #[must_use]
    pub fn compile_time(mut self, most: Duration) -> Self {
        self.bounds.compile_time = most;
        self
    }

    /// Where jobs make their scratch folders. It needs room for what plugins write there, and for uploads whose size is
    /// not known in advance.
    #[must_use]
    pub fn scratch_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.scratch = path.into();
        self
    }

    /// Keeps compiled code in this folder, so that a plugin is compiled once and not at every start. What is in there is
    /// run as native code: only this user may be able to write to it.
    #[must_use]
    #[cfg(feature = "cache")]
    pub fn cache_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`Error::Engine`] when this machine cannot run it, or the cache folder cannot be used.
    pub fn build(self) -> Result<Host, Error> {
        let scratch = self.scratch.clone();
        // Beside the rest: what was left may be large.
        std::thread::spawn(move || {
            if let Err(error) = forebay_core::scratch::sweep(&scratch) {
                tracing::debug!("scratch folder {}: {error}", scratch.display());
            }
        });
        Ok(Host(Arc::new(Runtime {
            engine: Engine::new(self.instances.saturating_add(WORKFLOWS), self.cache)?,
            instances: Arc::new(Semaphore::new(self.instances as usize)),
            max_instances: self.instances,
            workflows: Semaphore::new(WORKFLOWS as usize),
            uploads: Semaphore::new(self.uploads),
            chunk: self.chunk,
            scratch: self.scratch,
            bounds: self.bounds,
        })))
    }
}

/// What workflows import, where this host was built with them.
fn workflow_imports() -> Option<AddImports> {
    #[cfg(feature = "workflow")]
    return Some(crate::flow::workflow::add_imports);
    #[cfg(not(feature = "workflow"))]
    return None;
}
