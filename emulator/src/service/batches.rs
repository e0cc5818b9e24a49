//! Batches: up to a hundred direct uploads that are created, completed and shown together.
//!
//! A batch is a list of asset ids and of the last error of each. The table of assets has their status. The bytes of
//! each file arrive by a separate `PUT`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::assets::{Assets, Status};
use super::direct_uploads::DirectUploads;
use crate::base::api_error::{ApiError, ItemError};
use crate::base::clock::unix_now;
use crate::base::config::Config;
use crate::base::ids::{self, new_id};
use crate::storage::records::{Kind, RecordError, Records};

/// How far one item of a batch is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ItemStatus {
    pub(crate) item_index: usize,
    /// The asset's id. The service has one schema for batches of videos and of assets, hence the name.
    pub(crate) video_id: String,
    pub(crate) status: Status,
    pub(crate) error: Option<ItemError>,
}

/// A batch and how far its items are.
pub(crate) struct BatchStatus {
    pub(crate) title: Option<String>,
    pub(crate) created_at: u64,
    pub(crate) items: Vec<ItemStatus>,
}

impl BatchStatus {
    /// The status of the whole batch: `failed` if no item is in progress and at least one failed.
    pub(crate) fn status(&self) -> Status {
        let any = |status| self.items.iter().any(|item| item.status == status);
        if any(Status::Queued) || any(Status::Processing) {
            Status::Processing
        } else if any(Status::Failed) {
            Status::Failed
        } else {
            Status::Completed
        }
    }

    /// The number of items with each status.
    pub(crate) fn counts(&self) -> BTreeMap<Status, usize> {
        let mut counts = BTreeMap::new();
        for item in &self.items {
            *counts.entry(item.status).or_default() += 1;
        }
        counts
    }
}

#[derive(Serialize, Deserialize)]
struct Batch {
    title: Option<String>,
    created_at: u64,
    items: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    asset_id: String,
    /// The error of the last completion.
    error: Option<ItemError>,
}

/// Every batch, by id.
pub(crate) struct Batches {
    table: Mutex<HashMap<String, Batch>>,
    config: Arc<Config>,
    assets: Arc<Assets>,
    direct_uploads: Arc<DirectUploads>,
    records: Arc<Records>,
}

impl Batches {
    /// Restores the batches of earlier runs.
    pub(crate) fn load(
        config: Arc<Config>,
        assets: Arc<Assets>,
        direct_uploads: Arc<DirectUploads>,
        records: Arc<Records>,
    ) -> Result<Self, RecordError> {
        let table = records.load(Kind::Batch)?.into_iter().collect();
        Ok(Self {
            table: Mutex::new(table),
            config,
            assets,
            direct_uploads,
            records,
        })
    }

    /// Creates a batch of declared uploads and returns its id.
    pub(crate) fn create(
        &self,
        title: Option<String>,
        asset_ids: Vec<String>,
    ) -> Result<String, ApiError> {
        let id = new_id(ids::BATCH);
        let items = asset_ids.into_iter().map(|asset_id| Item {
            asset_id,
            error: None,
        });
        let batch = Batch {
            title,
            created_at: unix_now(),
            items: items.collect(),
        };
        let mut table = self.lock();
        self.records
            .put(Kind::Batch, &id, &batch)
            .map_err(ApiError::internal)?;
        table.insert(id.clone(), batch);
        Ok(id)
    }

    /// Completes each item on its own. A repeated call tries the failed items again.
    pub(crate) async fn complete(&self, id: &str) -> Result<(), ApiError> {
        let asset_ids: Vec<String> = {
            let table = self.lock();
            let batch = table.get(id).ok_or_else(|| self.unknown(id))?;
            batch
                .items
                .iter()
                .map(|item| item.asset_id.clone())
                .collect()
        };
        let mut errors = Vec::with_capacity(asset_ids.len());
        for asset_id in &asset_ids {
            let done = self.direct_uploads.complete(asset_id, None).await;
            errors.push(done.err().map(ApiError::into_item_error));
        }
        let mut table = self.lock();
        let batch = table.get_mut(id).ok_or_else(|| self.unknown(id))?;
        for (item, error) in batch.items.iter_mut().zip(errors) {
            item.error = error;
        }
        self.records
            .put(Kind::Batch, id, batch)
            .map_err(ApiError::internal)
    }

    /// The batch and the status of each item.
    pub(crate) fn status(&self, id: &str) -> Result<BatchStatus, ApiError> {
        let table = self.lock();
        let batch = table.get(id).ok_or_else(|| self.unknown(id))?;
        let items = batch.items.iter().enumerate();
        let items = items.map(|(item_index, item)| {
            let (status, error) = match (self.assets.status(&item.asset_id), &item.error) {
                // The asset was deleted after the batch was created.
                (Status::NotFound, _) => {
                    let deleted = ApiError::asset_not_found(&item.asset_id).into_item_error();
                    (Status::Failed, Some(deleted))
                }
                (Status::Queued, Some(error)) => (Status::Failed, Some(error.clone())),
                (status, _) => (status, None),
            };
            ItemStatus {
                item_index,
                video_id: item.asset_id.clone(),
                status,
                error,
            }
        });
        Ok(BatchStatus {
            title: batch.title.clone(),
            created_at: batch.created_at,
            items: items.collect(),
        })
    }

    fn unknown(&self, id: &str) -> ApiError {
        ApiError::configured(&self.config.unknown_batch, format!("no batch {id:?}"))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Batch>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
