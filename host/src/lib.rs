//! forebay runs sandboxed plugins over files on their way to an upload.
//!
//! A *plugin* is a WebAssembly component that anyone may have written: it shrinks a photo, takes its GPS position out,
//! splits a PDF. A [`Stage`] is a plugin with its config and [`Limits`]; a [`Pipeline`] is stages in order; a job runs a
//! pipeline over a [`Source`] and delivers what comes out to a [`Sink`]: a [`Folder`], the Assets API
//! ([`Assets::sink`]), [`Memory`], or one of your own. Bytes stream from source to sink through every stage, so memory
//! stays flat however long a file is.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use forebay::{Host, Memory, Pipeline, Source, Stage};
//!
//! let host = Host::builder().build()?;
//! let plugin = host.load("identity", forebay_bundled::IDENTITY).await?;
//! let pipeline = Pipeline::builder("as it is").stage(Stage::new(&plugin)).build()?;
//!
//! let sink = Memory::new();
//! let report = host.run(&pipeline, Source::bytes("words.txt", "some words"), sink.clone()).await?;
//!
//! assert_eq!(report.files[0].media_type, "text/plain");
//! assert_eq!(sink.take()[0].1, "some words");
//! # Ok(()) }
//! # tokio::runtime::Runtime::new()?.block_on(example())?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//!
//! - A plugin sees the file that it is given and nothing else: no folders, no environment, no network, no API key.
//! - Each stage works on each file in a store of its own. A crash, a [limit](Limits) or a lie about its output ends that
//!   stage, with an [`Error`] that names stage, plugin and file; other files go on.
//! - Nothing partial is ever visible. A file counts once every stage before it has succeeded.
//! - Types come from bytes: files are sniffed at the source and again after every stage.
//! - Dropping a job's future ends its plugins, closes its connections and removes its scratch folder.
//!
//! # Where to look
//!
//! [`Host`] loads plugins and runs jobs; [`Job`] adds progress and fan-out; [`assets`] is the client of the Assets API;
//! [`PipelineFile`] reads pipelines from TOML. Plugins are written with the crate `forebay-plugin`.
//!
//! Everything here needs a multi-threaded tokio runtime.

mod bindings;
mod blocks;
mod disk;
mod engine;
mod error;
mod grants;
mod held;
mod host;
mod job;
mod journal;
mod limits;
mod lock;
mod pipeline;
mod plugin;
mod report;
mod scratch;
mod sink;
mod source;
mod stage;
mod stream;
mod text;
mod workflow;

pub mod assets;
pub mod media;

pub use assets::{Asset, Assets, AssetsError, FileInput};
pub use error::{
    Error, JobError, LoadError, PipelineError, PluginError, SinkError, StageCause, StageError,
    WorkflowError,
};
pub use forebay_config_schema::ConfigSchema;
pub use grants::{Clock, Grants, Random};
pub use host::{Host, HostBuilder};
pub use job::{Event, Job, Progress};
pub use journal::{Journal, JournalError};
pub use limits::{Exceeded, JobLimits, Limits};
pub use pipeline::{
    Pipeline, PipelineBuilder, PipelineFile, PipelineSpec, StageSpec, WorkflowSpec,
};
pub use plugin::{Descriptor, Plugin, World};
pub use report::{FileReport, InputReport, Report, StageReport, Usage, WorkflowReport};
pub use sink::{Delivered, Folder, Memory, Outgoing, Place, Sink};
pub use source::Source;
pub use stage::{FileInfo, Stage};
pub use stream::{Content, Interrupted};
pub use workflow::{Workflow, WorkflowBuilder, WorkflowJob};

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
