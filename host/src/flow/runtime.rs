//! What the jobs of a host share.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::sandbox::engine::Engine;
use crate::sandbox::plugin::Bounds;

/// What the jobs of a host share.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) instances: Arc<Semaphore>,
    pub(crate) max_instances: u32,
    /// Places for workflows. They wait for the stages that they run, so they take none of the places of those.
    pub(crate) workflows: Semaphore,
    /// Places for uploads that workflows ask for.
    pub(crate) uploads: Semaphore,
    /// Bytes that are read from a source at a time.
    pub(crate) chunk: usize,
    /// Where the jobs' scratch folders are made.
    pub(crate) scratch: PathBuf,
    pub(crate) bounds: Bounds,
}

impl Runtime {
    /// Bytes that a channel between two stages may hold: enough that both sides find work, and little enough that a long
    /// pipeline stays small.
    pub(crate) fn budget(&self) -> usize {
        self.chunk.saturating_mul(4)
    }
}
