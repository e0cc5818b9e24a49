//! Where files go.
//!
//! Promise: nothing partial is ever visible. A file appears in a folder by a link or a rename, and an asset by `complete`, once its
//! content has ended; and a content ends only once everything upstream has succeeded.

#[cfg(feature = "assets")]
mod assets;
mod claims;
mod error;
mod folder;
mod memory;
mod part;

use std::sync::Arc;

use async_trait::async_trait;
use forebay_core::FileInfo;
use forebay_core::channel::Content;
use forebay_core::replay::ReplayableFile;
use forebay_core::scratch::Scratch;

use super::event::Progress;
use super::place::Place;

#[cfg(feature = "assets")]
pub use assets::{AssetsExt, AssetsSink};
pub use error::SinkError;
pub use folder::Folder;
pub use memory::Memory;
pub(crate) use part::is_part;

/// Takes the files of a job, several at a time.
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
    /// Takes one file: reads its content to the end and only then lets it be seen. May be called again before it has
    /// returned. Its future is dropped when the job is: what it had begun must go with it.
    ///
    /// # Errors
    /// [`SinkError::Interrupted`] when the content turns out never to become whole; otherwise whatever went wrong.
    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError>;

    /// What tells this sink from others in a [`Journal`](crate::Journal), such as an address. A sink without it cannot be
    /// used with one: what it has taken may be gone by the next run.
    fn identity(&self) -> Option<String> {
        None
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
}

/// A file on its way into a sink.
#[derive(Debug)]
pub struct Outgoing {
    /// Name and type fit each other; the size is there when it was known in advance.
    pub info: FileInfo,
    /// Its place among the outputs of each stage, in the order of the stages, counting from 0. No two files of a job have the
    /// same.
    pub place: Vec<usize>,
    /// The bytes.
    pub content: Content,
    pub(crate) scratch: Scratch,
    /// The same bytes, where they can be read again.
    pub(crate) replay: Option<Arc<ReplayableFile>>,
    /// What earlier runs did with this file.
    #[cfg(feature = "journal")]
    pub(crate) journal: Option<super::journal::FileJournal>,
    /// Tells the job's observer how far the delivery is.
    pub progress: Progress,
}

/// A file that a sink has taken.
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
    /// For sinks of an embedder's own; `note` goes into the report.
    pub fn custom(size: u64, note: serde_json::Value) -> Self {
        Self {
            size,
            sha256: None,
            place: Place::Custom { note },
        }
    }
}
