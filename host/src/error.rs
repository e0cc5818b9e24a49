//! Everything that can end badly, typed.
//!
//! Promise: an error that a file met names the file, and one that a stage met names the stage and its plugin too. What a
//! plugin said, what it did (a trap, a limit, a broken promise) and what the service or the network did are distinct.
//! No error carries the API key, a presigned URL or its headers.

use std::path::PathBuf;

use crate::assets::AssetsError;
use crate::limits::Exceeded;
use crate::report::{Report, WorkflowReport};

/// What can go wrong before or within a job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine cannot run the engine as it was configured.
    #[error("cannot start the engine: {0}")]
    Engine(String),
    /// A plugin could not be loaded.
    #[error("plugin {plugin}: {reason}")]
    Load {
        /// The path or the name that was asked for.
        plugin: String,
        /// Why.
        reason: LoadError,
    },
    /// A pipeline is not one that can work.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A source could not be read.
    #[error("{file}: {reason}")]
    Source {
        /// The source's name.
        file: String,
        /// Why.
        reason: std::io::Error,
    },
    /// A stage failed on a file.
    #[error(transparent)]
    Stage(Box<StageError>),
    /// A sink failed on a file.
    #[error("{file}: {reason}")]
    Sink {
        /// The file's name.
        file: String,
        /// Why.
        reason: SinkError,
    },
    /// A file never became whole, and nothing else says why.
    #[error("{file}: ended early, without a word from any stage")]
    Interrupted {
        /// The file's name.
        file: String,
    },
    /// A job reached one of its own limits. What it had in work is broken off.
    #[error("{file}: the job {limit}")]
    Job {
        /// The source's name, or the workflow's.
        file: String,
        /// Which.
        limit: Exceeded,
    },
    /// A workflow does not take a file.
    #[error("{file}: workflow {workflow}: the file is {media_type}; it takes {accepts}")]
    Input {
        /// The file's name.
        file: String,
        /// The workflow's name.
        workflow: String,
        /// The type that was sniffed.
        media_type: String,
        /// The plugin's media ranges.
        accepts: String,
    },
    /// A workflow did not succeed. The assets that it had made are deleted.
    #[error("workflow {workflow}: {cause}")]
    Workflow {
        /// The workflow's name.
        workflow: String,
        /// The plugin's own name.
        plugin: String,
        /// Why.
        cause: StageCause,
    },
    /// The scratch folder could not be used.
    #[error("{file}: scratch folder: {reason}")]
    Scratch {
        /// The file that was to lie there.
        file: String,
        /// Why.
        reason: std::io::Error,
    },
}

impl Error {
    /// A fault of the scratch folder; a limit that was reached there is one of the job's own.
    pub(crate) fn scratch(file: String, reason: std::io::Error) -> Self {
        match Exceeded::within(&reason) {
            Some(limit) => Self::Job { file, limit },
            None => Self::Scratch { file, reason },
        }
    }
}

/// Why a plugin could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// These bytes are no component that this engine can compile.
    #[error("not a component: {0}")]
    NotAComponent(String),
    /// It exports none of the plugin worlds.
    #[error(
        "exports no plugin world; a plugin exports `transform`, `file-transform` or `workflow` of `forebay:plugin`"
    )]
    NoWorld,
    /// It has more bytes than the host takes of a component.
    #[error("larger than the {} that a component may have", bytesize::ByteSize(*.0))]
    TooLarge(u64),
    /// It was not compiled within the time that the host gives it.
    #[error("not compiled within {}", humantime::format_duration(*.0))]
    CompileTime(std::time::Duration),
    /// It imports what no stage can be granted: what that is in words, with the interfaces.
    #[error(
        "asks for {}, which forebay never grants; what a plugin imports without using it can be left out when it is built \
         (Python: `componentize-py --stub-wasi`; Rust: no `std::net`)",
        .0.join(" and ")
    )]
    Imports(Vec<String>),
    /// It could not be asked what it is.
    #[error("`describe` failed: {0}")]
    Describe(String),
    /// What it says of itself makes no sense.
    #[error("its descriptor is not usable: {0}")]
    Descriptor(String),
}

/// Why a pipeline is refused before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A config does not fit its plugin's schema.
    #[error("{place}: config: {problem}")]
    Config {
        /// The stage or the workflow.
        place: String,
        /// The field and what is wrong with it.
        problem: String,
    },
    /// Nothing that a stage can emit is taken by the next.
    #[error("stage {to} takes {takes}, but stage {from} gives {gives}")]
    MediaTypes {
        /// The earlier stage.
        from: String,
        /// What it can emit.
        gives: String,
        /// The later stage.
        to: String,
        /// What it takes.
        takes: String,
    },
    /// A plugin of one world where another belongs.
    #[error("{place}: plugin {plugin} {problem}")]
    World {
        /// The stage or the workflow.
        place: String,
        /// The plugin's own name.
        plugin: String,
        /// What it is or is not.
        problem: &'static str,
    },
    /// A plugin imports more than it is granted, or is granted what it cannot be given.
    #[error("{place}: plugin {plugin}: {problem}")]
    Grants {
        /// The stage or the workflow.
        place: String,
        /// The plugin's own name.
        plugin: String,
        /// The import or the grant, and what is wrong with it.
        problem: String,
    },
    /// More stages than the host has instances for.
    #[error("{stages} stages, but this host runs at most {most} instances at a time")]
    TooLong {
        /// How many stages the pipeline has.
        stages: usize,
        /// How many instances the host may run.
        most: usize,
    },
    /// The TOML could not be read as pipelines.
    #[error("{0}")]
    Toml(String),
}

/// What ended a stage's work on a file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: stage {stage}: {cause}")]
pub struct StageError {
    /// The stage, by its place and its name: `2 image-resize`.
    pub stage: String,
    /// The plugin's own name.
    pub plugin: String,
    /// The file that the stage was given.
    pub file: String,
    /// Why.
    pub cause: StageCause,
}

/// Why a stage ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StageCause {
    /// The plugin gave up.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The plugin's code trapped: a panic, an access out of bounds, an exit.
    #[error("the plugin crashed: {0}")]
    Trap(String),
    /// The stage reached one of its limits.
    #[error(transparent)]
    Limit(#[from] Exceeded),
    /// The file is of a type that the plugin does not take.
    #[error("the file is {media_type}; it takes {accepts}")]
    NotAccepted {
        /// The type that was sniffed.
        media_type: String,
        /// The plugin's media ranges.
        accepts: String,
    },
    /// An output is not of a type that the plugin said it emits.
    #[error("output {name} is {media_type}; the plugin says that it gives {produces}")]
    OutputType {
        /// The output's name.
        name: String,
        /// The type that was sniffed.
        media_type: String,
        /// What the descriptor allows.
        produces: String,
    },
    /// An output's name is not a plain base name.
    #[error("output name {0}")]
    OutputName(String),
    /// An output has another size than the plugin announced.
    #[error("output {name} was announced with {announced} bytes but has {actual}")]
    OutputSize {
        /// The output's name.
        name: String,
        /// What the plugin announced.
        announced: u64,
        /// What came; where more came than announced, at least so many.
        actual: u64,
    },
    /// A file that a file plugin named cannot be used.
    #[error("output {path}: {problem}")]
    OutputFile {
        /// The path that the plugin gave.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A workflow's result cannot be used.
    #[error("its result {0}")]
    Result(String),
    /// The plugin returned ok while outputs were still open.
    #[error("the plugin returned ok with {0} output(s) unfinished")]
    Unfinished(usize),
    /// The host failed the stage: a full disk, an instance that could not be made.
    #[error("{0}")]
    Host(String),
}

/// What a plugin said when it gave up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// Not this plugin's kind of file.
    #[error("not this plugin's kind of file: {0}")]
    Unsupported(String),
    /// The file is damaged or breaks its own format.
    #[error("damaged or invalid file: {0}")]
    InvalidInput(String),
    /// The config does not fit.
    #[error("invalid config: {0}")]
    InvalidConfig(String),
    /// Anything else.
    #[error("failed: {0}")]
    Failed(String),
}

/// Why a sink did not take a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// What is upstream failed, so the file never became whole. The upstream error is the one to show.
    #[error("the file never became whole, since an earlier stage failed")]
    Interrupted,
    /// A file of that name is there already and was not to be replaced.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Another file of the same run has that name, or one that the file system takes for it. That file stays.
    #[error("{}: another file of this run has this name", .0.display())]
    Taken(PathBuf),
    /// The run reads the file that has that name, to make something else of it. That file stays.
    #[error("{}: is another input of this run, and stays", .0.display())]
    Input(PathBuf),
    /// The disk did not take it.
    #[error("{}: {reason}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The Assets API did not take it.
    #[error(transparent)]
    Assets(#[from] AssetsError),
    /// A sink of the embedder's own failed.
    #[error("{0}")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<crate::stream::Interrupted> for SinkError {
    fn from(_: crate::stream::Interrupted) -> Self {
        Self::Interrupted
    }
}

/// A job in which something failed. What did succeed is in the report.
#[derive(Debug)]
pub struct JobError {
    /// What the job did; its failures are told in words there too.
    pub report: Box<Report>,
    /// What failed: never empty, in the order in which it happened.
    pub errors: Vec<Error>,
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        summarize(&self.errors, f)
    }
}

fn summarize(errors: &[Error], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    match errors {
        [] => write!(f, "failed"),
        [only] => write!(f, "{only}"),
        [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
    }
}

/// A workflow that did not succeed. Nothing of it is left with the service.
#[derive(Debug)]
pub struct WorkflowError {
    /// What failed: never empty. Several only where several sources could not be taken in.
    pub errors: Vec<Error>,
    /// What the plugin did, printed and used, if it was run.
    pub report: Option<Box<WorkflowReport>>,
}

impl From<Error> for WorkflowError {
    fn from(error: Error) -> Self {
        Self {
            errors: vec![error],
            report: None,
        }
    }
}

impl std::fmt::Display for WorkflowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        summarize(&self.errors, f)
    }
}

impl std::error::Error for WorkflowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}

impl std::error::Error for JobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}
