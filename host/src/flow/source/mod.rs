//! Where files come from.

mod opened;
#[cfg(feature = "workflow")]
mod replayable;
#[cfg(feature = "journal")]
mod state;

use std::fmt;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use forebay_core::media;
use tokio::io::AsyncRead;

pub(crate) use opened::Opened;

use opened::{Input, open_regular};

/// One file that is not opened yet. Nothing is read before a job runs.
pub struct Source {
    name: String,
    size: Option<u64>,
    media_type: Option<String>,
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
            media_type: None,
            kind: Kind::Path(path),
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

    /// Anything that can be read, such as standard input or a request's body. Its length is not known in advance,
    /// unless [`size`](Self::size) sets it.
    pub fn reader(name: impl AsRef<str>, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self {
            name: media::plain_name(name.as_ref()),
            size: None,
            media_type: None,
            kind: Kind::Reader(Box::new(reader)),
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
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
