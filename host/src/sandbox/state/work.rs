//! What the host does for a plugin on its own, as WASI 0.3 has it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sandbox::limits::{Exceeded, Limits};

/// Calls that work on files at a time. Each takes a thread.
const CALLS: usize = 8;

/// Counts what the host does at a time for a plugin without holding it up.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// Streams that the host drains on its own. There may be half as many as handles, since each may hold two files open:
    /// the one that it reads, and the one that it writes.
    drains: Arc<Semaphore>,
    /// Calls that work on files. What is more waits.
    pub(crate) calls: Arc<Semaphore>,
    handles: u64,
}

impl Work {
    pub(super) fn new(limits: &Limits) -> Self {
        let drains = usize::try_from(limits.handles.div_ceil(2)).unwrap_or(usize::MAX);
        Self {
            drains: Arc::new(Semaphore::new(drains.min(Semaphore::MAX_PERMITS))),
            calls: Arc::new(Semaphore::new(CALLS)),
            handles: limits.handles,
        }
    }

    /// Counts a stream until the permit is dropped.
    pub(crate) fn begin_drain(&self) -> Result<OwnedSemaphorePermit, Exceeded> {
        let permit = self.drains.clone().try_acquire_owned();
        permit.map_err(|_| Exceeded::Handles(self.handles))
    }
}
