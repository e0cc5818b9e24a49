//! Files of a job become assets, each by the flow that its final size calls for.

use std::io::{Seek as _, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use super::body::Sent;
use super::error::AssetsError;
use super::send::Uploaded;
use super::{Assets, MULTIPART_MAX, NewUpload, check_type};
use crate::disk::{self, WriteError};
use crate::error::SinkError;
use crate::held::Held;
use crate::job::Progress;
use crate::sink::{Delivered, Outgoing, Place, Sink};
use crate::stage::FileInfo;
use crate::stream::Interrupted;

/// Small pieces are joined to about this many bytes.
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
        let _last_to_go = self.0.under_way();
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
        self.send(Held::memory(file.info, pieces), &file.progress)
            .await
    }

    /// Sends the file as it comes, and its checksum after it.
    async fn stream(&self, file: Outgoing, size: u64) -> Result<Delivered, AssetsError> {
        let new = NewUpload {
            name: &file.info.name,
            media_type: &file.info.media_type,
            size,
            sha256: None,
        };
        let upload = self.0.direct_upload(new).await?;
        let sha256 = upload
            .put(file.content, &Sent::telling(&file.progress))
            .await?;
        let uploaded = self.0.finish_direct(&upload, sha256).await?;
        Ok(delivered(uploaded))
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
        let info = FileInfo {
            size: Some(size),
            ..info
        };
        let mut held = Held::scratch(info, stored);
        held.sha256 = Some(hex::encode(hash.finalize()));
        self.send(held, &progress).await
    }

    async fn send(&self, file: Held, progress: &Progress) -> Result<Delivered, AssetsError> {
        let uploaded = self
            .0
            .send(&Arc::new(file), &Sent::telling(progress))
            .await?;
        Ok(delivered(uploaded))
    }
}

fn delivered(uploaded: Uploaded) -> Delivered {
    let Uploaded {
        asset,
        flow,
        sha256,
        claim,
    } = uploaded;
    claim.keep();
    Delivered {
        size: asset.size_bytes,
        sha256: Some(sha256),
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
