//! Everything that can end badly, typed.
//!
//! Promise: an error that a file met names the file, and one that a stage met names the stage and its plugin too. What a
//! plugin said, what it did (a trap, a limit, a broken promise) and what the service or the network did are distinct.
//! No error carries the API key, a presigned URL or its headers.
//!
//! Each part has its own error type beside the code that makes it; [`Error`] sums them up. It stands in this layer, since
//! a job reports a list of them.

use super::pipeline::PipelineError;
use super::sink::SinkError;
use crate::sandbox::cause::{StageCause, StageError};
use crate::sandbox::engine::EngineError;
use crate::sandbox::limits::Exceeded;
use crate::sandbox::plugin::LoadError;

/// What can go wrong before or within a job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine cannot run the engine as it was configured.
    #[error(transparent)]
    Engine(#[from] EngineError),
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
    #[error("{file}: the stream ended early and no stage reported an error")]
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

/// The first error, and how many more there are.
pub(crate) fn summarize(errors: &[Error], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    match errors {
        [] => write!(f, "failed"),
        [only] => write!(f, "{only}"),
        [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
    }
}
