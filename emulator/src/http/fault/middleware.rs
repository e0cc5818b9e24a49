//! The middleware that applies the next fault to a request.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::body::{changed, cut_short, given, paused, read, slow};
use super::plan::{FaultKind, Faults, Route};
use crate::base::api_error::ApiError;
use crate::base::config::Config;
use crate::http::internal_path::is_internal;
use crate::http::request_log::RequestId;
use crate::http::s3_error::S3Error;
use crate::http::server::Connection;
use crate::storage::presign::Refusal;

/// Middleware: applies the next fault that matches the request. Two kinds are applied by handlers, because only a
/// handler knows what to change. The handler finds the kind in the extensions of the request.
pub(crate) async fn apply(
    State(faults): State<Arc<Faults>>,
    State(config): State<Arc<Config>>,
    Extension(connection): Extension<Connection>,
    Extension(id): Extension<RequestId>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_internal(request.uri().path()) {
        return next.run(request).await;
    }
    let pattern = request.extensions().get::<MatchedPath>();
    let route = Route::of(request.method(), pattern.map(MatchedPath::as_str));
    let Some(kind) = faults.take(route) else {
        return next.run(request).await;
    };
    tracing::info!(?route, ?kind, "fault");

    let idle_timeout = config.body_timeout;
    let refuse = |status| match route {
        Route::Put => S3Error::from_status(status).into_response(&id),
        _ => ApiError::from_status(status, "an injected fault").into_response(),
    };
    match kind {
        FaultKind::Latency { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            next.run(request).await
        }
        FaultKind::RateLimited { retry_after } => {
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS);
            let seconds = HeaderValue::from(retry_after);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            response
        }
        FaultKind::Status { status } => {
            let status = StatusCode::from_u16(status).ok();
            let error = status.filter(|s| s.is_client_error() || s.is_server_error());
            refuse(error.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
        FaultKind::ResetBefore => connection.reset().await,
        FaultKind::ResetDuring { after_bytes } => {
            read(request.into_body(), after_bytes, idle_timeout).await;
            connection.reset().await
        }
        FaultKind::ResetAfter => {
            read(request.into_body(), u64::MAX, idle_timeout).await;
            connection.reset().await
        }
        FaultKind::CutShort => cut_short(next.run(request).await),
        FaultKind::SlowReader { bytes_per_second } => {
            next.run(request.map(|body| slow(body, bytes_per_second)))
                .await
        }
        FaultKind::Pause {
            after_bytes,
            milliseconds,
        } => {
            let pause = Duration::from_millis(milliseconds);
            next.run(request.map(|body| paused(body, after_bytes, pause)))
                .await
        }
        FaultKind::Answer {
            status,
            headers,
            body,
        } => {
            read(request.into_body(), u64::MAX, idle_timeout).await;
            given(status, &headers, body)
        }
        FaultKind::ChangedAnswer { data } => changed(next.run(request).await, data).await,
        FaultKind::LostAnswer => {
            next.run(request).await;
            connection.reset().await
        }
        FaultKind::ChecksumMismatch => {
            read(request.into_body(), u64::MAX, idle_timeout).await;
            match route {
                Route::Put => S3Error::bad_digest().into_response(&id),
                _ => {
                    let message = "the bytes' SHA-256 differs from the given one";
                    ApiError::configured(&config.mismatch, message)
                        .with_param("checksum_sha256")
                        .into_response()
                }
            }
        }
        FaultKind::ExpiredUrl if route == Route::Put => {
            S3Error::refused(Refusal::Expired).into_response(&id)
        }
        FaultKind::ExpiredUrl | FaultKind::SettlesLate { .. } => {
            request.extensions_mut().insert(kind);
            next.run(request).await
        }
    }
}
