//! `GET /v3/assets` and `GET /v3/assets/statuses`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::assets::Shown;
use crate::batches::{ItemError, Status};
use crate::error::ApiError;
use crate::page::{PageQuery, token_after};
use crate::state::App;

/// Assets on a page unless the query says otherwise (S).
const PAGE: usize = 20;

/// The most ids in one question (S).
const MOST_IDS: usize = 100;

/// A list: what pages it is beside `data`, not in it.
#[derive(Serialize)]
pub(super) struct List<T> {
    data: Vec<T>,
    has_more: bool,
    next_token: Option<String>,
}

/// Whose and which assets to show. The service wants a `username`; the emulator has one user and asks for none.
#[derive(Deserialize)]
pub(super) struct Filter {
    folder_id: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    page: Result<Query<PageQuery>, QueryRejection>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<List<Shown>>, ApiError> {
    let Query(page) = page.map_err(malformed)?;
    let Query(filter) = filter.map_err(malformed)?;
    let (limit, after) = (page.limit(PAGE)?, page.after()?);
    let mut assets = app.assets.newest(after, limit + 1);
    // Every asset is at the root: a folder, whichever it is, is empty.
    if filter.folder_id.is_some_and(|id| !id.is_empty()) {
        assets.clear();
    }
    let has_more = assets.len() > limit;
    assets.truncate(limit);
    let last = assets.last().filter(|_| has_more);
    Ok(Json(List {
        next_token: last.map(|asset| token_after(asset.arrived)),
        has_more,
        data: assets
            .into_iter()
            .map(|asset| Shown::new(&app, asset))
            .collect(),
    }))
}

/// Ids, separated by commas.
#[derive(Deserialize)]
pub(super) struct Which {
    asset_ids: Option<String>,
    batch_ids: Option<String>,
}

/// How far one asset is.
#[derive(Serialize)]
pub(super) struct Shortly {
    /// The asset's id: the service reads videos and assets by one model.
    video_id: Option<String>,
    status: Status,
    batch_id: Option<String>,
    item_index: Option<usize>,
    error: Option<ItemError>,
}

pub(super) async fn statuses(
    State(app): State<Arc<App>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<List<Shortly>>, ApiError> {
    let Query(which) = which.map_err(malformed)?;
    let (assets, batches) = (ids(&which.asset_ids), ids(&which.batch_ids));
    if assets.is_empty() && batches.is_empty() {
        return Err(ApiError::invalid("which assets?").param("asset_ids"));
    }
    if assets.len() + batches.len() > MOST_IDS {
        let message = format!("at most {MOST_IDS} ids");
        return Err(ApiError::invalid(message).param("asset_ids"));
    }
    let mut data: Vec<Shortly> = assets
        .into_iter()
        .map(|id| Shortly {
            status: app.assets.status(&app.config, id),
            video_id: Some(id.to_owned()),
            batch_id: None,
            item_index: None,
            error: None,
        })
        .collect();
    for id in batches {
        let batch_id = Some(id.to_owned());
        match app.batches.status(&app, id) {
            Ok(batch) => data.extend(batch.items.into_iter().map(|item| Shortly {
                video_id: Some(item.video_id),
                status: item.status,
                batch_id: batch_id.clone(),
                item_index: Some(item.item_index),
                error: item.error,
            })),
            Err(_) => data.push(Shortly {
                video_id: None,
                status: Status::NotFound,
                batch_id,
                item_index: None,
                error: None,
            }),
        }
    }
    Ok(Json(List {
        data,
        has_more: false,
        next_token: None,
    }))
}

fn ids(given: &Option<String>) -> Vec<&str> {
    let given = given.as_deref().unwrap_or_default().split(',');
    given.map(str::trim).filter(|id| !id.is_empty()).collect()
}

pub(super) fn malformed(error: QueryRejection) -> ApiError {
    ApiError::invalid(format!("malformed query: {}", error.body_text()))
}
