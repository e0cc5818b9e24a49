//! Files on disk, read and written off the async threads, a piece at a time and without a copy in between.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use bytes::{Bytes, BytesMut};

use crate::stream::{Content, Interrupted, Sender};

/// Why a content could not be written to disk.
#[derive(Debug)]
pub(crate) enum WriteError {
    Interrupted,
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

/// Writes all of `content` to `file`; gives the file back with the number of bytes. `each` sees every piece.
pub(crate) async fn write(
    content: &mut Content,
    mut file: File,
    mut each: impl FnMut(&Bytes),
) -> Result<(File, u64), WriteError> {
    let mut size = 0;
    while let Some(piece) = content.next().await? {
        each(&piece);
        size += piece.len() as u64;
        file = off_thread(move || file.write_all(&piece).map(|()| file)).await?;
    }
    Ok((file, size))
}

/// Sends a whole file, `chunk` bytes at a time, and finishes only if it has as many bytes as `expected`. Gives early,
/// and without an error, when nothing downstream wants the rest.
pub(crate) async fn pump(
    mut file: File,
    expected: Option<u64>,
    chunk: usize,
    mut sender: Sender,
    mut each: impl FnMut(u64),
) -> io::Result<()> {
    let mut sent = 0_u64;
    let mut block = BytesMut::new();
    loop {
        if std::future::poll_fn(|cx| sender.poll_ready(cx))
            .await
            .is_err()
        {
            return Ok(());
        }
        let piece;
        (file, block, piece) = off_thread(move || {
            // The allocation comes back once the pieces that were cut from it have gone.
            block.reserve(chunk);
            block.resize(chunk, 0);
            let count = file.read(&mut block)?;
            let piece = block.split_to(count).freeze();
            block.clear();
            Ok((file, block, piece))
        })
        .await?;
        if piece.is_empty() {
            break;
        }
        sent += piece.len() as u64;
        each(piece.len() as u64);
        sender.push(piece);
    }
    match expected.filter(|&expected| expected != sent) {
        Some(expected) => Err(io::Error::other(format!(
            "changed while it was read: {sent} bytes instead of {expected}"
        ))),
        None => {
            sender.finish();
            Ok(())
        }
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}
