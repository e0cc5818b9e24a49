//! Lets the next fault happen to a request.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::body::{cut_short, read, slow};
use super::{FaultKind, Route};
use crate::error::ApiError;
use crate::presign::Refusal;
use crate::request_log::RequestId;
use crate::routes::is_own;
use crate::s3_error::S3Error;
use crate::server::Line;
use crate::state::App;

/// Surrounds every route. Two kinds are the handlers' to carry out, as only they know what to change: they find the
/// kind among the request's extensions.
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Extension(line): Extension<Line>,
    Extension(id): Extension<RequestId>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_own(request.uri().path()) {
        return next.run(request).await;
    }
    let pattern = request.extensions().get::<MatchedPath>();
    let route = Route::of(request.method(), pattern.map(MatchedPath::as_str));
    let Some(kind) = app.faults.take(route) else {
        return next.run(request).await;
    };
    tracing::info!(?route, ?kind, "fault");

    let patience = app.config.body_timeout;
    let refuse = |status| match route {
        Route::Put => S3Error::of_status(status).answer(&id),
        _ => ApiError::of_status(status, "a fault that was asked for").into_response(),
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
        FaultKind::ResetBefore => line.reset().await,
        FaultKind::ResetDuring { after_bytes } => {
            read(request.into_body(), after_bytes, patience).await;
            line.reset().await
        }
        FaultKind::ResetAfter => {
            read(request.into_body(), u64::MAX, patience).await;
            line.reset().await
        }
        FaultKind::CutShort => cut_short(next.run(request).await),
        FaultKind::SlowReader { bytes_per_second } => {
            next.run(request.map(|body| slow(body, bytes_per_second)))
                .await
        }
        FaultKind::LostAnswer => {
            next.run(request).await;
            line.reset().await
        }
        FaultKind::ChecksumMismatch => {
            read(request.into_body(), u64::MAX, patience).await;
            match route {
                Route::Put => S3Error::bad_digest().answer(&id),
                _ => {
                    let message = "the bytes' SHA-256 is not the one that was given";
                    ApiError::unverified(&app.config.mismatch, message)
                        .param("checksum_sha256")
                        .into_response()
                }
            }
        }
        FaultKind::ExpiredUrl if route == Route::Put => {
            S3Error::refused(Refusal::Expired).answer(&id)
        }
        FaultKind::ExpiredUrl | FaultKind::SettlesLate { .. } => {
            request.extensions_mut().insert(kind);
            next.run(request).await
        }
    }
}
