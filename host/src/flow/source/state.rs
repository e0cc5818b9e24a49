//! How a journal detects that a source has changed.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Kind, Source};

/// What a journal records about a source, so that a later run can detect whether it has changed.
pub(crate) struct SourceState {
    /// Identifies the source among all others.
    pub(crate) place: Vec<u8>,
    /// Differs when the source has changed.
    pub(crate) state: Vec<u8>,
}

impl Source {
    /// Returns what a journal records about this source.
    pub(crate) fn state(&self) -> impl Future<Output = io::Result<SourceState>> + Send + use<> {
        let name = self.name.clone();
        let declared = self.media_type.clone();
        let work: Box<dyn FnOnce() -> io::Result<SourceState> + Send> = match &self.kind {
            Kind::Path(path, _) => {
                let path = path.clone();
                Box::new(move || file_state(&path))
            }
            Kind::Bytes(bytes) => {
                let bytes = bytes.clone();
                Box::new(move || {
                    Ok(SourceState {
                        place: name.into_bytes(),
                        state: Sha256::digest(bytes).to_vec(),
                    })
                })
            }
            Kind::Reader(_) | Kind::Pieces(_) => Box::new(|| Err(unknown())),
        };
        async {
            let mut source = tokio::task::spawn_blocking(work)
                .await
                .map_err(io::Error::other)??;
            if let Some(media_type) = declared {
                source.state.push(b' ');
                source.state.extend(media_type.into_bytes());
            }
            Ok(source)
        }
    }
}

fn unknown() -> io::Error {
    io::Error::other("cannot be told from what it was before, so no journal can note it")
}

/// The place of a file is its path, with the links among its parent folders resolved. The name itself is kept even if it
/// is a link, because the file is delivered under this name. The state is size, modification time and, for a link, the
/// file behind it.
fn file_state(path: &Path) -> io::Result<SourceState> {
    let metadata = path.metadata()?;
    // What comes out of a pipe or a device is not told by its metadata. A folder is refused when it is opened.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(unknown());
    }
    let target = std::fs::canonicalize(path)?;
    let metadata = target.metadata()?;
    let changed = metadata
        .modified()?
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let place = named_place(path)?;
    let mut state = format!("{} {changed}", metadata.len()).into_bytes();
    if place != target {
        state.push(b' ');
        state.extend(target.as_os_str().as_encoded_bytes());
    }
    Ok(SourceState {
        place: place.into_os_string().into_encoded_bytes(),
        state,
    })
}

/// The path in its canonical folder.
fn named_place(path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            Ok(folder.canonicalize()?.join(name))
        }
        // Such a path names a folder.
        _ => path.canonicalize(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_to_one_file_are_sources_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "x").unwrap();
        fs::write(at("c"), "y").unwrap();
        let modified = at("a").metadata().unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(at("c")).unwrap();
        file.set_modified(modified).unwrap();
        fs::hard_link(at("a"), at("hard")).unwrap();
        std::os::unix::fs::symlink("a", at("soft")).unwrap();
        fs::create_dir(at("d")).unwrap();
        std::os::unix::fs::symlink("d", at("e")).unwrap();
        fs::rename(at("hard"), at("d/hard")).unwrap();
        let state = |name: &str| file_state(&at(name)).unwrap();
        let places: std::collections::HashSet<_> =
            ["a", "d/hard", "soft"].map(|name| state(name).place).into();
        assert_eq!(places.len(), 3);
        assert_eq!(state("d/hard").place, state("e/hard").place);
        // A link that points to another file with the same size and time has changed.
        let before = state("soft").state;
        fs::remove_file(at("soft")).unwrap();
        std::os::unix::fs::symlink("c", at("soft")).unwrap();
        assert_ne!(state("soft").state, before);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_no_text_are_told_apart() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &[u8]| {
            let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
            fs::write(&path, "x").unwrap();
            file_state(&path).unwrap().place
        };
        assert_ne!(place(b"a\xff"), place(b"a\xfe"));
    }
}
