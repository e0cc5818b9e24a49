//! Errors of the service, its storage and the connection to them.

use std::time::Duration;

use forebay_core::channel::Interrupted;
use forebay_core::disk::WriteError;
use forebay_core::text::tidy;

use crate::retry::LONGEST_WAIT;

/// Why an upload failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssetsError {
    /// The client cannot be built.
    #[error("{0}")]
    Setup(String),
    /// The base URL would send the key over plain http, where others can read it.
    #[error(
        "base URL: the key would go over plain http to {}, where others can read it; use an https address{}, or allow the \
         host by name (`allow_http`)",
        to_whom(host, proxy.as_deref()),
        if proxy.is_some() { ", leave the host out of the proxy (NO_PROXY)" } else { "" }
    )]
    PlainHttp {
        /// The host of the base URL.
        host: String,
        /// The proxy that would read the key, as `host:port`, if the host itself is this machine.
        proxy: Option<String>,
    },
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
    #[error(transparent)]
    Storage(Box<StorageError>),
    /// No answer came, or the answer cannot be used.
    #[error("{operation}: {reason}")]
    Transport {
        /// The operation that failed.
        operation: &'static str,
        /// The kind of failure.
        kind: TransportKind,
        /// What happened, and with which host. It contains no URL.
        reason: String,
    },
    /// Nothing was sent, because an earlier upload of this client failed for a reason that holds for every upload.
    #[error("not tried, because an earlier upload failed and this one would fail too: {reason}")]
    NotTried {
        /// The earlier error.
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

/// How a request failed without an answer that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TransportKind {
    /// There is no connection: it was refused, or connecting took too long.
    Unreachable,
    /// No host has this name.
    UnknownHost,
    /// The two sides could not agree on TLS, or the certificate is not trusted.
    Tls,
    /// The request cannot be sent to this address at all.
    BadAddress,
    /// The connection broke before all bytes were sent.
    Broken,
    /// Nothing moved for too long.
    Stalled,
    /// All bytes were sent, and the connection broke before the answer. The other side may have them.
    AnswerLost,
    /// All bytes were sent, and no answer came in time. The other side may have them.
    Unanswered,
    /// An answer came, but it cannot be read.
    Unreadable,
}

impl From<WriteError> for AssetsError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Interrupted => Interrupted.into(),
            WriteError::Io(error) => error.into(),
        }
    }
}

/// An error as the service describes it. If something between here and the service answered in a form of its own, the
/// message is what its answer says.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{operation}: {message} ({status}{}{}{})",
    said(self.known_code()),
    request_id.as_deref().map(|id| format!(", request {id}")).unwrap_or_default(),
    asks(*retry_after)
)]
#[non_exhaustive]
pub struct ServiceError {
    /// The operation that failed.
    pub operation: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The service's code, such as `rate_limit_exceeded`; `unknown` if the answer has none.
    pub code: String,
    /// The service's message, on one line.
    pub message: String,
    /// The parameter that is wrong, if the error is about one.
    pub param: Option<String>,
    /// The service's id of the request, to ask the service about it.
    pub request_id: Option<String>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
}

impl ServiceError {
    /// The code of an answer that has none.
    pub(crate) const UNKNOWN: &'static str = "unknown";

    fn known_code(&self) -> Option<&str> {
        Some(self.code.as_str()).filter(|&code| code != Self::UNKNOWN)
    }
}

/// An error as the storage behind a presigned URL describes it.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "put: the storage {host} answered {status}{}{}{}",
    said(code.as_deref()),
    message.as_deref().map(|message| format!(": {message}")).unwrap_or_default(),
    asks(*retry_after)
)]
#[non_exhaustive]
pub struct StorageError {
    /// The storage's host. Nothing else of the URL may be told.
    pub host: String,
    /// HTTP status.
    pub status: u16,
    /// The storage's own code, such as `AccessDenied`.
    pub code: Option<String>,
    /// The storage's message, on one line.
    pub message: Option<String>,
    /// How long the storage asks to wait.
    pub retry_after: Option<Duration>,
}

impl StorageError {
    /// Whether the storage refuses the URL only because it has expired. S3 says so in the message (`AccessDenied`,
    /// "Request has expired"), others in the code (`ExpiredToken`, `RequestExpired`).
    fn is_expired(&self) -> bool {
        let said = |text: &Option<String>| {
            text.as_deref()
                .is_some_and(|text| text.to_ascii_lowercase().contains("expired"))
        };
        matches!(self.status, 400 | 401 | 403) && (said(&self.code) || said(&self.message))
    }
}

/// Who would get what is sent to a host.
fn to_whom(host: &str, proxy: Option<&str>) -> String {
    match proxy {
        Some(proxy) => format!("the proxy {proxy} on its way to {host}"),
        None => host.to_owned(),
    }
}

fn said(code: Option<&str>) -> String {
    code.map(|code| format!(" {code}")).unwrap_or_default()
}

/// A wait that is longer than any that is kept.
fn asks(wait: Option<Duration>) -> String {
    let too_long = wait.filter(|&wait| wait > LONGEST_WAIT);
    too_long
        .map(|wait| Duration::from_secs(wait.as_secs()))
        .map(|wait| format!("; try again in {}", humantime::format_duration(wait)))
        .unwrap_or_default()
}

impl From<ServiceError> for AssetsError {
    fn from(error: ServiceError) -> Self {
        Self::Service(Box::new(error))
    }
}

impl From<StorageError> for AssetsError {
    fn from(error: StorageError) -> Self {
        Self::Storage(Box::new(error))
    }
}

impl AssetsError {
    pub(crate) fn transport(
        operation: &'static str,
        kind: TransportKind,
        reason: impl AsRef<str>,
    ) -> Self {
        Self::Transport {
            operation,
            kind,
            // The text of another side may be part of it.
            reason: tidy(reason.as_ref(), 500),
        }
    }

    /// How long the service or the storage asks to wait. Zero is no wish: the client pauses as after any failure.
    pub(crate) fn asked_wait(&self) -> Option<Duration> {
        let asked = match self {
            Self::Service(error) => error.retry_after,
            Self::Storage(error) => error.retry_after,
            _ => None,
        };
        asked.filter(|asked| !asked.is_zero())
    }

    /// Whether the presigned URL has expired, or the reservation no longer exists. A new reservation may succeed.
    pub(crate) fn is_expired(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_expired(),
            Self::Service(error) => error.status == 404,
            _ => false,
        }
    }

    /// Whether the request was too large for the service or for a gateway in front of it.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, Self::Service(error) if error.status == 413)
    }

    /// Whether all bytes were sent and the answer to them did not come.
    pub(crate) fn is_answer_lost(&self) -> bool {
        matches!(
            self,
            Self::Transport {
                kind: TransportKind::AnswerLost | TransportKind::Unanswered,
                ..
            }
        )
    }

    /// Whether the answer to all bytes did not come, although the connection stood.
    pub(crate) fn is_unanswered(&self) -> bool {
        matches!(
            self,
            Self::Transport {
                kind: TransportKind::Unanswered,
                ..
            }
        )
    }

    /// Whether the same request may succeed if it is sent again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Service(error) => {
                matches!(error.status, 408 | 429 | 500..=599)
                    // The answer to the first attempt was lost, and the service still works on it.
                    || error.code == "request_in_progress"
            }
            // The first three codes mean that a body was damaged or cut off on the way. The others may come with
            // status 200.
            Self::Storage(error) => {
                // 501 means that the storage will never take such a request.
                matches!(error.status, 408 | 429 | 500 | 502..=599)
                    || matches!(
                        error.code.as_deref(),
                        Some(
                            "IncompleteBody"
                                | "BadDigest"
                                | "RequestTimeout"
                                | "InternalError"
                                | "ServiceUnavailable"
                                | "SlowDown"
                        )
                    )
            }
            Self::Transport { kind, .. } => matches!(
                kind,
                TransportKind::Unreachable
                    | TransportKind::Broken
                    | TransportKind::Stalled
                    | TransportKind::AnswerLost
                    | TransportKind::Unanswered
            ),
            _ => false,
        }
    }

    /// Like [`is_transient`](Self::is_transient), for a completion: 409 means that the storage is still settling the
    /// bytes.
    pub(crate) fn may_settle(&self) -> bool {
        self.is_transient() || matches!(self, Self::Service(error) if error.status == 409)
    }

    /// Whether every other upload with the same client would fail for the same reason: the key is not accepted, the
    /// credit is used up, or the service cannot be reached at all. A program that uploads many files may stop here.
    pub fn concerns_every_upload(&self) -> bool {
        match self {
            Self::Setup(_) | Self::PlainHttp { .. } | Self::NotTried { .. } => true,
            Self::Service(error) => matches!(error.status, 401 | 402),
            Self::Transport {
                operation, kind, ..
            } => {
                // A presigned URL may name another host for each file.
                *operation != "put"
                    && matches!(
                        kind,
                        TransportKind::UnknownHost
                            | TransportKind::Tls
                            | TransportKind::BadAddress
                            | TransportKind::Unreachable
                    )
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(status: u16, code: &str, message: &str) -> AssetsError {
        StorageError {
            host: "bucket.example".into(),
            status,
            code: Some(code.into()),
            message: Some(message.into()),
            retry_after: None,
        }
        .into()
    }

    #[test]
    fn a_new_url_is_asked_for_only_where_the_old_one_has_expired() {
        assert!(storage(403, "AccessDenied", "Request has expired").is_expired());
        assert!(storage(400, "ExpiredToken", "The provided token has expired.").is_expired());
        for refused in [
            storage(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match",
            ),
            storage(403, "AccessDenied", "Access Denied"),
            storage(501, "NotImplemented", "A header you provided"),
        ] {
            assert!(
                !refused.is_expired() && !refused.is_transient(),
                "{refused}"
            );
        }
        assert_eq!(
            storage(403, "AccessDenied", "Request has expired").to_string(),
            "put: the storage bucket.example answered 403 AccessDenied: Request has expired"
        );
    }

    #[test]
    fn what_concerns_one_upload_and_what_concerns_all() {
        let transport = |operation, kind| AssetsError::transport(operation, kind, "r");
        for (kind, transient, all) in [
            (TransportKind::Unreachable, true, true),
            (TransportKind::UnknownHost, false, true),
            (TransportKind::Tls, false, true),
            (TransportKind::BadAddress, false, true),
            (TransportKind::Broken, true, false),
            (TransportKind::Stalled, true, false),
            (TransportKind::AnswerLost, true, false),
            (TransportKind::Unanswered, true, false),
            (TransportKind::Unreadable, false, false),
        ] {
            let error = transport("upload", kind);
            assert_eq!(error.is_transient(), transient, "{kind:?}");
            assert_eq!(error.concerns_every_upload(), all, "{kind:?}");
            assert!(!transport("put", kind).concerns_every_upload(), "{kind:?}");
        }
    }
}
