//! Files of a job become assets, each by the flow that its final size calls for.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use std::io::{Seek as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::AssetsError;
use super::{Asset, Assets, Flow, MULTIPART_MAX, NewUpload, check_type};
use crate::disk::{self, WriteError};
use crate::error::SinkError;
use crate::job::Progress;
use crate::sink::{Delivered, Outgoing, Place, Sink};
use crate::stream::{Content, Interrupted, channel};

/// Bytes of a spooled file that are read at a time.
const CHUNK: usize = 256 * 1024;

/// Pieces under this size are joined while they are held.
const SMALL: usize = 64 * 1024;

/// Uploads every file.
///
/// Up to [`MULTIPART_MAX`] bytes go by multipart; they are held in memory until the file is known to be that small. More,
/// of a size that is known in advance, stream into a direct upload. More, of a size that turns out only at the end, wait
/// in scratch for it.
#[derive(Debug, Clone)]
pub struct AssetsSink(Assets);

impl AssetsSink {
    pub(super) fn new(assets: Assets) -> Self {
        Self(assets)
    }

    async fn put_any(&self, file: Outgoing) -> Result<Delivered, AssetsError> {
        check_type(&file.info.media_type)?;
        match file.info.size {
            Some(size) if size > MULTIPART_MAX => self.stream(file, size).await,
            _ => self.gather(file).await,
        }
    }

    /// Holds the file until it is known whether it fits into one request.
    async fn gather(&self, mut file: Outgoing) -> Result<Delivered, AssetsError> {
        let mut pieces = Vec::new();
        let mut small = BytesMut::new();
        let mut held = 0;
        while let Some(piece) = file.content.next().await? {
            held += piece.len() as u64;
            // Small pieces are joined: each would cost more than its bytes.
            if piece.len() < SMALL {
                small.extend_from_slice(&piece);
            }
            if !small.is_empty() && (piece.len() >= SMALL || small.len() >= CHUNK) {
                pieces.push(small.split().freeze());
            }
            if piece.len() >= SMALL {
                pieces.push(piece);
            }
            if held > MULTIPART_MAX {
                pieces.push(small.freeze());
                return self.spool(file, pieces).await;
            }
        }
        pieces.push(small.freeze());
        let mut hash = Sha256::new();
        pieces.iter().for_each(|piece| hash.update(piece));
        let progress = file.progress.clone();
        let asset = self
            .0
            .upload_pieces(
                &file.info.name,
                &file.info.media_type,
                pieces,
                move |bytes| progress.sent(bytes),
            )
            .await?;
        if asset.size_bytes != held {
            return Err(AssetsError::Mismatch {
                held: asset.size_bytes,
                sent: held,
            });
        }
        Ok(delivered(asset, Flow::Upload, hash))
    }

    /// Sends the file as it comes, and its checksum after it.
    async fn stream(&self, file: Outgoing, size: u64) -> Result<Delivered, AssetsError> {
        let new = NewUpload {
            name: &file.info.name,
            media_type: &file.info.media_type,
            size,
            sha256: None,
        };
        self.send(new, file.content, &file.progress).await
    }

    /// Writes the file to scratch until it has ended, then sends it.
    async fn spool(&self, file: Outgoing, pieces: Vec<Bytes>) -> Result<Delivered, AssetsError> {
        let Outgoing {
            info,
            mut content,
            scratch,
            progress,
        } = file;
        let (mut spool, stored) = scratch.file()?;
        let mut hash = Sha256::new();
        for piece in pieces {
            hash.update(&piece);
            spool = tokio::task::spawn_blocking(move || spool.write_all(&piece).map(|()| spool))
                .await
                .map_err(std::io::Error::other)??;
        }
        let (mut spool, _) = disk::write(&mut content, spool, |piece| hash.update(piece))
            .await
            .map_err(|error| match error {
                WriteError::Interrupted => AssetsError::from(Interrupted),
                WriteError::Io(error) => error.into(),
            })?;
        let size = spool.stream_position()?;
        drop(spool);
        let sha256 = hex::encode(hash.finalize());
        let (sender, content) = channel(4 * CHUNK);
        let pump = tokio::spawn(disk::pump(
            stored.open()?,
            Some(size),
            CHUNK,
            sender,
            |_| {},
        ));
        let new = NewUpload {
            name: &info.name,
            media_type: &info.media_type,
            size,
            sha256: Some(&sha256),
        };
        let sent = self.send(new, content, &progress).await;
        match pump.await {
            Ok(Err(error)) => Err(error.into()),
            _ => sent,
        }
    }

    async fn send(
        &self,
        new: NewUpload<'_>,
        content: Content,
        progress: &Progress,
    ) -> Result<Delivered, AssetsError> {
        let upload = self.0.direct_upload(new).await?;
        let hash = Arc::new(Mutex::new(Sha256::new()));
        let (hashing, progress) = (hash.clone(), progress.clone());
        let put = upload.put(content, move |piece| {
            hashing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .update(piece);
            progress.sent(piece.len() as u64);
        });
        let completed = match put.await {
            Ok(()) => {
                let hash = hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
                upload
                    .complete(Some(&hex::encode(hash.clone().finalize())))
                    .await
                    .map(|asset| (asset, hash))
            }
            Err(error) => Err(error),
        };
        match completed {
            Ok((asset, hash)) => Ok(delivered(asset, Flow::DirectUpload, hash)),
            Err(error) => {
                upload.abandon().await;
                Err(error)
            }
        }
    }
}

fn delivered(asset: Asset, flow: Flow, hash: Sha256) -> Delivered {
    Delivered {
        size: asset.size_bytes,
        sha256: Some(hex::encode(hash.finalize())),
        place: Place::Asset { asset, flow },
    }
}

#[async_trait]
impl Sink for AssetsSink {
    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError> {
        self.put_any(file).await.map_err(|error| match error {
            AssetsError::Interrupted(_) => SinkError::Interrupted,
            error => error.into(),
        })
    }
}
