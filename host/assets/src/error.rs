//! What the service, its storage and the way there can answer.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use forebay_core::channel::Interrupted;
use forebay_core::disk::WriteError;

/// Why an upload did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssetsError {
    /// The client cannot be made.
    #[error("{0}")]
    Setup(String),
    /// More bytes than the flow takes.
    #[error("{size} bytes are more than the {most} that this upload takes")]
    TooLarge {
        /// The file's size.
        size: u64,
        /// The most that is taken.
        most: u64,
    },
    /// The service takes no files of this type.
    #[error("the service does not take {0}; it takes PNG, JPEG, MP4, WebM, MP3, WAV, PDF and SRT")]
    UnsupportedType(String),
    /// A request that the service would refuse on sight.
    #[error("{field}: {problem}")]
    Request {
        /// The field of its body.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The service said no.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// The storage behind a presigned URL said no.
    #[error("put: the storage answered {status}{}", code.as_deref().map(|code| format!(" {code}")).unwrap_or_default())]
    Storage {
        /// HTTP status.
        status: u16,
        /// The storage's own code, such as `AccessDenied`.
        code: Option<String>,
    },
    /// No answer came, or none that makes sense.
    #[error("{operation}: {reason}")]
    Transport {
        /// What was being done.
        operation: &'static str,
        /// What happened; it names no URL.
        reason: String,
    },
    /// Other bytes than were announced.
    #[error("put: {actual} bytes, announced were {announced}")]
    WrongSize {
        /// What was announced.
        announced: u64,
        /// What was given.
        actual: u64,
    },
    /// What came back is not what was sent.
    #[error("complete: the service holds {held} bytes, sent were {sent}")]
    Mismatch {
        /// What the service says.
        held: u64,
        /// What was sent.
        sent: u64,
    },
    /// The content never became whole.
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

/// An error in the service's own words.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{operation}: {message} ({status} {code}{})",
    request_id.as_deref().map(|id| format!(", request {id}")).unwrap_or_default()
)]
#[non_exhaustive]
pub struct ServiceError {
    /// What was being done.
    pub operation: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The service's code, such as `rate_limit_exceeded`.
    pub code: String,
    /// In words.
    pub message: String,
    /// The parameter that is wrong, if it is one.
    pub param: Option<String>,
    /// The service's id of the request, to ask about it.
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
        // The innermost cause says what it was.
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

    /// How long the service asks to wait, if it does.
    pub(crate) fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Service(error) => error.retry_after,
            _ => None,
        }
    }

    /// Whether the storage refuses the URL itself, or the reservation is gone.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Storage { status, .. } => *status == 403,
            Self::Service(error) => error.status == 404,
            _ => false,
        }
    }

    /// Whether the same request may succeed if it is sent again.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Service(error) => {
                matches!(error.status, 408 | 429 | 500..=599)
                    // The answer to the first attempt was lost, and the service is still at it.
                    || error.code == "request_in_progress"
            }
            // The codes are of bodies that were damaged or cut off on the way.
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

    /// As [`is_transient`](Self::is_transient), of a completion: 409 says that the bytes are still settling in the storage.
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
            // A gateway in between answers in words of its own.
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
