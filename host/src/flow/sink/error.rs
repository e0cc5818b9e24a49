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
        #[source]
        reason: std::io::Error,
    },
    /// The upload to the Assets API failed.
    #[cfg(feature = "assets")]
    #[error(transparent)]
    Assets(#[from] forebay_assets::AssetsError),
    /// The sink holds as much as it may.
    #[error("the results have more than the {} that may be held in memory; take them more often, or write them to a folder", bytesize::ByteSize(*.0))]
    Full(u64),
    /// The file could not be written to scratch.
    #[error("scratch folder: {0}")]
    Scratch(#[source] std::io::Error),
    /// Whoever was given the file went away before its end.
    #[error("the reader went away before the end of the file")]
    Closed,
    /// One result was asked for, and the pipeline gave another number of them.
    #[error(
        "one result was asked for by `single`, and the pipeline gave {0}; take them by `outputs`"
    )]
    NotSingle(&'static str),
    /// The embedder's own sink failed.
    #[error("{0}")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Interrupted> for SinkError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}
