//! `POST /v3/assets`, and `GET` and `DELETE` of one asset.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use serde::Serialize;

use super::{Data, Id};
use crate::assets::{Ready, clean_name};
use crate::error::ApiError;
use crate::maker::{Maker, UserAgent};
use crate::state::App;
use crate::store::ReceiveError;

/// What an upload answers.
#[derive(Serialize)]
pub(super) struct Uploaded {
    asset_id: String,
    url: String,
    mime_type: &'static str,
    size_bytes: u64,
}

impl Uploaded {
    pub(super) fn new(app: &App, asset: &Ready) -> Self {
        Self {
            url: app.asset_url(asset),
            asset_id: asset.id.clone(),
            mime_type: asset.media.mime(),
            size_bytes: asset.object.size,
        }
    }
}

/// Takes one `file` part; other parts are passed over.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Maker(user_agent): Maker,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Data<Uploaded>, ApiError> {
    let mut form = form.map_err(|error| ApiError::invalid(error.body_text()).param("file"))?;
    while let Some(part) = form.next_field().await.map_err(broken_form)? {
        if part.name() == Some("file") {
            let asset = take_file(&app, part, user_agent).await?;
            return Ok(Data(Uploaded::new(&app, &asset)));
        }
    }
    Err(ApiError::invalid("the form has no part named file").param("file"))
}

async fn take_file(
    app: &App,
    part: Field<'_>,
    user_agent: Option<UserAgent>,
) -> Result<Ready, ApiError> {
    let name = clean_name(part.file_name().unwrap_or_default());
    let config = &app.config;
    let received = app
        .store
        .receive(part, config.upload_limit, config.body_timeout)
        .await
        .map_err(|error| match error {
            ReceiveError::TooLarge(limit) => {
                let message = format!("a file has at most {limit} bytes here; use a direct upload");
                ApiError::unverified(&config.too_large, message).param("file")
            }
            ReceiveError::Body(error) => broken_form(error),
            ReceiveError::Stalled(_) => ApiError::unread("the upload stood still").param("file"),
            ReceiveError::Disk(error) => ApiError::internal(error),
        })?;
    let media = received.media.ok_or_else(|| {
        ApiError::unverified(&config.unsupported_type, "the file is of no supported type")
            .param("file")
    })?;
    app.assets
        .add(&app.store, name, media, received, user_agent)
}

/// axum does not tell a form that is malformed from one that broke off on the way.
fn broken_form(error: MultipartError) -> ApiError {
    ApiError::unread(format!("malformed form: {}", error.body_text())).param("file")
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
    pub(super) fn new(app: &App, asset: Ready) -> Self {
        Self {
            url: app.asset_url(&asset),
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

pub(super) async fn get(State(app): State<Arc<App>>, Id(id): Id) -> Result<Data<Shown>, ApiError> {
    let asset = app
        .assets
        .get(&id)
        .ok_or_else(|| ApiError::asset_not_found(&id))?;
    Ok(Data(Shown::new(&app, asset)))
}

/// What a deletion answers.
#[derive(Serialize)]
pub(super) struct Deleted {
    id: String,
}

/// Deletes an asset, pending or not.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Result<Data<Deleted>, ApiError> {
    app.delete(&id).await?;
    Ok(Data(Deleted { id }))
}
