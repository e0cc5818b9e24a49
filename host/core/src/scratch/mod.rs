//! The private folder of a job.
//!
//! Promise: the folder holds no more bytes than the job may hold. It is removed with the job, however the job ends, and
//! whatever a plugin has made in it. The removal runs on a thread that may block. Only a killed process leaves its folder behind: it lies in the host's scratch folder
//! under a name that begins with `forebay-job-`, and [`sweep`] removes it when a host is started there later.

mod files;
mod folder_lock;
mod quota;
mod removal;
mod sweep;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use files::{BLOCK, Spool, TempFile};
pub use folder_lock::{LOCK, PREFIX, is_scratch};
pub use quota::{Charge, ScratchFull};
pub use removal::{Removal, ScratchFolder};
pub use sweep::{owner, sweep};

use folder_lock::lock_folder;
use quota::Budget;

/// The scratch of a job. Clones share it, and the last one to be dropped removes it.
#[derive(Debug, Clone)]
pub struct Scratch(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    folder: ScratchFolder,
    budget: Arc<Budget>,
}

impl Scratch {
    /// Makes a new folder in `parent` that may hold `limit` bytes at a time.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(parent: &Path, limit: u64) -> io::Result<Self> {
        Self::within(parent, Budget::new(limit))
    }

    /// Makes a folder for a job that is part of this one. Both share one limit.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn for_part(&self) -> io::Result<Self> {
        let parent = self.path().parent().unwrap_or(Path::new("."));
        Self::within(parent, self.0.budget.clone())
    }

    fn within(parent: &Path, budget: Arc<Budget>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = lock_folder(folder.path())?;
        Ok(Self(Arc::new(Inner {
            folder: ScratchFolder::new(folder.keep(), Some(lock), None),
            budget,
        })))
    }

    /// Makes a subfolder, which is removed when dropped, and the charge for its contents.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn folder(&self) -> io::Result<(ScratchFolder, Arc<Charge>)> {
        let folder = tempfile::tempdir_in(self.path())?;
        let folder = ScratchFolder::new(folder.keep(), None, Some(self.clone()));
        Ok((folder, self.charge()))
    }

    /// Makes a file to write to, and the handle by which it is read later.
    ///
    /// # Errors
    /// When the file cannot be made, or scratch is full ([`ScratchFull::within`] tells).
    pub fn file(&self) -> io::Result<(Spool, TempFile)> {
        let (file, path) = tempfile::NamedTempFile::new_in(self.path())?.into_parts();
        let charge = self.charge();
        charge.add(BLOCK).map_err(ScratchFull::into_io)?;
        Ok((
            Spool::new(file, &path, &charge),
            TempFile::new(path, charge),
        ))
    }

    /// Moves a file of `bytes` bytes, which lies on the same file system, into scratch.
    ///
    /// # Errors
    /// When it cannot be moved, or scratch is full.
    pub fn adopt(&self, path: &Path, bytes: u64) -> io::Result<TempFile> {
        let (_, adopted) = self.file()?;
        adopted.charge(bytes).map_err(ScratchFull::into_io)?;
        std::fs::rename(path, adopted.path())?;
        Ok(adopted)
    }

    /// Tells when the folder is removed, after the last clone was dropped.
    pub fn removal(&self) -> Removal {
        self.0.folder.removal(Arc::downgrade(&self.0))
    }

    fn path(&self) -> &Path {
        self.0.folder.path()
    }

    fn charge(&self) -> Arc<Charge> {
        Charge::new(&self.0.budget)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_charged_and_given_back() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path(), 2 * BLOCK + 10).unwrap();
        let is_full = |error: io::Error| ScratchFull::within(&error).is_some();
        let (spool, first) = scratch.file().unwrap();
        spool.append(Bytes::from_static(b"12345678")).await.unwrap();
        let (spool, second) = scratch.file().unwrap();
        assert!(is_full(
            spool.append(Bytes::from_static(b"abc")).await.unwrap_err()
        ));
        let (opened, charge) = first.open().unwrap();
        assert!(
            is_full(scratch.file().unwrap_err()),
            "it is still there to be read"
        );
        drop((opened, charge, second));
        let (spool, _third) = scratch.file().unwrap();
        let all = vec![0; BLOCK as usize + 10];
        spool.append(all.into()).await.unwrap();
        assert!(
            is_full(scratch.file().unwrap_err()),
            "an empty file takes room, too"
        );
        assert!(
            is_full(scratch.for_part().unwrap().file().unwrap_err()),
            "here as well"
        );
    }
}
