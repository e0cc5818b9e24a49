//! The first and the third step of a direct upload. The second is in `presigned_put.rs`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};

use super::assets::Uploaded;
use crate::base::api_error::ApiError;
use crate::base::base_url::BaseUrl;
use crate::base::user_agent::UserAgent;
use crate::http::envelope::Data;
use crate::http::fault::FaultKind;
use crate::http::json::JsonBody;
use crate::http::path_id::PathId;
use crate::service::direct_uploads::{DirectUploads, UploadRequest, UploadSlot};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/assets/direct-uploads", post(create))
        .route("/assets/{id}/complete", post(complete))
}

async fn create(
    State(uploads): State<Arc<DirectUploads>>,
    fault: Option<Extension<FaultKind>>,
    user_agent: Option<UserAgent>,
    JsonBody(request): JsonBody<UploadRequest>,
) -> Result<Data<UploadSlot>, ApiError> {
    let checked = uploads.check(request)?;
    let expired = matches!(fault, Some(Extension(FaultKind::ExpiredUrl)));
    let slot = uploads.create(checked, user_agent, expired)?;
    Ok(Data::new(slot))
}

/// The body of a completion.
#[derive(Deserialize)]
struct Complete {
    checksum_sha256: Option<String>,
}

/// The answer to a completion: that of an upload, and how far the service is with the asset.
#[derive(Serialize)]
struct Completed {
    #[serde(flatten)]
    uploaded: Uploaded,
    status: &'static str,
}

async fn complete(
    State(base_url): State<BaseUrl>,
    State(uploads): State<Arc<DirectUploads>>,
    PathId(id): PathId,
    JsonBody(request): JsonBody<Complete>,
) -> Result<Data<Completed>, ApiError> {
    let checksum = request.checksum_sha256.as_deref();
    let asset = uploads.complete(&id, checksum).await?;
    Ok(Data::new(Completed {
        uploaded: Uploaded::new(&base_url, &asset),
        status: "processing",
    }))
}
