//! Notifications of changes to assets, for the page at `/` and for tests that wait.

use tokio::sync::broadcast;

use super::view::AssetSummary;

/// How many events a slow subscriber may be behind. One that is further behind is sent the whole list again.
const CAPACITY: usize = 256;

/// A change.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// An asset was created or changed.
    Updated(AssetSummary),
    /// The asset of this id was deleted.
    Deleted(String),
}

/// Sends each change to all subscribers.
pub(super) struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Changes {
    /// Sends a change. `change` is called only if there is a subscriber.
    pub(super) fn publish(&self, change: impl FnOnce() -> Change) {
        if self.0.receiver_count() > 0 {
            // Fails if the last subscriber has left since, who needs no change.
            let _ = self.0.send(change());
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
