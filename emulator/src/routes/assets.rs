//! `POST /v3/assets`, and `GET` and `DELETE` of one asset.

use std::sync::Arc;

use axum::Router;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use serde::Serialize;

use crate::base::api_error::ApiError;
use crate::base::base_url::BaseUrl;
use crate::base::config::Config;
use crate::base::text::clean_file_name;
use crate::base::user_agent::UserAgent;
use crate::http::envelope::Data;
use crate::http::path_id::PathId;
use crate::service::assets::{Assets, Ready};
use crate::service::direct_uploads::DirectUploads;
use crate::state::AppState;
use crate::storage::files::{FileStore, ReceiveError, Received};

pub(super) fn routes() -> Router<AppState> {
    // The file store counts the bytes, so that the error is in the API's envelope.
    let upload = post(upload).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/assets", upload)
        .route("/assets/{id}", get(show).delete(delete))
}

/// The answer to an upload.
#[derive(Serialize)]
pub(super) struct Uploaded {
    asset_id: String,
    url: String,
    mime_type: &'static str,
    size_bytes: u64,
}

impl Uploaded {
    pub(super) fn new(base_url: &BaseUrl, asset: &Ready) -> Self {
        Self {
            url: base_url.join(&asset.file_path()),
            asset_id: asset.id.clone(),
            mime_type: asset.media.mime(),
            size_bytes: asset.object.size,
        }
    }
}

/// Takes one part named `file`. Other parts are ignored. Of two parts named `file`, one would be lost: they are refused.
async fn upload(
    State(config): State<Arc<Config>>,
    State(base_url): State<BaseUrl>,
    State(files): State<Arc<FileStore>>,
    State(assets): State<Arc<Assets>>,
    user_agent: Option<UserAgent>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Data<Uploaded>, ApiError> {
    let mut form = form.map_err(|error| ApiError::invalid(error.body_text()).with_param("file"))?;
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(malformed_form)? {
        if part.name() == Some("file") {
            if file.is_some() {
                let message =
                    "the form has several parts named file; send one file in each request";
                return Err(ApiError::invalid(message).with_param("file"));
            }
            let name = clean_file_name(part.file_name().unwrap_or_default());
            let received = receive(&config, &files, part).await?;
            let media = received.media.ok_or_else(|| {
                let message = "the file is of no supported type";
                ApiError::configured(&config.unsupported_type, message).with_param("file")
            })?;
            file = Some((name, media, received));
        }
    }
    let (name, media, received) = file
        .ok_or_else(|| ApiError::invalid("the form has no part named file").with_param("file"))?;
    let asset = assets.add(name, media, received, user_agent)?;
    Ok(Data::new(Uploaded::new(&base_url, &asset)))
}

async fn receive(
    config: &Config,
    files: &FileStore,
    part: Field<'_>,
) -> Result<Received, ApiError> {
    files
        .receive(part, config.upload_limit, config.body_timeout)
        .await
        .map_err(|error| match error {
            ReceiveError::TooLarge(limit) => {
                let message = format!("a file has at most {limit} bytes here; use a direct upload");
                ApiError::configured(&config.too_large, message).with_param("file")
            }
            ReceiveError::Body(error) => malformed_form(error),
            ReceiveError::Stalled(_) => {
                ApiError::incomplete("the upload sent nothing for too long").with_param("file")
            }
            ReceiveError::Disk(error) => ApiError::internal(error),
        })
}

/// axum reports a malformed form and an interrupted one by the same error, so both count as incomplete.
fn malformed_form(error: MultipartError) -> ApiError {
    ApiError::incomplete(format!("malformed form: {}", error.body_text())).with_param("file")
}

/// One asset, as `GET` shows it.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    owner: &'static str,
    space_id: &'static str,
    uploaded_at: u64,
    folder_id: Option<String>,
    url: String,
}

impl Shown {
    pub(super) fn new(base_url: &BaseUrl, asset: Ready) -> Self {
        Self {
            url: base_url.join(&asset.file_path()),
            id: asset.id,
            name: asset.name,
            kind: asset.media.kind(),
            owner: "emulator",
            space_id: "emulator",
            uploaded_at: asset.uploaded_at,
            folder_id: None,
        }
    }
}

async fn show(
    State(base_url): State<BaseUrl>,
    State(assets): State<Arc<Assets>>,
    PathId(id): PathId,
) -> Result<Data<Shown>, ApiError> {
    let asset = assets
        .get(&id)
        .ok_or_else(|| ApiError::asset_not_found(&id))?;
    Ok(Data::new(Shown::new(&base_url, asset)))
}

/// The answer to a deletion.
#[derive(Serialize)]
struct Deleted {
    id: String,
}

/// Deletes an asset, pending or not.
async fn delete(
    State(uploads): State<Arc<DirectUploads>>,
    PathId(id): PathId,
) -> Result<Data<Deleted>, ApiError> {
    uploads.delete(&id).await?;
    Ok(Data::new(Deleted { id }))
}
