//! Whose fault an error is, for services that answer it and for metrics.

use std::fmt;
use std::io;

#[cfg(feature = "assets")]
use forebay_assets::AssetsError;
use serde::Serialize;

use super::error::Error;
use super::sink::SinkError;
use crate::sandbox::cause::{PluginError, StageCause};
use crate::sandbox::limits::Exceeded;
use crate::sandbox::plugin::LoadError;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's: a source that ends early or is not there, a config that does not fit, a name that exists already.
    Caller,
    /// The file is of a type that is not taken.
    MediaType,
    /// The file is damaged, or the plugin could do nothing with it.
    File,
    /// A limit was reached.
    Limit,
    /// No place was free in time, or the host takes no more jobs. A later try may succeed.
    Busy,
    /// The job was cancelled.
    Cancelled,
    /// The plugin's: it crashed, or broke the contract.
    Plugin,
    /// The Assets API, its storage, or the way there.
    Service,
    /// This machine's: its disk, its memory, its settings; or the embedder's own sink.
    Host,
}

impl ErrorKind {
    /// A short name that does not change, for logs and metrics: `media_type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::MediaType => "media_type",
            Self::File => "file",
            Self::Limit => "limit",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::Plugin => "plugin",
            Self::Service => "service",
            Self::Host => "host",
        }
    }

    /// The status with which an HTTP service answers such an error (RFC 9110, section 15).
    pub fn http_status(self) -> u16 {
        match self {
            Self::Caller => 400,
            Self::Limit => 413,
            Self::MediaType => 415,
            Self::File => 422,
            Self::Plugin | Self::Host => 500,
            Self::Service => 502,
            Self::Busy | Self::Cancelled => 503,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Error {
    /// Whose fault it is.
    ///
    /// ```
    /// use forebay::{Error, ErrorKind};
    ///
    /// let error = Error::Cancelled { file: "a.jpg".into() };
    /// assert_eq!(error.kind(), ErrorKind::Cancelled);
    /// assert_eq!((error.kind().name(), error.kind().http_status()), ("cancelled", 503));
    /// ```
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Load { reason, .. } => match reason {
                LoadError::Io(_) => ErrorKind::Host,
                _ => ErrorKind::Plugin,
            },
            Self::Pipeline(_) => ErrorKind::Caller,
            Self::Source { reason, .. } => of_source(reason),
            Self::Stage(stage) => of_cause(&stage.cause),
            Self::Sink { reason, .. } => of_sink(reason),
            Self::Job { .. } => ErrorKind::Limit,
            Self::Input { .. } => ErrorKind::MediaType,
            Self::Workflow { cause, .. } => of_cause(cause),
            Self::Busy { .. } | Self::Draining { .. } => ErrorKind::Busy,
            Self::Cancelled { .. } => ErrorKind::Cancelled,
            Self::Engine(_) | Self::Interrupted { .. } | Self::Scratch { .. } => ErrorKind::Host,
            #[cfg(feature = "journal")]
            Self::Journal(_) => ErrorKind::Host,
        }
    }

    /// A short name that does not change, for logs and metrics: `stage`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Engine(_) => "engine",
            Self::Load { .. } => "load",
            Self::Pipeline(_) => "pipeline",
            Self::Source { .. } => "source",
            Self::Stage(_) => "stage",
            Self::Sink { .. } => "sink",
            Self::Interrupted { .. } => "interrupted",
            Self::Job { .. } => "limit",
            Self::Input { .. } => "input",
            Self::Workflow { .. } => "workflow",
            #[cfg(feature = "journal")]
            Self::Journal(_) => "journal",
            Self::Busy { .. } => "busy",
            Self::Draining { .. } => "draining",
            Self::Cancelled { .. } => "cancelled",
            Self::Scratch { .. } => "scratch",
        }
    }
}

/// A source is what the caller named or sends. That it cannot be read is the machine's fault only if its disk failed, which
/// nothing tells apart.
fn of_source(reason: &io::Error) -> ErrorKind {
    match Exceeded::within(reason) {
        Some(_) => ErrorKind::Limit,
        None => ErrorKind::Caller,
    }
}

fn of_cause(cause: &StageCause) -> ErrorKind {
    match cause {
        StageCause::Plugin(PluginError::Unsupported(_)) | StageCause::NotAccepted { .. } => {
            ErrorKind::MediaType
        }
        StageCause::Plugin(PluginError::InvalidConfig(_)) | StageCause::UnknownSize { .. } => {
            ErrorKind::Caller
        }
        StageCause::Plugin(PluginError::InvalidInput(_) | PluginError::Failed(_)) => {
            ErrorKind::File
        }
        StageCause::Limit(_) => ErrorKind::Limit,
        StageCause::Host(_) | StageCause::Write { .. } => ErrorKind::Host,
        StageCause::Trap(_)
        | StageCause::OutputType { .. }
        | StageCause::OutputName(_)
        | StageCause::OutputMediaType { .. }
        | StageCause::OutputSize { .. }
        | StageCause::OutputFile { .. }
        | StageCause::Result(_)
        | StageCause::ResultInput { .. }
        | StageCause::Unfinished(_) => ErrorKind::Plugin,
    }
}

fn of_sink(reason: &SinkError) -> ErrorKind {
    match reason {
        SinkError::Exists(_) | SinkError::Taken(_) | SinkError::Input(_) => ErrorKind::Caller,
        #[cfg(feature = "assets")]
        SinkError::Assets(error) => of_upload(error),
        SinkError::Full(_) => ErrorKind::Limit,
        SinkError::Closed => ErrorKind::Cancelled,
        SinkError::Scratch(reason) => of_scratch(reason),
        SinkError::NotSingle(_)
        | SinkError::Interrupted
        | SinkError::Io { .. }
        | SinkError::Other(_) => ErrorKind::Host,
    }
}

fn of_scratch(reason: &io::Error) -> ErrorKind {
    match Exceeded::within(reason) {
        Some(_) => ErrorKind::Limit,
        None => ErrorKind::Host,
    }
}

#[cfg(feature = "assets")]
fn of_upload(error: &AssetsError) -> ErrorKind {
    match error {
        AssetsError::TooLarge { .. } => ErrorKind::Limit,
        AssetsError::UnsupportedType(_) => ErrorKind::MediaType,
        AssetsError::Source(reason) => of_source(reason),
        AssetsError::Scratch(reason) => of_scratch(reason),
        _ => ErrorKind::Service,
    }
}
