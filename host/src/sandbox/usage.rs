//! What a stage used.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay_core::mutex::lock;
use forebay_core::seconds;
use serde::{Deserialize, Serialize};

/// What a stage used on one file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of input that the plugin took.
    pub bytes_in: u64,
    /// Bytes of all its outputs.
    pub bytes_out: u64,
    /// CPU time of the guest and of the host's calls on its behalf.
    #[serde(rename = "cpu_seconds", with = "seconds")]
    pub cpu_time: Duration,
    /// From start to end, waiting included.
    #[serde(rename = "wall_seconds", with = "seconds")]
    pub wall_clock: Duration,
    /// The most linear memory that was in use at a time, in bytes.
    pub peak_memory: u64,
}

/// Receives what a stage used, however the stage ends. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct UsageSlot(Arc<Mutex<Usage>>);

impl UsageSlot {
    pub(crate) fn get(&self) -> Usage {
        lock(&self.0).clone()
    }

    pub(crate) fn set(&self, usage: Usage) {
        *lock(&self.0) = usage;
    }
}
