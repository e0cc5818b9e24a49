//! A failure in parts that a program can act on.

use std::io;

#[cfg(feature = "assets")]
use forebay_assets::{AssetsError, TransportKind};
use forebay_core::stamp::SourceChanged;
use serde::Serialize;

use crate::flow::error::Error;
use crate::flow::sink::SinkError;
use crate::sandbox::cause::StageCause;

/// A failure in parts: where it happened, what happened, and whether a retry may help.
///
/// ```
/// use forebay::{Error, Failure};
///
/// let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
/// let failure = Failure::from(&Error::Source { file: "a.jpg".into(), reason: missing });
/// assert_eq!((failure.step.as_str(), failure.code.as_str()), ("read", "not_found"));
/// assert!(!failure.retryable);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The whole failure as text.
    pub message: String,
    /// Name of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The stage, by its position and its name: `2 image-resize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The plugin's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// What was being done: `load`, `read`, `stage`, `workflow`, `job`, `journal`, `scratch` or `write`; for an upload `upload`,
    /// `create`, `put` or `complete`.
    pub step: String,
    /// HTTP status, if the service or its storage answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What happened, in a word: the service's or the storage's own code if there is one, otherwise one of forebay's,
    /// such as `not_found`, `not_accepted`, `invalid_input`, `limit`, `exists` or `no_answer`.
    pub code: String,
    /// The limit that was reached, by its name in a pipeline file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// The service's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whether the same file may succeed later without a change: the cause was temporary, and the retries were used up.
    pub retryable: bool,
}

impl Failure {
    /// A failure without a stage, a status or a limit, that a retry does not mend.
    pub fn new(
        message: impl Into<String>,
        step: impl Into<String>,
        code: impl Into<String>,
    ) -> Self {
        Self {
            message: message.into(),
            file: None,
            stage: None,
            plugin: None,
            step: step.into(),
            status: None,
            code: code.into(),
            limit: None,
            request_id: None,
            retryable: false,
        }
    }

    fn of_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    fn of_cause(mut self, cause: &StageCause) -> Self {
        self.code = cause.name().to_owned();
        if let StageCause::Limit(limit) = cause {
            self.limit = Some(limit.name().to_owned());
        }
        self
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let new = |step: &str, code: &str| Self::new(error.to_string(), step, code);
        match error {
            Error::Engine(_) => new("load", "engine"),
            Error::Load { plugin, .. } => {
                let mut failure = new("load", "plugin");
                failure.plugin = Some(plugin.clone());
                failure
            }
            Error::Pipeline(_) => new("load", "pipeline"),
            Error::Source { file, reason } => new("read", io_code(reason)).of_file(file),
            Error::Stage(stage) => {
                let mut failure = new("stage", "").of_file(&stage.file).of_cause(&stage.cause);
                failure.stage = Some(stage.stage.clone());
                failure.plugin = Some(stage.plugin.clone());
                failure
            }
            Error::Sink { file, reason } => of_sink(new("write", ""), reason).of_file(file),
            Error::Interrupted { file } => new("job", "interrupted").of_file(file),
            Error::Job { file, limit } => {
                let mut failure = new("job", "limit").of_file(file);
                failure.limit = Some(limit.name().to_owned());
                failure
            }
            Error::Input { file, .. } => new("workflow", "not_accepted").of_file(file),
            Error::Workflow { plugin, cause, .. } => {
                let mut failure = new("workflow", "").of_cause(cause);
                failure.plugin = Some(plugin.clone());
                failure
            }
            #[cfg(feature = "journal")]
            Error::Journal(_) => new("journal", "io"),
            Error::Busy { file, .. } => {
                let mut failure = new("job", "busy").of_file(file);
                failure.retryable = true;
                failure
            }
            Error::Draining { file } => new("job", "draining").of_file(file),
            Error::Cancelled { file } => new("job", "cancelled").of_file(file),
            Error::Scratch { file, reason } => new("scratch", io_code(reason)).of_file(file),
        }
    }
}

fn of_sink(mut failure: Failure, reason: &SinkError) -> Failure {
    failure.code = match reason {
        SinkError::Interrupted => "interrupted",
        SinkError::Exists(_) => "exists",
        SinkError::Taken(_) => "name_taken",
        SinkError::Input(_) => "is_input",
        SinkError::Io { reason, .. } => io_code(reason),
        #[cfg(feature = "assets")]
        SinkError::Assets(error) => return of_upload(failure, error),
        SinkError::Full(_) => "full",
        SinkError::Scratch(reason) => io_code(reason),
        SinkError::Closed => "closed",
        SinkError::NotSingle(_) => "not_single",
        SinkError::Other(_) => "sink",
    }
    .to_owned();
    failure
}

#[cfg(feature = "assets")]
fn of_upload(mut failure: Failure, error: &AssetsError) -> Failure {
    failure.retryable = error.is_transient();
    let (step, code) = match error {
        AssetsError::Service(error) => {
            failure.status = Some(error.status);
            failure.request_id = error.request_id.clone();
            (error.operation, error.code.as_str())
        }
        AssetsError::Storage(error) => {
            failure.status = Some(error.status);
            ("put", error.code.as_deref().unwrap_or("storage"))
        }
        AssetsError::Transport {
            operation, kind, ..
        } => (*operation, transport_code(*kind)),
        AssetsError::NotTried { .. } => ("upload", "not_tried"),
        AssetsError::PlainHttp { .. } => ("upload", "plain_http"),
        AssetsError::TooLarge { .. } => ("upload", "too_large"),
        AssetsError::UnsupportedType(_) => ("upload", "unsupported_type"),
        AssetsError::WrongSize { .. } => ("put", "wrong_size"),
        AssetsError::Mismatch { .. } => ("complete", "mismatch"),
        AssetsError::Interrupted(_) => ("upload", "interrupted"),
        AssetsError::Source(reason) => ("read", io_code(reason)),
        AssetsError::Scratch(reason) => ("scratch", io_code(reason)),
        AssetsError::Request { .. } => ("upload", "request"),
        _ => ("upload", "other"),
    };
    failure.step = step.to_owned();
    failure.code = code.to_owned();
    failure
}

#[cfg(feature = "assets")]
fn transport_code(kind: TransportKind) -> &'static str {
    match kind {
        TransportKind::Unreachable => "unreachable",
        TransportKind::UnknownHost => "unknown_host",
        TransportKind::Tls => "tls",
        TransportKind::BadAddress => "bad_address",
        TransportKind::Broken => "connection_broken",
        TransportKind::Stalled => "stalled",
        _ => "no_answer",
    }
}

fn io_code(error: &io::Error) -> &'static str {
    if SourceChanged::within(error).is_some() {
        return "changed";
    }
    match error.kind() {
        io::ErrorKind::NotFound => "not_found",
        io::ErrorKind::PermissionDenied => "permission_denied",
        io::ErrorKind::IsADirectory => "is_a_folder",
        io::ErrorKind::UnexpectedEof => "unexpected_end",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
        _ => "io",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::cause::StageError;
    use crate::sandbox::limits::Exceeded;
    use crate::sandbox::usage::Usage;

    #[test]
    fn a_stage_that_reached_a_limit_names_both() {
        let failure = Failure::from(&Error::Stage(Box::new(StageError {
            stage: "2 image-resize".into(),
            plugin: "image-resize".into(),
            file: "a.jpg".into(),
            cause: StageCause::Limit(Exceeded::Memory(1 << 20)),
            usage: Usage::default(),
        })));
        assert_eq!(failure.stage.as_deref(), Some("2 image-resize"));
        assert_eq!(failure.code, "limit");
        assert_eq!(failure.limit.as_deref(), Some("memory"));
        assert!(!failure.retryable);
    }
}
