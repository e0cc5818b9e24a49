//! The bytes on disk.
//!
//! A body is written to a hidden temporary file while it is hashed, and gets a name by one rename when it is whole. If
//! the sender goes away or the body is refused, the temporary file goes too. Memory stays flat: at most [`QUEUE`] pieces
//! wait for the disk, and then the socket does.
//!
//! Names on disk are made from ids and extensions of the emulator's own, never from a request. Files outlive the
//! process, also one that is killed. They are not synced, and need not outlive a power cut: they are for tests and demos.

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

/// Pieces on their way from a socket to the disk. A piece is at most [`READ_BUFFER`](crate::server::READ_BUFFER) bytes,
/// so a body on its way holds a few MiB of memory at most.
const QUEUE: usize = 16;

/// The folder of bytes that are not yet an asset's.
const INCOMING: &str = "incoming";

/// The folder of assets.
const ASSETS: &str = "assets";

/// What the names of files begin with whose bytes are still on their way.
const PART: &str = ".part-";

/// Where the bytes of one emulator are.
pub(crate) struct FileStore {
    root: PathBuf,
    /// What runs on threads that may block.
    work: TaskTracker,
}

/// A whole body in a temporary file; dropping it removes the file.
pub(crate) struct Received {
    file: NamedTempFile,
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) media: Option<MediaType>,
}

/// Why a body was not received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError<E> {
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("nothing came for {0:?}")]
    Stalled(Duration),
    #[error("the body broke off")]
    Body(E),
    #[error("writing to disk")]
    Disk(#[from] io::Error),
}

impl FileStore {
    /// Makes the folders below `root`.
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

    /// Writes a body of at most `limit` bytes to a temporary file. `idle_timeout` bounds the wait for each piece.
    pub(crate) async fn receive<E>(
        &self,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        limit: u64,
        idle_timeout: Duration,
    ) -> Result<Received, ReceiveError<E>> {
        let (pieces, queue) = mpsc::channel(QUEUE);
        let folder = self.root.join(INCOMING);
        let (done, written) = oneshot::channel();
        self.work.spawn_blocking(move || {
            // If the receiving future was dropped, so is the file, here and before the writer counts as ended.
            drop(done.send(write(&folder, queue)));
        });

        let forwarded = forward(&mut body, pieces, limit, idle_timeout).await;
        let written = written.await.map_err(io::Error::other)?;
        forwarded?;
        Ok(written?)
    }

    /// Names what a presigned `PUT` brought; a later one replaces it.
    pub(crate) fn keep_incoming(&self, received: Received, id: &str) -> io::Result<Object> {
        let file = incoming_file(id, &received.sha256);
        received.persist(&self.root, file)
    }

    /// Names the file of a finished upload.
    pub(crate) fn keep_asset(&self, received: Received, id: &str) -> io::Result<Object> {
        let file = asset_file(id, received.media);
        received.persist(&self.root, file)
    }

    /// What a direct upload's bytes will be as an asset. Those in a bucket stay where they are.
    pub(crate) fn as_asset(&self, object: &Object, id: &str) -> Object {
        object.renamed(|| asset_file(id, object.media))
    }

    /// What an asset's bytes were as a direct upload's.
    pub(crate) fn as_incoming(&self, object: &Object, id: &str) -> Object {
        object.renamed(|| incoming_file(id, &object.sha256))
    }

    /// Moves a completed direct upload among the assets.
    pub(crate) fn promote(&self, incoming: &Object, asset: &Object) -> io::Result<()> {
        match (self.path(incoming), self.path(asset)) {
            (Some(from), Some(to)) => fs::rename(from, to),
            _ => Ok(()),
        }
    }

    /// Where the bytes are, if not in a bucket.
    pub(crate) fn path(&self, object: &Object) -> Option<PathBuf> {
        match &object.place {
            Place::File(file) => Some(self.root.join(file)),
            Place::Bucket(_) => None,
        }
    }

    /// Whether the bytes are there, as far as their number says. A bucket is taken at its word.
    pub(crate) fn holds(&self, object: &Object) -> bool {
        let Some(path) = self.path(object) else {
            return true;
        };
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == object.size)
    }

    /// Removes the emulator's files that are not among `known`. Others are none of its business, should the folder have
    /// some.
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
                    tracing::info!(file, "a file of nothing is removed");
                    if let Err(error) = fs::remove_file(self.root.join(&file)) {
                        tracing::warn!(%error, file, "removing a file of nothing");
                    }
                }
            }
        }
    }

    /// Removes a file, on a thread that may block: a large one takes seconds.
    pub(crate) async fn remove(&self, file: &str) -> io::Result<()> {
        let path = self.root.join(file);
        self.work
            .spawn_blocking(move || fs::remove_file(path))
            .await?
    }

    /// Takes a file's name away at once, so that another may have it, and removes the file behind the caller's back.
    pub(crate) fn discard(&self, object: &Object) {
        let Some(path) = self.path(object) else {
            return;
        };
        let scrap = format!("{INCOMING}/{}", new_id(PART));
        let scrap = self.root.join(scrap);
        let renamed = fs::rename(path, &scrap);
        self.work.spawn_blocking(move || {
            if let Err(error) = renamed.and_then(|()| fs::remove_file(scrap)) {
                tracing::warn!(%error, "removing a file");
            }
        });
    }

    /// Waits until all work on disk has ended, once no more requests come in.
    pub(crate) async fn settle(&self) {
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

/// Named by its bytes as well: a `PUT` that replaces another has a file of its own, and each record speaks of one.
fn incoming_file(id: &str, sha256: &[u8; 32]) -> String {
    let (start, _) = sha256.split_at(8);
    format!("{INCOMING}/{id}-{}", hex::encode(start))
}

fn asset_file(id: &str, media: Option<MediaType>) -> String {
    let extension = media.map_or("bin", MediaType::extension);
    format!("{ASSETS}/{id}.{extension}")
}

/// Whether a file's name is one that this module gives.
fn is_ours(name: &str) -> bool {
    let id = name
        .strip_prefix(ids::ASSET)
        .and_then(|rest| rest.get(..32));
    name.starts_with(PART) || id.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Hands the body to the writer piece by piece.
async fn forward<E>(
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    pieces: mpsc::Sender<Bytes>,
    limit: u64,
    idle_timeout: Duration,
) -> Result<(), ReceiveError<E>> {
    let mut size = 0u64;
    loop {
        let next = tokio::time::timeout(idle_timeout, body.next())
            .await
            .map_err(|_| ReceiveError::Stalled(idle_timeout))?;
        let Some(piece) = next.transpose().map_err(ReceiveError::Body)? else {
            return Ok(());
        };
        size = size.saturating_add(piece.len() as u64);
        if size > limit {
            return Err(ReceiveError::TooLarge(limit));
        }
        // A writer that is gone has failed; its result says how.
        if !piece.is_empty() && pieces.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

/// Hashes and writes what comes, on a thread that may block, until the sender is dropped.
fn write(folder: &Path, mut queue: mpsc::Receiver<Bytes>) -> io::Result<Received> {
    let mut file = NamedTempFile::with_prefix_in(PART, folder)?;
    let mut hasher = Sha256::new();
    let mut head = Vec::with_capacity(HEAD);
    let mut size = 0u64;
    let mut batch = Vec::with_capacity(QUEUE);
    while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
        for piece in &batch {
            hasher.update(piece);
            size += piece.len() as u64;
            let wanted = HEAD.saturating_sub(head.len());
            head.extend(piece.iter().take(wanted));
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

/// Writes the pieces in as few system calls as possible, without joining them first.
fn write_all(file: &mut fs::File, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
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
        let pieces = ["%PDF-", "", "1.7"].map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
        let received = store
            .receive(stream::iter(pieces), 8, IDLE_TIMEOUT)
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
        store.settle().await;
        assert_eq!(files(&root.path().join("incoming")), 0);
    }
}
