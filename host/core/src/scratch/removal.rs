//! Removal of folders that a plugin has filled.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Weak;

use tokio::sync::watch;

use super::folder_lock::{LOCK, PREFIX, lock_folder};
use super::{Gone, Inner, Scratch};

/// A folder in scratch. Dropping it removes it with all its contents: on a blocking thread of the runtime if there is a
/// runtime, otherwise at once.
#[derive(Debug)]
pub struct ScratchFolder(Option<Contents>);

#[derive(Debug)]
struct Contents {
    path: PathBuf,
    /// Dropped when the folder is removed.
    _gone: Option<Gone>,
    /// Shows other processes that the folder is in use.
    _lock: Option<File>,
    /// The scratch that contains this folder. It is removed later than this folder.
    _parent: Option<Scratch>,
}

impl ScratchFolder {
    /// `gone` is dropped when the folder is removed.
    pub(super) fn new(
        path: PathBuf,
        lock: Option<File>,
        parent: Option<Scratch>,
        gone: Option<Gone>,
    ) -> Self {
        Self(Some(Contents {
            path,
            _gone: gone,
            _lock: lock,
            _parent: parent,
        }))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        match &self.0 {
            Some(contents) => &contents.path,
            // Only during drop.
            None => Path::new(""),
        }
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        let contents = self.0.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // If the runtime is shutting down, it drops the contents here.
            drop(runtime.spawn_blocking(move || drop(contents)));
        }
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!("scratch folder {}: {error}", self.path.display());
        }
    }
}

/// A handle that waits until a scratch folder is removed.
#[derive(Debug)]
pub struct Removal {
    scratch: Weak<Inner>,
    gone: watch::Receiver<()>,
}

impl Removal {
    pub(super) fn new(scratch: Weak<Inner>, gone: watch::Receiver<()>) -> Self {
        Self { scratch, gone }
    }

    /// Waits for the removal. Returns at once if a clone of the scratch still exists.
    pub async fn wait(mut self) {
        if self.scratch.strong_count() > 0 {
            return;
        }
        // Nothing is ever sent. The sender is dropped when the folder is removed.
        while self.gone.changed().await.is_ok() {}
    }
}

/// Removes a folder with all its contents, however deep it is.
///
/// Nested folders are first moved to one level. The depth is therefore not limited by the length of a path, the number
/// of open files or the stack of this thread.
pub(super) fn remove(top: &Path) -> io::Result<()> {
    let parent = top.parent().unwrap_or(Path::new("."));
    let Ok(aside) = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent) else {
        // Not even an empty folder can be created.
        return std::fs::remove_dir_all(top);
    };
    let (_lock, aside) = (lock_folder(aside.path())?, aside.keep());
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::Scratch;
    use super::*;

    #[test]
    fn a_folder_goes_however_deep_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path(), 10);
        let (folder, _charge) = scratch.folder().unwrap();
        // Deeper than the longest possible path: the tree is built from the bottom up.
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
}
