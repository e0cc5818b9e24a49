//! What the jobs of a host share.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::sandbox::code::Code;
use crate::sandbox::engine::Engine;
use crate::sandbox::plugin::Bounds;

/// What the jobs of a host share.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) code: Code,
    pub(crate) instances: Arc<Semaphore>,
    pub(crate) max_instances: u32,
    /// Permits for workflows. A workflow waits for the stages that it runs, so it takes none of their permits.
    pub(crate) workflows: Semaphore,
    /// Permits for uploads that workflows request.
    pub(crate) uploads: Semaphore,
    /// How many bytes are read from a source at a time.
    pub(crate) chunk: usize,
    /// The folder in which the jobs' scratch folders are created.
    pub(crate) scratch: PathBuf,
    pub(crate) bounds: Bounds,
}

impl Runtime {
    /// How many bytes a channel between two stages may hold. This is enough for both sides to have work, and little
    /// enough that a long pipeline needs little memory.
    pub(crate) fn budget(&self) -> usize {
        self.chunk.saturating_mul(4)
    }
}
