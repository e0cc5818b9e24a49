//! Detects that a file was changed while it was read.
//!
//! If another program writes to a file in place, a reader gets a mixture of old and new bytes, even if the length stays
//! the same. The file's metadata from before and after reading is therefore compared.

use std::fs::Metadata;
use std::io;
use std::time::SystemTime;

/// A file was changed in a period in which its bytes must stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("was changed while it was read; try again when nothing writes to it")]
pub struct SourceChanged;

impl SourceChanged {
    /// Wraps it in an I/O error.
    pub fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// Finds it in an I/O error.
    pub fn within(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// The parts of a regular file's metadata that differ after its bytes have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: Inode,
}

impl Stamp {
    /// The stamp of a file now. `None` for a pipe or a device, because it has no fixed bytes.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            inode: Inode::of(metadata),
        })
    }

    /// Checks that the bytes are the same as at `before`.
    ///
    /// # Errors
    /// [`SourceChanged`] if they may differ.
    pub fn check_since(&self, before: &Self) -> io::Result<()> {
        let same = self.length == before.length
            && self.modified == before.modified
            && self.inode.has_same_bytes_as(&before.inode);
        if same {
            Ok(())
        } else {
            Err(SourceChanged.into_io())
        }
    }
}

/// The part of the metadata that only Unix has.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
    /// Time of the last change of bytes or metadata, in seconds and nanoseconds. A program that writes to a file and
    /// then restores its modification time cannot restore this one.
    changed: (i64, i64),
    links: u64,
    mode: u32,
    owner: (u32, u32),
}

#[cfg(unix)]
impl Inode {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            links: metadata.nlink(),
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
        }
    }

    fn has_same_bytes_as(&self, before: &Self) -> bool {
        // A new link, a removed link, or new permissions or owners also set the time of change.
        let explained =
            (self.links, self.mode, self.owner) != (before.links, before.mode, before.owner);
        (self.device, self.number) == (before.device, before.number)
            && (self.changed == before.changed || explained)
    }
}

/// Other systems have no such metadata.
#[cfg(not(unix))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inode;

#[cfg(not(unix))]
impl Inode {
    fn of(_: &Metadata) -> Self {
        Self
    }

    fn has_same_bytes_as(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::io::Write as _;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn stamp(path: &Path) -> Stamp {
        Stamp::of(&path.metadata().unwrap()).unwrap()
    }

    /// Sets an older modification time. A change now then has another time, even if the file system's clock is coarse.
    fn age(path: &Path) {
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(hour_ago).unwrap();
    }

    #[test]
    fn a_change_in_place_is_detected_and_other_events_are_not_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        age(&path);
        let before = stamp(&path);
        fs::read(&path).unwrap();
        stamp(&path).check_since(&before).unwrap();
        #[cfg(unix)]
        {
            fs::hard_link(&path, folder.path().join("link")).unwrap();
            stamp(&path).check_since(&before).unwrap();
            fs::remove_file(folder.path().join("link")).unwrap();
        }
        let before = stamp(&path);
        let mut file = fs::File::options().write(true).open(&path).unwrap();
        file.write_all(b"6").unwrap();
        let error = stamp(&path).check_since(&before).unwrap_err();
        assert!(SourceChanged::within(&error).is_some());
        let other = folder.path().join("other");
        fs::write(&other, "12345").unwrap();
        fs::rename(&other, &path).unwrap();
        stamp(&path).check_since(&before).unwrap_err();
    }

    #[test]
    fn what_is_no_regular_file_has_no_stamp() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Stamp::of(&folder.path().metadata().unwrap()).is_none());
    }
}
