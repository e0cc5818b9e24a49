//! A file in a folder before it has its final name.
//!
//! Promise: nothing of the file is visible under the final name before it is complete. On Linux it has no name at all
//! until then, so that a killed process leaves nothing. On other systems, and if the file system does not support this,
//! its name is `.forebay-*.part` until then. A later run removes what a killed process left.
//!
//! A file that lies in scratch on the same file system is moved from there. It is not written again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tempfile::TempPath;

use forebay_core::channel::Content;
use forebay_core::disk::{self, WriteError};
use forebay_core::scratch::{TempFile, owner};
use forebay_core::stamp::Stamp;

const PREFIX: &str = ".forebay-";
const SUFFIX: &str = ".part";

/// How many random letters and digits are between the prefix and the suffix.
const RANDOM: usize = 6;

/// A file that is being written. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Part {
    /// Locked, so that other processes know that it is in use.
    file: File,
    /// Its temporary name, if it has one.
    name: Option<TempPath>,
    /// The file in scratch that it is. Its bytes are there already.
    stored: Option<Box<Stored>>,
    /// Whether the bytes are on the disk itself before the file gets its name.
    durable: bool,
}

/// A file in scratch that becomes the part.
#[derive(Debug)]
struct Stored {
    file: Arc<TempFile>,
    /// Its bytes must be those of that moment.
    since: Option<Stamp>,
}

impl Stored {
    /// Its path, as a part's name. None if somebody still reads it by this path.
    fn take_out(self, file: &File) -> io::Result<Option<TempPath>> {
        if let (Some(since), Some(now)) = (self.since, Stamp::of(&file.metadata()?)) {
            now.check_since(&since)?;
        }
        // A plugin may have set another time. It is a new file for the user.
        file.set_modified(SystemTime::now())?;
        Ok(Arc::into_inner(self.file).map(TempFile::take_out))
    }
}

impl Part {
    /// Creates a file, with the permissions that a file created by hand would have.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        match unnamed::new(folder)? {
            Some(file) => Ok(Self::locked(file, None)),
            None => Self::named(folder),
        }
    }

    fn named(folder: &Path) -> io::Result<Self> {
        let (file, name) = builder().tempfile_in(folder)?.into_parts();
        Ok(Self::locked(file, Some(name)))
    }

    fn locked(file: File, name: Option<TempPath>) -> Self {
        // A file that cannot be locked is not swept either.
        let _ = file.try_lock();
        Self {
            file,
            name,
            stored: None,
            durable: false,
        }
    }

    /// Takes a file in scratch, if it can be moved into the folder: nothing else is the same file, and both lie on one file
    /// system.
    #[cfg(unix)]
    pub(super) fn stored(stored: Arc<TempFile>, folder: &Path) -> io::Result<Option<Self>> {
        use std::os::unix::fs::MetadataExt as _;

        let file = stored.open()?;
        let metadata = file.metadata()?;
        if metadata.nlink() != 1 || metadata.dev() != folder.metadata()?.dev() {
            return Ok(None);
        }
        Ok(Some(Self {
            file,
            name: None,
            stored: Some(Box::new(Stored {
                file: stored,
                since: Stamp::of(&metadata),
            })),
            durable: false,
        }))
    }

    /// Other systems do not tell whether two files lie on one file system.
    #[cfg(not(unix))]
    pub(super) fn stored(_: Arc<TempFile>, _: &Path) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// Writes the bytes to the disk itself, if this is wanted.
    pub(super) fn durable(mut self, durable: bool) -> io::Result<Self> {
        self.durable = durable;
        if durable {
            self.file.sync_all()?;
        }
        Ok(self)
    }

    /// Writes all of `content`, and returns the number of bytes. `each` is called with every chunk.
    pub(super) async fn write(
        self,
        content: &mut Content,
        mut each: impl FnMut(&Bytes),
    ) -> Result<(Self, u64), WriteError> {
        if self.stored.is_some() {
            let mut size = 0;
            while let Some(piece) = content.next().await? {
                each(&piece);
                size += piece.len() as u64;
            }
            return Ok((self, size));
        }
        let (file, size) = disk::write(content, self.file, each).await?;
        Ok((Self { file, ..self }, size))
    }

    /// Writes all of a short content. Blocks.
    pub(super) fn write_short(&self, pieces: &[Bytes]) -> io::Result<()> {
        if self.stored.is_some() {
            return Ok(());
        }
        disk::write_all(&self.file, pieces)
    }

    /// Gives the file its name. An existing file of that name stays, which is an error of the kind `AlreadyExists`. The
    /// error returns the new file.
    pub(super) fn name(self, target: &Path) -> Result<(), (io::Error, Self)> {
        let Self {
            file,
            name,
            stored,
            durable,
        } = self;
        let part = |file, name| Self {
            file,
            name,
            stored: None,
            durable,
        };
        let copied = |file| match copy(&file, target).and_then(|copied| copied.durable(durable)) {
            Ok(copied) => copied.name(target),
            Err(error) => Err((error, part(file, None))),
        };
        let name = match stored.map(|stored| stored.take_out(&file)) {
            None => name,
            Some(Ok(Some(name))) => Some(name),
            Some(Ok(None)) => return copied(file),
            Some(Err(error)) => return Err((error, part(file, None))),
        };
        match name {
            Some(name) => match name.persist_noclobber(target) {
                // Such as two places where one file system is mounted.
                Err(failed) if failed.error.kind() == io::ErrorKind::CrossesDevices => copied(file),
                named => named.map_err(|failed| (failed.error, part(file, Some(failed.path)))),
            },
            None => match unnamed::link(&file, target) {
                Err(error) if unnamed::has_no_link(&error) => copied(file),
                linked => linked.map_err(|error| (error, part(file, None))),
            },
        }
    }

    /// Gives the file its name, and replaces an existing file of that name.
    pub(super) fn replace(self, target: &Path) -> io::Result<()> {
        let Self { file, name, .. } = self;
        let name = match name {
            Some(name) => name,
            // A link cannot replace a file, but a rename can.
            None => builder()
                .make_in(folder_of(target), |path| unnamed::link(&file, path))?
                .into_temp_path(),
        };
        name.persist(target).map_err(|failed| failed.error)
    }
}

/// Creates a file with a temporary name and the same bytes.
fn copy(mut from: &File, target: &Path) -> io::Result<Part> {
    let mut part = Part::named(folder_of(target))?;
    io::Seek::rewind(&mut from)?;
    io::copy(&mut from, &mut part.file)?;
    Ok(part)
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Files without a name.
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, OFlags, linkat};
    use rustix::io::Errno;

    /// Returns `None` if files without a name are not supported here.
    pub(super) fn new(folder: &Path) -> io::Result<Option<File>> {
        let flags = OFlags::TMPFILE.bits().cast_signed();
        let mut options = File::options();
        let opened = options
            .read(true)
            .write(true)
            .mode(0o666)
            .custom_flags(flags)
            .open(folder);
        match opened {
            // The file gets its name through this path, so the path must exist.
            Ok(file) => Ok(place(&file).symlink_metadata().is_ok().then_some(file)),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Ok(None),
                _ => Err(error),
            },
        }
    }

    pub(super) fn link(file: &File, target: &Path) -> io::Result<()> {
        linkat(CWD, place(file), CWD, target, AtFlags::SYMLINK_FOLLOW)?;
        Ok(())
    }

    /// Whether the file system or the system's policy does not allow such a file to get a name.
    pub(super) fn has_no_link(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::NOENT | Errno::PERM | Errno::ACCESS | Errno::XDEV | Errno::OPNOTSUPP)
        )
    }

    fn place(file: &File) -> PathBuf {
        format!("/proc/self/fd/{}", file.as_raw_fd()).into()
    }
}

/// On other systems, a file without a name cannot get one later.
#[cfg(not(target_os = "linux"))]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn new(_: &Path) -> io::Result<Option<File>> {
        Ok(None)
    }

    pub(super) fn link(_: &File, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn has_no_link(_: &io::Error) -> bool {
        false
    }
}

/// Whether this is the name of a file that a folder sink has not completed.
pub(crate) fn is_part(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.ends_with(SUFFIX))
}

/// Removes what killed processes have left in a folder: files with a part's name that belong to our user
/// and that no process has locked.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    // A file is created a moment before it is locked, so a younger file is not swept.
    const SETTLED: Duration = Duration::from_secs(60);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(is_ours) {
            continue;
        }
        let mut options = File::options();
        options.read(true).write(true);
        #[cfg(unix)]
        {
            // With these flags, opening does not wait for the other end of a pipe and does not leave the folder.
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            let flags = flags.bits().cast_signed();
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
        }
        let Ok(file) = options.open(entry.path()) else {
            continue;
        };
        let metadata = file.metadata()?;
        let age = metadata.modified()?.elapsed().unwrap_or_default();
        let is_stale = metadata.is_file() && owner(&metadata) == user() && age >= SETTLED;
        if is_stale && file.try_lock().is_ok() {
            let path = entry.path();
            tracing::info!("removing {}, which a killed process left", path.display());
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Whether this name has exactly the form of a part's name.
fn is_ours(name: &str) -> bool {
    let random = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn user() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::io::Write as _;

    use forebay_core::scratch::Scratch;
    use tempfile::TempDir;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_in_scratch_is_moved_unless_something_else_is_the_same_file() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

        let folder = TempDir::new().unwrap();
        let scratch = Scratch::new(folder.path(), 1 << 20);
        let (target, by_hand) = (folder.path().join("target"), folder.path().join("by-hand"));
        fs::write(&by_hand, "x").unwrap();
        let stored = async || {
            let (spool, stored) = scratch.file().unwrap();
            spool.append(Bytes::from_static(b"bytes")).await.unwrap();
            File::open(stored.path())
                .unwrap()
                .set_modified(SystemTime::UNIX_EPOCH)
                .unwrap();
            Arc::new(stored)
        };
        let file = stored().await;
        let inode = file.path().metadata().unwrap().ino();
        let part = Part::stored(file, folder.path()).unwrap().unwrap();
        part.name(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"bytes");
        let metadata = target.metadata().unwrap();
        assert_eq!(metadata.ino(), inode);
        assert_eq!(
            metadata.permissions().mode(),
            by_hand.metadata().unwrap().permissions().mode()
        );
        assert!(metadata.modified().unwrap().elapsed().unwrap() < Duration::from_secs(3600));

        // An older file is replaced only when that is wanted, and a part that is dropped leaves nothing.
        let part = Part::stored(stored().await, folder.path())
            .unwrap()
            .unwrap();
        let (error, part) = part.name(&by_hand).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        part.replace(&by_hand).unwrap();
        assert_eq!(fs::read(&by_hand).unwrap(), b"bytes");
        drop(Part::stored(stored().await, folder.path()).unwrap());

        let file = stored().await;
        let held = file.clone();
        let part = Part::stored(file, folder.path()).unwrap().unwrap();
        let copied = folder.path().join("copied");
        part.name(&copied).unwrap();
        assert_eq!(fs::read(&copied).unwrap(), b"bytes");
        assert_eq!(
            fs::read(held.path()).unwrap(),
            b"bytes",
            "it is still there for others"
        );

        let linked = stored().await;
        fs::hard_link(linked.path(), folder.path().join("link")).unwrap();
        assert!(Part::stored(linked, folder.path()).unwrap().is_none());
        drop((held, scratch));
    }

    #[test]
    fn a_part_gets_its_name_with_and_without_one_before() {
        let folder = TempDir::new().unwrap();
        let target = folder.path().join("target");
        #[cfg(unix)]
        let mode = |path: &Path| {
            let permissions = path.metadata().unwrap().permissions();
            std::os::unix::fs::PermissionsExt::mode(&permissions)
        };
        fs::write(&target, "by hand").unwrap();
        #[cfg(unix)]
        let by_hand = mode(&target);
        fs::remove_file(&target).unwrap();
        for make in [Part::new, Part::named] {
            let part = |content: &str| {
                let mut part = make(folder.path()).unwrap();
                part.file.write_all(content.as_bytes()).unwrap();
                part
            };
            part("first").name(&target).unwrap();
            #[cfg(unix)]
            assert_eq!(mode(&target), by_hand);
            let (error, second) = part("second").name(&target).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&target).unwrap(), "first");
            second.replace(&target).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), "second");
            drop(part("dropped"));
            assert_eq!(names(folder.path()), ["target"]);
            fs::remove_file(&target).unwrap();
        }
    }

    #[test]
    fn a_copy_has_the_same_bytes() {
        let folder = TempDir::new().unwrap();
        let target = folder.path().join("target");
        let mut part = Part::new(folder.path()).unwrap();
        part.file.write_all(b"content").unwrap();
        copy(&part.file, &target).unwrap().name(&target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "content");
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_else() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let kept = [
            ".forebay-abc.part",
            ".forebay-abcdefg.part",
            ".forebay-abc-12.part",
            ".forebay-abc123.par",
            "forebay-abc123.part",
            "x.forebay-abc123.part",
            "photo.jpg",
        ];
        let age = |name: &str| {
            let hour_ago = SystemTime::now() - Duration::from_secs(3600);
            let file = File::options().write(true).open(at(name)).unwrap();
            file.set_modified(hour_ago).unwrap();
            file
        };
        for name in kept
            .into_iter()
            .chain([".forebay-aB3dE6.part", ".forebay-locked.part"])
        {
            fs::write(at(name), "x").unwrap();
            age(name);
        }
        fs::write(at(".forebay-recent.part"), "x").unwrap();
        fs::create_dir(at(".forebay-folder.part")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("photo.jpg", at(".forebay-symlnk.part")).unwrap();
        let locked = age(".forebay-locked.part");
        locked.lock().unwrap();
        sweep(folder.path()).unwrap();
        let mut expected: Vec<&str> = kept.to_vec();
        expected.extend([
            ".forebay-locked.part",
            ".forebay-recent.part",
            ".forebay-folder.part",
        ]);
        #[cfg(unix)]
        expected.push(".forebay-symlnk.part");
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
        drop(locked);
        sweep(folder.path()).unwrap();
        assert!(!at(".forebay-locked.part").exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_another_user_owns_is_not_swept() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(".forebay-foreig.part");
        fs::write(&path, "x").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(SystemTime::now() - Duration::from_secs(3600))
            .unwrap();
        // Only root can change the owner of a file. For other users there is nothing to test.
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            sweep(folder.path()).unwrap();
            assert!(path.exists());
        }
    }

    #[test]
    fn a_part_in_use_is_locked() {
        let folder = TempDir::new().unwrap();
        let _part = Part::named(folder.path()).unwrap();
        let name = names(folder.path()).remove(0);
        assert!(is_ours(&name) && is_part(&name), "{name}");
        let other = File::open(folder.path().join(name)).unwrap();
        assert!(other.try_lock().is_err());
    }
}
