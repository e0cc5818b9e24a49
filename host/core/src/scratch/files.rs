//! Files in scratch: while they are written, and once they are complete.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt as _;
use tempfile::TempPath;

use super::quota::{Charge, ScratchFull};
use crate::channel::{Content, Fault, Pull, Pulled};
use crate::disk::{self, FileReader, WriteError};

/// A file in scratch that is being written.
///
/// The file is open only while there are bytes to write. A file that waits for its bytes uses no file handle.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: Option<File>,
    charge: Arc<Charge>,
}

/// Bytes that are charged for each file or folder in addition to its contents: one block of the common file systems.
pub const BLOCK: u64 = 4096;

impl Spool {
    /// Writes to this open file at `path`, and charges what is written.
    pub fn new(file: File, path: &Path, charge: &Arc<Charge>) -> Self {
        Self {
            path: path.to_owned(),
            file: Some(file),
            charge: charge.clone(),
        }
    }

    /// Writes a chunk.
    ///
    /// # Errors
    /// When writing to disk fails, or scratch is full.
    pub async fn append(mut self, piece: Bytes) -> io::Result<Self> {
        self.append_all(vec![piece]).await?;
        Ok(self)
    }

    /// Writes chunks and returns their length in bytes.
    async fn append_all(&mut self, pieces: Vec<Bytes>) -> io::Result<u64> {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.charge.add(length).map_err(ScratchFull::into_io)?;
        let (file, path) = (self.file.take(), self.path.clone());
        let open = move || match file {
            Some(file) => Ok(file),
            None => File::options().append(true).open(path),
        };
        self.file = Some(disk::append(open, pieces).await?);
        Ok(length)
    }

    /// Writes a content until it has ended, and returns its length in bytes. `each` is called with every chunk.
    ///
    /// # Errors
    /// When the content is interrupted, writing to disk fails, or scratch is full.
    pub async fn fill(
        mut self,
        content: &mut Content,
        mut each: impl FnMut(&Bytes),
    ) -> Result<u64, WriteError> {
        let mut size = 0;
        loop {
            let pieces = match disk::batch(content).now_or_never() {
                Some(pieces) => pieces?,
                None => {
                    self.file = None;
                    disk::batch(content).await?
                }
            };
            if pieces.is_empty() {
                return Ok(size);
            }
            pieces.iter().for_each(&mut each);
            size += self.append_all(pieces).await?;
        }
    }
}

/// A complete file in scratch. It is not open, so any number of them may wait. Dropping it removes the file. The file
/// system frees the bytes once no reader has the file open.
#[derive(Debug)]
pub struct TempFile {
    path: TempPath,
    _charge: Arc<Charge>,
}

impl TempFile {
    pub(super) fn new(path: TempPath, charge: Arc<Charge>) -> Self {
        Self {
            path,
            _charge: charge,
        }
    }

    /// Its path. The file exists as long as this value.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading. The file counts against scratch until this value is dropped, so keep it until all is read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Its bytes, read at most `chunk` at a time, and the reason if they are interrupted. The file is kept until they are
    /// read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn content(
        self: &Arc<Self>,
        size: Option<u64>,
        chunk: usize,
    ) -> io::Result<(Content, Fault)> {
        let reader = FileReader::new(self.open()?, None, size, chunk);
        let file = self.clone();
        Ok(Content::pulled(Stored {
            reader,
            _file: file,
        }))
    }

    /// Takes it out of scratch. Returns its path, which still removes the file when dropped.
    pub fn take_out(self) -> TempPath {
        self.path
    }
}

/// A file in scratch, which is kept until it is read.
struct Stored {
    reader: FileReader,
    _file: Arc<TempFile>,
}

impl Pull for Stored {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pulled>> {
        self.reader.poll_next(cx)
    }
}
