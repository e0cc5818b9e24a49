//! Why a sink did not accept a file.

use std::path::PathBuf;

use forebay_core::channel::Interrupted;

/// Why a sink did not accept a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// An upstream stage failed, so the file did not become complete. The upstream error is the one to show.
    #[error("the file never became whole, since an earlier stage failed")]
    Interrupted,
    /// A file of that name exists already and must not be replaced.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Another file of the same run has that name, or a name that the file system treats as the same. That file stays.
    #[error("{}: another file of this run has this name", .0.display())]
    Taken(PathBuf),
    /// The run reads the file that has that name, to make something else from it. That file stays.
    #[error("{}: is an input of this run, and stays", .0.display())]
    Input(PathBuf),
    /// An operation on disk failed.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The upload to the Assets API failed.
    #[cfg(feature = "assets")]
    #[error(transparent)]
    Assets(#[from] forebay_assets::AssetsError),
    /// The embedder's own sink failed.
    #[error("{0}")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Interrupted> for SinkError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}
