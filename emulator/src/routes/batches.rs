//! The three calls of a batch of direct uploads: create, complete, show.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};

use crate::base::api_error::ApiError;
use crate::base::config::Config;
use crate::base::user_agent::UserAgent;
use crate::http::envelope::Data;
use crate::http::fault::FaultKind;
use crate::http::json::JsonBody;
use crate::http::pagination::{PageQuery, token_after};
use crate::http::path_id::PathId;
use crate::http::query::QueryParams;
use crate::service::assets::Status;
use crate::service::batches::{Batches, ItemStatus};
use crate::service::direct_uploads::{DirectUploads, UploadRequest, UploadSlot};
use crate::state::AppState;

/// Items on a page if the query has no `limit` (S).
const DEFAULT_LIMIT: usize = 100;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/assets/direct-uploads/batches", post(create))
        .route("/assets/complete/batches", post(complete))
        .route("/assets/batches/{id}", get(show))
}

/// The files of a new batch.
#[derive(Deserialize)]
struct Create {
    files: Vec<UploadRequest>,
    title: Option<String>,
}

/// Where and how to send the bytes of each file.
#[derive(Serialize)]
struct Created {
    batch_id: String,
    items: Vec<UploadSlot>,
}

/// Creates an upload for each file. If one file is refused, none is created.
async fn create(
    State(config): State<Arc<Config>>,
    State(uploads): State<Arc<DirectUploads>>,
    State(batches): State<Arc<Batches>>,
    fault: Option<Extension<FaultKind>>,
    user_agent: Option<UserAgent>,
    JsonBody(request): JsonBody<Create>,
) -> Result<Data<Created>, ApiError> {
    let most = config.batch_limit;
    if !(1..=most).contains(&request.files.len()) {
        let message = format!("a batch has 1 to {most} files");
        return Err(ApiError::invalid(message).with_param("files"));
    }
    let files = request.files.into_iter().enumerate();
    let checked = files
        .map(|(index, file)| {
            let checked = uploads.check(file);
            checked.map_err(|error| error.within_param(&format!("files[{index}]")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let expired = matches!(fault, Some(Extension(FaultKind::ExpiredUrl)));
    let items = checked
        .into_iter()
        .map(|file| uploads.create(file, user_agent.clone(), expired))
        .collect::<Result<Vec<UploadSlot>, _>>()?;
    let asset_ids = items.iter().map(|slot| slot.asset_id.clone()).collect();
    Ok(Data::new(Created {
        batch_id: batches.create(request.title, asset_ids)?,
        items,
    }))
}

/// The body of a completion, and its answer.
#[derive(Serialize, Deserialize)]
struct Complete {
    batch_id: String,
}

/// Completes each file on its own. The answer does not say which files succeeded.
async fn complete(
    State(batches): State<Arc<Batches>>,
    JsonBody(request): JsonBody<Complete>,
) -> Result<(StatusCode, Data<Complete>), ApiError> {
    batches.complete(&request.batch_id).await?;
    Ok((StatusCode::ACCEPTED, Data::new(request)))
}

/// A batch and a page of its items. Here `has_more` and `next_token` are inside `data`, as at the service.
#[derive(Serialize)]
struct Shown {
    batch_id: String,
    title: Option<String>,
    created_at: u64,
    status: Status,
    total_items: usize,
    counts_by_status: BTreeMap<Status, usize>,
    items: Vec<ItemStatus>,
    has_more: bool,
    next_token: Option<String>,
}

async fn show(
    State(batches): State<Arc<Batches>>,
    PathId(batch_id): PathId,
    QueryParams(page): QueryParams<PageQuery>,
) -> Result<Data<Shown>, ApiError> {
    let (limit, after) = (page.limit(DEFAULT_LIMIT)?, page.after()?);
    let batch = batches.status(&batch_id)?;
    let (status, counts_by_status) = (batch.status(), batch.counts());
    let total_items = batch.items.len();
    // An index too large for this machine is after the end of the list.
    let first = after.map_or(0, |after| {
        usize::try_from(after).map_or(usize::MAX, |after| after.saturating_add(1))
    });
    let items: Vec<_> = batch.items.into_iter().skip(first).take(limit).collect();
    let last = items.last().map(|item| item.item_index);
    let more = last.filter(|last| last + 1 < total_items);
    Ok(Data::new(Shown {
        batch_id,
        title: batch.title,
        created_at: batch.created_at,
        status,
        total_items,
        counts_by_status,
        items,
        has_more: more.is_some(),
        next_token: more.map(|last| token_after(last as u64)),
    }))
}
