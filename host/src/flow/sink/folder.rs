//! A sink that writes files into a folder.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::claims::{Claim, Claims, Replace};
use super::part::{self, Part};
use super::{Delivered, Outgoing, Sink, SinkError};
use crate::flow::place::Place;
use forebay_core::channel::{Content, Interrupted};
use forebay_core::disk::{self, WriteError};
use forebay_core::scratch::TempFile;

/// A folder as a sink. A file gets its name there only when it is complete.
///
/// A folder, its clones and the folders [`within`](Self::within) it serve one run. What one of them has delivered is
/// never replaced by another file of that run, not even with [`replace`](Self::replace). Create a new one for the next
/// run.
///
/// Each folder is swept once in a run: a `.forebay-*.part` file of this user that no process has locked and that is
/// older than a minute is removed. A process that was killed left it.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    /// The canonical path of the same folder.
    canonical: PathBuf,
    replace: Replace,
    claims: Claims,
    durable: bool,
}

impl Folder {
    /// Delivers into this folder. It is created if it does not exist.
    ///
    /// # Errors
    /// If it does not exist and cannot be created.
    pub fn new(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        std::fs::create_dir_all(&path)?;
        Ok(Self {
            canonical: canonical(&path),
            path,
            replace: Replace::default(),
            claims: Claims::default(),
            durable: false,
        })
    }

    /// Delivers into a folder beneath this one, for the same run. It is created if it does not exist.
    ///
    /// # Errors
    /// If it does not exist and cannot be created, or if `beneath` leads out of this folder.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let path = temporary.path();
    /// let folder = forebay::Folder::new(path)?;
    /// let pages = folder.within("documents/pages")?;
    /// assert!(path.join("documents/pages").is_dir());
    /// assert!(folder.within("../elsewhere").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn within(&self, beneath: impl AsRef<Path>) -> io::Result<Self> {
        let beneath = beneath.as_ref();
        let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !beneath.components().all(stays) {
            let reason = format!("{} leads out of the folder", beneath.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        if beneath.as_os_str().is_empty() {
            return Ok(self.clone());
        }
        let path = self.path.join(beneath);
        std::fs::create_dir_all(&path)?;
        Ok(Self {
            canonical: canonical(&path),
            path,
            ..self.clone()
        })
    }

    /// Whether a file that existed before the run is replaced. If not, the delivery fails, and the existing file stays.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace.older = replace;
        self
    }

    /// Whether a file is written to the disk itself, with its name, before it counts as delivered. It then survives a power
    /// failure. By default the system writes it some time later.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets files that the run reads. None of them is replaced, not even with [`replace`](Self::replace), except by a
    /// file that is [made of](Self::made_of) it.
    #[must_use]
    pub fn spare(self, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        for input in inputs {
            self.claims.spare(input.as_ref());
        }
        self
    }

    /// Sets the input from which the files that this folder receives are made.
    #[must_use]
    pub fn made_of(mut self, input: impl Into<PathBuf>) -> Self {
        self.replace.source = Some(input.into());
        self
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn io(&self, reason: io::Error) -> SinkError {
        SinkError::Io {
            path: self.path.clone(),
            reason,
        }
    }

    /// Writes the names in this folder to the disk, and the names of the folders above it, which may be new.
    fn sync(&self) -> io::Result<()> {
        // A system that cannot sync a folder reports an error of this kind.
        let is_unsupported = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            )
        };
        if cfg!(unix) {
            match std::fs::File::open(&self.path)?.sync_all() {
                Err(error) if !is_unsupported(&error) => return Err(error),
                _ => {}
            }
            for above in self.canonical.ancestors().skip(1) {
                // A folder that this user cannot read is not new.
                let _ = std::fs::File::open(above).and_then(|above| above.sync_all());
            }
        }
        Ok(())
    }

    fn sweep(&self) {
        if self.claims.is_first_in(&self.canonical)
            && let Err(error) = part::sweep(&self.path)
        {
            // Such a folder may still accept files.
            tracing::debug!("{}: {error}", self.path.display());
        }
    }
}

#[async_trait]
impl Sink for Folder {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let target = self.path.join(&file.info.name);
        let claim = self.claims.take(self.canonical.join(&file.info.name));
        let Some(claim) = claim else {
            return Err(SinkError::Taken(target));
        };
        let mut delivery = Delivery {
            folder: self.clone(),
            claim,
            target: target.clone(),
            stored: file.stored.take(),
        };
        let mut hash = Sha256::new();
        let mut each = |piece: &Bytes| {
            hash.update(piece);
            file.progress.sent(piece.len() as u64);
        };
        let size = if is_short(&mut file.content).await? {
            let (mut pieces, mut size) = (Vec::new(), 0);
            while let Some(piece) = file.content.next().await? {
                each(&piece);
                size += piece.len() as u64;
                pieces.push(piece);
            }
            off_thread(move || {
                let part = delivery.begin()?;
                part.write_short(&pieces)
                    .map_err(|error| delivery.folder.io(error))?;
                delivery.end(part)
            })
            .await?;
            size
        } else {
            let (delivery, part) = off_thread(move || {
                let part = delivery.begin()?;
                Ok((delivery, part))
            })
            .await?;
            let written = part.write(&mut file.content, each).await;
            let (part, size) = written.map_err(|error| match error {
                WriteError::Interrupted => SinkError::Interrupted,
                WriteError::Io(reason) => self.io(reason),
            })?;
            off_thread(move || delivery.end(part)).await?;
            size
        };
        Ok(Delivered {
            size,
            sha256: Some(hex::encode(hash.finalize())),
            place: Place::File { path: target },
        })
    }
}

/// How long to wait for more of a file before it is written: with all of a short one, a thread for the disk is needed once.
const MORE: Duration = Duration::from_millis(20);

/// Whether all of a content is there, and is so short that it is written at once.
async fn is_short(content: &mut Content) -> Result<bool, Interrupted> {
    match tokio::time::timeout(MORE, content.read_ahead(disk::BATCH)).await {
        Ok(ended) => ended,
        Err(_) => Ok(false),
    }
}

/// A file on its way into a folder. All that it does may wait for the disk.
struct Delivery {
    folder: Folder,
    claim: Claim,
    target: PathBuf,
    stored: Option<Arc<TempFile>>,
}

impl Delivery {
    /// Begins the file. One that is already known to be refused is not written: the end checks again.
    fn begin(&mut self) -> Result<Part, SinkError> {
        let folder = &self.folder;
        folder.sweep();
        self.claim.check(&self.target, &folder.replace)?;
        let failed = |error| folder.io(error);
        if let Some(stored) = self.stored.take()
            && let Some(part) = Part::stored(stored, &folder.path).map_err(failed)?
        {
            return Ok(part);
        }
        Part::new(&folder.path).map_err(failed)
    }

    /// Gives it its name.
    fn end(self, part: Part) -> Result<(), SinkError> {
        let Self {
            folder,
            claim,
            target,
            ..
        } = self;
        let part = part
            .durable(folder.durable)
            .map_err(|error| folder.io(error))?;
        claim.deliver(part, &target, &folder.replace)?;
        if folder.durable {
            folder.sync().map_err(|error| folder.io(error))?;
        }
        Ok(())
    }
}

fn canonical(path: &Path) -> PathBuf {
    // This user may have no access to a parent folder.
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> Result<T, SinkError> {
    disk::off_thread(|| Ok(work()))
        .await
        .map_err(|error| SinkError::Other(error.into()))?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::flow::event::{Observers, Progress};
    use forebay_core::FileInfo;
    use forebay_core::channel::{Sender, channel};
    use forebay_core::scratch::Scratch;

    /// A file to deliver, and the sender of its content.
    fn file(name: &str) -> (Sender, Outgoing) {
        let scratch = TempDir::new().unwrap();
        let (sender, content) = channel(1 << 20);
        let outgoing = Outgoing {
            info: FileInfo {
                name: name.into(),
                media_type: "text/plain".into(),
                size: None,
            },
            place: Vec::new(),
            content,
            scratch: Scratch::new(scratch.path(), 0),
            replay: None,
            stored: None,
            permit: None,
            journal: None,
            progress: Progress::new(Observers::default(), 1),
        };
        (sender, outgoing)
    }

    async fn put(folder: &Folder, name: &str, content: &'static str) -> Result<(), SinkError> {
        let (mut sender, outgoing) = file(name);
        sender.push(Bytes::from_static(content.as_bytes()));
        sender.finish();
        folder.put(outgoing).await.map(drop)
    }

    /// A delivery in flight: its first bytes are written.
    async fn begin(
        folder: &Folder,
        name: &str,
        content: &'static str,
    ) -> (
        Sender,
        tokio::task::JoinHandle<Result<Delivered, SinkError>>,
    ) {
        let (mut sender, mut outgoing) = file(name);
        let (told, mut written) = tokio::sync::mpsc::unbounded_channel();
        let mut observers = Observers::default();
        observers.add(move |_| {
            let _ = told.send(());
        });
        outgoing.progress = Progress::new(observers, 1);
        sender.push(Bytes::from_static(content.as_bytes()));
        let folder = folder.clone();
        let delivery = tokio::spawn(async move { folder.put(outgoing).await });
        written.recv().await.unwrap();
        (sender, delivery)
    }

    /// The files of a folder with their contents.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let content = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), content)
            })
            .collect();
        files.sort();
        files
    }

    #[track_caller]
    fn assert_files(folder: &Path, expected: &[(&str, &str)]) {
        let found = files(folder);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(name, content)| (&**name, &**content))
            .collect();
        assert_eq!(found, expected);
    }

    fn is_taken<T>(result: &Result<T, SinkError>) -> bool {
        matches!(result, Err(SinkError::Taken(_)))
    }

    #[tokio::test]
    async fn what_a_run_delivered_is_not_replaced_and_what_was_there_before_is() {
        let out = TempDir::new().unwrap();
        fs::write(out.path().join("a"), "older").unwrap();
        let folder = Folder::new(out.path()).unwrap();
        assert!(matches!(
            put(&folder, "a", "new").await,
            Err(SinkError::Exists(_))
        ));
        assert_files(out.path(), &[("a", "older")]);

        let replacing = folder.clone().replace(true);
        put(&replacing, "a", "first").await.unwrap();
        for folder in [
            &replacing,
            &replacing.clone(),
            &replacing.within("").unwrap(),
            &replacing.within(".").unwrap(),
            // This one did not deliver the file, but belongs to the same run.
            &folder,
        ] {
            assert!(is_taken(&put(folder, "a", "second").await));
        }
        assert_files(out.path(), &[("a", "first")]);

        let next = Folder::new(out.path()).unwrap().replace(true);
        put(&next, "a", "next run").await.unwrap();
        assert_files(out.path(), &[("a", "next run")]);
    }

    #[tokio::test]
    async fn of_two_files_of_one_name_under_way_the_second_is_refused() {
        let out = TempDir::new().unwrap();
        for replace in [false, true] {
            let folder = Folder::new(out.path().join(replace.to_string()))
                .unwrap()
                .replace(replace);
            let (sender, delivery) = begin(&folder, "a", "first").await;
            assert!(is_taken(&put(&folder, "a", "second").await));
            sender.finish();
            delivery.await.unwrap().unwrap();
            assert_files(folder.path(), &[("a", "first")]);
        }
    }

    #[tokio::test]
    async fn a_name_is_free_again_when_its_file_failed() {
        let out = TempDir::new().unwrap();
        let folder = Folder::new(out.path()).unwrap();
        let (sender, delivery) = begin(&folder, "a", "broken").await;
        drop(sender);
        assert!(matches!(
            delivery.await.unwrap(),
            Err(SinkError::Interrupted)
        ));
        let (_sender, delivery) = begin(&folder, "a", "cancelled").await;
        delivery.abort();
        delivery.await.unwrap_err();
        assert_files(out.path(), &[]);
        put(&folder, "a", "whole").await.unwrap();
        assert_files(out.path(), &[("a", "whole")]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn two_names_are_one_only_where_the_file_system_says_so() {
        let out = TempDir::new().unwrap();
        let at = |name: &str| out.path().join(name);
        let folder = Folder::new(out.path()).unwrap().replace(true);
        put(&folder, "photo.jpg", "small").await.unwrap();
        // A case-insensitive file system finds the same file by the other name. A second link does the same on any file
        // system.
        fs::hard_link(at("photo.jpg"), at("Photo.JPG")).unwrap();
        fs::hard_link(at("photo.jpg"), at("e\u{301}.jpg")).unwrap();
        assert!(is_taken(&put(&folder, "Photo.JPG", "large").await));
        assert!(is_taken(&put(&folder, "e\u{301}.jpg", "accent").await));
        // FAT may have assigned a new id to the file since.
        folder.claims.forget_files();
        assert!(is_taken(&put(&folder, "Photo.JPG", "large").await));
        assert_eq!(fs::read_to_string(at("photo.jpg")).unwrap(), "small");

        fs::write(at("PHOTO.jpg"), "older").unwrap();
        if fs::read_to_string(at("photo.jpg")).unwrap() == "older" {
            // On this file system, the two names are the same.
            return;
        }
        put(&folder, "PHOTO.jpg", "another").await.unwrap();
        assert_eq!(fs::read_to_string(at("PHOTO.jpg")).unwrap(), "another");
        let (first, second) = tokio::join!(put(&folder, "B", "1"), put(&folder, "b", "2"));
        first.unwrap();
        second.unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_folder_is_the_same_by_every_path() {
        let out = TempDir::new().unwrap();
        let folder = Folder::new(out.path()).unwrap().replace(true);
        put(&folder.within("real").unwrap(), "a", "first")
            .await
            .unwrap();
        std::os::unix::fs::symlink("real", out.path().join("link")).unwrap();
        assert!(is_taken(
            &put(&folder.within("link").unwrap(), "a", "second").await
        ));
        assert_files(&out.path().join("real"), &[("a", "first")]);
    }

    #[tokio::test]
    async fn an_input_is_replaced_only_by_what_is_made_of_it() {
        let out = TempDir::new().unwrap();
        let input = out.path().join("a");
        fs::write(&input, "input").unwrap();
        let folder = Folder::new(out.path())
            .unwrap()
            .replace(true)
            .spare([&input]);
        for other in [folder.clone(), folder.clone().made_of("elsewhere/a")] {
            let refused = put(&other, "a", "of another").await;
            assert!(matches!(refused, Err(SinkError::Input(_))), "{refused:?}");
        }
        assert_files(out.path(), &[("a", "input")]);
        put(&folder.made_of(&input), "a", "of itself")
            .await
            .unwrap();
        assert_files(out.path(), &[("a", "of itself")]);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn nothing_is_in_the_folder_while_a_file_is_written() {
        use std::os::unix::fs::PermissionsExt as _;
        let out = TempDir::new().unwrap();
        fs::write(out.path().join("by-hand"), "x").unwrap();
        let folder = Folder::new(out.path()).unwrap().replace(true);
        let mut deliveries = Vec::new();
        for name in ["by-hand", "new"] {
            deliveries.push(begin(&folder, name, "first, ").await);
        }
        assert_files(out.path(), &[("by-hand", "x")]);
        for (mut sender, delivery) in deliveries {
            sender.push(Bytes::from_static(b"last"));
            sender.finish();
            delivery.await.unwrap().unwrap();
        }
        assert_files(
            out.path(),
            &[("by-hand", "first, last"), ("new", "first, last")],
        );
        fs::write(out.path().join("mode"), "x").unwrap();
        let mode = |name: &str| {
            out.path()
                .join(name)
                .metadata()
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!(mode("new"), mode("mode"));
        assert_eq!(mode("by-hand"), mode("mode"));
    }
}
