//! Errors of the API, in the documented envelope: `{"error": {"code", "message", "param"?, "doc_url"?}}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::config::Answer;

/// An error of the API, which is also its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    param: Option<String>,
    incomplete: bool,
}

/// Marks the answer to a request whose body did not arrive whole, as an extension of the response. Such an answer must
/// not be replayed to a retry with the same `Idempotency-Key`, because the retry may arrive whole.
#[derive(Clone)]
pub(crate) struct IncompleteRequest;

/// The error of one item in a list of items, such as one asset of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ItemError {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            param: None,
            incomplete: false,
        }
    }

    /// An error whose status and code the service does not document, so that [`Config`](super::config::Config) gives
    /// them.
    pub(crate) fn configured(answer: &Answer, message: impl Into<String>) -> Self {
        Self::new(answer.status, answer.code, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", message)
    }

    /// The body of the request did not arrive whole: the connection broke or sent nothing for too long.
    pub(crate) fn incomplete(message: impl Into<String>) -> Self {
        Self {
            incomplete: true,
            ..Self::invalid(message)
        }
    }

    /// An error of this status, with the code that clients have seen together with it. The codes for 502, 503 and the
    /// rarer statuses are unverified.
    pub(crate) fn from_status(status: StatusCode, message: impl Into<String>) -> Self {
        let code = match status.as_u16() {
            401 => "unauthorized",
            402 => "insufficient_credit",
            403 => "forbidden",
            404 => "not_found",
            409 => "conflict",
            413 => "payload_too_large",
            429 => "rate_limit_exceeded",
            502 => "bad_gateway",
            503 => "service_unavailable",
            504 => "gateway_timeout",
            500..=599 => "internal_error",
            _ => "invalid_parameter",
        };
        Self::new(status, code, message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "missing or wrong API key",
        )
    }

    pub(crate) fn asset_not_found(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "asset_not_found",
            format!("no asset {id:?}"),
        )
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub(crate) fn download_failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "download_failed", message)
    }

    /// An internal error. The cause is logged and not sent to the client.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the emulator failed; its log says why",
        )
    }

    /// Names the field of the request that is wrong.
    pub(crate) fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Puts `outer` before the name of the field, such as `files[2]` before `size_bytes`.
    pub(crate) fn within_param(mut self, outer: &str) -> Self {
        self.param = Some(match self.param {
            Some(param) => format!("{outer}.{param}"),
            None => outer.to_owned(),
        });
        self
    }

    /// The same error as the error of one item.
    pub(crate) fn into_item_error(self) -> ItemError {
        ItemError {
            code: self.code.to_owned(),
            message: self.message,
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let envelope = Envelope {
            error: Body {
                code: self.code,
                message: &self.message,
                param: self.param.as_deref(),
            },
        };
        let incomplete = self.incomplete.then_some(Extension(IncompleteRequest));
        (self.status, incomplete, Json(envelope)).into_response()
    }
}
