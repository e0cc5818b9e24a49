//! What an upload is known by, to the service and to the journal.

use super::client::idempotency_key;
use crate::journal::{FileJournal, Known};

/// The journal's part for one upload, if there is a journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Option<FileJournal>);

impl Notes {
    pub(super) fn new(journal: Option<FileJournal>) -> Self {
        Self(journal)
    }

    /// The Idempotency-Key of a creation. Without a journal it is a fresh one.
    pub(super) fn idempotency_key(&self, size: u64) -> String {
        match &self.0 {
            Some(journal) => journal.idempotency_key(size),
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

    /// Notes that the asset is about to be deleted, so that its Idempotency-Key is not used again.
    pub(super) fn abandon(&self) {
        if let Some(journal) = &self.0 {
            journal.abandon();
        }
    }
}
