//! What a run records about its uploads, so that the next run can continue them.
//!
//! The client stores nothing itself. It reports the state of an upload to an [`UploadLog`], and asks it for the state
//! that an earlier run reported. `forebay` stores that state in its journal file.

use std::fmt;
use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::asset::{Asset, Flow};
use crate::error::AssetsError;

/// What the service holds of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The storage has the bytes of an asset that is not complete yet.
    Put {
        /// The asset's id.
        asset_id: String,
        /// SHA-256 of the bytes, in hex.
        sha256: String,
        /// Number of bytes.
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

/// Resolves when a record is on disk, or with the reason why it cannot be recorded. The record was written before this
/// future was made: dropping the future only means that nothing waits for the disk.
pub type Recorded = BoxFuture<'static, io::Result<()>>;

/// Stores the state of one upload between runs.
///
/// Each method that records something has written the record when it returns, so that a killed process loses none, and
/// records written later never survive a failure of the power without it. It is called on threads that must not block for
/// long: it may write to a file, and the returned future waits for the disk.
pub trait UploadLog: fmt::Debug + Send + Sync {
    /// What the service holds of the upload.
    fn known(&self) -> Option<Known>;
    /// Records what the service holds.
    fn know(&self, known: Known) -> Recorded;
    /// Records that an asset is about to be deleted. Without an id, it records that the service has refused to create
    /// an asset. In both cases the Idempotency-Key is used up as soon as this returns.
    fn abandon(&self, asset_id: Option<&str>) -> Recorded;
    /// Records that an asset was deleted.
    fn deleted(&self, asset_id: &str) -> Recorded;
    /// Assets that were to be deleted and may still exist.
    fn doomed(&self) -> Vec<String>;
    /// The Idempotency-Key for a file of this size in bytes and this SHA-256 (empty if unknown). The key is the same in
    /// every run until [`abandon`](Self::abandon) is called.
    fn idempotency_key(&self, size: u64, sha256: &str) -> String;
}

/// The log of one upload, if there is one. Without a log nothing is recorded.
#[derive(Debug, Clone, Default)]
pub struct UploadJournal(Option<Arc<dyn UploadLog>>);

impl UploadJournal {
    /// Records the upload in `log`.
    pub fn new(log: Arc<dyn UploadLog>) -> Self {
        Self(Some(log))
    }

    /// The Idempotency-Key of a creation, for a file of this size and, if known, this SHA-256. Without a log it is a
    /// new key.
    pub(crate) fn idempotency_key(&self, size: u64, sha256: &str) -> String {
        match &self.0 {
            Some(log) => log.idempotency_key(size, sha256),
            None => fresh_idempotency_key(),
        }
    }

    /// What the service holds of this upload from an earlier run.
    pub(crate) fn known(&self) -> Option<Known> {
        self.0.as_ref()?.known()
    }

    /// Records what the service holds now, and waits until the record is on disk. If it cannot be recorded, the log fails
    /// whatever comes next.
    pub(crate) async fn know_on_disk(&self, known: Known) {
        if let Some(log) = &self.0 {
            let _ = log.know(known).await;
        }
    }

    /// Records what the service holds now. Does not wait for the disk: if the record is lost, the next run gets the same
    /// asset by its Idempotency-Key.
    pub(crate) fn know(&self, known: Known) {
        if let Some(log) = &self.0 {
            drop(log.know(known));
        }
    }

    /// Records that an asset is about to be deleted, so that its Idempotency-Key is not used again. The asset may be
    /// deleted when the returned future resolves without an error.
    pub(crate) fn abandon(&self, asset_id: &str) -> Recorded {
        match &self.0 {
            Some(log) => log.abandon(Some(asset_id)),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    /// Records that an asset was deleted. Does not wait for the disk: if the record is lost, the next run deletes the
    /// asset once more, and learns that it is gone.
    pub(crate) fn deleted(&self, asset_id: &str) {
        if let Some(log) = &self.0 {
            drop(log.deleted(asset_id));
        }
    }

    /// Assets that were about to be deleted when an earlier run ended.
    pub(crate) fn doomed(&self) -> Vec<String> {
        self.0.as_ref().map_or_else(Vec::new, |log| log.doomed())
    }

    /// Passes on how a creation ended. Records it if it was refused permanently: the service would repeat that answer for
    /// the same key. Does not wait for the disk: if the record is lost, the next run gets that answer once more.
    pub(crate) fn note_refusal<T>(
        &self,
        created: Result<T, AssetsError>,
    ) -> Result<T, AssetsError> {
        if let (Some(log), Err(error)) = (&self.0, &created)
            && matches!(error, AssetsError::Service(_))
            && !error.is_transient()
        {
            drop(log.abandon(None));
        }
        created
    }
}

/// A new key for one creation. Retries of the creation use the same key.
pub(crate) fn fresh_idempotency_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
