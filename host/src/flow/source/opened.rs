//! A source that is ready to be read.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use forebay_core::FileInfo;
use forebay_core::buffers::Blocks;
use forebay_core::channel::{Content, Fault, Pull, Pulled, Sender};
use forebay_core::disk::{self, FileReader, LEAST_READ, Length};
use forebay_core::replay::ReplayableFile;
use forebay_core::stamp::Stamp;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A source that is ready to be read.
pub(crate) struct Opened {
    pub(crate) size: Option<u64>,
    pub(crate) input: Input,
}

/// Where the bytes are.
pub(crate) enum Input {
    /// At hand: the task that wants them reads them.
    Stored(Stored),
    /// They arrive when they do: a task of their own waits for them.
    Stream(Stream),
}

/// Bytes that are all there.
pub(crate) enum Stored {
    /// A regular file, and what it was like when it was opened.
    File {
        file: File,
        path: PathBuf,
        stamp: Stamp,
    },
    Bytes(Bytes),
}

/// Bytes that arrive over time.
pub(crate) enum Stream {
    /// A pipe or a device.
    File(File),
    Reader(Box<dyn AsyncRead + Send + Unpin>),
    Pieces(Pieces),
}

/// Pieces as they come, of any length.
pub(crate) type Pieces = BoxStream<'static, io::Result<Bytes>>;

impl Opened {
    /// The source as a re-readable file; `None` if it cannot be re-read. Only the size in its info is set.
    pub(crate) fn replay(&self) -> Option<Arc<ReplayableFile>> {
        let info = FileInfo {
            size: Some(self.size?),
            ..FileInfo::default()
        };
        let Input::Stored(stored) = &self.input else {
            return None;
        };
        Some(Arc::new(match stored {
            Stored::Bytes(bytes) => ReplayableFile::memory(info, vec![bytes.clone()]),
            Stored::File { path, stamp, .. } => {
                ReplayableFile::path(info, path.clone()).unchanged_since(Some(*stamp))
            }
        }))
    }
}

impl Stored {
    /// The content, which is read when it is asked for, at most `chunk` bytes at a time. `each` is called with the number of
    /// bytes in each chunk.
    pub(crate) fn content(
        self,
        size: Option<u64>,
        chunk: usize,
        each: impl FnMut(u64) + Send + 'static,
    ) -> (Content, Fault) {
        match self {
            Self::File { file, stamp, .. } => {
                let reader = FileReader::new(file, Some(stamp), size, chunk);
                Content::pulled(Told { reader, each })
            }
            Self::Bytes(bytes) => {
                let length = Length::new(size);
                let reader = InMemory {
                    bytes,
                    chunk,
                    length,
                };
                Content::pulled(Told { reader, each })
            }
        }
    }
}

/// Tells how many bytes are read.
struct Told<R, F> {
    reader: R,
    each: F,
}

impl<R: Pull, F: FnMut(u64) + Send> Pull for Told<R, F> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pulled>> {
        let pulled = std::task::ready!(self.reader.poll_next(cx))?;
        if !pulled.piece.is_empty() {
            (self.each)(pulled.piece.len() as u64);
        }
        Poll::Ready(Ok(pulled))
    }
}

/// Bytes in memory, a piece at a time.
struct InMemory {
    bytes: Bytes,
    chunk: usize,
    length: Length,
}

impl Pull for InMemory {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Pulled>> {
        let piece = self.bytes.split_to(self.chunk.min(self.bytes.len()));
        self.length.add(piece.len())?;
        let last = self.bytes.is_empty();
        if last {
            self.length.end()?;
        }
        Poll::Ready(Ok(Pulled { piece, last }))
    }
}

impl Stream {
    /// Sends everything in chunks of at most `chunk` bytes. `each` is called with the number of bytes in each chunk.
    pub(crate) async fn pump(
        self,
        size: Option<u64>,
        chunk: usize,
        mut sender: Sender,
        mut each: impl FnMut(u64),
    ) -> io::Result<()> {
        let mut reader = match self {
            Self::File(file) => {
                let reader = FileReader::new(file, None, size, chunk);
                return disk::pump(reader, sender, |piece| each(piece.len() as u64)).await;
            }
            Self::Pieces(pieces) => return pump_pieces(pieces, size, chunk, sender, each).await,
            Self::Reader(reader) => reader,
        };
        let (mut length, mut blocks) = (Length::new(size), Blocks::default());
        loop {
            if std::future::poll_fn(|cx| sender.poll_ready(cx))
                .await
                .is_err()
            {
                return Ok(());
            }
            let mut block = blocks.take(LEAST_READ.min(chunk), chunk);
            let room = block.capacity().min(chunk);
            let count = (&mut reader).take(room as u64).read_buf(&mut block).await?;
            if count == 0 {
                break;
            }
            length.add(count)?;
            each(count as u64);
            sender.push(block.split().freeze());
            blocks.keep(block);
        }
        length.end()?;
        sender.finish();
        Ok(())
    }
}

/// Sends pieces on, as [`Stream::pump`] does.
async fn pump_pieces(
    mut pieces: Pieces,
    size: Option<u64>,
    chunk: usize,
    mut sender: Sender,
    mut each: impl FnMut(u64),
) -> io::Result<()> {
    let mut length = Length::new(size);
    while let Some(mut piece) = pieces.try_next().await? {
        length.add(piece.len())?;
        while !piece.is_empty() {
            let part = piece.split_to(chunk.min(piece.len()));
            each(part.len() as u64);
            if sender.send(part).await.is_err() {
                return Ok(());
            }
        }
    }
    length.end()?;
    sender.finish();
    Ok(())
}

/// A file that was opened.
pub(super) struct OpenedFile {
    pub(super) file: File,
    /// Length and stamp. Pipes and devices have none.
    pub(super) regular: Option<(u64, Stamp)>,
}

/// Opens a file, and never waits for it.
pub(super) fn open_file(path: &Path) -> io::Result<OpenedFile> {
    let file = disk::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let regular = Stamp::of(&metadata).map(|stamp| (metadata.len(), stamp));
    Ok(OpenedFile { file, regular })
}
