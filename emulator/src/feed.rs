//! What happens to assets, for who watches: the page at `/`, and tests that wait.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::assets::Flow;

/// Events that a slow watcher may be behind; one that is further behind is given the whole list anew.
const BEHIND: usize = 256;

/// An asset at a glance.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Card {
    /// Counts up with each asset.
    pub(crate) serial: u64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) mime_type: &'static str,
    pub(crate) size_bytes: u64,
    /// `upload` or `direct_upload`.
    pub(crate) flow: Flow,
    /// The pipeline that made it, if the client named one, or else the client.
    pub(crate) made_by: Option<String>,
    /// `pending_upload`, `arrived` once the bytes are there, or `completed`.
    pub(crate) status: &'static str,
    /// Unix seconds; none before it is completed.
    pub(crate) uploaded_at: Option<u64>,
    /// The path of its bytes; none before it is completed.
    pub(crate) file: Option<String>,
}

/// A change.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// An asset is new or is further than before.
    Came(Card),
    /// The asset of this id was deleted.
    Went(String),
}

/// Hands each change to everybody who watches.
pub(crate) struct Feed(broadcast::Sender<Change>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Feed {
    /// Tells of a change. The change is made only if somebody watches.
    pub(crate) fn tell(&self, change: impl FnOnce() -> Change) {
        if self.0.receiver_count() > 0 {
            // Who left in the meantime misses nothing.
            let _ = self.0.send(change());
        }
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
