//! `GET /files/asset/{id}.{extension}`: the bytes of an asset, at the asset's `url`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::base::api_error::ApiError;
use crate::http::path_id::PathId;
use crate::service::assets::Assets;
use crate::state::AppState;
use crate::storage::bucket::Bucket;
use crate::storage::files::FileStore;
use crate::storage::object::{Object, Place};

/// The largest chunk that is read from the disk at once, in bytes.
const READ: usize = 512 << 10;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/files/asset/{name}", routing::get(get))
}

/// [`ServeFile`] handles ranges and conditional requests. No key is required, because the service's own file URLs are
/// public.
async fn get(
    State(files): State<Arc<FileStore>>,
    State(bucket): State<Option<Arc<Bucket>>>,
    State(assets): State<Arc<Assets>>,
    PathId(name): PathId,
    request: Request,
) -> Result<Response, ApiError> {
    let (id, _) = name.split_once('.').unwrap_or_default();
    let asset = assets
        .get(id)
        .filter(|asset| asset.file_name() == name)
        .ok_or_else(|| ApiError::asset_not_found(id))?;
    let mut response = match &asset.object.place {
        Place::File(_) => from_disk(&files, &asset.object, request).await?,
        Place::Bucket(key) => from_bucket(bucket.as_deref(), key, request).await?,
    };
    if response.status().is_success() {
        let mime = HeaderValue::from_static(asset.media.mime());
        response.headers_mut().insert(header::CONTENT_TYPE, mime);
    }
    Ok(response)
}

async fn from_disk(
    files: &FileStore,
    object: &Object,
    request: Request,
) -> Result<Response, ApiError> {
    let path = files.path(object);
    let path = path.ok_or_else(|| ApiError::internal("the object is not a file"))?;
    let serve = ServeFile::new(path).with_buf_chunk_size(READ);
    Ok(serve.oneshot(request).await.into_response())
}

/// Forwards the bucket's answer, with the headers that describe its length, range and version.
async fn from_bucket(
    bucket: Option<&Bucket>,
    key: &str,
    request: Request,
) -> Result<Response, ApiError> {
    let bucket = bucket.ok_or_else(|| {
        ApiError::internal("the asset is in a bucket, and the emulator was started without one")
    })?;
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
