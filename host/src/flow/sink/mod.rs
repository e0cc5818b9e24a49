//! Where files go.
//!
//! Promise: nothing partial is ever visible. A file appears in a folder by a link or a rename, and an asset by
//! `complete`, after its content has ended. A content ends only after everything upstream has succeeded.

#[cfg(feature = "assets")]
mod assets;
mod claims;
mod error;
mod folder;
mod memory;
mod part;
mod spooled;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use forebay_core::FileInfo;
use forebay_core::channel::Content;
use forebay_core::replay::ReplayableFile;
use forebay_core::scratch::{Scratch, TempFile};

use super::event::Progress;
use super::place::Place;

#[cfg(feature = "assets")]
pub use assets::{AssetsExt, AssetsSink};
pub use error::SinkError;
pub use folder::Folder;
pub use memory::Memory;
pub(crate) use part::is_part;
pub use spooled::Spooled;

/// Accepts the files of a job, several at the same time.
///
/// ```
/// use forebay::{Delivered, Outgoing, Sink, SinkError};
///
/// /// Counts bytes and forgets them.
/// struct Discard;
///
/// #[async_trait::async_trait]
/// impl Sink for Discard {
///     async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
///         let mut size = 0;
///         while let Some(piece) = file.content.next().await? {
///             size += piece.len() as u64;
///         }
///         Ok(Delivered::custom(size, "gone".into()))
///     }
/// }
/// ```
#[async_trait]
pub trait Sink: Send + Sync {
    /// Accepts one file. Reads its content to the end, and only then makes the file visible. May be called again before
    /// it has returned. When the job is dropped, this future is dropped, too; then everything that it had begun must be
    /// removed.
    ///
    /// # Errors
    /// [`SinkError::Interrupted`] if the content does not become complete; otherwise the error that occurred.
    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError>;

    /// Identifies this sink in a [`Journal`](crate::Journal), for example by an address and an account. A sink that returns `None`
    /// cannot be used with a journal, because what it has accepted may not exist any more in the next run.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Whether a file that this sink has accepted in an earlier run is still there. This is asked before a
    /// [`Journal`](crate::Journal) skips a job that is done.
    ///
    /// # Errors
    /// If this cannot be found out. The job then fails.
    async fn still_has(&self, place: &Place) -> Result<bool, SinkError> {
        let _ = place;
        Ok(true)
    }
}

#[async_trait]
impl<S: Sink + ?Sized> Sink for Arc<S> {
    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError> {
        (**self).put(file).await
    }

    fn identity(&self) -> Option<String> {
        (**self).identity()
    }

    async fn still_has(&self, place: &Place) -> Result<bool, SinkError> {
        (**self).still_has(place).await
    }
}

/// A file that is sent to a sink.
#[derive(Debug)]
pub struct Outgoing {
    /// Name and type fit each other. The size is set if it was known in advance.
    pub info: FileInfo,
    /// Its position among the outputs of each stage, in the order of the stages, counting from 0. It is unique within a
    /// job.
    pub place: Vec<usize>,
    /// The bytes.
    pub content: Content,
    pub(crate) scratch: Scratch,
    /// The same bytes as a re-readable file, if they can be re-read.
    pub(crate) replay: Option<Arc<ReplayableFile>>,
    /// The file in scratch that holds these bytes, if they lie there. Whoever has read the content to its end may have it.
    pub(crate) stored: Option<Arc<TempFile>>,
    /// The place of the job that this file takes. Whoever has all of its bytes may drop it.
    pub(crate) permit: Option<Arc<dyn Any + Send + Sync>>,
    /// What earlier runs did with this file.
    #[cfg(feature = "journal")]
    pub(crate) journal: Option<super::journal::FileJournal>,
    /// Reports the progress of the delivery to the job's observer.
    pub progress: Progress,
}

/// A file that a sink has accepted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivered {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in hex, if the sink computed it.
    pub sha256: Option<String>,
    /// Where the file is now.
    pub place: Place,
}

impl Delivered {
    /// For the embedder's own sinks. `note` is written to the report.
    pub fn custom(size: u64, note: serde_json::Value) -> Self {
        Self {
            size,
            sha256: None,
            place: Place::Custom { note },
        }
    }
}
