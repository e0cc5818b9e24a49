//! Why a sink did not take a file.

use std::path::PathBuf;

use forebay_core::channel::Interrupted;

/// Why a sink did not take a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// What is upstream failed, so the file never became whole. The upstream error is the one to show.
    #[error("the file never became whole, since an earlier stage failed")]
    Interrupted,
    /// A file of that name is there already and was not to be replaced.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Another file of the same run has that name, or one that the file system takes for it. That file stays.
    #[error("{}: another file of this run has this name", .0.display())]
    Taken(PathBuf),
    /// The run reads the file that has that name, to make something else of it. That file stays.
    #[error("{}: is another input of this run, and stays", .0.display())]
    Input(PathBuf),
    /// The disk did not take it.
    #[error("{}: {reason}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The Assets API did not take it.
    #[cfg(feature = "assets")]
    #[error(transparent)]
    Assets(#[from] forebay_assets::AssetsError),
    /// A sink of the embedder's own failed.
    #[error("{0}")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Interrupted> for SinkError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}
