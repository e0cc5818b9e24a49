//! How many bytes a channel may hold: a limit of its own, or its share of a budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of bytes that several channels may hold together. Clones share it.
///
/// Each open channel gets an equal share. A share is at least [`SharedBudget::LEAST`], and at most what one channel
/// alone may hold.
#[derive(Debug, Clone)]
pub struct SharedBudget(Arc<Total>);

#[derive(Debug)]
struct Total {
    bytes: usize,
    most_each: usize,
    open: AtomicUsize,
}

impl SharedBudget {
    /// The smallest share of a channel, in bytes.
    pub const LEAST: usize = 4 << 10;

    /// A budget of `bytes`, of which one channel gets `most_each` at most.
    pub fn new(bytes: usize, most_each: usize) -> Self {
        Self(Arc::new(Total {
            bytes,
            most_each,
            open: AtomicUsize::new(0),
        }))
    }

    /// The share of each open channel, in bytes.
    pub fn each(&self) -> usize {
        let Total {
            bytes,
            most_each,
            open,
        } = &*self.0;
        let share = bytes / open.load(Ordering::Relaxed).max(1);
        share.max(Self::LEAST).min(*most_each)
    }

    /// Counts a channel as open until the share is dropped.
    pub fn open(&self) -> Share {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Share(self.clone())
    }
}

/// One open channel's share of a [`SharedBudget`]. Dropping it returns the share.
#[derive(Debug)]
pub struct Share(SharedBudget);

impl Share {
    /// The share of each open channel, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.each()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many bytes a channel may hold.
#[derive(Debug)]
pub(super) enum Budget {
    Own(usize),
    Shared(SharedBudget),
}

impl Budget {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Own(bytes) => *bytes,
            Self::Shared(budget) => budget.each(),
        }
    }
}
