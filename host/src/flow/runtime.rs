//! What the jobs of a host share.

use std::path::PathBuf;
use std::sync::Arc;

use forebay_core::scratch::Scratch;

use super::places::Places;
use crate::sandbox::code::Code;
use crate::sandbox::engine::Engine;
use crate::sandbox::plugin::Bounds;

/// What the jobs of a host share.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) code: Code,
    pub(crate) places: Places,
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

    /// Scratch for a job, with a folder that may hold `limit` bytes. The host is not drained before the folder is removed.
    pub(crate) fn scratch(&self, limit: u64) -> Scratch {
        Scratch::guarded(&self.scratch, limit, Arc::new(self.places.token()))
    }
}
