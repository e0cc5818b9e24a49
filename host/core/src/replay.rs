//! A complete file that can be read any number of times.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::disk::{self, FileReader, WriteError};
use crate::mutex::lock;
use crate::scratch::{Scratch, TempFile};
use crate::stamp::Stamp;

use crate::channel::{Content, channel};
use crate::{DEFAULT_CHUNK, FileInfo};

/// A complete file. Its size is known, and every reading returns the same bytes or fails.
pub struct ReplayableFile {
    /// The name fits the type, and the size is set.
    pub info: FileInfo,
    /// SHA-256 in hex, if it is known already.
    pub sha256: Option<String>,
    bytes: Contents,
    /// The stamp that a file on disk had when its size was read. All later readings must return the same bytes.
    since: Option<Stamp>,
}

enum Contents {
    Path(PathBuf),
    Scratch(TempFile),
    Memory(Vec<Bytes>),
}

impl ReplayableFile {
    /// A file on disk that does not belong to scratch. It is never removed.
    pub fn path(info: FileInfo, path: PathBuf) -> Self {
        Self::new(info, Contents::Path(path))
    }

    /// A file in scratch. It is removed when the last handle is dropped.
    pub fn scratch(info: FileInfo, file: TempFile) -> Self {
        Self::new(info, Contents::Scratch(file))
    }

    /// Bytes in memory, in chunks.
    pub fn memory(info: FileInfo, pieces: Vec<Bytes>) -> Self {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        let info = FileInfo {
            size: Some(size),
            ..info
        };
        Self::new(info, Contents::Memory(pieces))
    }

    /// Writes a content to scratch until it has ended. `before` has the chunks that were already read from it.
    pub async fn spool(
        scratch: &Scratch,
        info: FileInfo,
        before: Vec<Bytes>,
        content: &mut Content,
    ) -> Result<Self, WriteError> {
        let (mut spool, stored) = scratch.file()?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        for piece in before {
            hash.update(&piece);
            size += piece.len() as u64;
            spool = spool.append(piece).await?;
        }
        let rest = spool.fill(content, |piece| hash.update(piece)).await?;
        let info = FileInfo {
            size: Some(size + rest),
            ..info
        };
        let mut held = Self::scratch(info, stored);
        held.sha256 = Some(hex::encode(hash.finalize()));
        Ok(held)
    }

    fn new(info: FileInfo, bytes: Contents) -> Self {
        Self {
            info,
            sha256: None,
            bytes,
            since: None,
        }
    }

    /// Sets the stamp that a file on disk had when its size was read. If the file is changed or replaced afterwards,
    /// each reading fails. Without a stamp, a reading fails only if the file is changed during that reading.
    #[must_use]
    pub fn unchanged_since(mut self, since: Option<Stamp>) -> Self {
        self.since = since;
        self
    }

    /// The stamp that was set by [`unchanged_since`](Self::unchanged_since).
    pub fn since(&self) -> Option<Stamp> {
        self.since
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.info.size.unwrap_or(0)
    }

    /// The path of the file, unless it is in memory.
    pub fn on_disk(&self) -> Option<&std::path::Path> {
        match &self.bytes {
            Contents::Path(path) => Some(path),
            Contents::Scratch(file) => Some(file.path()),
            Contents::Memory(_) => None,
        }
    }

    /// The bytes that are in memory. Empty if the file is on disk.
    pub fn in_memory(&self) -> Bytes {
        match &self.bytes {
            Contents::Memory(pieces) => match pieces.as_slice() {
                [only] => only.clone(),
                pieces => pieces.concat().into(),
            },
            _ => Bytes::new(),
        }
    }

    /// Starts a reading. The reading fails if the file no longer has its [size](Self::size).
    pub fn read(self: &Arc<Self>) -> Reading {
        self.read_each(|_| {}, || ())
    }

    /// As [`read`](Self::read). The reader also returns the SHA-256 of the file, in hex, if all of the file was read.
    /// It is computed while the bytes are read, unless it is known already.
    pub fn read_and_hash(self: &Arc<Self>) -> Reading<Option<String>> {
        if self.sha256.is_some() {
            let file = self.clone();
            return self.read_each(|_| {}, move || file.sha256.clone());
        }
        let passed = Arc::new(Mutex::new((Sha256::new(), 0)));
        let (passing, size) = (passed.clone(), self.size());
        let each = move |piece: &Bytes| {
            let mut passing = lock(&passing);
            passing.0.update(piece);
            passing.1 += piece.len() as u64;
        };
        let end = move || {
            let mut passed = lock(&passed);
            (passed.1 == size).then(|| hex::encode(passed.0.finalize_reset()))
        };
        self.read_each(each, end)
    }

    /// The SHA-256 of the file, in hex.
    pub async fn sha256(self: &Arc<Self>) -> io::Result<String> {
        if let Some(sha256) = &self.sha256 {
            return Ok(sha256.clone());
        }
        let Reading {
            mut content,
            reader,
        } = self.read_and_hash();
        // If it is interrupted, the reader returns the reason.
        let _ = content.drain().await;
        match reader.await {
            Ok(Ok(Some(sha256))) => Ok(sha256),
            ended => Err(fault(ended)),
        }
    }

    fn read_each<T: Send + 'static>(
        self: &Arc<Self>,
        mut each: impl FnMut(&Bytes) + Send + 'static,
        end: impl FnOnce() -> T + Send + 'static,
    ) -> Reading<T> {
        let (mut sender, content) = channel(4 * DEFAULT_CHUNK);
        let file = self.clone();
        let reader = tokio::spawn(async move {
            if let Contents::Memory(pieces) = &file.bytes {
                for piece in pieces {
                    each(piece);
                    if sender.send(piece.clone()).await.is_err() {
                        return Ok(end());
                    }
                }
                sender.finish();
                return Ok(end());
            }
            let held = file.clone();
            let opened =
                tokio::task::spawn_blocking(move || held.on_disk().map(disk::open).transpose());
            let opened = opened
                .await
                .map_err(io::Error::other)??
                .ok_or(io::ErrorKind::NotFound)?;
            let (since, size) = (file.since, Some(file.size()));
            let reader = FileReader::new(opened, since, size, DEFAULT_CHUNK);
            disk::pump(reader, sender, each).await?;
            Ok(end())
        });
        Reading { content, reader }
    }
}

impl fmt::Debug for ReplayableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayableFile")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// One pass over a [`ReplayableFile`]. It ends by itself when its content is dropped.
pub struct Reading<T = ()> {
    /// The bytes.
    pub content: Content,
    /// The reading task. If the content is interrupted, it returns the reason.
    pub reader: JoinHandle<io::Result<T>>,
}

/// The reason why a reading was interrupted.
pub fn fault<T>(ended: Result<io::Result<T>, tokio::task::JoinError>) -> io::Error {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(_)) => io::Error::other("interrupted"),
        Err(error) => io::Error::other(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::stamp::SourceChanged;

    #[tokio::test]
    async fn a_file_that_a_device_has_replaced_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        let stamp = Stamp::of(&path.metadata().unwrap());
        let info = FileInfo {
            size: Some(0),
            ..FileInfo::default()
        };
        let file = ReplayableFile::path(info, path.clone()).unchanged_since(stamp);
        let file = Arc::new(file);
        file.sha256().await.unwrap();
        std::fs::remove_file(&path).unwrap();
        // It has as many bytes as the file had.
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let error = file.sha256().await.unwrap_err();
        assert!(SourceChanged::within(&error).is_some(), "{error}");
    }
}
