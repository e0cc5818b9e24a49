//! Reads and writes files, one chunk at a time and without an extra copy. Work that may wait for a disk runs on a
//! blocking thread.

mod reader;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::task::JoinHandle;

use crate::channel::{Content, Interrupted, Pull as _, Pulled, Sender};

pub use reader::FileReader;

/// Opens a file for reading and never waits: not for the writer of a pipe, and not for the carrier of a serial line.
/// Reading a pipe or a device that has no bytes yet fails with [`io::ErrorKind::WouldBlock`].
///
/// # Errors
/// When the file cannot be opened.
#[cfg(unix)]
pub fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    // `NOCTTY`: a terminal does not become the controlling terminal of this process.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Opens a file for reading.
///
/// # Errors
/// When the file cannot be opened.
#[cfg(not(unix))]
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Why a content could not be written to disk.
#[derive(Debug)]
pub enum WriteError {
    /// Something upstream failed, so the content stayed incomplete.
    Interrupted,
    /// Writing to disk failed.
    Io(io::Error),
}

impl From<Interrupted> for WriteError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Bytes that are written at a time, if that many are ready: 1 MiB.
pub const BATCH: usize = 1 << 20;

/// Writes all of `content` to `file` and returns the file and the number of bytes. `each` is called with every chunk
/// while the chunk is written.
///
/// # Errors
/// When the content is interrupted, or writing to disk fails.
pub async fn write(
    content: &mut Content,
    file: File,
    mut each: impl FnMut(&Bytes),
) -> Result<(File, u64), WriteError> {
    let (mut size, mut writing) = (0, Writing::Idle(file));
    loop {
        let pieces = batch(content).await?;
        let file = writing.done().await?;
        if pieces.is_empty() {
            return Ok((file, size));
        }
        writing = Writing::start(file, pieces.clone());
        for piece in &pieces {
            each(piece);
            size += piece.len() as u64;
        }
    }
}

/// A file, and the write to it that runs on a blocking thread.
enum Writing {
    Idle(File),
    Busy(JoinHandle<io::Result<File>>),
}

impl Writing {
    fn start(file: File, pieces: Vec<Bytes>) -> Self {
        Self::Busy(tokio::task::spawn_blocking(move || {
            write_all(&file, &pieces)?;
            Ok(file)
        }))
    }

    async fn done(self) -> io::Result<File> {
        match self {
            Self::Idle(file) => Ok(file),
            Self::Busy(task) => task.await.map_err(io::Error::other)?,
        }
    }
}

/// Writes chunks to a file. Blocks.
///
/// # Errors
/// When writing to disk fails.
pub fn write_all(mut file: &File, pieces: &[Bytes]) -> io::Result<()> {
    pieces.iter().try_for_each(|piece| file.write_all(piece))
}

/// The next chunks: as many as are ready, up to 1 MiB. Empty once the content has ended.
///
/// # Errors
/// [`Interrupted`] when something upstream failed.
pub async fn batch(content: &mut Content) -> Result<Vec<Bytes>, Interrupted> {
    let Some(first) = content.next().await? else {
        return Ok(Vec::new());
    };
    let (mut length, mut pieces) = (first.len(), vec![first]);
    // If the end is ready already, the next call returns it again.
    while length < BATCH
        && let Some(Ok(Some(piece))) = content.next().now_or_never()
    {
        length += piece.len();
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Writes chunks to the file that `open` returns, and returns the file.
///
/// # Errors
/// When opening the file or writing to disk fails.
pub async fn append(
    open: impl FnOnce() -> io::Result<File> + Send + 'static,
    pieces: Vec<Bytes>,
) -> io::Result<File> {
    off_thread(move || {
        let file = open()?;
        write_all(&file, &pieces)?;
        Ok(file)
    })
    .await
}

/// Sends all bytes that a reader returns, and finishes the channel only if they are complete. If the receiver was
/// dropped, it returns early and without an error. `each` is called with every chunk.
///
/// # Errors
/// Those of the reader. Then the channel is not finished.
pub async fn pump(
    mut reader: FileReader,
    mut sender: Sender,
    mut each: impl FnMut(&Bytes),
) -> io::Result<()> {
    loop {
        if std::future::poll_fn(|cx| sender.poll_ready(cx))
            .await
            .is_err()
        {
            return Ok(());
        }
        let Pulled { piece, last } = std::future::poll_fn(|cx| reader.poll_next(cx)).await?;
        if !piece.is_empty() {
            each(&piece);
            sender.push(piece);
        }
        if last {
            sender.finish();
            return Ok(());
        }
    }
}

/// The smallest free space, in bytes, that justifies a read. Short reads share one buffer while it has this much space.
pub const LEAST_READ: usize = 16 * 1024;

/// Checks that a source has the length that was announced for it.
pub struct Length {
    announced: Option<u64>,
    count: u64,
}

impl Length {
    /// Expects this many bytes, or any number if it is `None`.
    pub fn new(announced: Option<u64>) -> Self {
        Self {
            announced,
            count: 0,
        }
    }

    /// Counts bytes before they are passed on. Fails if there are more than were announced.
    pub fn add(&mut self, bytes: usize) -> io::Result<()> {
        self.count += bytes as u64;
        match self.announced {
            Some(announced) if self.count > announced => Err(io::Error::other(format!(
                "has more than the {announced} bytes that were announced; did it change?"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether all announced bytes have arrived. False if no length was announced.
    pub fn is_reached(&self) -> bool {
        self.announced == Some(self.count)
    }

    /// How many bytes to read next: `most`, or fewer if fewer are left, but at least one.
    pub fn next(&self, most: usize) -> usize {
        let left = self
            .announced
            .map_or(u64::MAX, |all| all.saturating_sub(self.count));
        usize::try_from(left)
            .unwrap_or(usize::MAX)
            .clamp(1, most.max(1))
    }

    /// Checks a length that is known at once.
    pub fn exact(announced: Option<u64>, actual: u64) -> io::Result<()> {
        Self {
            announced,
            count: actual,
        }
        .end()
    }

    /// Checks that all announced bytes have arrived.
    pub fn end(&self) -> io::Result<()> {
        match self.announced {
            Some(announced) if self.count != announced => Err(io::Error::other(format!(
                "has {} bytes where {announced} were announced; did it change?",
                self.count
            ))),
            _ => Ok(()),
        }
    }
}

/// Runs work that may wait for a disk on a thread where it blocks no other task.
///
/// # Errors
/// Those of the work. A panic of the work becomes an error as well.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}
