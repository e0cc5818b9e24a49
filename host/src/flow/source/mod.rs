//! Where files come from.

mod channel;
mod opened;
mod pipe;
#[cfg(feature = "workflow")]
mod replayable;
#[cfg(feature = "journal")]
mod state;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use forebay_core::media;
use forebay_core::stamp::{SourceChanged, Stamp};
use futures::{Stream, StreamExt as _};
use tokio::io::AsyncRead;

pub(crate) use opened::{Input, Opened};

pub use channel::SourceSender;
use opened::{Pieces, Stored, open_file};
#[cfg(feature = "journal")]
pub(crate) use state::SourceState;

/// One file that is not opened yet. Nothing is read before a job runs.
pub struct Source {
    name: String,
    size: Option<u64>,
    media_type: Option<String>,
    kind: Kind,
}

enum Kind {
    /// A file on disk. If there is a stamp, the file must not have changed since.
    Path(PathBuf, Option<Stamp>),
    Bytes(Bytes),
    Reader(Box<dyn AsyncRead + Send + Unpin>),
    Pieces(Pieces),
}

impl Source {
    /// A file on disk. Its base name becomes the file's name.
    ///
    /// A pipe or a device is read once, as its bytes come. No thread waits for them, nor for the writer of a pipe: the
    /// runtime does (`enable_io`), so a job that waits can be dropped.
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
            media_type: None,
            kind: Kind::Path(path, None),
        }
    }

    /// Bytes in memory.
    pub fn bytes(name: impl AsRef<str>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            name: media::plain_name(name.as_ref()),
            size: Some(bytes.len() as u64),
            media_type: None,
            kind: Kind::Bytes(bytes),
        }
    }

    /// Anything that can be read, such as standard input. Its length is not known in advance, unless [`size`](Self::size)
    /// sets it.
    ///
    /// An end of the reader is the end of the file. A reader that also ends when its producer fails makes a cut file look
    /// whole: `tokio::io::duplex` does, and a pipe does when its writer is killed. Use [`stream`](Self::stream) for the body
    /// of a request, and [`channel`](Self::channel) for bytes that another task makes; or set the size.
    pub fn reader(name: impl AsRef<str>, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self {
            name: media::plain_name(name.as_ref()),
            size: None,
            media_type: None,
            kind: Kind::Reader(Box::new(reader)),
        }
    }

    /// A stream of pieces, such as the body of a request. The end of the stream is the end of the file. If it gives an error,
    /// the source fails with it: so does a body whose client goes away.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use forebay::Source;
    ///
    /// let pieces = ["some ", "words"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
    /// let source = Source::stream("words.txt", futures::stream::iter(pieces));
    /// ```
    pub fn stream<B, E>(
        name: impl AsRef<str>,
        stream: impl Stream<Item = Result<B, E>> + Send + 'static,
    ) -> Self
    where
        B: Into<Bytes>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let pieces = stream.map(|piece| match piece {
            Ok(piece) => Ok(piece.into()),
            Err(error) => Err(match error.into().downcast::<io::Error>() {
                Ok(error) => *error,
                Err(error) => io::Error::other(error),
            }),
        });
        Self {
            name: media::plain_name(name.as_ref()),
            size: None,
            media_type: None,
            kind: Kind::Pieces(pieces.boxed()),
        }
    }

    /// Sets the expected length in bytes. A source that is shorter or longer fails.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Sets the media type, in place of the one that the bytes show. Another usual name of a type, such as `image/jpg`,
    /// becomes its first one. The report has the type that the bytes show as
    /// [`detected_type`](crate::Report::detected_type).
    #[must_use]
    pub fn media_type(mut self, media_type: impl AsRef<str>) -> Self {
        self.media_type = Some(media::canonical(media_type.as_ref()).to_owned());
        self
    }

    /// The media type, if one was set.
    pub(crate) fn declared_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the source, so that a missing file is reported before any plugin starts.
    pub(crate) async fn open(self) -> io::Result<Opened> {
        let Self { size, kind, .. } = self;
        Ok(match kind {
            Kind::Path(path, since) => {
                let opened = tokio::task::spawn_blocking({
                    let path = path.clone();
                    move || open_file(&path)
                })
                .await
                .map_err(io::Error::other)??;
                match (opened.regular, since) {
                    (Some((length, stamp)), since) => Opened {
                        size: size.or(Some(length)),
                        input: Input::Stored(Stored::File {
                            file: opened.file,
                            path,
                            stamp: since.unwrap_or(stamp),
                        }),
                    },
                    // It was a regular file before.
                    (None, Some(_)) => return Err(SourceChanged.into_io()),
                    (None, None) => Opened {
                        size,
                        input: Input::Stream(pipe::stream(opened.file)?),
                    },
                }
            }
            Kind::Bytes(bytes) => Opened {
                size,
                input: Input::Stored(Stored::Bytes(bytes)),
            },
            Kind::Reader(reader) => Opened {
                size,
                input: Input::Stream(opened::Stream::Reader(reader)),
            },
            Kind::Pieces(pieces) => Opened {
                size,
                input: Input::Stream(opened::Stream::Pieces(pieces)),
            },
        })
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
