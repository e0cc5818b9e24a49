//! `GET /files/asset/{id}.{extension}`: a stored file, at the `url` that its asset shows.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::Id;
use crate::error::ApiError;
use crate::state::App;

/// The largest piece read from the disk at once, in bytes.
const READ: usize = 512 << 10;

/// Ranges and conditional requests are [`ServeFile`]'s. No key is needed: the service's own file addresses are public.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Id(name): Id,
    request: Request,
) -> Result<Response, ApiError> {
    let (id, _) = name.split_once('.').unwrap_or_default();
    let asset = app
        .assets
        .get(id)
        .filter(|asset| asset.file_name() == name)
        .ok_or_else(|| ApiError::asset_not_found(id))?;
    let mut response = ServeFile::new(app.store.path(&asset.object))
        .with_buf_chunk_size(READ)
        .oneshot(request)
        .await
        .into_response();
    if response.status().is_success() {
        let mime = HeaderValue::from_static(asset.media.mime());
        response.headers_mut().insert(header::CONTENT_TYPE, mime);
    }
    Ok(response)
}
