//! Files of a job become assets, each by the flow that its final size calls for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use sha2::{Digest as _, Sha256};

use super::error::AssetsError;
use super::notes::Notes;
use super::send::{DeleteOnDrop, Uploaded};
use super::watch::Watch;
use super::{Assets, Flow, MULTIPART_MAX, NewUpload, check_type};
use crate::error::SinkError;
use crate::held::Held;
use crate::journal::Known;
use crate::sink::{Delivered, Outgoing, Place, Sink};
use crate::stage::FileInfo;

/// Small pieces are joined to about this many bytes.
const CHUNK: usize = 256 * 1024;

/// Pieces under this size are joined while they are held.
const SMALL: usize = 64 * 1024;

/// Uploads every file.
///
/// Up to [`MULTIPART_MAX`] bytes go by multipart; they are held in memory until the file is known to be that small. More,
/// of a size that is known in advance, stream into a direct upload, and into scratch beside it if they could not be had
/// again. More, of a size that turns out only at the end, wait in scratch for it.
#[derive(Debug, Clone)]
pub struct AssetsSink(Assets);

impl AssetsSink {
    pub(super) fn new(assets: Assets) -> Self {
        Self(assets)
    }

    async fn put_any(&self, mut file: Outgoing) -> Result<Delivered, AssetsError> {
        let _last_to_go = self.0.under_way();
        check_type(&file.info.media_type)?;
        let notes = Notes::new(file.journal.take());
        // What a run before was about to delete, and may not have got to.
        for asset_id in notes.doomed() {
            self.0.delete_if_there(&asset_id).await?;
            notes.deleted(&asset_id);
        }
        let uploaded = match (notes.known(), file.info.size) {
            (Some(known), _) => self.resume(file, known, &notes).await?,
            (None, Some(size)) if size > MULTIPART_MAX => self.stream(file, size, &notes).await?,
            (None, _) => self.gather(file, &notes).await?,
        };
        let Uploaded {
            asset,
            flow,
            sha256,
            claim,
        } = uploaded;
        let delivered = Known::Delivered {
            asset: asset.clone(),
            flow,
            sha256: sha256.clone(),
        };
        // Kept first: should this be dropped here, the journal learns of it all the same.
        claim.keep();
        notes.know(delivered).await;
        Ok(Delivered {
            size: asset.size_bytes,
            sha256: Some(sha256),
            place: Place::Asset { asset, flow },
        })
    }

    /// Takes up what a run before had begun, if the file is still the same.
    async fn resume(
        &self,
        file: Outgoing,
        known: Known,
        notes: &Notes,
    ) -> Result<Uploaded, AssetsError> {
        let watch = Watch::telling(&file.progress);
        let Outgoing {
            info,
            mut content,
            scratch,
            ..
        } = file;
        let held = Held::spool(&scratch, info, Vec::new(), &mut content).await?;
        let sha256 = held.sha256.clone().unwrap_or_default();
        let asset_id = match known {
            Known::Delivered {
                asset,
                flow,
                sha256: before,
            } => {
                if sha256 == before {
                    let uploaded = self.0.uploaded(asset, flow, sha256, notes);
                    // It was told as delivered: nothing may take that back.
                    uploaded.claim.keep();
                    return Ok(uploaded);
                }
                asset.asset_id
            }
            Known::Put {
                asset_id,
                sha256: before,
                size,
            } => {
                if sha256 == before && held.size() == size {
                    match self
                        .0
                        .complete_asset(&asset_id, Some(&sha256), &watch)
                        .await
                    {
                        Ok(asset) => {
                            let flow = Flow::DirectUpload;
                            return Ok(self.0.uploaded(asset, flow, sha256, notes));
                        }
                        // Another run may do better with the bytes that have arrived.
                        Err(error) if error.is_transient() => return Err(error),
                        Err(error) => watch.retry(&error, Duration::ZERO),
                    }
                }
                asset_id
            }
        };
        // Other bytes, or an asset that cannot be completed: what there was goes.
        DeleteOnDrop::new(&self.0, &asset_id, notes).delete().await;
        self.0.send(&Arc::new(held), notes, &watch).await
    }

    /// Holds the file until it is known whether it fits into one request.
    async fn gather(&self, mut file: Outgoing, notes: &Notes) -> Result<Uploaded, AssetsError> {
        let mut pieces = Vec::new();
        let mut small = BytesMut::new();
        let mut size = 0;
        let mut hash = Sha256::new();
        let watch = Watch::telling(&file.progress);
        while let Some(piece) = file.content.next().await? {
            size += piece.len() as u64;
            hash.update(&piece);
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
            if size > MULTIPART_MAX {
                pieces.push(small.freeze());
                let mut content = file.content;
                let held = Held::spool(&file.scratch, file.info, pieces, &mut content).await?;
                return self.0.send(&Arc::new(held), notes, &watch).await;
            }
        }
        pieces.push(small.freeze());
        let mut held = Held::memory(file.info, pieces);
        held.sha256 = Some(hex::encode(hash.finalize()));
        self.0.send(&Arc::new(held), notes, &watch).await
    }

    /// Sends the file as it comes, and its checksum after it. Should that fail for now, it is sent again: from where it
    /// came, or from scratch, where it was written on the way.
    async fn stream(
        &self,
        file: Outgoing,
        size: u64,
        notes: &Notes,
    ) -> Result<Uploaded, AssetsError> {
        let watch = Watch::telling(&file.progress);
        let new = NewUpload {
            name: &file.info.name,
            media_type: &file.info.media_type,
            size,
            sha256: None,
        };
        let upload = self.0.create(new.clone(), notes, &watch).await?;
        let (spool, held) = match file.again {
            Some(again) => (None, again),
            None => {
                let (spool, stored) = file.scratch.file()?;
                let info = FileInfo {
                    size: Some(size),
                    ..FileInfo::default()
                };
                (Some(spool), Arc::new(Held::scratch(info, stored)))
            }
        };
        match upload.put_and_tee(file.content, spool, &watch).await {
            Ok(sha256) => {
                let ended = self.0.finish_direct(&upload, sha256, notes, &watch).await;
                if ended.is_err() {
                    upload.abandon().await;
                }
                ended
            }
            Err(error) if error.is_transient() || error.is_refusal() => {
                let upload = if error.is_refusal() {
                    self.0
                        .renew(upload, &error, new.clone(), notes, &watch)
                        .await?
                } else {
                    watch.retry(&error, Duration::ZERO);
                    upload
                };
                self.0
                    .put_and_complete(upload, new, &held, notes, &watch)
                    .await
            }
            Err(error) => {
                upload.abandon().await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Sink for AssetsSink {
    fn identity(&self) -> Option<String> {
        Some(self.0.base_url().to_owned())
    }

    async fn put(&self, file: Outgoing) -> Result<Delivered, SinkError> {
        self.put_any(file).await.map_err(|error| match error {
            AssetsError::Interrupted(_) => SinkError::Interrupted,
            error => error.into(),
        })
    }
}
