//! How many bytes a job holds in scratch, and how many it may hold.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::mutex::lock;

/// The scratch of a job has no room for more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("scratch is full: it may hold {limit} bytes")]
pub struct ScratchFull {
    /// The most that it may hold, in bytes.
    pub limit: u64,
}

impl ScratchFull {
    /// Wraps it in an I/O error.
    pub fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::QuotaExceeded, self)
    }

    /// Finds it in an I/O error.
    pub fn within(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// How many bytes a job may hold in scratch, and how many it holds. All folders of the job share it.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// A budget of `limit` bytes, of which none is used.
    pub(super) fn new(limit: u64) -> Arc<Self> {
        let used = AtomicU64::new(0);
        Arc::new(Self { limit, used })
    }
}

/// The part of a job's scratch that one file or folder uses. Dropping it releases the bytes.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    bytes: u64,
    /// Set once the bytes are released permanently. Later measurements are ignored.
    closed: bool,
}

impl Charge {
    /// A charge of no bytes.
    pub(super) fn new(budget: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Self {
            budget: budget.clone(),
            taken: Mutex::default(),
        })
    }

    /// Charges `bytes` more.
    ///
    /// # Errors
    /// When the job would hold more than it may.
    pub fn add(&self, bytes: u64) -> Result<(), ScratchFull> {
        let mut taken = lock(&self.taken);
        self.change(&mut taken, |before| before.saturating_add(bytes))
    }

    /// Sets the charge to `bytes`, which replaces the earlier charge. Does nothing once it is closed.
    ///
    /// # Errors
    /// When the job would hold more than it may.
    pub fn set(&self, bytes: u64) -> Result<(), ScratchFull> {
        let mut taken = lock(&self.taken);
        if taken.closed {
            return Ok(());
        }
        self.change(&mut taken, |_| bytes)
    }

    /// Releases all bytes permanently.
    pub fn close(&self) {
        let mut taken = lock(&self.taken);
        taken.closed = true;
        // Releasing never fails.
        let _ = self.change(&mut taken, |_| 0);
    }

    fn change(&self, taken: &mut Taken, to: impl FnOnce(u64) -> u64) -> Result<(), ScratchFull> {
        let Budget { limit, used } = &*self.budget;
        let (before, after) = (taken.bytes, to(taken.bytes));
        taken.bytes = after;
        if after <= before {
            used.fetch_sub(before - after, Ordering::Relaxed);
            return Ok(());
        }
        let more = after - before;
        if used.fetch_add(more, Ordering::Relaxed).saturating_add(more) > *limit {
            return Err(ScratchFull { limit: *limit });
        }
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.close();
    }
}
