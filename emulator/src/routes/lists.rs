//! `GET /v3/assets` and `GET /v3/assets/statuses`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::assets::Shown;
use crate::base::api_error::{ApiError, ItemError};
use crate::base::base_url::BaseUrl;
use crate::http::envelope::Page;
use crate::http::pagination::{PageQuery, token_after};
use crate::http::query::QueryParams;
use crate::service::assets::{Assets, Status};
use crate::service::batches::Batches;
use crate::state::AppState;

/// Assets on a page if the query has no `limit` (S).
const DEFAULT_LIMIT: usize = 20;

/// The most ids in one request (S).
const MAX_IDS: usize = 100;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/assets", get(list))
        .route("/assets/statuses", get(statuses))
}

/// Which assets to show. The service requires a `username`; the emulator has one user and requires none.
#[derive(Deserialize)]
struct Filter {
    folder_id: Option<String>,
}

async fn list(
    State(base_url): State<BaseUrl>,
    State(assets): State<Arc<Assets>>,
    QueryParams(page): QueryParams<PageQuery>,
    QueryParams(filter): QueryParams<Filter>,
) -> Result<Page<Shown>, ApiError> {
    let (limit, after) = (page.limit(DEFAULT_LIMIT)?, page.after()?);
    let mut assets = assets.newest(after, limit + 1);
    // Every asset is in the root folder, so every other folder is empty.
    if filter.folder_id.is_some_and(|id| !id.is_empty()) {
        assets.clear();
    }
    let has_more = assets.len() > limit;
    assets.truncate(limit);
    let last = assets.last().filter(|_| has_more);
    Ok(Page {
        next_token: last.map(|asset| token_after(asset.arrived)),
        has_more,
        data: assets
            .into_iter()
            .map(|asset| Shown::new(&base_url, asset))
            .collect(),
    })
}

/// Which assets: ids, separated by commas.
#[derive(Deserialize)]
struct Which {
    asset_ids: Option<String>,
    batch_ids: Option<String>,
}

/// The status of one asset.
#[derive(Serialize)]
struct AssetStatus {
    /// The asset's id. The service has one schema for videos and assets, hence the name.
    video_id: Option<String>,
    status: Status,
    batch_id: Option<String>,
    item_index: Option<usize>,
    error: Option<ItemError>,
}

async fn statuses(
    State(assets): State<Arc<Assets>>,
    State(batches): State<Arc<Batches>>,
    QueryParams(which): QueryParams<Which>,
) -> Result<Page<AssetStatus>, ApiError> {
    let (asset_ids, batch_ids) = (ids(&which.asset_ids), ids(&which.batch_ids));
    if asset_ids.is_empty() && batch_ids.is_empty() {
        return Err(ApiError::invalid("asset_ids or batch_ids is needed").with_param("asset_ids"));
    }
    if asset_ids.len() + batch_ids.len() > MAX_IDS {
        let message = format!("at most {MAX_IDS} ids");
        return Err(ApiError::invalid(message).with_param("asset_ids"));
    }
    let mut data: Vec<AssetStatus> = asset_ids
        .into_iter()
        .map(|id| AssetStatus {
            status: assets.status(id),
            video_id: Some(id.to_owned()),
            batch_id: None,
            item_index: None,
            error: None,
        })
        .collect();
    for id in batch_ids {
        let batch_id = Some(id.to_owned());
        match batches.status(id) {
            Ok(batch) => data.extend(batch.items.into_iter().map(|item| AssetStatus {
                video_id: Some(item.video_id),
                status: item.status,
                batch_id: batch_id.clone(),
                item_index: Some(item.item_index),
                error: item.error,
            })),
            Err(_) => data.push(AssetStatus {
                video_id: None,
                status: Status::NotFound,
                batch_id,
                item_index: None,
                error: None,
            }),
        }
    }
    Ok(Page {
        data,
        has_more: false,
        next_token: None,
    })
}

fn ids(given: &Option<String>) -> Vec<&str> {
    let given = given.as_deref().unwrap_or_default().split(',');
    given.map(str::trim).filter(|id| !id.is_empty()).collect()
}
