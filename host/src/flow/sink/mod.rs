//! Where files go.
//!
//! Promise: nothing partial is ever visible. A file appears in a folder by a rename, and an asset by `complete`, once its
//! content has ended; and a content ends only once everything upstream has succeeded.

#[cfg(feature = "assets")]
mod assets;
mod error;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use super::event::Progress;
use super::place::Place;
use forebay_core::FileInfo;
use forebay_core::channel::Content;
use forebay_core::disk::{self, WriteError};
use forebay_core::mutex::lock;
use forebay_core::replay::ReplayableFile;
use forebay_core::scratch::Scratch;

#[cfg(feature = "assets")]
pub use assets::{AssetsExt, AssetsSink};
pub use error::SinkError;

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

/// A folder. A file gets its name there only once it is complete.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    replace: bool,
}

impl Folder {
    /// Delivers into this folder, which is made if it is not there.
    ///
    /// # Errors
    /// When it is not there and cannot be made.
    pub fn new(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        std::fs::create_dir_all(&path)?;
        Ok(Self {
            path,
            replace: false,
        })
    }

    /// Whether a file that is there already is replaced; otherwise it is an error, and the file that is there stays.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    fn io(&self, reason: io::Error) -> SinkError {
        SinkError::Io {
            path: self.path.clone(),
            reason,
        }
    }
}

#[async_trait]
impl Sink for Folder {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let target = self.path.join(&file.info.name);
        if !self.replace && target.exists() {
            // Known now: no need to read the file first. The rename below makes sure of it.
            return Err(SinkError::Exists(target));
        }
        let temporary = new_file(&self.path).map_err(|error| self.io(error))?;
        let (handle, path) = temporary.into_parts();
        let mut hash = Sha256::new();
        let progress = file.progress.clone();
        let written = disk::write(&mut file.content, handle, |piece| {
            hash.update(piece);
            progress.sent(piece.len() as u64);
        });
        let size = written.await.map_err(|error| match error {
            WriteError::Interrupted => SinkError::Interrupted,
            WriteError::Io(reason) => self.io(reason),
        })?;
        let named = if self.replace {
            path.persist(&target)
        } else {
            path.persist_noclobber(&target)
        };
        named.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => SinkError::Exists(target.clone()),
            _ => self.io(error.error),
        })?;
        Ok(Delivered {
            size,
            sha256: Some(hex::encode(hash.finalize())),
            place: Place::File { path: target },
        })
    }
}

/// A file beside its final place, with the permissions that a file made by hand would have.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile<File>> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".forebay-").suffix(".part");
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Keeps files in memory, for tests and for small results.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<(FileInfo, Bytes)>>>);

impl Memory {
    /// An empty one. Clones share their files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes out what was delivered so far, in the order of arrival.
    pub fn take(&self) -> Vec<(FileInfo, Bytes)> {
        std::mem::take(&mut *lock(&self.0))
    }
}

#[async_trait]
impl Sink for Memory {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let mut all = BytesMut::new();
        while let Some(piece) = file.content.next().await? {
            file.progress.sent(piece.len() as u64);
            all.extend_from_slice(&piece);
        }
        let (size, sha256) = (all.len() as u64, Some(hex::encode(Sha256::digest(&all))));
        let info = FileInfo {
            size: Some(size),
            ..file.info
        };
        lock(&self.0).push((info, all.freeze()));
        Ok(Delivered {
            size,
            sha256,
            place: Place::Memory {},
        })
    }
}
