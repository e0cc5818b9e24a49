//! A source that is ready to be read.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use forebay_core::FileInfo;
use forebay_core::buffers::Blocks;
use forebay_core::channel::Sender;
use forebay_core::disk::{self, LEAST_READ, Length};
use forebay_core::replay::ReplayableFile;
use forebay_core::stamp::Stamp;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::pipe;

/// A source that is ready to be read.
pub(crate) struct Opened {
    pub(crate) size: Option<u64>,
    pub(super) input: Input,
    /// The path, for a regular file.
    pub(super) path: Option<PathBuf>,
    /// What the file was like when it was opened, for a regular file.
    pub(super) stamp: Option<Stamp>,
}

pub(super) enum Input {
    File(File),
    Bytes(Bytes),
    Reader(Box<dyn AsyncRead + Send + Unpin>),
}

impl Opened {
    /// The source as a re-readable file; `None` if it cannot be re-read. Only the size in its info is set.
    pub(crate) fn replay(&self) -> Option<Arc<ReplayableFile>> {
        let info = FileInfo {
            size: Some(self.size?),
            ..FileInfo::default()
        };
        Some(Arc::new(match (&self.input, &self.path) {
            (Input::Bytes(bytes), _) => ReplayableFile::memory(info, vec![bytes.clone()]),
            (_, Some(path)) => ReplayableFile::path(info, path.clone()).unchanged_since(self.stamp),
            _ => return None,
        }))
    }

    /// Sends everything in chunks of at most `chunk` bytes. `each` is called with the number of bytes in each chunk.
    pub(crate) async fn pump(
        self,
        chunk: usize,
        mut sender: Sender,
        mut each: impl FnMut(u64),
    ) -> io::Result<()> {
        let mut length = Length::new(self.size);
        match self.input {
            Input::File(file) => {
                let told = |piece: &Bytes| each(piece.len() as u64);
                return disk::pump(file, self.stamp, self.size, chunk, sender, told).await;
            }
            Input::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let piece = bytes.split_to(chunk.min(bytes.len()));
                    length.add(piece.len())?;
                    each(piece.len() as u64);
                    if sender.send(piece).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Input::Reader(mut reader) => {
                let mut blocks = Blocks::default();
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
            }
        }
        length.end()?;
        sender.finish();
        Ok(())
    }
}

/// A file that was opened.
pub(super) struct OpenedFile {
    pub(super) file: File,
    /// Length and stamp. Pipes and devices have none.
    pub(super) regular: Option<(u64, Stamp)>,
}

impl OpenedFile {
    /// The file as what is read. Must be called within a runtime, which waits for the bytes of pipes and devices.
    pub(super) fn into_input(self) -> io::Result<Input> {
        match self.regular {
            Some(_) => Ok(Input::File(self.file)),
            None => pipe::input(self.file),
        }
    }
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
