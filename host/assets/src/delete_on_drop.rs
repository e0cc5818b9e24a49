//! An asset that is deleted unless it is kept.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::asset::{Asset, Flow};
use crate::client::Assets;
use crate::journal::UploadJournal;

/// An upload that succeeded.
#[derive(Debug)]
pub struct Uploaded {
    /// The asset.
    pub asset: Asset,
    /// How it was uploaded.
    pub flow: Flow,
    /// SHA-256 of the bytes that were sent, in hex.
    pub sha256: String,
    /// Deletes the asset unless [`keep`](DeleteOnDrop::keep) is called.
    pub claim: DeleteOnDrop,
}

/// Deletes an asset when dropped, unless it was kept.
#[derive(Debug)]
pub struct DeleteOnDrop {
    assets: Assets,
    asset_id: String,
    journal: UploadJournal,
    kept: AtomicBool,
}

impl DeleteOnDrop {
    /// Guards an asset. What happens to the asset is recorded in `journal`.
    pub fn new(assets: &Assets, asset_id: &str, journal: &UploadJournal) -> Self {
        Self {
            assets: assets.clone(),
            asset_id: asset_id.to_owned(),
            journal: journal.clone(),
            kept: AtomicBool::new(false),
        }
    }

    /// Leaves the asset with the service.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Deletes the asset and waits for the deletion.
    pub async fn delete(self) {
        let task = self.spawn();
        self.keep();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    fn spawn(&self) -> Option<tokio::task::JoinHandle<()>> {
        self.journal.abandon(&self.asset_id);
        let (assets, asset_id, journal) = (
            self.assets.clone(),
            self.asset_id.clone(),
            self.journal.clone(),
        );
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("asset {asset_id} is not wanted, and no runtime is left to delete it");
            return None;
        };
        let tasks = self.assets.0.tasks.clone();
        Some(tasks.spawn_on(
            async move {
                match assets.delete_if_there(&asset_id).await {
                    Ok(()) => journal.deleted(&asset_id),
                    Err(error) => {
                        tracing::warn!("asset {asset_id} is not wanted, but stays: {error}");
                    }
                }
            },
            &runtime,
        ))
    }
}

impl Drop for DeleteOnDrop {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            self.spawn();
        }
    }
}
