//! A job's private folder.
//!
//! Promise: it holds no more bytes than the job may, and it is gone when the job is, however the job ends short of a killed
//! process and whatever a plugin has made in it. What a killed process leaves lies in the host's scratch folder under a
//! name that begins with `forebay-`, and goes when a host is started there later.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use tempfile::TempPath;

use crate::disk::WriteError;
use crate::limits::Exceeded;
use crate::stream::Content;

/// How the names of scratch folders begin.
const PREFIX: &str = "forebay-";

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
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create_new(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self(Arc::new(Inner {
            folder: ScratchFolder(folder.keep()),
            _lock: lock,
            budget: Arc::new(Budget {
                most,
                used: AtomicU64::new(0),
            }),
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
        Ok((charge.spool(file, &path), TempFile { path, charge }))
    }

    fn path(&self) -> &Path {
        self.0.folder.path()
    }

    fn charge(&self) -> Arc<Charge> {
        Arc::new(Charge {
            budget: self.0.budget.clone(),
            bytes: AtomicU64::new(0),
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
    bytes: AtomicU64,
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
        let Budget { most, used } = &*self.budget;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if used
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
            > *most
        {
            return Err(Exceeded::ScratchBytes(*most));
        }
        Ok(())
    }

    /// Takes so many in all, where it had another number before.
    pub(crate) fn set(&self, bytes: u64) -> Result<(), Exceeded> {
        self.give_back();
        self.add(bytes)
    }

    fn give_back(&self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.give_back();
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

/// Bytes that are written at a time, where as many are ready.
const BATCH: usize = 1 << 20;

impl Spool {
    /// Writes a piece.
    pub(crate) async fn append(mut self, piece: Bytes) -> io::Result<Self> {
        self.append_all(vec![piece]).await?;
        Ok(self)
    }

    async fn append_all(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        let length = pieces.iter().map(Bytes::len).sum::<usize>();
        self.charge.add(length as u64).map_err(Exceeded::into_io)?;
        let (file, path) = (self.file.take(), self.path.clone());
        let written = tokio::task::spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => File::options().append(true).open(path)?,
            };
            for piece in pieces {
                file.write_all(&piece)?;
            }
            Ok::<_, io::Error>(file)
        });
        self.file = Some(written.await.map_err(io::Error::other)??);
        Ok(())
    }

    /// Writes a content until it has ended, and gives its length. `each` sees every piece.
    pub(crate) async fn fill(
        mut self,
        content: &mut Content,
        mut each: impl FnMut(&Bytes),
    ) -> Result<u64, WriteError> {
        let mut size = 0;
        loop {
            let first = match content.next().now_or_never() {
                Some(first) => first?,
                None => {
                    self.file = None;
                    content.next().await?
                }
            };
            let Some(first) = first else {
                return Ok(size);
            };
            let (mut length, mut pieces) = (first.len(), vec![first]);
            // An end that is ready by now is met again by the next turn.
            while length < BATCH
                && let Some(Ok(Some(piece))) = content.next().now_or_never()
            {
                length += piece.len();
                pieces.push(piece);
            }
            pieces.iter().for_each(&mut each);
            size += length as u64;
            self.append_all(pieces).await?;
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
    /// Takes over a file of so many bytes that is there already.
    pub(crate) fn adopt(path: &Path, bytes: u64, scratch: &Scratch) -> io::Result<Self> {
        let charge = scratch.charge();
        charge.add(bytes).map_err(Exceeded::into_io)?;
        Ok(Self {
            path: TempPath::try_from_path(path)?,
            charge,
        })
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

    /// Leaves it to the job's own folder to be removed.
    pub(crate) fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty()
            && let Err(error) = remove(&self.0)
        {
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
    let aside = aside.keep();
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
    std::fs::remove_dir(aside)
}

/// Removes what processes that were killed have left in `parent`: folders of our name and our user that nothing holds.
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
        let free = match File::open(entry.path().join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if free {
            tracing::info!(
                "removing {}, which a killed process left",
                entry.path().display()
            );
            remove(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn owner(metadata: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

/// A temporary folder of other systems is the user's own.
#[cfg(not(unix))]
fn owner(_: &std::fs::Metadata) -> u32 {
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
        let scratch = Scratch::new(parent.path(), 10).unwrap();
        let (spool, first) = scratch.file().unwrap();
        spool.append(Bytes::from_static(b"12345678")).await.unwrap();
        let (spool, _second) = scratch.file().unwrap();
        let error = spool.append(Bytes::from_static(b"abc")).await.unwrap_err();
        assert!(error.to_string().contains("scratch_bytes"), "{error}");
        let (opened, charge) = first.open().unwrap();
        let (spool, _third) = scratch.file().unwrap();
        assert!(spool.append(Bytes::from_static(b"abc")).await.is_err());
        drop((opened, charge, _second, _third));
        let (spool, _fourth) = scratch.file().unwrap();
        spool
            .append(Bytes::from_static(b"1234567890"))
            .await
            .unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let running = Scratch::new(parent.path(), 10).unwrap();
        for name in ["forebay-old", "forebay-new", "other-old"] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join("file"), "x").unwrap();
        }
        std::fs::write(at("forebay-old").join(LOCK), "").unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        for folder in [
            at("forebay-old"),
            at("other-old"),
            running.path().to_owned(),
        ] {
            File::open(folder).unwrap().set_modified(hour_ago).unwrap();
        }
        sweep(parent.path()).unwrap();
        assert!(!at("forebay-old").exists());
        assert!(at("forebay-new").exists() && at("other-old").exists() && running.path().exists());
    }
}
