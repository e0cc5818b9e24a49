//! Typed errors for everything that can fail.
//!
//! Promise: an error about a file names the file. An error of a stage also names the stage and its plugin. Three things
//! are distinct: what a plugin reported, what it did (a trap, a limit, a broken promise), and what the service or the
//! network did. No error contains the API key, a presigned URL or its headers.
//!
//! Each part has its own error type, next to the code that creates it. [`Error`] combines them. It is in this layer
//! because a job reports a list of them.

use std::time::Duration;

use super::pipeline::PipelineError;
use super::sink::SinkError;
use crate::sandbox::cause::{StageCause, StageError};
use crate::sandbox::engine::EngineError;
use crate::sandbox::limits::Exceeded;
use crate::sandbox::plugin::LoadError;

/// What can fail before or during a job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine cannot run the engine as it was configured.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A plugin could not be loaded.
    #[error("plugin {plugin}: {reason}")]
    Load {
        /// The path or the name that was requested.
        plugin: String,
        /// Why.
        #[source]
        reason: LoadError,
    },
    /// A pipeline cannot work.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A source could not be read.
    #[error("{file}: {reason}")]
    Source {
        /// The source's name.
        file: String,
        /// Why.
        #[source]
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
        #[source]
        reason: SinkError,
    },
    /// A file did not become complete, and no other error says why.
    #[error("{file}: the stream ended early and no stage reported an error")]
    Interrupted {
        /// The file's name.
        file: String,
    },
    /// A job reached one of its own limits. Its files in flight are cancelled.
    #[error("{file}: the job {limit}")]
    Job {
        /// The source's name, or the workflow's.
        file: String,
        /// Which.
        #[source]
        limit: Exceeded,
    },
    /// A workflow does not accept a file.
    #[error("{file}: workflow {workflow}: the file is {media_type}; it takes {accepts}")]
    Input {
        /// The file's name.
        file: String,
        /// The workflow's name.
        workflow: String,
        /// The sniffed type.
        media_type: String,
        /// The media ranges that the plugin accepts.
        accepts: String,
    },
    /// A workflow did not succeed. The assets that it had created are deleted.
    #[error("workflow {workflow}: {cause}")]
    Workflow {
        /// The workflow's name.
        workflow: String,
        /// The plugin's own name.
        plugin: String,
        /// Why.
        #[source]
        cause: StageCause,
    },
    /// The journal could not be written. What was uploaded before is in the report, but the journal may lack it.
    #[cfg(feature = "journal")]
    #[error(transparent)]
    Journal(#[from] super::journal::JournalError),
    /// No place was free in time. Nothing was read of the source. See [`Job::queue_timeout`](crate::Job::queue_timeout).
    #[error("{file}: the host is busy: no place was free within {}; try again later", humantime::format_duration(*.waited))]
    Busy {
        /// The source's name, or the workflow's.
        file: String,
        /// How long the job was allowed to wait.
        waited: Duration,
    },
    /// The host [takes no more jobs](crate::Host::drain).
    #[error("{file}: the host is shutting down and takes no more jobs")]
    Draining {
        /// The source's name, or the workflow's.
        file: String,
    },
    /// The job was cancelled before it was done: by [`JobHandle::cancel`](crate::JobHandle::cancel), by the signal of
    /// [`Job::cancel_on`](crate::Job::cancel_on), or because the host was [drained](crate::Host::drain). Nothing partial
    /// of it stays.
    #[error("{file}: cancelled")]
    Cancelled {
        /// The source's name, or the workflow's.
        file: String,
    },
    /// The scratch folder could not be used.
    #[error("{file}: scratch folder: {reason}")]
    Scratch {
        /// The file that was to be written there.
        file: String,
        /// Why.
        #[source]
        reason: std::io::Error,
    },
}

impl Error {
    /// Makes an error of the scratch folder. If a limit was reached there, it is one of the job's own limits.
    pub(crate) fn scratch(file: String, reason: std::io::Error) -> Self {
        match Exceeded::within(&reason) {
            Some(limit) => Self::Job { file, limit },
            None => Self::Scratch { file, reason },
        }
    }
}

/// Writes the first error and the number of further ones.
pub(crate) fn summarize(errors: &[Error], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    match errors {
        [] => write!(f, "failed"),
        [only] => write!(f, "{only}"),
        [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
    }
}
