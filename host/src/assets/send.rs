//! One whole file, by the flow that its size calls for.
//!
//! Promise: an upload that nobody waits for any more leaves nothing with the service. One that can still be broken off is;
//! one whose bytes have gone is seen through to its answer, and the asset that the answer names is deleted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Body, Method};
use tokio::sync::oneshot;

use super::body::{Outbound, Passage};
use super::client::{Answer, IDEMPOTENCY_KEY};
use super::error::AssetsError;
use super::notes::Notes;
use super::watch::{Phase, Watch};
use super::{Asset, Assets, DirectUpload, Flow, MULTIPART_MAX, NewUpload, check_type};
use crate::held::{Held, Reading, fault};
use crate::journal::Known;
use crate::lock::lock;
use crate::stream::Interrupted;

/// How long a request that nobody waits for may take to its answer.
const LINGER: Duration = Duration::from_secs(60);

/// An upload that succeeded.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) asset: Asset,
    pub(crate) flow: Flow,
    /// SHA-256 of the bytes that were sent, in hex.
    pub(crate) sha256: String,
    /// To be kept by whoever passes the asset on.
    pub(crate) claim: DeleteOnDrop,
}

/// Deletes an asset when dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct DeleteOnDrop {
    assets: Assets,
    asset_id: String,
    notes: Notes,
    kept: AtomicBool,
}

impl DeleteOnDrop {
    pub(crate) fn new(assets: &Assets, asset_id: &str, notes: &Notes) -> Self {
        Self {
            assets: assets.clone(),
            asset_id: asset_id.to_owned(),
            notes: notes.clone(),
            kept: AtomicBool::new(false),
        }
    }

    /// Leaves the asset with the service.
    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Deletes the asset and waits for that.
    pub(crate) async fn delete(self) {
        let task = self.spawn();
        self.keep();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    fn spawn(&self) -> Option<tokio::task::JoinHandle<()>> {
        self.notes.abandon(&self.asset_id);
        let (assets, asset_id, notes) = (
            self.assets.clone(),
            self.asset_id.clone(),
            self.notes.clone(),
        );
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("asset {asset_id} is not wanted, and no runtime is left to delete it");
            return None;
        };
        let tasks = self.assets.0.tasks.clone();
        Some(tasks.spawn_on(
            async move {
                match assets.delete_if_there(&asset_id).await {
                    Ok(()) => notes.deleted(&asset_id),
                    Err(error) => {
                        tracing::warn!("asset {asset_id} is not wanted, but stays: {error}");
                    }
                }
            },
            &runtime,
        ))
    }
}

impl Drop for DeleteOnDrop {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            self.spawn();
        }
    }
}

impl Assets {
    /// Uploads a file by the flow that its size calls for.
    pub(crate) async fn send(
        &self,
        file: &Arc<Held>,
        notes: &Notes,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        check_type(&file.info.media_type)?;
        if file.size() <= MULTIPART_MAX {
            return self.send_multipart(file, notes, watch).await;
        }
        let new = NewUpload {
            name: &file.info.name,
            media_type: &file.info.media_type,
            size: file.size(),
            sha256: file.sha256.as_deref(),
        };
        let upload = self.create(new.clone(), notes, watch).await?;
        self.put_and_complete(upload, new, file, notes, watch).await
    }

    /// The second and third step, with bytes that can be had again. An upload whose URL the storage does not take (any
    /// more), or whose asset is gone, is given up for a new one, once.
    pub(super) async fn put_and_complete(
        &self,
        upload: DirectUpload,
        new: NewUpload<'_>,
        file: &Arc<Held>,
        notes: &Notes,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let steps = async |upload: &DirectUpload| {
            let sha256 = upload.put_held(file, watch).await?;
            self.finish_direct(upload, sha256, notes, watch).await
        };
        let mut upload = upload;
        let mut ended = steps(&upload).await;
        if let Err(error) = &ended
            && error.is_refusal()
        {
            upload = self.renew(upload, error, new, notes, watch).await?;
            ended = steps(&upload).await;
        }
        if ended.is_err() {
            upload.abandon().await;
        }
        ended
    }

    /// Gives an upload up, for this reason, and begins a new one.
    pub(super) async fn renew(
        &self,
        upload: DirectUpload,
        reason: &AssetsError,
        new: NewUpload<'_>,
        notes: &Notes,
        watch: &Watch,
    ) -> Result<DirectUpload, AssetsError> {
        watch.retry(reason, Duration::ZERO);
        upload.abandon().await;
        self.create(new, notes, watch).await
    }

    /// Completes a direct upload whose bytes have this SHA-256.
    pub(super) async fn finish_direct(
        &self,
        upload: &DirectUpload,
        sha256: String,
        notes: &Notes,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let put = Known::Put {
            asset_id: upload.asset_id().to_owned(),
            sha256: sha256.clone(),
            size: upload.size(),
        };
        notes.know(put).await;
        let asset = upload.complete_watched(Some(&sha256), watch).await?;
        Ok(self.uploaded(asset, Flow::DirectUpload, sha256, notes))
    }

    pub(super) fn uploaded(
        &self,
        asset: Asset,
        flow: Flow,
        sha256: String,
        notes: &Notes,
    ) -> Uploaded {
        Uploaded {
            claim: DeleteOnDrop::new(self, &asset.asset_id, notes),
            asset,
            flow,
            sha256,
        }
    }

    async fn send_multipart(
        &self,
        file: &Arc<Held>,
        notes: &Notes,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        // Gone with this future.
        let (_waiting, gone) = oneshot::channel::<()>();
        let (this, file) = (self.clone(), file.clone());
        let (notes, watch) = (notes.clone(), watch.clone());
        self.see_through(async move {
            let attempts = Mutex::default();
            let mut post = std::pin::pin!(this.post(&file, &notes, &watch, &attempts));
            tokio::select! {
                biased;
                uploaded = &mut post => return uploaded,
                _ = gone => {}
            }
            // Without its last piece the service takes nothing.
            // One that has gone whole may have made an asset that only the answer to a later one will name.
            let may_be_made = {
                let attempts = lock(&attempts);
                attempts.iter().any(Passage::is_through) || !attempts.iter().all(Passage::stop)
            };
            if !may_be_made {
                return Err(Interrupted.into());
            }
            tokio::time::timeout(LINGER, post)
                .await
                .unwrap_or_else(|_| Err(Interrupted.into()))
        })
        .await
    }

    /// Sends a file in one request, again if need be; `attempts` tells how far each has come.
    async fn post(
        &self,
        file: &Arc<Held>,
        notes: &Notes,
        watch: &Watch,
        attempts: &Mutex<Vec<Passage>>,
    ) -> Result<Uploaded, AssetsError> {
        let size = file.size();
        // A replayed answer stands for the bytes of the first request: other bytes need another key.
        let content = file.sha256.as_deref().unwrap_or_default();
        let key = notes.idempotency_key(size, content);
        watch.phase(Phase::Upload);
        let attempt = || async {
            let _pass = self.0.gate.pass().await;
            let Reading { content, reader } = file.read_and_hash();
            let (body, fared) = Outbound::new(content, size, watch.attempt());
            lock(attempts).push(fared.clone());
            let part = reqwest::multipart::Part::stream_with_length(Body::wrap_stream(body), size)
                .file_name(file.info.name.clone())
                .mime_str(&file.info.media_type)
                .map_err(|_| AssetsError::UnsupportedType(file.info.media_type.clone()))?;
            let form = reqwest::multipart::Form::new().part("file", part);
            let request = self
                .request(Method::POST, &["v3", "assets"])
                .header(IDEMPOTENCY_KEY, &key)
                .multipart(form);
            let patience = self.0.stall_timeout;
            let posted = fared
                .unless_stalled(patience, self.exchange("upload", request))
                .await;
            let posted: Result<Answer<Asset>, AssetsError> =
                posted.unwrap_or_else(|| Err(AssetsError::stalled("upload", patience)));
            match fared.fault(size) {
                Some(AssetsError::Interrupted(_)) => Err(AssetsError::Source(fault(reader.await))),
                Some(error) => Err(error),
                // An answer to a creation that was made before may come before the bytes have gone again.
                None => posted.map(|answer| (answer.data, reader)),
            }
        };
        let posted = self.0.retries.run(watch, attempt).await;
        let (asset, reader) = posted.inspect_err(|error| notes.refused(error))?;
        let claim = DeleteOnDrop::new(self, &asset.asset_id, notes);
        if asset.size_bytes != size {
            return Err(AssetsError::Mismatch {
                held: asset.size_bytes,
                sent: size,
            });
        }
        let sha256 = hashed(file, reader.await).await?;
        Ok(Uploaded {
            asset,
            flow: Flow::Upload,
            sha256,
            claim,
        })
    }
}

/// The SHA-256 that a reader computed on the way; where the other side did not want all of the bytes, of another reading.
pub(super) async fn hashed(
    file: &Arc<Held>,
    ended: Result<std::io::Result<Option<String>>, tokio::task::JoinError>,
) -> Result<String, AssetsError> {
    match ended {
        Ok(Ok(Some(sha256))) => Ok(sha256),
        Ok(Ok(None)) => file.sha256().await.map_err(AssetsError::Source),
        ended => Err(AssetsError::Source(fault(ended))),
    }
}
