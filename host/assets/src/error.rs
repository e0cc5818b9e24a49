//! Errors of the service, its storage and the connection to them.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use forebay_core::channel::Interrupted;
use forebay_core::disk::WriteError;

/// Why an upload failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssetsError {
    /// The client cannot be built.
    #[error("{0}")]
    Setup(String),
    /// The file has more bytes than the flow takes.
    #[error("{size} bytes are more than the {most} that this upload takes")]
    TooLarge {
        /// The file's size.
        size: u64,
        /// Most bytes that are taken.
        most: u64,
    },
    /// The service does not take files of this type.
    #[error("the service does not take {0}; it takes PNG, JPEG, MP4, WebM, MP3, WAV, PDF and SRT")]
    UnsupportedType(String),
    /// A request that the service would refuse immediately.
    #[error("{field}: {problem}")]
    Request {
        /// The field of the request's body.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The service refused.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// The storage behind a presigned URL refused.
    #[error("put: the storage answered {status}{}", code.as_deref().map(|code| format!(" {code}")).unwrap_or_default())]
    Storage {
        /// HTTP status.
        status: u16,
        /// The storage's own code, such as `AccessDenied`.
        code: Option<String>,
    },
    /// No answer came, or the answer made no sense.
    #[error("{operation}: {reason}")]
    Transport {
        /// The operation that failed.
        operation: &'static str,
        /// What happened. It contains no URL.
        reason: String,
    },
    /// The content has more or fewer bytes than were announced.
    #[error("put: {actual} bytes, announced were {announced}")]
    WrongSize {
        /// Number of bytes that were announced.
        announced: u64,
        /// Number of bytes that the content had.
        actual: u64,
    },
    /// The service holds more or fewer bytes than were sent.
    #[error("complete: the service holds {held} bytes, sent were {sent}")]
    Mismatch {
        /// Number of bytes that the service reports.
        held: u64,
        /// Number of bytes that were sent.
        sent: u64,
    },
    /// The content was interrupted before its end.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The scratch folder could not be used.
    #[error("scratch folder: {0}")]
    Scratch(#[from] std::io::Error),
    /// The file could not be read while it was sent.
    #[error("cannot be read: {0}")]
    Source(#[source] std::io::Error),
}

impl From<WriteError> for AssetsError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Interrupted => Interrupted.into(),
            WriteError::Io(error) => error.into(),
        }
    }
}

/// An error as the service describes it.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{operation}: {message} ({status} {code}{})",
    request_id.as_deref().map(|id| format!(", request {id}")).unwrap_or_default()
)]
#[non_exhaustive]
pub struct ServiceError {
    /// The operation that failed.
    pub operation: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The service's code, such as `rate_limit_exceeded`.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// The parameter that is wrong, if the error is about one.
    pub param: Option<String>,
    /// The service's id of the request, to ask the service about it.
    pub request_id: Option<String>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
}

impl From<ServiceError> for AssetsError {
    fn from(error: ServiceError) -> Self {
        Self::Service(Box::new(error))
    }
}

impl AssetsError {
    /// An error of the HTTP client, without the URL.
    pub(crate) fn transport(operation: &'static str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut reason = if error.is_connect() {
            "no connection".to_owned()
        } else if error.is_timeout() {
            "timed out".to_owned()
        } else {
            error.to_string()
        };
        // The innermost cause says what happened.
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
        while let Some(inner) = cause {
            if inner.source().is_none() {
                reason = format!("{reason}: {inner}");
            }
            cause = inner.source();
        }
        Self::Transport { operation, reason }
    }

    pub(crate) fn stalled(operation: &'static str, patience: Duration) -> Self {
        Self::Transport {
            operation,
            reason: format!("nothing moved for {}", humantime::format_duration(patience)),
        }
    }

    /// How long the service asks to wait, if it asks.
    pub(crate) fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Service(error) => error.retry_after,
            _ => None,
        }
    }

    /// Whether the storage refuses the URL itself, or the reservation no longer exists.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Storage { status, .. } => *status == 403,
            Self::Service(error) => error.status == 404,
            _ => false,
        }
    }

    /// Whether the same request may succeed if it is sent again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Service(error) => {
                matches!(error.status, 408 | 429 | 500..=599)
                    // The answer to the first attempt was lost, and the service still works on it.
                    || error.code == "request_in_progress"
            }
            // These codes mean that a body was damaged or cut off on the way.
            Self::Storage { status, code } => {
                matches!(status, 408 | 429 | 500..=599)
                    || matches!(
                        code.as_deref(),
                        Some("IncompleteBody" | "BadDigest" | "RequestTimeout")
                    )
            }
            Self::Transport { .. } => true,
            _ => false,
        }
    }

    /// Like [`is_transient`](Self::is_transient), for a completion: 409 means that the storage is still settling the
    /// bytes.
    pub(crate) fn may_settle(&self) -> bool {
        self.is_transient() || matches!(self, Self::Service(error) if error.status == 409)
    }
}

/// `{"error": {"code", "message", "param"?}}`
#[derive(Deserialize)]
pub(crate) struct Envelope {
    error: EnvelopeError,
}

#[derive(Deserialize)]
struct EnvelopeError {
    code: String,
    message: String,
    param: Option<String>,
}

impl Envelope {
    pub(crate) fn parse(
        operation: &'static str,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> ServiceError {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (code, message, param) = match serde_json::from_slice::<Self>(body) {
            Ok(Self { error }) => (error.code, error.message, error.param),
            // A gateway in between answers in a format of its own.
            Err(_) => (
                "unknown".into(),
                "an answer without the service's envelope".into(),
                None,
            ),
        };
        ServiceError {
            operation,
            status,
            code,
            message: message
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(500)
                .collect(),
            param,
            request_id: header("x-request-id"),
            retry_after: header(RETRY_AFTER.as_str())
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
        }
    }
}
