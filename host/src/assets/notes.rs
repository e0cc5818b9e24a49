//! What an upload is known by, to the service and to the journal.

use super::client::idempotency_key;
use super::error::AssetsError;
use crate::journal::{FileJournal, Known};

/// The journal's part for one upload, if there is a journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Option<FileJournal>);

impl Notes {
    pub(super) fn new(journal: Option<FileJournal>) -> Self {
        Self(journal)
    }

    /// The Idempotency-Key of a creation, for a file of this size and, where that is known, this content. Without a
    /// journal it is a fresh one.
    pub(super) fn idempotency_key(&self, size: u64, content: &str) -> String {
        match &self.0 {
            Some(journal) => journal.idempotency_key(size, content),
            None => idempotency_key(),
        }
    }

    /// What the service has of this upload from a run before.
    pub(super) fn known(&self) -> Option<Known> {
        self.0.as_ref()?.known()
    }

    /// Notes what the service has now; on disk before this returns.
    pub(super) async fn know(&self, known: Known) {
        if let Some(journal) = self.0.clone() {
            // A panic there is none; and a runtime that is going takes this with it.
            let _ = tokio::task::spawn_blocking(move || journal.know(known)).await;
        }
    }

    /// Notes that an asset is about to be deleted, so that its Idempotency-Key is not used again.
    pub(super) fn abandon(&self, asset_id: &str) {
        if let Some(journal) = &self.0 {
            journal.abandon(Some(asset_id));
        }
    }

    /// Notes that an asset is deleted.
    pub(super) fn deleted(&self, asset_id: &str) {
        if let Some(journal) = &self.0 {
            journal.deleted(asset_id);
        }
    }

    /// Assets that were about to be deleted when a run before ended.
    pub(super) fn doomed(&self) -> Vec<String> {
        self.0.as_ref().map_or_else(Vec::new, FileJournal::doomed)
    }

    /// Takes note of a creation that was refused for good: the service would replay that answer to the same key.
    pub(super) fn refused(&self, error: &AssetsError) {
        if let Some(journal) = &self.0
            && matches!(error, AssetsError::Service(_))
            && !error.is_transient()
        {
            journal.abandon(None);
        }
    }
}
