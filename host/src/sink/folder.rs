//! Files in a folder.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::{Delivered, Outgoing, Place, Sink};
use crate::disk::{self, WriteError};
use crate::error::SinkError;

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
