//! A file of a workflow's run.

use std::sync::Arc;

use forebay_core::FileInfo;
use forebay_core::replay::ReplayableFile;

use crate::flow::report::StageReport;

/// A file that a workflow received, or that a stage made for it.
#[derive(Debug)]
pub(super) struct JobFile {
    /// Its bytes, with its name, type and size.
    pub(super) bytes: Arc<ReplayableFile>,
    /// The stages that it went through, in order.
    pub(super) stages: Vec<StageReport>,
}

impl JobFile {
    /// A file that went through no stage.
    pub(super) fn new(bytes: ReplayableFile) -> Self {
        Self {
            bytes: Arc::new(bytes),
            stages: Vec::new(),
        }
    }

    /// Name, type and size.
    pub(super) fn info(&self) -> &FileInfo {
        &self.bytes.info
    }

    /// Length in bytes.
    pub(super) fn size(&self) -> u64 {
        self.bytes.size()
    }
}
