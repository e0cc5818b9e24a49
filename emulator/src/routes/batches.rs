//! The three calls of a batch of direct uploads: create, complete, look.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::direct_upload::{Slot, Wish, check, open};
use super::lists::malformed;
use super::{Data, Id};
use crate::batches::{ItemStatus, Status};
use crate::error::ApiError;
use crate::fault::FaultKind;
use crate::json::JsonBody;
use crate::maker::Maker;
use crate::page::{PageQuery, token_after};
use crate::state::App;

/// Items on a page unless the query says otherwise (S).
const PAGE: usize = 100;

/// The files to come.
#[derive(Deserialize)]
pub(super) struct Create {
    files: Vec<Wish>,
    title: Option<String>,
}

/// Where and how to put the bytes of each.
#[derive(Serialize)]
pub(super) struct Created {
    batch_id: String,
    items: Vec<Slot>,
}

/// Makes room for all of the files or, if one is refused, for none.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    fault: Option<Extension<FaultKind>>,
    Maker(user_agent): Maker,
    JsonBody(wish): JsonBody<Create>,
) -> Result<Data<Created>, ApiError> {
    let most = app.config.batch_limit;
    if !(1..=most).contains(&wish.files.len()) {
        let message = format!("a batch has 1 to {most} files");
        return Err(ApiError::invalid(message).param("files"));
    }
    let files = wish.files.into_iter().enumerate();
    let checked = files
        .map(|(index, file)| {
            check(&app.config, file).map_err(|error| error.within(&format!("files[{index}]")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let fault = fault.as_deref();
    let slots = checked
        .into_iter()
        .map(|file| open(&app, file, fault, user_agent.clone()))
        .collect::<Result<Vec<Slot>, _>>()?;
    let asset_ids = slots.iter().map(|slot| slot.asset_id.clone()).collect();
    Ok(Data(Created {
        batch_id: app.batches.create(wish.title, asset_ids)?,
        items: slots,
    }))
}

/// Which batch.
#[derive(Serialize, Deserialize)]
pub(super) struct Complete {
    batch_id: String,
}

/// Completes every file for itself. The answer says no more than that it was asked for.
pub(super) async fn complete(
    State(app): State<Arc<App>>,
    JsonBody(wish): JsonBody<Complete>,
) -> Result<(StatusCode, Data<Complete>), ApiError> {
    app.batches.complete(&app, &wish.batch_id).await?;
    Ok((StatusCode::ACCEPTED, Data(wish)))
}

/// A batch and a page of its items. Here `has_more` and `next_token` stand within `data`, as they do at the service.
#[derive(Serialize)]
pub(super) struct Shown {
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

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Id(batch_id): Id,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Data<Shown>, ApiError> {
    let Query(page) = page.map_err(malformed)?;
    let (limit, after) = (page.limit(PAGE)?, page.after()?);
    let batch = app.batches.status(&app, &batch_id)?;
    let (status, counts_by_status) = (batch.status(), batch.counts());
    let total_items = batch.items.len();
    // Beyond every index is the end of the list.
    let first = after.map_or(0, |after| {
        usize::try_from(after).map_or(usize::MAX, |after| after.saturating_add(1))
    });
    let items: Vec<_> = batch.items.into_iter().skip(first).take(limit).collect();
    let last = items.last().map(|item| item.item_index);
    let more = last.filter(|last| last + 1 < total_items);
    Ok(Data(Shown {
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
