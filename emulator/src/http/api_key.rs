//! The API key: `x-api-key: KEY` or `Authorization: Bearer TOKEN`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::base::api_error::ApiError;

/// Which keys are accepted.
pub(crate) enum ApiKeys {
    /// Any key that is not empty.
    Any,
    /// The key with this SHA-256. The time of a comparison of digests does not reveal how much of a guess is right.
    One([u8; 32]),
}

impl ApiKeys {
    /// Accepts `key` only, or any key if it is `None`.
    pub(crate) fn new(key: Option<&str>) -> Self {
        key.map_or(Self::Any, |key| Self::One(Sha256::digest(key).into()))
    }

    fn accept(&self, key: &[u8]) -> bool {
        match self {
            Self::Any => !key.is_empty(),
            Self::One(digest) => <[u8; 32]>::from(Sha256::digest(key)) == *digest,
        }
    }
}

/// Middleware: refuses a request without an accepted key.
pub(crate) async fn require(
    State(keys): State<Arc<ApiKeys>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match api_key(request.headers()) {
        Some(key) if keys.accept(key) => Ok(next.run(request).await),
        _ => Err(ApiError::unauthorized()),
    }
}

/// The API key of a request; `None` if it has none.
pub(crate) fn api_key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let authorization = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}
