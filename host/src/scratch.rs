//! A job's private folder.
//!
//! Promise: it holds no more bytes than the job may, and it is gone when the job is, however the job ends short of a killed
//! process and whatever a plugin has made in it. What a killed process leaves lies in the host's scratch folder under a
//! name that begins with `forebay-job-`, and goes when a host is started there later.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use tempfile::TempPath;

use crate::disk::{self, WriteError};
use crate::limits::Exceeded;
use crate::lock::lock;
use crate::stream::Content;

/// How the names of scratch folders begin.
const PREFIX: &str = "forebay-job-";

/// The file in each that its process holds locked.
const LOCK: &str = ".lock";

/// Shared by everything that may still write into it; the last one to go removes it.
#[derive(Debug, Clone)]
pub(crate) struct Scratch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: ScratchFolder,
    /// Tells other processes that the folder is in use.
    _lock: File,
    budget: Arc<Budget>,
}

impl Scratch {
    /// A new folder in `parent`, for at most so many bytes at a time.
    pub(crate) fn new(parent: &Path, most: u64) -> io::Result<Self> {
        let used = AtomicU64::new(0);
        Self::within(parent, Arc::new(Budget { most, used }))
    }

    /// Another folder beside this one, for another job. Both together hold no more than this one may.
    pub(crate) fn beside(&self) -> io::Result<Self> {
        let parent = self.path().parent().unwrap_or(Path::new("."));
        Self::within(parent, self.0.budget.clone())
    }

    fn within(parent: &Path, budget: Arc<Budget>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let held = hold(folder.path())?;
        Ok(Self(Arc::new(Inner {
            folder: ScratchFolder(folder.keep()),
            _lock: held,
            budget,
        })))
    }

    /// A folder of its own, removed when dropped, and what is to be charged for its contents.
    pub(crate) fn folder(&self) -> io::Result<(ScratchFolder, Arc<Charge>)> {
        let folder = tempfile::tempdir_in(self.path())?;
        Ok((ScratchFolder(folder.keep()), self.charge()))
    }

    /// A file to write to, and the way to open it again.
    pub(crate) fn file(&self) -> io::Result<(Spool, TempFile)> {
        let (file, path) = tempfile::NamedTempFile::new_in(self.path())?.into_parts();
        let charge = self.charge();
        charge.add(BLOCK).map_err(Exceeded::into_io)?;
        Ok((charge.spool(file, &path), TempFile { path, charge }))
    }

    fn path(&self) -> &Path {
        self.0.folder.path()
    }

    fn charge(&self) -> Arc<Charge> {
        Arc::new(Charge {
            budget: self.0.budget.clone(),
            taken: Mutex::default(),
        })
    }
}

/// What a job may hold in scratch.
#[derive(Debug)]
struct Budget {
    most: u64,
    used: AtomicU64,
}

/// A part of a job's scratch that is in use; given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    bytes: u64,
    /// Whether what is measured counts no longer.
    closed: bool,
}

impl Charge {
    /// A file in scratch to write to.
    pub(crate) fn spool(self: &Arc<Self>, file: File, path: &Path) -> Spool {
        Spool {
            path: path.to_owned(),
            file: Some(file),
            charge: self.clone(),
        }
    }

    /// Takes so many bytes more.
    pub(crate) fn add(&self, bytes: u64) -> Result<(), Exceeded> {
        let mut taken = lock(&self.taken);
        self.change(&mut taken, |before| before.saturating_add(bytes))
    }

    /// Takes so many in all, where it had another number before; nothing, once it is closed.
    pub(crate) fn set(&self, bytes: u64) -> Result<(), Exceeded> {
        let mut taken = lock(&self.taken);
        if taken.closed {
            return Ok(());
        }
        self.change(&mut taken, |_| bytes)
    }

    /// Gives all back, for good.
    pub(crate) fn close(&self) {
        let mut taken = lock(&self.taken);
        taken.closed = true;
        let _ = self.change(&mut taken, |_| 0);
    }

    fn change(&self, taken: &mut Taken, to: impl FnOnce(u64) -> u64) -> Result<(), Exceeded> {
        let Budget { most, used } = &*self.budget;
        let (before, after) = (taken.bytes, to(taken.bytes));
        taken.bytes = after;
        if after <= before {
            used.fetch_sub(before - after, Ordering::Relaxed);
            return Ok(());
        }
        let more = after - before;
        if used.fetch_add(more, Ordering::Relaxed).saturating_add(more) > *most {
            return Err(Exceeded::ScratchBytes(*most));
        }
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.close();
    }
}

/// A file in scratch that is being written. It is open only while there is something to write: of many that wait for the
/// rest of their bytes, none takes a handle.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: Option<File>,
    charge: Arc<Charge>,
}

/// What a file takes at least, in bytes: a block of the common file systems.
pub(crate) const BLOCK: u64 = 4096;

impl Spool {
    /// Writes a piece.
    pub(crate) async fn append(mut self, piece: Bytes) -> io::Result<Self> {
        self.append_all(vec![piece]).await?;
        Ok(self)
    }

    /// Gives the number of bytes.
    async fn append_all(&mut self, pieces: Vec<Bytes>) -> io::Result<u64> {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.charge.add(length).map_err(Exceeded::into_io)?;
        let (file, path) = (self.file.take(), self.path.clone());
        let open = move || match file {
            Some(file) => Ok(file),
            None => File::options().append(true).open(path),
        };
        self.file = Some(disk::append(open, pieces).await?);
        Ok(length)
    }

    /// Writes a content until it has ended, and gives its length. `each` sees every piece.
    pub(crate) async fn fill(
        mut self,
        content: &mut Content,
        mut each: impl FnMut(&Bytes),
    ) -> Result<u64, WriteError> {
        let mut size = 0;
        loop {
            let pieces = match disk::batch(content).now_or_never() {
                Some(pieces) => pieces?,
                None => {
                    self.file = None;
                    disk::batch(content).await?
                }
            };
            if pieces.is_empty() {
                return Ok(size);
            }
            pieces.iter().for_each(&mut each);
            size += self.append_all(pieces).await?;
        }
    }
}

/// A complete file in scratch that nothing holds open, so that any number may wait; removed when dropped or opened.
#[derive(Debug)]
pub(crate) struct TempFile {
    path: TempPath,
    charge: Arc<Charge>,
}

impl TempFile {
    /// Takes over a file of so many bytes that is there already: it is moved.
    pub(crate) fn adopt(path: &Path, bytes: u64, scratch: &Scratch) -> io::Result<Self> {
        let (_, adopted) = scratch.file()?;
        adopted.charge.add(bytes).map_err(Exceeded::into_io)?;
        std::fs::rename(path, adopted.path())?;
        Ok(adopted)
    }

    /// Where it lies, for as long as this is there.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading and takes its name away: its bytes go when the handle does, which is when the charge may go.
    pub(crate) fn open(self) -> io::Result<(File, Arc<Charge>)> {
        Ok((File::open(&self.path)?, self.charge))
    }
}

/// A folder in scratch, removed with all that is in it.
#[derive(Debug)]
pub(crate) struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!("scratch folder {}: {error}", self.0.display());
        }
    }
}

/// Removes a folder with all that is in it, however deep: folders within are brought to one level first, so that neither
/// the length of a path nor the number of open files nor this thread's stack bounds how deep it may be.
fn remove(top: &Path) -> io::Result<()> {
    let parent = top.parent().unwrap_or(Path::new("."));
    let Ok(aside) = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent) else {
        // No room for even that.
        return std::fs::remove_dir_all(top);
    };
    let (_held, aside) = (hold(aside.path())?, aside.keep());
    let place = |at: u64| aside.join(at.to_string());
    std::fs::rename(top, place(0))?;
    let (mut at, mut last) = (0, 0);
    while at <= last {
        for entry in std::fs::read_dir(place(at))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                last += 1;
                std::fs::rename(entry.path(), place(last))?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        std::fs::remove_dir(place(at))?;
        at += 1;
    }
    std::fs::remove_file(aside.join(LOCK))?;
    std::fs::remove_dir(aside)
}

/// Whether this is a scratch folder, of whichever process.
pub(crate) fn is_scratch(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX)) && folder.join(LOCK).is_file()
}

/// Tells other processes that a folder is in use, for as long as the file is open.
fn hold(folder: &Path) -> io::Result<File> {
    let lock = File::create_new(folder.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// Removes what processes that were killed have left in `parent`: folders of our name and our user, with a lock that nothing
/// holds.
pub(crate) fn sweep(parent: &Path) -> io::Result<()> {
    // A folder is made a moment before it is locked.
    const SETTLED: Duration = Duration::from_secs(60);
    let own = owner(&tempfile::tempdir_in(parent)?.path().metadata()?);
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else {
            // Gone by now.
            continue;
        };
        let ours = metadata.is_dir()
            && owner(&metadata) == own
            && entry.file_name().to_string_lossy().starts_with(PREFIX);
        let age = metadata.modified()?.elapsed().unwrap_or_default();
        if !ours || age < SETTLED {
            continue;
        }
        // What has no such file is none of ours, whatever its name.
        let free = |lock: File| lock.try_lock().is_ok();
        if File::open(entry.path().join(LOCK)).is_ok_and(free) {
            tracing::info!(
                "removing {}, which a killed process left",
                entry.path().display()
            );
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The user who owns a file.
#[cfg(unix)]
pub(crate) fn owner(metadata: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

/// A temporary folder of other systems is the user's own.
#[cfg(not(unix))]
pub(crate) fn owner(_: &std::fs::Metadata) -> u32 {
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_folder_goes_however_deep_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path(), 10).unwrap();
        let (folder, _charge) = scratch.folder().unwrap();
        // Deeper than any path can name: trees are put into each other from below.
        let below = folder.path().join("below");
        std::fs::create_dir(&below).unwrap();
        std::fs::write(below.join("file"), "x").unwrap();
        for _ in 0..3_000 {
            let above = folder.path().join("above");
            std::fs::create_dir(&above).unwrap();
            std::fs::rename(&below, above.join("d")).unwrap();
            std::fs::rename(&above, &below).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
        drop(folder);
        drop(scratch);
        assert_eq!(parent.path().read_dir().unwrap().count(), 0);
        assert!(Path::new("/etc").exists());
    }

    #[tokio::test]
    async fn what_is_written_is_charged_and_given_back() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path(), 2 * BLOCK + 10).unwrap();
        let is_full = |error: io::Error| Exceeded::within(&error).is_some();
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
            is_full(scratch.beside().unwrap().file().unwrap_err()),
            "here as well"
        );
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let running = Scratch::new(parent.path(), 10).unwrap();
        let named = |name: &str| at(&format!("{PREFIX}{name}"));
        for (folder, lock) in [
            (named("old"), true),
            (named("new"), true),
            (named("not-ours"), false),
            (at("other-old"), true),
        ] {
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("file"), "x").unwrap();
            if lock {
                std::fs::write(folder.join(LOCK), "").unwrap();
            }
        }
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let aged = [named("old"), named("not-ours"), at("other-old")];
        for folder in aged.into_iter().chain([running.path().to_owned()]) {
            File::open(folder).unwrap().set_modified(hour_ago).unwrap();
        }
        sweep(parent.path()).unwrap();
        assert!(!named("old").exists());
        for kept in [
            named("new"),
            named("not-ours"),
            at("other-old"),
            running.path().to_owned(),
        ] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }
}
