//! Changes to files that a plugin has begun and may not wait for.
//!
//! Promise: once a plugin has returned ok, every change that it began is waited for, and one that failed without the plugin
//! being told fails the stage. So its files are as it meant them, or nothing of them is used.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use forebay_core::mutex::lock;
use forebay_core::text;
use tokio::sync::watch;

use crate::sandbox::cause::StageCause;

/// Characters of a message of the disk.
const MAX_PROBLEM: usize = 200;

/// The changes that a plugin has begun.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    under_way: watch::Sender<usize>,
    /// Streams of WASI 0.3 into files that have not ended.
    streams: AtomicUsize,
    /// Whether the plugin has returned. It hears of nothing that ends later.
    returned: AtomicBool,
    /// Whether the plugin's store is being dropped. A stream that ends now was left open.
    closed: AtomicBool,
    /// The first failure of which the plugin was not told.
    failed: Mutex<Option<StageCause>>,
}

impl Changes {
    /// Begins a change of the file at this path.
    pub(super) fn begin(self: &Arc<Self>, path: Arc<str>) -> Change {
        self.under_way.send_modify(|count| *count += 1);
        Change {
            changes: self.clone(),
            path,
        }
    }

    /// Counts a stream into a file.
    pub(super) fn stream_opened(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a stream less.
    pub(super) fn stream_ended(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that the plugin has returned.
    pub(crate) fn plugin_returned(&self) {
        self.returned.store(true, Ordering::Relaxed);
    }

    /// Notes that the plugin's store is dropped next.
    pub(crate) fn store_closes(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether the plugin has returned.
    pub(super) fn has_returned(&self) -> bool {
        self.returned.load(Ordering::Relaxed)
    }

    /// Whether the plugin's store is being dropped.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether changes are under way, or streams have not ended.
    pub(crate) fn are_under_way(&self) -> bool {
        *self.under_way.borrow() > 0 || self.streams.load(Ordering::Relaxed) > 0
    }

    /// Waits until no change is under way.
    pub(crate) async fn ended(&self) {
        // The sender outlives the receiver.
        let _ = self
            .under_way
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
    }

    /// The first failure of which the plugin was not told.
    ///
    /// # Errors
    /// [`StageCause::Write`].
    pub(crate) fn check(&self) -> Result<(), StageCause> {
        lock(&self.failed).clone().map_or(Ok(()), Err)
    }
}

/// A change that is under way until this is dropped.
#[derive(Debug)]
pub(super) struct Change {
    changes: Arc<Changes>,
    path: Arc<str>,
}

impl Change {
    /// Notes that it failed, and that the plugin was not told.
    pub(super) fn fail(&self, problem: impl fmt::Display) {
        lock(&self.changes.failed).get_or_insert_with(|| StageCause::Write {
            path: self.path.to_string(),
            problem: text::tidy(&problem.to_string(), MAX_PROBLEM),
        });
    }

    /// All changes of the plugin.
    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        self.changes.under_way.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_end_of_all_changes_is_waited_for() {
        let changes = Arc::<Changes>::default();
        assert!(!changes.are_under_way());
        let (first, second) = (
            changes.begin("/out/a".into()),
            changes.begin("/out/b".into()),
        );
        let ended = || changes.ended().now_or_never().is_some();
        assert!(!ended());
        drop(first);
        assert!(!ended() && changes.are_under_way());
        second.fail("the disk is full");
        second.fail("later");
        drop(second);
        assert!(ended() && !changes.are_under_way());
        let failed = changes.check().unwrap_err().to_string();
        assert!(
            failed.contains("/out/b") && failed.contains("the disk is full"),
            "{failed}"
        );
    }
}
