//! The private folder of a job.
//!
//! Promise: the folder holds no more bytes than the job may hold. It is made when something is put into it first, as most jobs
//! put nothing there. It is removed with the job, however the job ends, and whatever a plugin has made in it. The removal runs on a thread that may block. Only a killed process leaves its folder behind: it lies in the host's scratch folder
//! under a name that begins with `forebay-job-`, and [`sweep`] removes it when a host is started there later.

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

#[derive(Debug)]
pub(super) struct Inner {
    parent: PathBuf,
    /// None as long as nothing was put into it.
    folder: Mutex<Option<ScratchFolder>>,
    /// How many files were adopted. Each gets a name that no file had before.
    adopted: AtomicU64,
    budget: Arc<Budget>,
    /// Dropped when the folder is removed, or when there was none until the end.
    gone: Gone,
}

/// Dropped when a folder is removed: a sender, which tells those who wait, and the embedder's own value.
#[derive(Debug, Clone)]
struct Gone {
    sender: watch::Sender<()>,
    guard: Option<Guard>,
}

/// A value of the embedder.
pub type Guard = Arc<dyn Any + Send + Sync>;

impl Scratch {
    /// Scratch that may hold `limit` bytes at a time. Its folder is made in `parent`, which must be there by then.
    pub fn new(parent: &Path, limit: u64) -> Self {
        Self::within(parent, Budget::new(limit), None)
    }

    /// As [`new`](Self::new); `guard` is dropped after the folder is removed.
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
    /// When the file cannot be made, or scratch is full ([`ScratchFull::within`] tells).
    pub fn file(&self) -> io::Result<(Spool, TempFile)> {
        let mut builder = tempfile::Builder::new();
        // It may become a file of the user, with the permissions that any new file has. Nobody else enters the folder.
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

    /// Moves a file of `bytes` bytes, which lies on the same file system, into scratch. It is not copied.
    ///
    /// # Errors
    /// When it cannot be moved, or scratch is full.
    pub fn adopt(&self, path: &Path, bytes: u64) -> io::Result<TempFile> {
        let charge = self.charge();
        let all = bytes.saturating_add(BLOCK);
        charge.add(all).map_err(ScratchFull::into_io)?;
        let number = self.0.adopted.fetch_add(1, Ordering::Relaxed);
        let place = self.path()?.join(format!("adopted-{number}"));
        std::fs::rename(path, &place)?;
        Ok(TempFile::new(TempPath::try_from_path(place)?, charge))
    }

    /// Tells when the folder is removed, after the last clone was dropped.
    pub fn removal(&self) -> Removal {
        Removal::new(Arc::downgrade(&self.0), self.0.gone.sender.subscribe())
    }

    /// The path of the folder, which is made if there is none yet.
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
