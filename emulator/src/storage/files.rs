//! Files on disk.
//!
//! A body is written to a hidden temporary file and hashed on the way. When it is whole, one rename gives it its name.
//! If the connection breaks or the body is refused, the temporary file is removed. At most [`QUEUE`] chunks wait for
//! the disk, and then no more is read from the socket, so memory use does not grow with the body.
//!
//! File names are made from the emulator's own ids and extensions, never from a request. Files survive the process,
//! also if it is killed. They are not synced, so a power failure can lose them.

use std::collections::HashSet;
use std::fs;
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::object::{Object, Place};
use crate::base::ids::{self, new_id};
use crate::base::media::{HEAD, MediaType};

/// The number of chunks that may wait for the disk. A chunk has at most as many bytes as the server's read buffer, so
/// each upload uses a few MiB of memory at most.
const QUEUE: usize = 16;

/// The folder of bodies that do not belong to a usable asset yet.
const INCOMING: &str = "incoming";

/// The folder of the files of usable assets.
const ASSETS: &str = "assets";

/// The start of the names of temporary files.
const PART: &str = ".part-";

/// The files of one emulator.
pub(crate) struct FileStore {
    root: PathBuf,
    /// The tasks that run on threads for blocking work.
    work: TaskTracker,
}

/// A whole body in a temporary file. Dropping it removes the file.
pub(crate) struct Received {
    file: NamedTempFile,
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) media: Option<MediaType>,
}

/// Why a body was not received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError<E> {
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    #[error("the body sent nothing for {0:?}")]
    Stalled(Duration),
    #[error("the body ended early")]
    Body(E),
    #[error("cannot write to disk")]
    Disk(#[from] io::Error),
}

impl FileStore {
    /// Opens the store in the folder `root`, and creates its subfolders.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let store = Self {
            root: root.to_owned(),
            work: TaskTracker::new(),
        };
        for folder in [INCOMING, ASSETS] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(store)
    }

    /// Writes a body of at most `limit` bytes to a temporary file. Fails if no chunk arrives for `idle_timeout`.
    pub(crate) async fn receive<E>(
        &self,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        limit: u64,
        idle_timeout: Duration,
    ) -> Result<Received, ReceiveError<E>> {
        let (chunks, queue) = mpsc::channel(QUEUE);
        let folder = self.root.join(INCOMING);
        let (done, written) = oneshot::channel();
        self.work.spawn_blocking(move || {
            // If the receiver was dropped, this drops the file while the task is still tracked.
            drop(done.send(write(&folder, queue)));
        });

        let forwarded = forward(&mut body, chunks, limit, idle_timeout).await;
        let written = written.await.map_err(io::Error::other)?;
        forwarded?;
        Ok(written?)
    }

    /// Gives the body of a presigned `PUT` its name. Each different body has its own name.
    pub(crate) fn keep_incoming(&self, received: Received, id: &str) -> io::Result<Object> {
        let file = incoming_file(id, &received.sha256);
        received.persist(&self.root, file)
    }

    /// Gives the file of a finished upload its name.
    pub(crate) fn keep_asset(&self, received: Received, id: &str) -> io::Result<Object> {
        let file = asset_file(id, received.media);
        received.persist(&self.root, file)
    }

    /// The object of a direct upload once it is completed. An object in a bucket keeps its place.
    pub(crate) fn as_asset(&self, object: &Object, id: &str) -> Object {
        object.renamed(|| asset_file(id, object.media))
    }

    /// The object of a direct upload before it was completed.
    pub(crate) fn as_incoming(&self, object: &Object, id: &str) -> Object {
        object.renamed(|| incoming_file(id, &object.sha256))
    }

    /// Moves the file of a completed direct upload to the folder of assets.
    pub(crate) fn promote(&self, incoming: &Object, asset: &Object) -> io::Result<()> {
        match (self.path(incoming), self.path(asset)) {
            (Some(from), Some(to)) => fs::rename(from, to),
            _ => Ok(()),
        }
    }

    /// The path of an object's file; `None` for an object in a bucket.
    pub(crate) fn path(&self, object: &Object) -> Option<PathBuf> {
        match &object.place {
            Place::File(file) => Some(self.root.join(file)),
            Place::Bucket(_) => None,
        }
    }

    /// Whether the object's file exists and has the right size. Objects in a bucket are not checked: the answer is yes.
    pub(crate) fn holds(&self, object: &Object) -> bool {
        let Some(path) = self.path(object) else {
            return true;
        };
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == object.size)
    }

    /// Removes the emulator's files that are not in `known`. Files with other names are kept, because the emulator did
    /// not create them.
    pub(crate) fn sweep(&self, known: &HashSet<String>) {
        for folder in [INCOMING, ASSETS] {
            let Ok(found) = fs::read_dir(self.root.join(folder)) else {
                continue;
            };
            for name in found
                .flatten()
                .filter_map(|file| file.file_name().into_string().ok())
            {
                let file = format!("{folder}/{name}");
                if is_ours(&name) && !known.contains(&file) {
                    tracing::info!(file, "removing a file without a record");
                    if let Err(error) = fs::remove_file(self.root.join(&file)) {
                        tracing::warn!(%error, file, "cannot remove a file without a record");
                    }
                }
            }
        }
    }

    /// Removes a file on a thread for blocking work, because a large file takes seconds.
    pub(crate) async fn remove(&self, file: &str) -> io::Result<()> {
        let path = self.root.join(file);
        self.work
            .spawn_blocking(move || fs::remove_file(path))
            .await?
    }

    /// Renames a file at once, so that its name is free, and removes it in the background.
    pub(crate) fn discard(&self, object: &Object) {
        let Some(path) = self.path(object) else {
            return;
        };
        let trash = format!("{INCOMING}/{}", new_id(PART));
        let trash = self.root.join(trash);
        let renamed = fs::rename(path, &trash);
        self.work.spawn_blocking(move || {
            if let Err(error) = renamed.and_then(|()| fs::remove_file(trash)) {
                tracing::warn!(%error, "cannot remove a file");
            }
        });
    }

    /// Waits until all background work has ended. Call it when no more requests can arrive.
    pub(crate) async fn finish(&self) {
        self.work.close();
        self.work.wait().await;
    }
}

impl Received {
    fn persist(self, root: &Path, file: String) -> io::Result<Object> {
        self.file.persist(root.join(&file))?;
        Ok(Object {
            place: Place::File(file),
            size: self.size,
            sha256: self.sha256,
            media: self.media,
        })
    }
}

/// The name contains the start of the checksum, so that a `PUT` that replaces another writes its own file, and each
/// record names exactly one.
fn incoming_file(id: &str, sha256: &[u8; 32]) -> String {
    let (start, _) = sha256.split_at(8);
    format!("{INCOMING}/{id}-{}", hex::encode(start))
}

fn asset_file(id: &str, media: Option<MediaType>) -> String {
    let extension = media.map_or("bin", MediaType::extension);
    format!("{ASSETS}/{id}.{extension}")
}

/// Whether a file name has the form of a name that this module gives.
fn is_ours(name: &str) -> bool {
    let id = name
        .strip_prefix(ids::ASSET)
        .and_then(|rest| rest.get(..32));
    name.starts_with(PART) || id.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Sends the chunks of the body to the writer.
async fn forward<E>(
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    chunks: mpsc::Sender<Bytes>,
    limit: u64,
    idle_timeout: Duration,
) -> Result<(), ReceiveError<E>> {
    let mut size = 0u64;
    loop {
        let next = tokio::time::timeout(idle_timeout, body.next())
            .await
            .map_err(|_| ReceiveError::Stalled(idle_timeout))?;
        let Some(chunk) = next.transpose().map_err(ReceiveError::Body)? else {
            return Ok(());
        };
        size = size.saturating_add(chunk.len() as u64);
        if size > limit {
            return Err(ReceiveError::TooLarge(limit));
        }
        // If the writer has ended, it has failed, and its result has the error.
        if !chunk.is_empty() && chunks.send(chunk).await.is_err() {
            return Ok(());
        }
    }
}

/// Hashes and writes chunks until the sender is dropped. Blocks its thread.
fn write(folder: &Path, mut queue: mpsc::Receiver<Bytes>) -> io::Result<Received> {
    let mut file = NamedTempFile::with_prefix_in(PART, folder)?;
    let mut hasher = Sha256::new();
    let mut head = Vec::with_capacity(HEAD);
    let mut size = 0u64;
    let mut batch = Vec::with_capacity(QUEUE);
    while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
        for chunk in &batch {
            hasher.update(chunk);
            size += chunk.len() as u64;
            let wanted = HEAD.saturating_sub(head.len());
            head.extend(chunk.iter().take(wanted));
        }
        write_all(file.as_file_mut(), &batch)?;
        batch.clear();
    }
    Ok(Received {
        file,
        size,
        sha256: hasher.finalize().into(),
        media: MediaType::sniff(&head),
    })
}

/// Writes the chunks in as few system calls as possible, without copying them together first.
fn write_all(file: &mut fs::File, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::convert::Infallible;

    use futures::stream;

    use super::*;

    const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[tokio::test]
    async fn a_whole_body_is_hashed_and_named_by_rename() {
        let root = tempfile::tempdir().unwrap();
        let store = FileStore::open(root.path()).unwrap();
        let chunks = ["%PDF-", "", "1.7"].map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk)));
        let received = store
            .receive(stream::iter(chunks), 8, IDLE_TIMEOUT)
            .await
            .unwrap();
        assert_eq!((received.size, received.media), (8, Some(MediaType::Pdf)));
        assert_eq!(
            received.sha256,
            <[u8; 32]>::from(Sha256::digest("%PDF-1.7"))
        );

        let object = store.keep_asset(received, "id").unwrap();
        assert_eq!(object.place, Place::File("assets/id.pdf".to_owned()));
        let path = store.path(&object).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"%PDF-1.7");
        assert_eq!(files(&root.path().join("incoming")), 0);
    }

    #[tokio::test]
    async fn a_refused_body_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let store = FileStore::open(root.path()).unwrap();
        let incoming = root.path().join("incoming");

        let long = stream::iter([Ok::<_, Infallible>(Bytes::from("123456789"))]);
        let refused = store.receive(long, 8, IDLE_TIMEOUT).await;
        assert!(matches!(refused, Err(ReceiveError::TooLarge(8))));
        assert_eq!(files(&incoming), 0);

        let broken = stream::iter([Ok(Bytes::from("123")), Err("gone")]);
        let refused = store.receive(broken, 8, IDLE_TIMEOUT).await;
        assert!(matches!(refused, Err(ReceiveError::Body("gone"))));
        assert_eq!(files(&incoming), 0);

        let silent = stream::pending::<Result<Bytes, Infallible>>();
        let refused = store.receive(silent, 8, Duration::from_millis(10)).await;
        assert!(matches!(refused, Err(ReceiveError::Stalled(_))));
        assert_eq!(files(&incoming), 0);
    }

    #[tokio::test]
    async fn a_dropped_body_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let store = FileStore::open(root.path()).unwrap();
        let endless =
            stream::iter([Ok::<_, Infallible>(Bytes::from("123"))]).chain(stream::pending());
        let receiving = store.receive(Box::pin(endless), 8, IDLE_TIMEOUT);
        assert!(
            tokio::time::timeout(Duration::from_millis(50), receiving)
                .await
                .is_err()
        );
        store.finish().await;
        assert_eq!(files(&root.path().join("incoming")), 0);
    }
}
