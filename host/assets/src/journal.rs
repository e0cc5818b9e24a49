//! What a run remembers of its uploads, so that the next one can take them up again.
//!
//! The client does not store anything itself. It tells an [`UploadLog`] what became of an upload, and asks it what an earlier
//! run knew. `forebay` keeps that in its journal file.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::asset::{Asset, Flow};
use crate::error::AssetsError;

/// What the service has of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The storage has the bytes of an asset that is not complete.
    Put {
        /// The asset's id.
        asset_id: String,
        /// SHA-256 of the bytes, in hex.
        sha256: String,
        /// Their number.
        size: u64,
    },
    /// The service has the asset.
    Delivered {
        /// The asset.
        asset: Asset,
        /// How it was uploaded.
        flow: Flow,
        /// SHA-256 of its bytes, in hex.
        sha256: String,
    },
}

/// Remembers one upload from run to run. Each method that records something returns once it is on disk, and may block.
pub trait UploadLog: fmt::Debug + Send + Sync {
    /// What the service has of the upload.
    fn known(&self) -> Option<Known>;
    /// Records what the service has.
    fn know(&self, known: Known);
    /// Records that an asset is about to be deleted; or, without an id, that the service has refused to make one. Either
    /// way the Idempotency-Key is used up.
    fn abandon(&self, asset_id: Option<&str>);
    /// Records that an asset is deleted.
    fn deleted(&self, asset_id: &str);
    /// Assets that were to be deleted, and may still be there.
    fn doomed(&self) -> Vec<String>;
    /// The Idempotency-Key for a file of this size in bytes and this SHA-256 (empty where it is not known): the same in every
    /// run until [`abandon`](Self::abandon) was called.
    fn idempotency_key(&self, size: u64, sha256: &str) -> String;
}

/// The log of one upload, if there is one. Without a log nothing is remembered.
#[derive(Debug, Clone, Default)]
pub struct UploadJournal(Option<Arc<dyn UploadLog>>);

impl UploadJournal {
    /// Remembers the upload in `log`.
    pub fn new(log: Arc<dyn UploadLog>) -> Self {
        Self(Some(log))
    }

    /// The Idempotency-Key of a creation, for a file of this size and, where it is known, this SHA-256. Without a log it is a
    /// fresh one.
    pub(crate) fn idempotency_key(&self, size: u64, sha256: &str) -> String {
        match &self.0 {
            Some(log) => log.idempotency_key(size, sha256),
            None => fresh_idempotency_key(),
        }
    }

    /// What the service has of this upload from an earlier run.
    pub(crate) fn known(&self) -> Option<Known> {
        self.0.as_ref()?.known()
    }

    /// Records what the service has now. It is on disk when this returns.
    pub(crate) async fn know(&self, known: Known) {
        if let Some(log) = self.0.clone() {
            // The task does not panic. If the runtime shuts down, the task is cancelled with it.
            let _ = tokio::task::spawn_blocking(move || log.know(known)).await;
        }
    }

    /// Records that an asset is about to be deleted, so that its Idempotency-Key is not used again.
    pub(crate) fn abandon(&self, asset_id: &str) {
        if let Some(log) = &self.0 {
            log.abandon(Some(asset_id));
        }
    }

    /// Records that an asset is deleted.
    pub(crate) fn deleted(&self, asset_id: &str) {
        if let Some(log) = &self.0 {
            log.deleted(asset_id);
        }
    }

    /// Assets that were about to be deleted when an earlier run ended.
    pub(crate) fn doomed(&self) -> Vec<String> {
        self.0.as_ref().map_or_else(Vec::new, |log| log.doomed())
    }

    /// Records a creation that was refused for good: the service would replay that answer to the same key.
    pub(crate) fn refused(&self, error: &AssetsError) {
        if let Some(log) = &self.0
            && matches!(error, AssetsError::Service(_))
            && !error.is_transient()
        {
            log.abandon(None);
        }
    }
}

/// A fresh key for one creation, the same across its retries.
pub(crate) fn fresh_idempotency_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
