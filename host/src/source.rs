//! Where files come from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::blocks::Blocks;
use crate::disk::{self, LEAST_READ, Length, WriteError};
use crate::held::{self, Held};
use crate::journal;
use crate::media;
use crate::scratch::Scratch;
use crate::stage::FileInfo;
use crate::stream::{Sender, channel};

/// Bytes that are read at a time of what goes to scratch.
const SPOOL: usize = 256 * 1024;

/// One file, still where it is. Nothing is read before a job runs.
pub struct Source {
    name: String,
    size: Option<u64>,
    kind: Kind,
}

enum Kind {
    Path(PathBuf),
    Bytes(Bytes),
    Reader(Box<dyn AsyncRead + Send + Unpin>),
}

impl Source {
    /// A file on disk. Its base name becomes the file's name.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        Self {
            name: media::plain_name(&name),
            size: None,
            kind: Kind::Path(path),
        }
    }

    /// Bytes in memory.
    pub fn bytes(name: impl AsRef<str>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            name: media::plain_name(name.as_ref()),
            size: Some(bytes.len() as u64),
            kind: Kind::Bytes(bytes),
        }
    }

    /// Anything that can be read, such as standard input or a request's body. Its length is not known in advance unless
    /// [`size`](Self::size) tells.
    pub fn reader(name: impl AsRef<str>, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self {
            name: media::plain_name(name.as_ref()),
            size: None,
            kind: Kind::Reader(Box::new(reader)),
        }
    }

    /// A file that the host holds.
    pub(crate) fn held(file: &Held) -> Self {
        let kind = match file.on_disk() {
            Some(path) => Kind::Path(path.to_owned()),
            None => Kind::Bytes(file.in_memory()),
        };
        Self {
            name: file.info.name.clone(),
            size: file.info.size,
            kind,
        }
    }

    /// Makes it a file that can be read again: a regular file stays where it is, what cannot be rewound goes to scratch.
    pub(crate) async fn hold(self, scratch: &Scratch) -> io::Result<Held> {
        let Self { name, size, kind } = self;
        let info = |head: &[u8], size: u64| {
            let media_type = media::sniff(head).to_owned();
            FileInfo {
                name: media::fit_name(&name, &media_type),
                media_type,
                size: Some(size),
            }
        };
        let opened = match kind {
            Kind::Bytes(bytes) => {
                Length::exact(size, bytes.len() as u64)?;
                let info = info(&bytes, bytes.len() as u64);
                return Ok(Held::memory(info, vec![bytes]));
            }
            Kind::Path(path) => {
                let opening = path.clone();
                let (file, length, head) = tokio::task::spawn_blocking(move || {
                    let (mut file, length) = open_regular(&opening)?;
                    let mut head = Vec::new();
                    if length.is_some() {
                        let least = media::SNIFF_LEN as u64;
                        io::Read::by_ref(&mut file)
                            .take(least)
                            .read_to_end(&mut head)?;
                    }
                    Ok::<_, io::Error>((file, length, head))
                })
                .await
                .map_err(io::Error::other)??;
                if let Some(length) = length {
                    Length::exact(size, length)?;
                    return Ok(Held::path(info(&head, length), path));
                }
                Opened {
                    size,
                    input: Input::File(file),
                    path: None,
                }
            }
            Kind::Reader(reader) => Opened {
                size,
                input: Input::Reader(reader),
                path: None,
            },
        };
        let (sender, mut content) = channel(SPOOL);
        let pump = tokio::spawn(opened.pump(SPOOL, sender, |_| {}));
        let written = async {
            let head = content.peek(media::SNIFF_LEN).await?;
            Held::spool(scratch, info(&head, 0), Vec::new(), &mut content).await
        };
        match written.await {
            Ok(held) => Ok(held),
            Err(WriteError::Io(error)) => Err(error),
            Err(WriteError::Interrupted) => Err(held::fault(pump.await)),
        }
    }

    /// Announces the length in bytes. A source that turns out shorter or longer fails.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the source, so that what is missing is known before any plugin starts.
    pub(crate) async fn open(self) -> io::Result<Opened> {
        let Self { size, kind, .. } = self;
        Ok(match kind {
            Kind::Path(path) => {
                let (file, length) = tokio::task::spawn_blocking({
                    let path = path.clone();
                    move || open_regular(&path)
                })
                .await
                .map_err(io::Error::other)??;
                Opened {
                    size: size.or(length),
                    input: Input::File(file),
                    path: length.map(|_| path),
                }
            }
            Kind::Bytes(bytes) => Opened {
                size,
                input: Input::Bytes(bytes),
                path: None,
            },
            Kind::Reader(reader) => Opened {
                size,
                input: Input::Reader(reader),
                path: None,
            },
        })
    }

    /// Where the source is and what it is like, to tell later whether it is still the same.
    pub(crate) fn state(
        &self,
    ) -> impl Future<Output = io::Result<(String, String)>> + Send + use<> {
        let name = self.name.clone();
        let work: Box<dyn FnOnce() -> io::Result<(String, String)> + Send> = match &self.kind {
            Kind::Path(path) => {
                let path = path.clone();
                Box::new(move || journal::file_state(&path))
            }
            Kind::Bytes(bytes) => {
                let bytes = bytes.clone();
                Box::new(move || Ok((name, hex::encode(Sha256::digest(bytes)))))
            }
            Kind::Reader(_) => Box::new(|| {
                Err(io::Error::other(
                    "cannot be told from what it was before, so no journal can note it",
                ))
            }),
        };
        async {
            tokio::task::spawn_blocking(work)
                .await
                .map_err(io::Error::other)?
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A source that is ready to be read.
pub(crate) struct Opened {
    pub(crate) size: Option<u64>,
    input: Input,
    /// Where a regular file lies.
    path: Option<PathBuf>,
}

enum Input {
    File(File),
    Bytes(Bytes),
    Reader(Box<dyn AsyncRead + Send + Unpin>),
}

impl Opened {
    /// The source as a file that can be read again; `None` where it cannot. Only its size is filled in.
    pub(crate) fn again(&self) -> Option<Arc<Held>> {
        let info = FileInfo {
            size: Some(self.size?),
            ..FileInfo::default()
        };
        Some(Arc::new(match (&self.input, &self.path) {
            (Input::Bytes(bytes), _) => Held::memory(info, vec![bytes.clone()]),
            (_, Some(path)) => Held::path(info, path.clone()),
            _ => return None,
        }))
    }

    /// Sends everything, `chunk` bytes at a time; `each` hears how many bytes went.
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
                return disk::pump(file, self.size, chunk, sender, told).await;
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

/// Opens a file and tells its length; pipes and devices have none.
fn open_regular(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, metadata.is_file().then_some(metadata.len())))
}
