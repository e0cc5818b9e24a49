//! Memory that the host holds for a plugin, besides the plugin's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sandbox::limits::{Exceeded, Limits};

/// Counts it against its limit. Clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct HostMemory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: u64,
    held: AtomicU64,
}

impl HostMemory {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            most: limits.host_memory,
            held: AtomicU64::new(0),
        }))
    }

    /// Counts so many bytes until the returned value is dropped.
    pub(crate) fn hold(&self, bytes: u64) -> Result<HeldMemory, Exceeded> {
        let held = HeldMemory {
            memory: self.clone(),
            bytes,
        };
        let before = self.0.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.0.most {
            return Err(Exceeded::HostMemory(self.0.most));
        }
        Ok(held)
    }
}

/// Memory that is counted.
#[derive(Debug)]
pub(crate) struct HeldMemory {
    memory: HostMemory,
    bytes: u64,
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        self.memory.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
