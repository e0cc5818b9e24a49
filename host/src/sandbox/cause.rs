//! Why a plugin's work on a file ended.
//!
//! Promise: what a plugin said, what it did (a trap, a limit, a broken promise) and what the host could not do are distinct.

use forebay_core::{media, text};

use super::bindings::GuestError;
use super::limits::Exceeded;
use super::usage::Usage;

/// What ended a stage's work on a file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: stage {stage}: {cause}")]
#[non_exhaustive]
pub struct StageError {
    /// The stage, by its place and its name: `2 image-resize`.
    pub stage: String,
    /// The plugin's own name.
    pub plugin: String,
    /// The file that the stage was given.
    pub file: String,
    /// Why.
    #[source]
    pub cause: StageCause,
    /// What the stage had used. All is zero if it was not started, as for a file of a type that it does not take.
    pub usage: Usage,
}

/// A media type in a message.
fn in_words(media_type: &str) -> &str {
    match media_type {
        media::UNKNOWN => "of unknown type",
        known => known,
    }
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
    #[error("the file is {}; it takes {accepts}", in_words(media_type))]
    NotAccepted {
        /// The type that was sniffed.
        media_type: String,
        /// The plugin's media ranges.
        accepts: String,
    },
    /// The stage is only for files of some sizes, and the size of this one is not known before it is read.
    #[error(
        "the stage is for files `{when}`, and this file's size is not known before it is read; \
         name types or file names alone, or put a folder between"
    )]
    UnknownSize {
        /// Which files the stage is for.
        when: String,
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
    /// An output's media type is longer than any that there is.
    #[error(
        "output {name} has a media type of {bytes} bytes; at most {} are taken",
        forebay_core::media::MAX_TYPE
    )]
    OutputMediaType {
        /// The output's name.
        name: String,
        /// Length of the media type, in bytes.
        bytes: usize,
    },
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
    /// A change of a file failed after the plugin had returned, or it did not ask how it went.
    #[error("what the plugin began to write to {path} may not be whole: {problem}")]
    Write {
        /// The path of the file, as the plugin knows it.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A workflow's result cannot be used.
    #[error("its result {0}")]
    Result(String),
    /// A workflow's result names a file that the workflow may not name.
    #[error("its result at {path}: {problem}")]
    ResultInput {
        /// Where it is: `$.files[0].url`.
        path: String,
        /// Why it may not be named.
        problem: InputProblem,
    },
    /// The plugin returned ok while outputs were still open.
    #[error("the plugin returned ok with {0} output(s) unfinished")]
    Unfinished(usize),
    /// The host failed the stage: a full disk, an instance that could not be made.
    #[error("{0}")]
    Host(String),
}

impl StageCause {
    /// A short name that does not change, for logs and metrics: `crashed`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plugin(error) => error.name(),
            Self::Trap(_) => "crashed",
            Self::Limit(_) => "limit",
            Self::NotAccepted { .. } => "not_accepted",
            Self::UnknownSize { .. } => "unknown_size",
            Self::OutputType { .. } => "output_type",
            Self::OutputName(_) => "output_name",
            Self::OutputMediaType { .. } => "output_media_type",
            Self::OutputSize { .. } => "output_size",
            Self::OutputFile { .. } => "output_file",
            Self::Write { .. } => "write",
            Self::Result(_) => "result",
            Self::ResultInput { .. } => "result_input",
            Self::Unfinished(_) => "unfinished",
            Self::Host(_) => "host",
        }
    }
}

/// Why a workflow may not name a file in its result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputProblem {
    /// It may name no files at all.
    #[error("is a file input; the workflow needs the grant `file_inputs`")]
    NotGranted,
    /// An asset that was neither made by this run nor lent to it.
    #[error(
        "the asset `{0}` is neither of this run nor lent to it; the grant `assets` lends one by its id"
    )]
    Asset(String),
    /// A URL of a host that was not granted.
    #[error(
        "the service would fetch this URL from `{0}`; the grant `url_hosts` lists the hosts that a workflow may name"
    )]
    Host(String),
    /// A URL that programs may read in different ways.
    #[error(
        "it is not clear from which host the service would fetch this URL; write it as `https://HOST/PATH`, without user \
         information, backslashes and characters that are not ASCII"
    )]
    UnclearHost,
    /// It is no file input that the service takes.
    #[error("is no file input that the service takes: {0}")]
    Invalid(String),
}

/// What a plugin said when it gave up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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

impl PluginError {
    /// A short name that does not change, for logs and metrics: `invalid_input`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unsupported(_) => "unsupported",
            Self::InvalidInput(_) => "invalid_input",
            Self::InvalidConfig(_) => "invalid_config",
            Self::Failed(_) => "failed",
        }
    }
}

/// Characters of a plugin's error message; the rest is cut.
pub(crate) const MAX_ERROR: usize = 1000;

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
