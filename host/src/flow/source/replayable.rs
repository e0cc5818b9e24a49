//! Sources and re-readable files.

use std::io::{self, Read as _};

use forebay_core::channel::channel;
use forebay_core::disk::{Length, WriteError};
use forebay_core::replay::{self, ReplayableFile};
use forebay_core::scratch::Scratch;
use forebay_core::{DEFAULT_CHUNK, FileInfo, media};

use super::opened::{Stream, open_file};
use super::{Kind, Source, pipe};

impl Source {
    /// A source that reads a re-readable file.
    pub(crate) fn replayable(file: &ReplayableFile) -> Self {
        let kind = match file.on_disk() {
            Some(path) => Kind::Path(path.to_owned(), file.since()),
            None => Kind::Bytes(file.in_memory()),
        };
        Self {
            name: file.info.name.clone(),
            size: file.info.size,
            media_type: None,
            kind,
        }
    }

    /// Makes the source a re-readable file. A regular file stays where it is, and bytes stay in memory. Everything else
    /// is written to scratch.
    pub(crate) async fn into_replayable(self, scratch: &Scratch) -> io::Result<ReplayableFile> {
        let Self {
            name,
            size,
            media_type: declared,
            kind,
        } = self;
        let info = |head: &[u8], size: u64| {
            let sniffed = media::sniff(head);
            let media_type = declared.as_deref().unwrap_or(sniffed).to_owned();
            FileInfo {
                name: media::fit_name(&name, &media_type),
                media_type,
                size: Some(size),
            }
        };
        let stream = match kind {
            Kind::Bytes(bytes) => {
                Length::exact(size, bytes.len() as u64)?;
                let info = info(&bytes, bytes.len() as u64);
                return Ok(ReplayableFile::memory(info, vec![bytes]));
            }
            Kind::Path(path, since) => {
                let opening = path.clone();
                let (opened, head) = tokio::task::spawn_blocking(move || {
                    let opened = open_file(&opening)?;
                    let mut head = Vec::new();
                    if opened.regular.is_some() {
                        let least = media::SNIFF_LEN as u64;
                        (&opened.file).take(least).read_to_end(&mut head)?;
                    }
                    Ok::<_, io::Error>((opened, head))
                })
                .await
                .map_err(io::Error::other)??;
                if let Some((length, stamp)) = opened.regular {
                    Length::exact(size, length)?;
                    let file = ReplayableFile::path(info(&head, length), path);
                    return Ok(file.unchanged_since(since.or(Some(stamp))));
                }
                pipe::stream(opened.file)?
            }
            Kind::Reader(reader) => Stream::Reader(reader),
            Kind::Pieces(pieces) => Stream::Pieces(pieces),
        };
        let (sender, mut content) = channel(DEFAULT_CHUNK);
        let pump = tokio::spawn(stream.pump(size, DEFAULT_CHUNK, sender, |_| {}));
        let written = async {
            let head = content.peek(media::SNIFF_LEN).await?;
            ReplayableFile::spool(scratch, info(&head, 0), Vec::new(), &mut content).await
        };
        match written.await {
            Ok(held) => Ok(held),
            Err(WriteError::Io(error)) => Err(error),
            Err(WriteError::Interrupted) => Err(replay::fault(pump.await)),
        }
    }
}
