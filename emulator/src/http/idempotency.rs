//! `Idempotency-Key`: a repeated `POST` is answered as the first time.
//!
//! Responses that ask the client to try again (409, 429 and every 5xx) are not stored, because a replay would make the
//! retry useless. Responses to a request whose body did not arrive whole are not stored either. The service documents
//! neither exception.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::base::api_error::{ApiError, IncompleteRequest};
use crate::service::idempotency::{Begin, IdempotentResponses, StoredResponse};

const HEADER: &str = "idempotency-key";

/// The largest response, in bytes. Responses are small JSON documents; the limit keeps a bug from filling the memory.
const MAX_RESPONSE: usize = 1 << 20;

/// Middleware: replays the response to a repeated `POST`.
pub(crate) async fn replay(
    State(responses): State<Arc<IdempotentResponses>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let Some(key) = key(request.headers())? else {
        return Ok(next.run(request).await);
    };
    match responses.begin(request.uri().path().to_owned(), key) {
        Begin::Replay(response) => Ok(replayed(response)),
        Begin::InProgress => Err(ApiError::new(
            StatusCode::CONFLICT,
            "request_in_progress",
            "the first request with this Idempotency-Key is still being answered",
        )),
        Begin::First(claim) => {
            let (head, body) = next.run(request).await.into_parts();
            let body = to_bytes(body, MAX_RESPONSE)
                .await
                .map_err(ApiError::internal)?;
            if is_final(head.status) && head.extensions.get::<IncompleteRequest>().is_none() {
                claim.store(StoredResponse {
                    status: head.status,
                    content_type: head.headers.get(header::CONTENT_TYPE).cloned(),
                    body: body.clone(),
                });
            }
            Ok(Response::from_parts(head, Body::from(body)))
        }
    }
}

fn is_final(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS)
}

/// The key of a request, which must match `[A-Za-z0-9_\-:.]{1,255}`.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:.".contains(byte);
    let bytes = value.as_bytes();
    match value.to_str() {
        Ok(key) if (1..=255).contains(&bytes.len()) && bytes.iter().all(allowed) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(ApiError::invalid(
            "an Idempotency-Key has 1 to 255 characters of A-Z a-z 0-9 _ - : .",
        )
        .with_param("Idempotency-Key")),
    }
}

fn replayed(stored: StoredResponse) -> Response {
    let mut response = (stored.status, Body::from(stored.body)).into_response();
    if let Some(content_type) = stored.content_type {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
    }
    response
}
