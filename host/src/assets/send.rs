//! One whole file, by the flow that its size calls for.
//!
//! Promise: an upload that nobody waits for any more leaves nothing with the service. One that can still be broken off is;
//! one whose bytes have gone is seen through to its answer, and the asset that the answer names is deleted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Body, Method};
use tokio::sync::oneshot;

use super::body::{Outbound, Passage, Sent};
use super::error::AssetsError;
use super::retry::with_retries;
use super::{
    Asset, Assets, DirectUpload, Flow, IDEMPOTENCY_KEY, MULTIPART_MAX, NewUpload, answer,
    check_type, idempotency_key,
};
use crate::held::{Held, Reading, fault};
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
    kept: AtomicBool,
}

impl DeleteOnDrop {
    pub(crate) fn new(assets: &Assets, asset_id: &str) -> Self {
        Self {
            assets: assets.clone(),
            asset_id: asset_id.to_owned(),
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
        let (assets, asset_id) = (self.assets.clone(), self.asset_id.clone());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("asset {asset_id} is not wanted, and no runtime is left to delete it");
            return None;
        };
        let tasks = self.assets.0.tasks.clone();
        Some(tasks.spawn_on(
            async move {
                match assets.delete(&asset_id).await {
                    Err(AssetsError::Service(gone)) if gone.status == 404 => {}
                    Err(error) => {
                        tracing::warn!("asset {asset_id} is not wanted, but stays: {error}");
                    }
                    Ok(()) => {}
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
        sent: &Sent,
    ) -> Result<Uploaded, AssetsError> {
        check_type(&file.info.media_type)?;
        if file.size() > MULTIPART_MAX {
            self.send_direct(file, sent).await
        } else {
            self.send_multipart(file, sent).await
        }
    }

    async fn send_direct(&self, file: &Arc<Held>, sent: &Sent) -> Result<Uploaded, AssetsError> {
        let new = NewUpload {
            name: &file.info.name,
            media_type: &file.info.media_type,
            size: file.size(),
            sha256: file.sha256.as_deref(),
        };
        let mut upload = self.direct_upload(new.clone()).await?;
        let sha256 = match upload.put_held(file, sent).await {
            // A URL that has expired, or that the storage does not take: another one, once.
            Err(AssetsError::Storage { status: 403, .. }) => {
                upload = self.direct_upload(new).await?;
                upload.put_held(file, sent).await?
            }
            put => put?,
        };
        self.finish_direct(&upload, sha256).await
    }

    /// Completes a direct upload whose bytes have this SHA-256.
    pub(crate) async fn finish_direct(
        &self,
        upload: &DirectUpload,
        sha256: String,
    ) -> Result<Uploaded, AssetsError> {
        let asset = upload.complete(Some(&sha256)).await?;
        Ok(Uploaded {
            claim: DeleteOnDrop::new(self, &asset.asset_id),
            asset,
            flow: Flow::DirectUpload,
            sha256,
        })
    }

    async fn send_multipart(&self, file: &Arc<Held>, sent: &Sent) -> Result<Uploaded, AssetsError> {
        // Gone with this future.
        let (_waiting, gone) = oneshot::channel::<()>();
        let (this, file, sent) = (self.clone(), file.clone(), sent.clone());
        self.see_through(async move {
            let attempts = Mutex::default();
            let mut post = std::pin::pin!(this.post(&file, &sent, &attempts));
            tokio::select! {
                biased;
                uploaded = &mut post => return uploaded,
                _ = gone => {}
            }
            // Without its last piece the service takes nothing.
            let stopped: Vec<bool> = lock(&attempts).iter().map(Passage::stop).collect();
            if stopped.into_iter().all(|stopped| stopped) {
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
        sent: &Sent,
        attempts: &Mutex<Vec<Passage>>,
    ) -> Result<Uploaded, AssetsError> {
        let key = idempotency_key();
        let size = file.size();
        let attempt = || async {
            let Reading { content, reader } = file.read();
            let (body, fared) = Outbound::new(content, size, sent.attempt());
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
            let posted: Result<Asset, AssetsError> = answer("upload", request).await;
            match fared.fault(size) {
                Some(AssetsError::Interrupted(_)) => Err(AssetsError::Source(fault(reader.await))),
                Some(error) => Err(error),
                None => posted.map(|asset| (asset, fared.sha256())),
            }
        };
        let (asset, sha256) = with_retries(attempt).await?;
        let claim = DeleteOnDrop::new(self, &asset.asset_id);
        if asset.size_bytes != size {
            return Err(AssetsError::Mismatch {
                held: asset.size_bytes,
                sent: size,
            });
        }
        let sha256 = sha256.ok_or_else(|| AssetsError::Transport {
            operation: "upload",
            reason: "the service answered before it had the bytes".into(),
        })?;
        Ok(Uploaded {
            asset,
            flow: Flow::Upload,
            sha256,
            claim,
        })
    }

    /// Runs something that leaves its mark on the service in a task of its own, so that it is not cut off half-way when
    /// the caller goes. What it gives must clean up after itself when dropped.
    pub(super) async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (sender, receiver) = oneshot::channel();
        let task = self.0.tasks.spawn(async move {
            // Where nobody waits for it, it is dropped here, while `settle` still knows of this task.
            drop(sender.send(work.await));
        });
        match receiver.await {
            Ok(done) => done,
            Err(_) => match task.await {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is going, and everything that waits with it.
                _ => std::future::pending().await,
            },
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
