//! The host: an engine, limits on how much runs at the same time, and the folders on disk that it may use.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "workflow")]
use forebay_assets::Assets;
use forebay_core::DEFAULT_CHUNK;

use crate::flow::error::Error;
use crate::flow::job::{Job, JobError, ToCaller};
use crate::flow::pipeline::Pipeline;
use crate::flow::places::{Occupancy, Places, WORKFLOWS};
use crate::flow::report::Report;
#[cfg(feature = "workflow")]
use crate::flow::report::WorkflowReport;
use crate::flow::runtime::Runtime;
use crate::flow::sink::Sink;
use crate::flow::source::Source;
#[cfg(feature = "workflow")]
use crate::flow::workflow::{Workflow, WorkflowError, WorkflowJob};
use crate::sandbox::code::{Code, Settings};
use crate::sandbox::engine::{self, Engine};
use crate::sandbox::plugin::{self, AddImports, Bounds, Plugin};
use crate::sizing;

/// Places for plugins that are asked what they are. The largest plugin has room.
const LOADING: u32 = engine::places(engine::MOST_INSTANCES);

// The largest workflow has room.
const _: () = assert!(engine::places(engine::MOST_INSTANCES) <= WORKFLOWS);

/// Loads plugins and runs jobs. It is cheap to clone, and clones share everything.
#[derive(Clone)]
pub struct Host(Arc<Runtime>);

impl Host {
    /// Returns a builder with the defaults: instances by cores and memory (see [`HostBuilder::instances`]), 32 uploads of workflows at the same time, chunks of 256 KiB,
    /// scratch in the system's temporary folder, and no cache.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            instances: sizing::instances(),
            uploads: 32,
            chunk: DEFAULT_CHUNK,
            scratch: std::env::temp_dir(),
            compile: Settings {
                program: None,
                args: Vec::new(),
                time: Duration::from_secs(120),
                memory: 1 << 30,
                folder: None,
                scratch: std::env::temp_dir(),
            },
            bounds: Bounds {
                component_bytes: 32 << 20,
                workflow_imports: workflow_imports(),
            },
        }
    }

    /// Loads a plugin from a file.
    ///
    /// # Errors
    /// [`Error::Load`] if the file cannot be read, is not a component, exports no plugin world, imports something that
    /// is never granted, does not fit this host, or cannot describe itself.
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

    /// Loads a plugin from the bytes of a component. Errors show `name` as the plugin's name. Loading does not wait for
    /// jobs, however busy the host is; at most two components are compiled at the same time.
    ///
    /// # Errors
    /// Same as for [`load_file`](Self::load_file).
    pub async fn load(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Result<Plugin, Error> {
        self.load_bytes(name, bytes.into(), None).await
    }

    /// Loads a plugin only if its bytes have this SHA-256, in hex.
    ///
    /// # Errors
    /// [`LoadError::Digest`](crate::LoadError::Digest) if they have another one; otherwise as for
    /// [`load_file`](Self::load_file).
    pub async fn load_pinned(
        &self,
        name: &str,
        bytes: impl Into<Vec<u8>>,
        sha256: &str,
    ) -> Result<Plugin, Error> {
        self.load_bytes(name, bytes.into(), Some(sha256)).await
    }

    async fn load_bytes(
        &self,
        name: &str,
        bytes: Vec<u8>,
        pinned: Option<&str>,
    ) -> Result<Plugin, Error> {
        let Runtime {
            engine,
            code,
            bounds,
            places,
            ..
        } = &*self.0;
        let _token = places.token();
        let plugin = tokio::select! {
            biased;
            () = places.stop.cancelled() => {
                let file = name.to_owned();
                return Err(Error::Cancelled { file });
            }
            plugin = Plugin::load(engine, code, bytes, pinned, *bounds, &places.loading) => plugin,
        };
        plugin.map_err(|reason| Error::Load {
            plugin: name.to_owned(),
            reason,
        })
    }

    /// Runs a pipeline over a source, into a sink. Must be called within a tokio runtime. Dropping the future cancels
    /// the job.
    ///
    /// # Errors
    /// If anything failed. The error contains the report of what succeeded.
    pub async fn run(
        &self,
        pipeline: &Pipeline,
        source: Source,
        sink: impl Sink + 'static,
    ) -> Result<Report, JobError> {
        self.job(pipeline, source, sink).run().await
    }

    /// Runs a workflow over sources. Its grants decide what it may do with `assets`. Must be called within a tokio
    /// runtime. Dropping the future cancels the run and deletes the assets that it had created.
    ///
    /// # Errors
    /// If a source could not become an input, or the workflow did not succeed. In both cases no asset stays in the
    /// service.
    #[cfg(feature = "workflow")]
    pub async fn run_workflow(
        &self,
        workflow: &Workflow,
        sources: impl IntoIterator<Item = Source>,
        assets: &Assets,
    ) -> Result<WorkflowReport, WorkflowError> {
        self.workflow_job(workflow, sources, assets).run().await
    }

    /// Prepares a run of a workflow that can be observed.
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

    /// Prepares a job that can be observed or configured further before it runs.
    pub fn job(&self, pipeline: &Pipeline, source: Source, sink: impl Sink + 'static) -> Job {
        let sink: Arc<dyn Sink> = Arc::new(sink);
        Job::new(self.0.clone(), pipeline.clone(), source, sink)
    }

    /// Prepares a job whose results go to the caller: by [`Job::single`] or [`Job::outputs`].
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use forebay::{Host, Pipeline, Source};
    /// use futures::TryStreamExt as _;
    ///
    /// let host = Host::builder().build()?;
    /// let pipeline = Pipeline::builder("as it is").build()?;
    /// let result = host.pull(&pipeline, Source::bytes("words.txt", "some words")).single().await?;
    /// assert_eq!(result.info.media_type, "text/plain");
    /// let pieces: Vec<_> = result.try_collect().await?;
    /// assert_eq!(pieces.concat(), b"some words");
    /// # Ok(()) }
    /// # tokio::runtime::Runtime::new()?.block_on(example())?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn pull(&self, pipeline: &Pipeline, source: Source) -> Job<ToCaller> {
        Job::new(
            self.0.clone(),
            pipeline.clone(),
            source,
            ToCaller::default(),
        )
    }

    /// How busy the host is now.
    pub fn occupancy(&self) -> Occupancy {
        self.0.places.occupancy()
    }

    /// Shuts the host down, for all of its clones. New jobs and workflows fail with [`Error::Draining`]. Those that run have
    /// `deadline` to end. What is left then is cancelled and fails with [`Error::Cancelled`] and its report. This returns
    /// when everything has ended: plugins, compilations, and the removal of scratch folders. (A compilation in this process
    /// cannot be ended, so it is waited for.) It returns how many jobs and workflows were cancelled.
    ///
    /// May be called again, and dropped at any time; the jobs stay cancelled. What cancelled uploads leave with the Assets
    /// API is deleted in the background: wait for that with `Assets::settle`.
    pub async fn drain(&self, deadline: Duration) -> usize {
        let Runtime { places, code, .. } = &*self.0;
        places.draining.cancel();
        places.tracker.close();
        let mut cancelled = 0;
        if tokio::time::timeout(deadline, places.tracker.wait())
            .await
            .is_err()
        {
            cancelled = places.cancel_all();
            places.tracker.wait().await;
        }
        code.settle().await;
        cancelled
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("instances", &self.0.places.max_instances)
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
    compile: Settings,
    bounds: Bounds,
}

impl HostBuilder {
    /// How many plugin instances may run at the same time, over all jobs. Further files wait. Each instance reserves 8
    /// GiB of address space, but uses memory only as it needs it. A plugin that is put together from more than five
    /// components counts as several.
    ///
    /// By default 16 for each core, but no more than one for each 64 MiB of memory, and from 16 to 256. More do not make work
    /// that computes any faster, and take more memory; fewer are enough for that. Work that waits for slow sources and sinks
    /// needs more, or a sink that is [spooled](crate::Spooled). `docs/embedding.md` in the repository has figures.
    #[must_use]
    pub fn instances(mut self, most: u32) -> Self {
        self.instances = most.max(1);
        self
    }

    /// How many uploads that workflows request may be in flight at the same time, over all runs. Further ones wait.
    #[must_use]
    pub fn uploads(mut self, most: usize) -> Self {
        self.uploads = most.clamp(1, 10_000);
        self
    }

    /// How many bytes are read from a source at a time; from 4 KiB to 16 MiB. Each channel of a job holds four such
    /// chunks.
    #[must_use]
    pub fn chunk_size(mut self, bytes: usize) -> Self {
        self.chunk = bytes.clamp(4 << 10, 16 << 20);
        self
    }

    /// The maximum size of a component in bytes; 32 MiB by default. A component built from CPython has about 21 MiB.
    #[must_use]
    pub fn component_bytes(mut self, most: u64) -> Self {
        self.bounds.component_bytes = most;
        self
    }

    /// How long a component may take to compile; 2 minutes by default. If it takes longer, loading fails. The
    /// compilation itself is ended only if it runs in a process of its own, see [`compiler`](Self::compiler).
    #[must_use]
    pub fn compile_time(mut self, most: Duration) -> Self {
        self.compile.time = most;
        self
    }

    /// How much memory a process that compiles may take, in bytes; 1 GiB by default. See [`compiler`](Self::compiler).
    #[must_use]
    pub fn compile_memory(mut self, most: u64) -> Self {
        self.compile.memory = most;
        self
    }

    /// Compiles components in a process of their own. The compiler works on the bytes of strangers, and some make it take
    /// gigabytes or minutes: in its own process it can be bounded and ended. By default components are compiled in this
    /// process.
    ///
    /// `program` is started with `args` and two numbers. It has to call [`run_compiler`](crate::run_compiler) with these
    /// two, and must have been built with the same version of this crate. Most programs name themselves:
    ///
    /// ```no_run
    /// fn main() -> std::process::ExitCode {
    ///     let mut args = std::env::args().skip(1);
    ///     if args.next().as_deref() == Some("--compile-plugin") {
    ///         return forebay::run_compiler(args);
    ///     }
    ///     let program = std::env::current_exe().expect("a program knows where it is");
    ///     let host = forebay::Host::builder().compiler(program, ["--compile-plugin"]).build();
    ///     // …
    ///     # std::process::ExitCode::SUCCESS
    /// }
    /// ```
    #[must_use]
    pub fn compiler(
        mut self,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        self.compile.program = Some(program.into());
        self.compile.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// The folder in which jobs create their scratch folders. It needs space for what plugins write there, and for
    /// uploads whose size is not known in advance.
    #[must_use]
    pub fn scratch_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.scratch = path.into();
        self.compile.scratch.clone_from(&self.scratch);
        self
    }

    /// Keeps compiled code in the folder `compiled` within this one, so that a plugin is compiled and asked what it is once,
    /// and not at every start. The files in there are run as native code. So the host does not start if the folder belongs
    /// to another user or is open to others.
    #[must_use]
    pub fn cache_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.compile.folder = Some(path.into());
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`Error::Engine`] if this machine cannot run the engine, or the cache folder cannot be used.
    pub fn build(self) -> Result<Host, Error> {
        let scratch = self.scratch.clone();
        // In a thread of its own, because the leftover scratch may be large.
        std::thread::spawn(move || {
            if let Err(error) = forebay_core::scratch::sweep(&scratch) {
                tracing::debug!("scratch folder {}: {error}", scratch.display());
            }
        });
        let engine = Engine::new(self.instances.saturating_add(WORKFLOWS + LOADING))?;
        Ok(Host(Arc::new(Runtime {
            code: Code::new(&engine, self.compile)?,
            engine,
            places: Places::new(self.instances, LOADING, self.uploads),
            chunk: self.chunk,
            scratch: self.scratch,
            bounds: self.bounds,
        })))
    }
}

/// The imports of workflows, if this host was built with them.
fn workflow_imports() -> Option<AddImports> {
    #[cfg(feature = "workflow")]
    return Some(crate::flow::workflow::add_imports);
    #[cfg(not(feature = "workflow"))]
    return None;
}
