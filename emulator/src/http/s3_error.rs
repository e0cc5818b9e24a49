//! Errors in the format of S3, a small XML document.
//!
//! Codes, statuses and messages are from "Error responses" in the Amazon S3 API Reference.

use std::fmt::Write;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::request_log::RequestId;
use crate::storage::presign::Refusal;

/// An error of a request to a presigned URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Error {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    /// More elements of the document, by name.
    details: Vec<(&'static str, String)>,
}

impl S3Error {
    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
            details: Vec::new(),
        }
    }

    fn detail(mut self, element: &'static str, text: impl Into<String>) -> Self {
        self.details.push((element, text.into()));
        self
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        let denied = |message| Self::new(StatusCode::FORBIDDEN, "AccessDenied", message);
        match refusal {
            Refusal::Unsigned => denied("Access Denied"),
            Refusal::Expired => denied("Request has expired"),
            Refusal::HeadersNotSigned(names) => {
                denied("There were headers present in the request which were not signed")
                    .detail("HeadersNotSigned", names.join(", "))
            }
            Refusal::Mismatch => Self::new(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method.",
            ),
        }
    }

    pub(crate) fn chunked() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        )
        .detail("Header", "Transfer-Encoding")
    }

    pub(crate) fn two_authentications() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified",
        )
        .detail("ArgumentName", "Authorization")
    }

    pub(crate) fn incomplete_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        )
    }

    pub(crate) fn timeout() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "RequestTimeout",
            "Your socket connection to the server was not read from or written to within the timeout period. Idle \
             connections will be closed.",
        )
    }

    pub(crate) fn bad_digest() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadDigest",
            "The SHA256 you specified did not match the calculated checksum.",
        )
    }

    /// An error of this status. S3 itself uses 503 for rate limits; other S3-compatible stores use 429.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        let (code, message) = match status.as_u16() {
            403 => ("AccessDenied", "Access Denied"),
            404 => ("NoSuchKey", "The specified key does not exist."),
            409 => (
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this resource. Try again.",
            ),
            429 => ("SlowDown", "Please reduce your request rate."),
            503 => ("ServiceUnavailable", "Service is unable to handle request."),
            500..=599 => (
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
            _ => ("InvalidRequest", "Invalid Request"),
        };
        Self::new(status, code, message)
    }

    pub(crate) fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
    }

    /// An internal error. The cause is logged and not sent to the client.
    pub(crate) fn internal(cause: &std::io::Error) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "We encountered an internal error. Please try again.",
        )
    }

    /// The answer to the request with this id.
    pub(crate) fn into_response(self, id: &RequestId) -> Response {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        let fixed = [
            ("Code", self.code.to_owned()),
            ("Message", self.message.to_owned()),
        ];
        let request = [("RequestId", id.0.clone())];
        for (element, text) in fixed.iter().chain(&self.details).chain(&request) {
            // Writing to a string does not fail.
            let _ = write!(xml, "<{element}>{}</{element}>", escape(text));
        }
        xml.push_str("</Error>");
        let headers = [(header::CONTENT_TYPE, "application/xml")];
        (self.status, headers, xml).into_response()
    }
}

/// Escapes text for use between tags (XML 1.0, section 2.4).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
