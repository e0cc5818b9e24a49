//! What a stage is given beside its file, and what it leaves.

use forebay_core::FileInfo;
use forebay_core::channel::Sender;
use forebay_core::scratch::{Scratch, TempFile};
use tokio::sync::mpsc;

use crate::sandbox::engine::Engine;
use crate::sandbox::state::Emitted;
use crate::sandbox::usage::{Usage, UsageSlot};

/// A stage that succeeded.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) usage: Usage,
    pub(crate) outputs: StageOutputs,
    /// What the plugin printed, line by line.
    pub(crate) messages: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum StageOutputs {
    /// Emitted while the stage ran; the ends are still to be passed on.
    Streamed(Vec<Sender>),
    /// Complete files in scratch.
    Stored(Vec<StoredFile>),
}

/// A complete file in scratch.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) info: FileInfo,
    pub(crate) file: TempFile,
}

/// What the host lends a stage besides its plugin.
pub(crate) struct Environment<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) scratch: &'a Scratch,
    /// Bytes that a channel may hold.
    pub(crate) budget: usize,
    /// Where a stream plugin's outputs go as they begin.
    pub(crate) emitted: mpsc::UnboundedSender<Emitted>,
    /// Where the usage goes, however the stage ends.
    pub(crate) usage: UsageSlot,
}
