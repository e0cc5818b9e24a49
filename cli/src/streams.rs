//! Inputs that can be read only once: standard input and pipes.
//!
//! Promise: each of them is named at most once in a run. Two readers would each get a part of its bytes, and none of them
//! would notice.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Checks that standard input is named at most once. `list` is the file of --files-from.
pub(crate) fn check_stdin(named: &[PathBuf], list: Option<&Path>) -> Result<()> {
    let list = list.filter(|list| is_stdin(list));
    let list = list.map(|list| format!("--files-from {}", list.display()));
    let named = named.iter().filter(|path| is_stdin(path));
    let named = named.map(|path| format!("the input {}", path.display()));
    let readers: Vec<String> = list.into_iter().chain(named).take(2).collect();
    if let [first, second] = readers.as_slice() {
        bail!("{first} and {second} both read standard input");
    }
    Ok(())
}

/// Checks that no pipe is among the inputs twice, under whatever names.
pub(crate) fn check_pipes<'a>(inputs: impl Iterator<Item = &'a Path>) -> Result<()> {
    let mut known: Vec<(system::Identity, &Path)> = Vec::new();
    for path in inputs {
        let Some(identity) = system::pipe(path) else {
            continue;
        };
        if let Some((_, other)) = known.iter().find(|(known, _)| *known == identity) {
            bail!(
                "{} and {} are one pipe, which can be read once; name it once",
                other.display(),
                path.display()
            );
        }
        known.push((identity, path));
    }
    Ok(())
}

/// Whether a path stands for standard input.
fn is_stdin(path: &Path) -> bool {
    path == Path::new("-") || system::is_stdin(path)
}

#[cfg(unix)]
mod system {
    use std::fs::{File, Metadata};
    use std::io::IsTerminal as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    use std::path::{Path, PathBuf};

    /// The names of standard input.
    const NAMES: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

    /// Most links that lead from one name to another.
    const MAX_LINKS: usize = 16;

    /// The device and the number of a file.
    pub(super) type Identity = (u64, u64);

    fn identity(metadata: &Metadata) -> Identity {
        (metadata.dev(), metadata.ino())
    }

    pub(super) fn pipe(path: &Path) -> Option<Identity> {
        let metadata = path.metadata().ok()?;
        metadata.file_type().is_fifo().then(|| identity(&metadata))
    }

    pub(super) fn is_stdin(path: &Path) -> bool {
        is_name(path) || is_opened(path).unwrap_or(false)
    }

    /// Whether the path is one of the names, or a link to one.
    fn is_name(path: &Path) -> bool {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            // Without doubled slashes, and dots that change nothing.
            path = path.components().collect::<PathBuf>();
            if NAMES.iter().any(|name| path == Path::new(name)) {
                return true;
            }
            let Ok(target) = path.read_link() else {
                return false;
            };
            path = path.parent().unwrap_or(Path::new("")).join(target);
        }
        false
    }

    /// Whether the path names the pipe, the socket or the terminal that standard input is. A file or a device such as
    /// `/dev/null` gives all of its bytes to each reader.
    fn is_opened(path: &Path) -> Option<bool> {
        let metadata = path.metadata().ok()?;
        let stdin = std::io::stdin();
        let kind = metadata.file_type();
        let shared =
            kind.is_fifo() || kind.is_socket() || kind.is_char_device() && stdin.is_terminal();
        if !shared {
            return Some(false);
        }
        let stdin = File::from(stdin.as_fd().try_clone_to_owned().ok()?);
        Some(identity(&stdin.metadata().ok()?) == identity(&metadata))
    }
}

#[cfg(not(unix))]
mod system {
    use std::path::Path;

    /// There are no paths of pipes.
    #[derive(PartialEq)]
    pub(super) enum Identity {}

    pub(super) fn pipe(_: &Path) -> Option<Identity> {
        None
    }

    pub(super) fn is_stdin(_: &Path) -> bool {
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn standard_input_is_known_by_all_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/stdin", &link).unwrap();
        let further = folder.path().join("further");
        std::os::unix::fs::symlink("link", &further).unwrap();
        let file = folder.path().join("stdin");
        std::fs::write(&file, "").unwrap();
        for name in [
            Path::new("-"),
            Path::new("/dev/stdin"),
            Path::new("//dev/./stdin"),
            Path::new("/dev/fd/0"),
            Path::new("/proc/self/fd/0"),
            &link,
            &further,
        ] {
            assert!(is_stdin(name), "{}", name.display());
        }
        for name in [
            Path::new("./-"),
            Path::new("/dev/fd/1"),
            Path::new("none"),
            &file,
        ] {
            assert!(!is_stdin(name), "{}", name.display());
        }
    }
}
