//! forebay runs sandboxed plugins over files on their way to an upload.
//!
//! A *plugin* is a WebAssembly component that anyone may have written: it shrinks a photo, removes its GPS position, or
//! splits a PDF. A [`Stage`] is a plugin with its config, its [`Grants`] and its [`Limits`]. A [`Pipeline`] is stages in
//! order. A job runs a pipeline over a [`Source`] and delivers the results to a [`Sink`]: a [`Folder`], the Assets API
//! (`AssetsSink`), [`Memory`], or a sink of your own. Bytes stream from source to sink through every stage, so memory stays
//! flat however long a file is.
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
//! # Promises
//!
//! - A plugin sees the file that it is given and nothing else: no folders, no environment, no network, no API key.
//! - Each stage works on each file in a store of its own. A crash, a [limit](Limits) or a wrong output ends that stage, with
//!   an [`Error`] that names the stage, the plugin and the file. Other files go on.
//! - Nothing partial is ever visible. A file counts after every stage before it has succeeded.
//! - Types come from bytes: files are sniffed at the source and again after every stage.
//! - Dropping the future of a job stops its plugins, closes its connections and removes its scratch folder.
//! - A result that was [pulled](Host::pull) to its last byte is whole.
//!
//! # Where to look
//!
//! [`Host`] loads plugins and runs jobs. [`Job`] adds progress, fan-out, cancelling, and results that the caller
//! [pulls](Host::pull). [`ErrorKind`] says what a service answers. `docs/embedding.md` in the repository is the guide for
//! services: sources, results, cancelling, places and sizing, errors, metrics. The module `assets` is the client of the Assets
//! API. `PipelineFile` reads pipelines from TOML. Plugins are written with the crate `forebay-plugin`.
//! `docs/architecture.md` in the repository shows the layers and says where to change what.
//!
//! # Features
//!
//! All are on by default.
//!
//! | feature | brings |
//! |---|---|
//! | `assets` | the client of the Assets API, and the sink that uploads |
//! | `journal` | runs that are taken up again (with `assets`) |
//! | `workflow` | workflow plugins (with `assets`) |
//! | `toml` | pipelines from TOML files |
//!
//! Jobs need a tokio runtime with `enable_all`.

mod flow;
mod host;
#[cfg(all(test, feature = "journal"))]
mod journal_tests;
mod sandbox;
mod sizing;
pub mod testing;

/// The client of the Assets API: the crate `forebay-assets`.
#[cfg(feature = "assets")]
pub mod assets {
    pub use crate::flow::sink::AssetsSink;
    pub use forebay_assets::*;
}

/// Text that strangers chose, before people see it.
pub mod text {
    pub use forebay_core::text::{is_plain, json, lines, one_line};
}

/// Media types from bytes, and names that fit them.
pub mod media {
    pub use forebay_core::media::{SNIFF_LEN, UNKNOWN, canonical, fit_name, plain_name, sniff};
}

#[cfg(feature = "journal")]
pub use flow::journal::{Journal, JournalError};
#[cfg(feature = "toml")]
pub use flow::pipeline_file::{PipelineFile, PipelineSpec, StageSpec, WorkflowSpec};
#[cfg(feature = "workflow")]
pub use flow::report::{InputReport, WorkflowReport};
#[cfg(feature = "assets")]
pub use flow::sink::{AssetsExt, AssetsSink};
#[cfg(feature = "workflow")]
pub use flow::workflow::{Workflow, WorkflowBuilder, WorkflowError, WorkflowJob};
#[cfg(feature = "assets")]
pub use forebay_assets::{Asset, Assets, AssetsError, FileInput};

pub use flow::error::Error;
pub use flow::error_kind::ErrorKind;
pub use flow::event::{Event, Events, Progress};
pub use flow::job::{Job, JobError, JobHandle, Output, Outputs, Single, ToCaller};
pub use flow::pipeline::{Pipeline, PipelineBuilder, PipelineError, When, WhenError};
pub use flow::place::Place;
pub use flow::places::Occupancy;
pub use flow::report::{Failure, FileReport, Report, StageMessage, StageReport};
pub use flow::sink::{Delivered, Folder, Memory, Outgoing, Sink, SinkError, Spooled};
pub use flow::source::{Source, SourceSender};
pub use forebay_config_schema::ConfigSchema;
pub use forebay_core::FileInfo;
pub use forebay_core::channel::{Closed, Content, Interrupted};
pub use host::{Host, HostBuilder};
pub use sandbox::cause::{InputProblem, PluginError, StageCause, StageError};
pub use sandbox::code::run_compiler;
pub use sandbox::grants::{Clock, Grants, Random};
pub use sandbox::limits::{Exceeded, JobLimits, Limits};
pub use sandbox::plugin::{Descriptor, LinkError, LoadError, Plugin};
pub use sandbox::stage::Stage;
pub use sandbox::usage::Usage;
pub use sandbox::world::World;

/// Whether a path is one of forebay's own while it works: a file that a [`Folder`] has not completed (`.forebay-*.part`), or
/// a scratch folder. A process that was killed may have left it. Who uploads a whole folder passes over such paths.
pub fn is_work_in_progress(path: &std::path::Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(flow::sink::is_part) || forebay_core::scratch::is_scratch(path)
}

/// The examples of the README and of the guide, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/embedding.md")]
struct Readme;
