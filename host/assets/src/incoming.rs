//! Uploads a file whose bytes can be read only once, by the flow that its final size calls for.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use forebay_core::channel::Content;
use forebay_core::replay::ReplayableFile;
use forebay_core::scratch::Scratch;
use forebay_core::{DEFAULT_CHUNK, FileInfo};
use sha2::{Digest as _, Sha256};

use crate::asset::{Flow, MULTIPART_MAX, check_type};
use crate::client::Assets;
use crate::delete_on_drop::{DeleteOnDrop, Uploaded};
use crate::direct::NewUpload;
use crate::error::AssetsError;
use crate::journal::{Known, UploadJournal};
use crate::send::Sending;
use crate::watch::Watch;

/// Chunks of fewer bytes are joined while they are held, because each chunk has a fixed overhead.
const SMALL: usize = 64 * 1024;

/// A file whose bytes can be read only once.
#[derive(Debug)]
pub struct Incoming {
    /// Name and type, and the size if it is known in advance.
    pub info: FileInfo,
    /// The bytes.
    pub content: Content,
    /// Where bytes are stored that may have to be sent again.
    pub scratch: Scratch,
    /// The same bytes, if they can be read again.
    pub replay: Option<Arc<ReplayableFile>>,
}

impl Assets {
    /// Uploads a file whose bytes can be read only once.
    ///
    /// A file of up to [`MULTIPART_MAX`] bytes is uploaded by multipart. It is read to its end first, because the
    /// service must not get a part of a file. If it lies on disk, it is then read again from there; otherwise it is held
    /// in memory until it is known to be that small. A larger file of known size streams into a direct upload. If it cannot be read again, it is also
    /// written to scratch at the same time. A larger file of unknown size is written to scratch first.
    ///
    /// The returned asset is kept: dropping the claim does not delete it.
    ///
    /// # Errors
    /// When the service does not take the file's type or size, the content is interrupted, scratch cannot be used, or
    /// the service refused the file. Then nothing of the file stays with the service.
    pub async fn send_incoming(
        &self,
        file: Incoming,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        // Dropped last: `settle` waits until then.
        let _token = self.under_way();
        let watch = &watch.clone().about(&file.info.name);
        check_type(&file.info.media_type)?;
        // An earlier run was about to delete these assets, and may not have done so.
        for asset_id in journal.doomed() {
            self.delete_if_there(&asset_id).await?;
            journal.deleted(&asset_id);
        }
        let uploaded = match (journal.known(), file.info.size) {
            (Some(known), _) => self.resume(file, known, journal, watch).await?,
            (None, Some(size)) if size > self.multipart_max() => {
                self.stream(file, size, journal, watch).await?
            }
            (None, _) => self.gather(file, journal, watch).await?,
        };
        let delivered = Known::Delivered {
            asset: uploaded.asset.clone(),
            flow: uploaded.flow,
            sha256: uploaded.sha256.clone(),
        };
        // Kept first: if this future is dropped here, the journal still records the asset.
        uploaded.claim.keep();
        journal.know(delivered);
        Ok(uploaded)
    }

    /// Continues an upload that an earlier run began, if the file is unchanged.
    async fn resume(
        &self,
        file: Incoming,
        known: Known,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let Incoming {
            info,
            mut content,
            scratch,
            ..
        } = file;
        let held = ReplayableFile::spool(&scratch, info, Vec::new(), &mut content).await?;
        let sha256 = held.sha256.clone().unwrap_or_default();
        let asset_id = match known {
            Known::Delivered {
                asset,
                flow,
                sha256: before,
            } => {
                if sha256 == before {
                    let uploaded = self.uploaded(asset, flow, sha256, journal);
                    // The asset was reported as delivered, so it must not be deleted.
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
                    match self.complete_asset(&asset_id, Some(&sha256), watch).await {
                        Ok(asset) => {
                            let asset = asset.or_sent(&held.info.media_type, size);
                            let flow = Flow::DirectUpload;
                            return Ok(self.uploaded(asset, flow, sha256, journal));
                        }
                        // A later run may succeed with the bytes that have arrived.
                        Err(error) if error.is_transient() => return Err(error),
                        Err(error) => watch.retry(&error, Duration::ZERO),
                    }
                }
                asset_id
            }
        };
        // The bytes differ, or the asset cannot be completed: the old asset is deleted.
        DeleteOnDrop::new(self, &asset_id, journal).delete().await;
        self.send(&Arc::new(held), journal, watch).await
    }

    /// Reads the file until it is known whether it fits into one request. Holds it in memory, unless it lies on disk.
    async fn gather(
        &self,
        mut file: Incoming,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let on_disk = file.replay.take().filter(|file| file.on_disk().is_some());
        let mut pieces = Vec::new();
        let mut small = BytesMut::new();
        let mut size = 0;
        let mut hash = Sha256::new();
        while let Some(piece) = file.content.next().await? {
            size += piece.len() as u64;
            hash.update(&piece);
            if on_disk.is_some() {
                continue;
            }
            // Small chunks are joined, because the overhead of each would exceed its bytes.
            if piece.len() < SMALL {
                small.extend_from_slice(&piece);
            }
            if !small.is_empty() && (piece.len() >= SMALL || small.len() >= DEFAULT_CHUNK) {
                pieces.push(small.split().freeze());
            }
            if piece.len() >= SMALL {
                pieces.push(piece);
            }
            if size > MULTIPART_MAX {
                pieces.push(small.freeze());
                let mut content = file.content;
                let held =
                    ReplayableFile::spool(&file.scratch, file.info, pieces, &mut content).await?;
                return self.send(&Arc::new(held), journal, watch).await;
            }
        }
        let sha256 = hex::encode(hash.finalize());
        let (info, held) = match on_disk {
            Some(held) => (file.info, held),
            None => {
                pieces.push(small.freeze());
                let mut held = ReplayableFile::memory(file.info.clone(), pieces);
                held.sha256 = Some(sha256.clone());
                (file.info, Arc::new(held))
            }
        };
        let file = Sending {
            info: &info,
            file: &held,
            sha256: Some(&sha256),
        };
        self.send_file(file, journal, watch).await
    }

    /// Sends the file as it arrives, and its checksum afterwards. If the error is transient, or the storage refuses the
    /// URL, the file is sent again. Then it is read from its source, or from scratch, where it was written during the
    /// first attempt.
    async fn stream(
        &self,
        file: Incoming,
        size: u64,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let new = NewUpload {
            name: &file.info.name,
            media_type: &file.info.media_type,
            size,
            sha256: None,
        };
        let upload = self.create(new, journal, watch).await?;
        let (spool, held) = match file.replay {
            Some(replay) => (None, replay),
            None => {
                let (spool, stored) = file.scratch.file()?;
                let info = FileInfo {
                    size: Some(size),
                    ..FileInfo::default()
                };
                (Some(spool), Arc::new(ReplayableFile::scratch(info, stored)))
            }
        };
        let (sha256, sent) = match upload.put_and_tee(file.content, spool, watch).await {
            Ok(ended) => ended,
            Err(error) => {
                upload.abandon().await;
                return Err(error);
            }
        };
        let Err(error) = sent else {
            let ended = self.finish_direct(&upload, sha256, journal, watch).await;
            if ended.is_err() {
                upload.abandon().await;
            }
            return ended;
        };
        if error.is_answer_lost()
            && let Some(asset) = upload.find(&sha256, watch).await
        {
            return Ok(self.uploaded(asset, Flow::DirectUpload, sha256, journal));
        }
        let sending = Sending {
            info: &file.info,
            file: &held,
            sha256: Some(&sha256),
        };
        self.put_and_complete(upload, Some(error), sending, journal, watch)
            .await
    }
}
