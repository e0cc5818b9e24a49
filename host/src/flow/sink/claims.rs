//! The names that a run has claimed in folders.
//!
//! Promise: a file that the run has delivered is never replaced by another file of the same run. This also holds if the
//! file system treats two names as the same (`Photo.JPG` and `photo.jpg`, or the two Unicode forms of `é`). Two names
//! are refused as the same only if the file system reports that they are the same.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::error::SinkError;
use super::part::Part;
use forebay_core::mutex::lock;

/// The files that one run has written into folders. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    names: Mutex<Names>,
    /// The files that were delivered. Locked from the check of a name until the file has this name, so that no other
    /// file of this run gets the name in between.
    written: Mutex<HashSet<FileId>>,
    /// The inputs of the run.
    inputs: Mutex<Inputs>,
}

/// Files that the run reads.
#[derive(Debug, Default)]
struct Inputs {
    files: HashSet<FileId>,
    /// The paths of the same files.
    places: HashSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Names {
    /// Names that are taken. Names that may be the same on some file systems have the same key.
    taken: HashMap<String, Vec<Taken>>,
    /// Folders that this run has swept.
    swept: HashSet<PathBuf>,
}

#[derive(Debug)]
struct Taken {
    place: PathBuf,
    delivered: bool,
}

impl Claims {
    /// Claims the name of a file that is about to be written. Returns `None` if another file of the run has it already.
    ///
    /// `place` is the path of the file in a canonical folder.
    pub(super) fn take(&self, place: PathBuf) -> Option<Claim> {
        let mut names = lock(&self.0.names);
        let similar = names.taken.entry(fold(&place)).or_default();
        if similar.iter().any(|other| other.place == place) {
            return None;
        }
        similar.push(Taken {
            place: place.clone(),
            delivered: false,
        });
        Some(Claim {
            claims: self.clone(),
            place,
            delivered: false,
        })
    }

    /// Records a file that the run reads.
    pub(super) fn spare(&self, input: &Path) {
        let mut inputs = lock(&self.0.inputs);
        // If the metadata of a file cannot be read, the run cannot read the file either.
        inputs.files.extend(FileId::of(input));
        inputs.places.extend(canonical(input));
    }

    /// Forgets the ids of the delivered files, as a file system may do.
    #[cfg(test)]
    pub(super) fn forget_files(&self) {
        lock(&self.0.written).clear();
    }

    /// Whether this is the first call of this run for this canonical folder.
    pub(super) fn is_first_in(&self, folder: &Path) -> bool {
        lock(&self.0.names).swept.insert(folder.to_owned())
    }
}

/// What a file may replace.
#[derive(Debug, Clone, Default)]
pub(super) struct Replace {
    /// Whether it may replace files that existed before the run.
    pub(super) older: bool,
    /// The input that it is made from. With `older`, it may replace this input.
    pub(super) source: Option<PathBuf>,
}

/// A name that a file of the run has claimed. If this is dropped before the file was delivered, the name is free again.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Claims,
    place: PathBuf,
    delivered: bool,
}

impl Claim {
    /// Checks whether the file may have the name `target`, as far as this is known before the file is written.
    pub(super) fn check(&self, target: &Path, replace: &Replace) -> Result<(), SinkError> {
        self.check_against(&lock(&self.claims.0.written), target, replace)
    }

    /// Names a complete file `target`.
    pub(super) fn deliver(
        mut self,
        part: Part,
        target: &Path,
        replace: &Replace,
    ) -> Result<(), SinkError> {
        let claims = self.claims.clone();
        let mut written = lock(&claims.0.written);
        let failed = |reason| SinkError::Io {
            path: target.to_owned(),
            reason,
        };
        // First without replacing, so that an existing file is checked before it is removed.
        match part.name(target) {
            Ok(()) => {}
            Err((error, part)) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.check_against(&written, target, replace)?;
                if !replace.older {
                    // It has been removed in the meantime, or it is of a kind that cannot be checked.
                    return Err(SinkError::Exists(target.to_owned()));
                }
                part.replace(target).map_err(failed)?;
            }
            Err((error, _)) => return Err(failed(error)),
        }
        // A file that was removed again needs no protection.
        written.extend(FileId::of(target));
        self.delivered = true;
        let mut names = lock(&claims.0.names);
        let similar = names.taken.get_mut(&fold(&self.place));
        for name in similar.into_iter().flatten() {
            name.delivered |= name.place == self.place;
        }
        Ok(())
    }

    fn check_against(
        &self,
        written: &HashSet<FileId>,
        target: &Path,
        replace: &Replace,
    ) -> Result<(), SinkError> {
        let there = match FileId::of(target) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(reason) => {
                return Err(SinkError::Io {
                    path: target.to_owned(),
                    reason,
                });
            }
        };
        if written.contains(&there) || self.is_delivered_as(&there) {
            return Err(SinkError::Taken(target.to_owned()));
        }
        if !replace.older {
            return Err(SinkError::Exists(target.to_owned()));
        }
        if self.is_other_input(&there, replace.source.as_deref()) {
            return Err(SinkError::Input(target.to_owned()));
        }
        Ok(())
    }

    /// Whether the run reads this file, and the new file is made from another one.
    fn is_other_input(&self, there: &FileId, source: Option<&Path>) -> bool {
        let inputs = lock(&self.claims.0.inputs);
        let is_input = inputs.files.contains(there) || inputs.places.contains(&self.place);
        is_input && !source.is_some_and(|source| FileId::of(source).is_ok_and(|own| own == *there))
    }

    /// Whether the run delivered this file under a similar name.
    ///
    /// The ids of files are not enough: FAT and exFAT on Linux assign a new one when the kernel has forgotten the file.
    fn is_delivered_as(&self, there: &FileId) -> bool {
        let names = lock(&self.claims.0.names);
        let mut similar = names.taken.get(&fold(&self.place)).into_iter().flatten();
        similar.any(|other| {
            other.delivered && FileId::of(&other.place).is_ok_and(|other| other == *there)
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.delivered {
            return;
        }
        let mut names = lock(&self.claims.0.names);
        let key = fold(&self.place);
        if let Some(similar) = names.taken.get_mut(&key) {
            similar.retain(|other| other.place != self.place);
            if similar.is_empty() {
                names.taken.remove(&key);
            }
        }
    }
}

/// The path of a file in its canonical folder. If the file is a symbolic link, the link is not followed.
fn canonical(path: &Path) -> io::Result<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder.canonicalize()?.join(name))
}

/// The key that similar names share. It decides which names are compared, not which are the same.
fn fold(place: &Path) -> String {
    let text = place.to_string_lossy();
    text.chars().flat_map(char::to_lowercase).collect()
}

/// How a file system identifies a file.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FileId {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl FileId {
    /// The id of the file at this path. A symbolic link is not followed, because a rename replaces the link itself.
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = path.symlink_metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// How a file system identifies a file: by its canonical path.
#[cfg(not(unix))]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FileId(PathBuf);

#[cfg(not(unix))]
impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        path.canonicalize().map(Self)
    }
}
