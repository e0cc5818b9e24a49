//! The API key: `x-api-key: KEY` or `Authorization: Bearer TOKEN`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::state::App;

/// What counts as a good key.
pub(crate) enum Keys {
    /// Any that is not empty.
    Any,
    /// The one with this digest. Comparing digests keeps the time taken from telling how much of a guess is right.
    One([u8; 32]),
}

impl Keys {
    pub(crate) fn one(key: &str) -> Self {
        Self::One(Sha256::digest(key).into())
    }

    fn accept(&self, key: &[u8]) -> bool {
        match self {
            Self::Any => !key.is_empty(),
            Self::One(digest) => <[u8; 32]>::from(Sha256::digest(key)) == *digest,
        }
    }
}

/// Refuses a request without a good key before anything else looks at it.
pub(crate) async fn require_key(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match credential(request.headers()) {
        Some(key) if app.keys.accept(key) => Ok(next.run(request).await),
        _ => Err(ApiError::unauthorized()),
    }
}

/// The key a request carries, if it carries one.
pub(crate) fn credential(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let authorization = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}
