//! A file between two stages.

use std::sync::Arc;

use forebay_core::FileInfo;
use forebay_core::channel::Content;
use forebay_core::replay::ReplayableFile;
use forebay_core::scratch::TempFile;

use super::stage_run::StageRun;

/// A file between two stages.
pub(super) struct InFlight {
    /// What upstream reported about it.
    pub(super) info: FileInfo,
    pub(super) content: Content,
    pub(super) origin: Origin,
}

/// How a file was made.
#[derive(Clone, Default)]
pub(super) struct Origin {
    /// The stages that it went through.
    pub(super) trail: Vec<Arc<StageRun>>,
    /// The type of the file that the last stage received; `None` for the source.
    pub(super) came_from: Option<String>,
    /// The type that was set for the source, in place of the one that its bytes show.
    pub(super) declared: Option<String>,
    /// The source itself, if it can be re-read and no stage has changed it.
    pub(super) replay: Option<Arc<ReplayableFile>>,
    /// The file in scratch that holds the bytes, if they lie there.
    pub(super) stored: Option<Arc<TempFile>>,
    /// Its position among the outputs of each stage so far. A report lists files in this order, whichever is finished
    /// first.
    pub(super) place: Vec<usize>,
}
