//! The private folder of a job.
//!
//! Promise: the folder holds no more bytes than the job may hold. It is created on first use, because most jobs do not
//! need it. It is removed with the job, however the job ends, and whatever a plugin has created in it. The removal runs
//! on a blocking thread. Only a killed process leaves its folder behind. Such a folder is in the host's scratch folder,
//! and its name begins with `forebay-job-`. [`sweep`] removes it when a host is started there later.

mod files;
mod folder_lock;
mod quota;
mod removal;
mod sweep;

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub use files::{BLOCK, Spool, TempFile};
pub use folder_lock::{LOCK, PREFIX, is_scratch};
pub use quota::{Charge, ScratchFull};
pub use removal::{Removal, ScratchFolder};
pub use sweep::{owner, sweep};

use crate::mutex::lock;
use folder_lock::lock_folder;
use quota::Budget;
use tempfile::TempPath;
use tokio::sync::watch;

/// The scratch of a job. Clones share it, and the last one to be dropped removes it.
#[derive(Debug, Clone)]
pub struct Scratch(Arc<Inner>);

/// Why a file is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAFile {
    /// It is a symbolic link.
    #[error("is reached through a link")]
    Link,
    /// It is a folder, a pipe or the like.
    #[error("is not a regular file")]
    Other,
}

#[derive(Debug)]
pub(super) struct Inner {
    parent: PathBuf,
    /// `None` until first use.
    folder: Mutex<Option<ScratchFolder>>,
    /// How many files were adopted. It makes each name unique.
    adopted: AtomicU64,
    budget: Arc<Budget>,
    /// Dropped when the folder is removed, or with this value if there is no folder.
    gone: Gone,
}

/// Dropped when a folder is removed: a sender, which wakes those who wait, and a value of the embedder.
#[derive(Debug, Clone)]
struct Gone {
    sender: watch::Sender<()>,
    guard: Option<Guard>,
}

/// A value of the embedder.
pub type Guard = Arc<dyn Any + Send + Sync>;

impl Scratch {
    /// Scratch that may hold `limit` bytes at a time. Its folder is created in `parent` on first use. `parent` must
    /// exist by then.
    pub fn new(parent: &Path, limit: u64) -> Self {
        Self::within(parent, Budget::new(limit), None)
    }

    /// As [`new`](Self::new). `guard` is dropped after the folder is removed.
    pub fn guarded(parent: &Path, limit: u64, guard: Guard) -> Self {
        Self::within(parent, Budget::new(limit), Some(guard))
    }

    /// Scratch for a job that is part of this one, with a folder of its own. Both share one limit.
    #[must_use]
    pub fn for_part(&self) -> Self {
        let guard = self.0.gone.guard.clone();
        Self::within(&self.0.parent, self.0.budget.clone(), guard)
    }

    fn within(parent: &Path, budget: Arc<Budget>, guard: Option<Guard>) -> Self {
        Self(Arc::new(Inner {
            parent: parent.to_owned(),
            folder: Mutex::default(),
            adopted: AtomicU64::new(0),
            budget,
            gone: Gone {
                sender: watch::Sender::new(()),
                guard,
            },
        }))
    }

    /// Makes a subfolder, which is removed when dropped, and the charge for its contents.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn folder(&self) -> io::Result<(ScratchFolder, Arc<Charge>)> {
        let folder = tempfile::tempdir_in(self.path()?)?.keep();
        let folder = ScratchFolder::new(folder, None, Some(self.clone()), None);
        Ok((folder, self.charge()))
    }

    /// Makes a file to write to, and the handle by which it is read later.
    ///
    /// # Errors
    /// When the file cannot be made, or scratch is full (see [`ScratchFull::within`]).
    pub fn file(&self) -> io::Result<(Spool, TempFile)> {
        let mut builder = tempfile::Builder::new();
        // The file may be moved to the user, so it gets the permissions of any new file. The folder is private.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let (file, path) = builder.tempfile_in(self.path()?)?.into_parts();
        let charge = self.charge();
        charge.add(BLOCK).map_err(ScratchFull::into_io)?;
        Ok((
            Spool::new(file, &path, &charge),
            TempFile::new(path, charge),
        ))
    }

    /// Takes over a file. `rename` must move it to the path that it is called with, which is on the file system of
    /// scratch. The file is checked only there, where nobody else reaches it. Returns its length as well.
    ///
    /// # Errors
    /// When it cannot be moved, is not a regular file ([`NotAFile`]), or scratch is full.
    pub fn adopt(
        &self,
        rename: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<(TempFile, u64)> {
        let number = self.0.adopted.fetch_add(1, Ordering::Relaxed);
        let place = self.path()?.join(format!("adopted-{number}"));
        rename(&place)?;
        let metadata = place.symlink_metadata()?;
        if metadata.is_symlink() {
            return Err(io::Error::other(NotAFile::Link));
        }
        if !metadata.is_file() {
            return Err(io::Error::other(NotAFile::Other));
        }
        let charge = self.charge();
        let file = TempFile::new(TempPath::try_from_path(place)?, charge.clone());
        let bytes = metadata.len();
        let all = bytes.saturating_add(BLOCK);
        charge.add(all).map_err(ScratchFull::into_io)?;
        Ok((file, bytes))
    }

    /// A handle that waits until the folder is removed, after the last clone was dropped.
    pub fn removal(&self) -> Removal {
        Removal::new(Arc::downgrade(&self.0), self.0.gone.sender.subscribe())
    }

    /// The path of the folder, which is created if it does not exist yet.
    fn path(&self) -> io::Result<PathBuf> {
        let Inner {
            parent,
            folder,
            gone,
            ..
        } = &*self.0;
        let mut folder = lock(folder);
        let made = match &mut *folder {
            Some(made) => made,
            none => {
                let new = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
                let held = lock_folder(new.path())?;
                none.insert(ScratchFolder::new(
                    new.keep(),
                    Some(held),
                    None,
                    Some(gone.clone()),
                ))
            }
        };
        Ok(made.path().to_owned())
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
    async fn the_folder_is_made_on_first_use_and_its_removal_can_be_waited_for() {
        let parent = tempfile::tempdir().unwrap();
        let count = || parent.path().read_dir().unwrap().count();
        let unused = Scratch::new(parent.path(), 10);
        let (part, removal) = (unused.for_part(), unused.removal());
        drop((unused, part));
        removal.wait().await;
        let used = Scratch::new(parent.path(), 1 << 20);
        let (other, removal) = (used.clone(), used.removal());
        assert_eq!(count(), 0);
        let file = used.file().unwrap();
        assert_eq!(count(), 1);
        let second = other.file().unwrap();
        assert_eq!(count(), 1, "both lie in one folder");
        drop((used, other, file, second));
        removal.wait().await;
        assert_eq!(count(), 0);
    }

    #[tokio::test]
    async fn a_guard_is_dropped_after_the_folder_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let guard = Arc::new(());
        let scratch = Scratch::guarded(parent.path(), 1 << 20, guard.clone());
        let (part, removal) = (scratch.for_part(), scratch.removal());
        let file = scratch.file().unwrap();
        drop((scratch, file));
        removal.wait().await;
        assert_eq!(Arc::strong_count(&guard), 2, "a part is left");
        drop(part);
        assert_eq!(Arc::strong_count(&guard), 1);
    }

    #[tokio::test]
    async fn what_is_written_is_charged_and_given_back() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path(), 2 * BLOCK + 10);
        let is_full = |error: io::Error| ScratchFull::within(&error).is_some();
        let (spool, first) = scratch.file().unwrap();
        spool.append(Bytes::from_static(b"12345678")).await.unwrap();
        let (spool, second) = scratch.file().unwrap();
        assert!(is_full(
            spool.append(Bytes::from_static(b"abc")).await.unwrap_err()
        ));
        let opened = first.open().unwrap();
        assert!(
            is_full(scratch.file().unwrap_err()),
            "it is still there to be read"
        );
        drop((opened, first, second));
        let (spool, _third) = scratch.file().unwrap();
        let all = vec![0; BLOCK as usize + 10];
        spool.append(all.into()).await.unwrap();
        assert!(
            is_full(scratch.file().unwrap_err()),
            "an empty file takes room, too"
        );
        assert!(
            is_full(scratch.for_part().file().unwrap_err()),
            "here as well"
        );
    }
}
