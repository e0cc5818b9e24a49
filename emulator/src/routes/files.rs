//! `GET /files/asset/{id}.{extension}`: a stored file, at the `url` that its asset shows.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::Id;
use crate::error::ApiError;
use crate::state::App;
use crate::store::{Object, Place};

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
    let mut response = match &asset.object.place {
        Place::File(_) => from_disk(&app, &asset.object, request).await?,
        Place::Bucket(key) => from_bucket(&app, key, request).await?,
    };
    if response.status().is_success() {
        let mime = HeaderValue::from_static(asset.media.mime());
        response.headers_mut().insert(header::CONTENT_TYPE, mime);
    }
    Ok(response)
}

async fn from_disk(app: &App, object: &Object, request: Request) -> Result<Response, ApiError> {
    let path = app.store.path(object);
    let path = path.ok_or_else(|| ApiError::internal("an object without a file"))?;
    let serve = ServeFile::new(path).with_buf_chunk_size(READ);
    Ok(serve.oneshot(request).await.into_response())
}

/// Passes the bucket's answer on, with the headers that say what part of what it is.
async fn from_bucket(app: &App, key: &str, request: Request) -> Result<Response, ApiError> {
    let bucket = app.bucket.as_ref();
    let bucket = bucket.ok_or_else(|| ApiError::internal("the bucket of an earlier run"))?;
    let range = request.headers().get(header::RANGE);
    let answer = bucket.get(key, range).await.map_err(ApiError::internal)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::ACCEPT_RANGES,
        header::ETAG,
    ] {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    Ok(response)
}
