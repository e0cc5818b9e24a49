//! An asset that is deleted unless it is kept.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::asset::{Asset, Flow};
use crate::client::Assets;
use crate::journal::UploadJournal;
use forebay_core::mutex::lock;

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
        lock(&assets.0.unfinished).insert(asset_id.to_owned(), None);
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
        lock(&self.assets.0.unfinished).remove(&self.asset_id);
    }

    /// Deletes the asset and waits for the deletion.
    pub async fn delete(self) {
        let task = self.spawn();
        // Nothing is left to do when this is dropped.
        self.kept.store(true, Ordering::Relaxed);
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    fn spawn(&self) -> Option<tokio::task::JoinHandle<()>> {
        let abandoned = self.journal.abandon(&self.asset_id);
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
                // Recorded first: a later run must not use the key of an asset that is deleted, because the service would
                // answer with that asset. If it cannot be recorded, the asset stays, and the later run takes it up.
                if let Err(error) = abandoned.await {
                    lock(&assets.0.unfinished).remove(&asset_id);
                    tracing::warn!(
                        "asset {asset_id} stays for the next run: its deletion cannot be recorded: {error}"
                    );
                    return;
                }
                match assets.delete_if_there(&asset_id).await {
                    Ok(()) => {
                        lock(&assets.0.unfinished).remove(&asset_id);
                        journal.deleted(&asset_id);
                    }
                    Err(error) => {
                        let problem = Some(error.to_string());
                        lock(&assets.0.unfinished).insert(asset_id.clone(), problem);
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
