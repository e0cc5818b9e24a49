//! `PUT /bucket/{id}`: the storage that a presigned URL points to, with S3's manners.
//!
//! It knows signatures and bytes, and nothing of API keys. A URL may be used again until it expires.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Id;
use crate::assets::unix_now;
use crate::fault::FaultKind;
use crate::presign::CHECKSUM;
use crate::request_log::RequestId;
use crate::s3_error::S3Error;
use crate::state::App;
use crate::store::ReceiveError;

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Extension(request_id): Extension<RequestId>,
    fault: Option<Extension<FaultKind>>,
    request: Request,
) -> Response {
    let settles = match fault {
        Some(Extension(FaultKind::SettlesLate { milliseconds })) => {
            Duration::from_millis(milliseconds)
        }
        _ => Duration::ZERO,
    };
    match store(&app, &id, request, settles).await {
        Ok(etag) => [(header::ETAG, etag)].into_response(),
        Err(error) => error.answer(&request_id),
    }
}

pub(super) async fn wrong_method(Extension(request_id): Extension<RequestId>) -> Response {
    S3Error::wrong_method().answer(&request_id)
}

/// Checks the request, takes its body, and gives the new object's `ETag`. The bytes count for `complete`
/// once they have settled.
async fn store(
    app: &App,
    id: &str,
    request: Request,
    settles: Duration,
) -> Result<HeaderValue, S3Error> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(S3Error::chunked());
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(S3Error::two_authentications());
    }
    app.signer
        .verify(
            head.method.as_str(),
            head.uri.path(),
            head.uri.query().unwrap_or_default(),
            headers,
            unix_now(),
        )
        .map_err(S3Error::refused)?;

    let received = app
        .store
        .receive(
            Body::into_data_stream(body),
            // Content-Length was signed, and a body cannot be longer than it.
            u64::MAX,
            app.config.body_timeout,
        )
        .await
        .map_err(|error| match error {
            ReceiveError::Body(_) | ReceiveError::TooLarge(_) => S3Error::incomplete_body(),
            ReceiveError::Stalled(_) => S3Error::timeout(),
            ReceiveError::Disk(error) => S3Error::internal(&error),
        })?;
    if !checksum_fits(headers, &received.sha256) {
        return Err(S3Error::bad_digest());
    }
    let etag = etag(&received.sha256);
    app.assets
        .put(&app.store, id, received, settles)
        .map_err(|error| S3Error::internal(&error))?;
    Ok(etag)
}

/// Whether the bytes are what the request's checksum header says, if it has one.
fn checksum_fits(headers: &HeaderMap, sha256: &[u8; 32]) -> bool {
    headers
        .get(CHECKSUM)
        .is_none_or(|wanted| STANDARD.decode(wanted).is_ok_and(|wanted| wanted == sha256))
}

/// Opaque to clients. S3's is often an MD5; half of the SHA-256 that is known anyway looks the same and costs nothing.
fn etag(sha256: &[u8; 32]) -> HeaderValue {
    let (half, _) = sha256.split_at(16);
    let quoted = format!("\"{}\"", hex::encode(half));
    HeaderValue::try_from(quoted).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}
