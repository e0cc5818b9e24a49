//! The folder in which compiled code is kept, with what each plugin says of itself.
//!
//! What lies in it is run as native code. So it must belong to this user, and nobody else may write to it: that is checked
//! when the folder is opened, and for each file.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, Metadata};
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use forebay_core::scratch::owner;
use tempfile::NamedTempFile;

use crate::sandbox::bindings::Descriptor;

/// Name of the folder within the one that the embedder names.
const NAME: &str = "compiled";

/// Bytes that all files may have together. Those that were made first go when it is more.
const MOST: u64 = 1 << 30;

/// The folder of compiled code.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// What code must have been made with to be of use: version and settings of wasmtime and of this crate.
    made_with: String,
}

impl Folder {
    /// Opens the folder `compiled` within `parent`, and makes it first if it is not there.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn open(parent: &Path, engine: &wasmtime::Engine) -> Result<Self, String> {
        let path = parent.join(NAME);
        make(parent)
            .and_then(|()| make(&path))
            .map_err(|error| error.to_string())?;
        for folder in [parent, &path] {
            let metadata = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
            check(&metadata, folder == path)
                .map_err(|problem| format!("{} {problem}", folder.display()))?;
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        cfg!(feature = "workflow").hash(&mut hasher);
        Ok(Self {
            path,
            made_with: format!("{:016x}", hasher.finish()),
        })
    }

    /// What is kept of a component.
    pub(super) fn kept(&self, digest: &str) -> Kept {
        let stem = self.path.join(format!("{digest}-{}", self.made_with));
        Kept {
            code: stem.with_extension("cwasm"),
            descriptor: stem.with_extension("json"),
        }
    }

    /// A file for code that is being made.
    pub(super) fn target(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.path)
    }

    /// Keeps a file of code.
    pub(super) fn keep(&self, digest: &str, target: NamedTempFile) -> io::Result<()> {
        // A power cut must not leave a file of that name with something else in it.
        target.as_file().sync_data()?;
        target.persist(self.kept(digest).code)?;
        self.tidy()
    }

    /// Removes what was made first, as long as there is too much.
    fn tidy(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // Another process may have removed it by now.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let made = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((made, metadata.len(), entry.path()));
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in files {
            if bytes <= MOST {
                break;
            }
            fs::remove_file(path)?;
            bytes -= length;
        }
        Ok(())
    }
}

/// What is kept of one component.
#[derive(Debug)]
pub(crate) struct Kept {
    code: PathBuf,
    descriptor: PathBuf,
}

impl Kept {
    /// The file of its code, if there is one that may be run.
    pub(super) fn code(&self) -> Option<PathBuf> {
        is_ours(&self.code).then(|| self.code.clone())
    }

    /// What it said of itself. It links with this host, since it was asked by one of the same version.
    pub(crate) fn descriptor(&self) -> Option<Descriptor> {
        if !is_ours(&self.descriptor) {
            return None;
        }
        serde_json::from_slice(&fs::read(&self.descriptor).ok()?).ok()
    }

    /// Keeps what it said of itself.
    pub(crate) fn keep_descriptor(&self, said: &Descriptor) {
        let written = serde_json::to_vec(said)
            .map_err(io::Error::from)
            .and_then(|json| {
                let folder = self.descriptor.parent().unwrap_or(Path::new("."));
                let mut file = NamedTempFile::new_in(folder)?;
                file.write_all(&json)?;
                file.as_file().sync_data()?;
                Ok(file.persist(&self.descriptor)?)
            });
        if let Err(error) = written {
            tracing::warn!("{} is not kept: {error}", self.descriptor.display());
        }
    }

    /// Forgets it.
    pub(super) fn remove(&self) {
        for file in [&self.code, &self.descriptor] {
            // If it cannot be removed, it cannot be replaced either; then it is made anew at each start.
            let _ = fs::remove_file(file);
        }
    }
}

/// Makes a folder that only this user can enter, if there is none.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether a file of the folder is a regular file of this user, to which nobody else can write.
fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        metadata.is_file()
            && check(&metadata, false)
                .inspect_err(|problem| tracing::warn!("{} {problem}", path.display()))
                .is_ok()
    })
}

/// Whether something belongs to this user, and nobody else can write to it; if `private`, nobody else can read it either.
#[cfg(unix)]
fn check(metadata: &Metadata, private: bool) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    let user = rustix::process::geteuid().as_raw();
    if owner(metadata) != user {
        return Err(format!(
            "belongs to another user ({}); name a folder of your own",
            owner(metadata)
        ));
    }
    let mode = metadata.mode() & 0o777;
    let forbidden = if private { 0o077 } else { 0o022 };
    if mode & forbidden != 0 {
        return Err(format!(
            "is open to others (mode {mode:03o}), and what lies in it is run as native code; remove it, or take their rights \
             away (chmod go-rwx)"
        ));
    }
    Ok(())
}

/// The folders of a user on other systems are the user's own.
#[cfg(not(unix))]
fn check(metadata: &Metadata, _: bool) -> Result<(), String> {
    let _ = owner(metadata);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn engine() -> wasmtime::Engine {
        wasmtime::Engine::default()
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_is_private_or_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path(), &engine()).unwrap();
        let mode = folder.path.metadata().unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        for mode in [0o755, 0o770, 0o707] {
            set_mode(&folder.path, mode);
            let problem = Folder::open(parent.path(), &engine()).unwrap_err();
            assert!(problem.contains("is open to others"), "{problem}");
        }
        set_mode(&folder.path, 0o700);
        set_mode(parent.path(), 0o777);
        assert!(Folder::open(parent.path(), &engine()).is_err());
    }

    #[test]
    fn only_files_of_this_user_are_taken() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path(), &engine()).unwrap();
        let kept = folder.kept("d");
        assert_eq!(kept.code(), None);
        let mut target = folder.target().unwrap();
        target.write_all(b"code").unwrap();
        folder.keep("d", target).unwrap();
        assert_eq!(kept.code(), Some(kept.code.clone()));
        set_mode(&kept.code, 0o666);
        assert_eq!(kept.code(), None);
        fs::remove_file(&kept.code).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &kept.code).unwrap();
        assert_eq!(kept.code(), None);
    }

    #[test]
    fn what_was_made_first_goes_when_there_is_too_much() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path(), &engine()).unwrap();
        for (at, digest) in ["a", "b", "c"].into_iter().enumerate() {
            let target = folder.target().unwrap();
            // A hole takes no room.
            target.as_file().set_len(MOST / 2 - 10).unwrap();
            let made = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at as u64 + 1);
            target.as_file().set_modified(made).unwrap();
            folder.keep(digest, target).unwrap();
        }
        let left: Vec<bool> = ["a", "b", "c"]
            .map(|digest| folder.kept(digest).code().is_some())
            .into();
        assert_eq!(left, [false, true, true]);
    }
}
