//! The documented error envelope, `{"error": {"code", "message", "param"?, "doc_url"?}}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;

use crate::batches::ItemError;
use crate::config::Answer;

/// An error answer of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    param: Option<String>,
    unread: bool,
}

/// Marks the answer to a request that never arrived whole: it says nothing of the request itself, so it must not become
/// the answer to a retry with the same `Idempotency-Key`.
#[derive(Clone)]
pub(crate) struct Unread;

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            param: None,
            unread: false,
        }
    }

    /// An answer whose status and code the service leaves open.
    pub(crate) fn unverified(answer: &Answer, message: impl Into<String>) -> Self {
        Self::new(answer.status, answer.code, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", message)
    }

    /// The body broke off, stood still or was cut short.
    pub(crate) fn unread(message: impl Into<String>) -> Self {
        Self {
            unread: true,
            ..Self::invalid(message)
        }
    }

    /// An answer of this status with the code that clients have met beside it. What stands beside 502, 503 and the
    /// rarer ones is unverified.
    pub(crate) fn of_status(status: StatusCode, message: impl Into<String>) -> Self {
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

    /// What went wrong inside goes to the log and not to the client.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the emulator failed; its log says why",
        )
    }

    /// Names where, in a larger request, the part at fault stands.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        self.param = Some(match self.param {
            Some(param) => format!("{outer}.{param}"),
            None => outer.to_owned(),
        });
        self
    }

    /// The error of one item among others that may be good.
    pub(crate) fn of_item(self) -> ItemError {
        ItemError {
            code: self.code.to_owned(),
            message: self.message,
        }
    }

    /// Names the part of the request that is at fault.
    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
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
        let unread = self.unread.then_some(Extension(Unread));
        (self.status, unread, Json(envelope)).into_response()
    }
}

/// No such route.
pub(crate) async fn unknown_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such route")
}

/// A known route, asked with a method it does not have. axum adds the `Allow` header.
pub(crate) async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this route does not have this method",
    )
}
