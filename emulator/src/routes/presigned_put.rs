//! `PUT /bucket/{id}`: the storage behind presigned URLs. It behaves as S3 does.
//!
//! It checks signatures and no API keys. A URL may be used several times until it expires.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing;
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::clock::unix_now;
use crate::base::config::Config;
use crate::http::fault::FaultKind;
use crate::http::path_id::PathId;
use crate::http::request_log::RequestId;
use crate::http::s3_error::S3Error;
use crate::service::assets::Assets;
use crate::state::AppState;
use crate::storage::files::{FileStore, ReceiveError, Received};
use crate::storage::presign::{CHECKSUM, Signer};

pub(super) fn routes() -> Router<AppState> {
    let put = routing::put(put).fallback(wrong_method);
    Router::new().route("/bucket/{id}", put)
}

/// Checks the request, stores its body, and answers with the new object's `ETag`.
async fn put(
    State(config): State<Arc<Config>>,
    State(signer): State<Arc<Signer>>,
    State(files): State<Arc<FileStore>>,
    State(assets): State<Arc<Assets>>,
    PathId(id): PathId,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    let settles_after = match request.extensions().get() {
        Some(FaultKind::SettlesLate { milliseconds }) => Duration::from_millis(*milliseconds),
        _ => Duration::ZERO,
    };
    let received = match receive(&config, &signer, &files, request).await {
        Ok(received) => received,
        Err(error) => return error.into_response(&request_id),
    };
    let etag = etag(&received.sha256);
    match assets.put(&id, received, settles_after) {
        Ok(()) => [(header::ETAG, etag)].into_response(),
        Err(error) => S3Error::internal(&error).into_response(&request_id),
    }
}

async fn wrong_method(Extension(request_id): Extension<RequestId>) -> Response {
    S3Error::wrong_method().into_response(&request_id)
}

/// Checks the signature, writes the body to disk, and checks its checksum.
async fn receive(
    config: &Config,
    signer: &Signer,
    files: &FileStore,
    request: Request,
) -> Result<Received, S3Error> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(S3Error::chunked());
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(S3Error::two_authentications());
    }
    signer
        .verify(
            head.method.as_str(),
            head.uri.path(),
            head.uri.query().unwrap_or_default(),
            headers,
            unix_now(),
        )
        .map_err(S3Error::refused)?;
    let received = files
        .receive(
            Body::into_data_stream(body),
            // The body cannot be longer than Content-Length, which is signed.
            u64::MAX,
            config.body_timeout,
        )
        .await
        .map_err(|error| match error {
            ReceiveError::Body(_) | ReceiveError::TooLarge(_) => S3Error::incomplete_body(),
            ReceiveError::Stalled(_) => S3Error::timeout(),
            ReceiveError::Disk(error) => S3Error::internal(&error),
        })?;
    if !checksum_matches(headers, &received.sha256) {
        return Err(S3Error::bad_digest());
    }
    Ok(received)
}

/// Whether the bytes match the checksum header of the request. If there is no header, the answer is yes.
fn checksum_matches(headers: &HeaderMap, sha256: &[u8; 32]) -> bool {
    headers
        .get(CHECKSUM)
        .is_none_or(|wanted| STANDARD.decode(wanted).is_ok_and(|wanted| wanted == sha256))
}

/// The `ETag` of an object, which is opaque to clients. That of S3 is often an MD5. Half of the SHA-256, which is
/// computed anyway, has the same form.
fn etag(sha256: &[u8; 32]) -> HeaderValue {
    let (half, _) = sha256.split_at(16);
    let quoted = format!("\"{}\"", hex::encode(half));
    HeaderValue::try_from(quoted).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}
