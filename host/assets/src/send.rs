//! Uploads a file that can be read again, by the flow that its size calls for.
//!
//! Promise: an upload whose caller was dropped leaves nothing with the service. It is cancelled if that is still
//! possible. If its bytes were sent already, the client waits for the answer and deletes the asset that the answer
//! names.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Body, Method};
use tokio::sync::oneshot;

use crate::asset::{Asset, Flow, MULTIPART_MAX, check_type};
use crate::body::{BodyStatus, Outbound};
use crate::client::{Answer, Assets, IDEMPOTENCY_KEY};
use crate::delete_on_drop::{DeleteOnDrop, Uploaded};
use crate::direct::{DirectUpload, NewUpload, hashed};
use crate::error::AssetsError;
use crate::journal::{Known, UploadJournal};
use crate::watch::{Phase, Watch};
use forebay_core::FileInfo;
use forebay_core::channel::Interrupted;
use forebay_core::mutex::lock;
use forebay_core::replay::{Reading, ReplayableFile, fault};

/// How long a request may take to its answer after its caller was dropped.
const LINGER: Duration = Duration::from_secs(60);

impl Assets {
    /// Uploads a file of up to [`MULTIPART_MAX`] bytes in one request. Dropping the future leaves nothing with the
    /// service.
    ///
    /// # Errors
    /// When the file is too large, the service does not take its type, or the service refused the file.
    pub async fn upload(
        &self,
        name: &str,
        media_type: &str,
        content: impl Into<Bytes>,
    ) -> Result<Asset, AssetsError> {
        let content = content.into();
        if content.len() as u64 > MULTIPART_MAX {
            return Err(AssetsError::TooLarge {
                size: content.len() as u64,
                most: MULTIPART_MAX,
            });
        }
        let info = FileInfo {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            size: None,
        };
        let held = Arc::new(ReplayableFile::memory(info, vec![content]));
        let uploaded = self
            .send(&held, &UploadJournal::default(), &Watch::none())
            .await?;
        uploaded.claim.keep();
        Ok(uploaded.asset)
    }

    /// Uploads a file that can be read again, by the flow that its size calls for. Dropping the future leaves nothing
    /// with the service.
    ///
    /// # Errors
    /// When the service does not take the file's type or size, the file cannot be read, or the service refused the
    /// file.
    pub async fn send(
        &self,
        file: &Arc<ReplayableFile>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        check_type(&file.info.media_type)?;
        if file.size() <= MULTIPART_MAX {
            return self.send_multipart(file, journal, watch).await;
        }
        let new = NewUpload {
            name: &file.info.name,
            media_type: &file.info.media_type,
            size: file.size(),
            sha256: file.sha256.as_deref(),
        };
        let upload = self.create(new.clone(), journal, watch).await?;
        self.put_and_complete(upload, new, file, journal, watch)
            .await
    }

    /// The second and third step, with bytes that can be read again. If the storage does not take the URL (any more),
    /// or the asset no longer exists, the upload is abandoned and a new one starts, once.
    pub(crate) async fn put_and_complete(
        &self,
        upload: DirectUpload,
        new: NewUpload<'_>,
        file: &Arc<ReplayableFile>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let steps = async |upload: &DirectUpload| {
            let sha256 = upload.put_replayable(file, watch).await?;
            self.finish_direct(upload, sha256, journal, watch).await
        };
        let mut upload = upload;
        let mut ended = steps(&upload).await;
        if let Err(error) = &ended
            && error.is_refusal()
        {
            upload = self.renew(upload, error, new, journal, watch).await?;
            ended = steps(&upload).await;
        }
        if ended.is_err() {
            upload.abandon().await;
        }
        ended
    }

    /// Abandons an upload for this reason, and starts a new one.
    pub(crate) async fn renew(
        &self,
        upload: DirectUpload,
        reason: &AssetsError,
        new: NewUpload<'_>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<DirectUpload, AssetsError> {
        watch.retry(reason, Duration::ZERO);
        upload.abandon().await;
        self.create(new, journal, watch).await
    }

    /// Completes a direct upload whose bytes have this SHA-256.
    pub(crate) async fn finish_direct(
        &self,
        upload: &DirectUpload,
        sha256: String,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let put = Known::Put {
            asset_id: upload.asset_id().to_owned(),
            sha256: sha256.clone(),
            size: upload.size(),
        };
        journal.know(put).await;
        let asset = upload.complete_watched(Some(&sha256), watch).await?;
        Ok(self.uploaded(asset, Flow::DirectUpload, sha256, journal))
    }

    pub(crate) fn uploaded(
        &self,
        asset: Asset,
        flow: Flow,
        sha256: String,
        journal: &UploadJournal,
    ) -> Uploaded {
        Uploaded {
            claim: DeleteOnDrop::new(self, &asset.asset_id, journal),
            asset,
            flow,
            sha256,
        }
    }

    async fn send_multipart(
        &self,
        file: &Arc<ReplayableFile>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        // Dropped with this future.
        let (_waiting, gone) = oneshot::channel::<()>();
        let (this, file) = (self.clone(), file.clone());
        let (journal, watch) = (journal.clone(), watch.clone());
        self.see_through(async move {
            let attempts = Mutex::default();
            let mut post = std::pin::pin!(this.post(&file, &journal, &watch, &attempts));
            tokio::select! {
                biased;
                uploaded = &mut post => return uploaded,
                _ = gone => {}
            }
            // The service takes nothing without the last chunk. An attempt that was sent completely may have created an
            // asset. It may be that only the answer to a later attempt names this asset.
            let may_be_made = {
                let attempts = lock(&attempts);
                attempts.iter().any(BodyStatus::is_through)
                    || !attempts.iter().all(BodyStatus::stop)
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

    /// Sends a file in one request, and again if needed. `attempts` gets the state of each attempt.
    async fn post(
        &self,
        file: &Arc<ReplayableFile>,
        journal: &UploadJournal,
        watch: &Watch,
        attempts: &Mutex<Vec<BodyStatus>>,
    ) -> Result<Uploaded, AssetsError> {
        let size = file.size();
        // The service repeats the answer to the first request for the same key, so other bytes need another key.
        let content = file.sha256.as_deref().unwrap_or_default();
        let key = journal.idempotency_key(size, content);
        watch.phase(Phase::Upload);
        let attempt = || async {
            let _pass = self.0.gate.pass().await;
            let Reading { content, reader } = file.read_and_hash();
            let (body, status) = Outbound::new(content, size, watch.attempt());
            lock(attempts).push(status.clone());
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
            let posted = status
                .unless_stalled(patience, self.exchange("upload", request))
                .await;
            let posted: Result<Answer<Asset>, AssetsError> =
                posted.unwrap_or_else(|| Err(AssetsError::stalled("upload", patience)));
            match status.fault(size) {
                Some(AssetsError::Interrupted(_)) => Err(AssetsError::Source(fault(reader.await))),
                Some(error) => Err(error),
                // If an earlier attempt created the asset, the answer may come before the bytes were sent again.
                None => posted.map(|answer| (answer.data, reader)),
            }
        };
        let posted = self.0.retries.run(watch, attempt).await;
        let (asset, reader) = match posted {
            Ok(posted) => posted,
            Err(error) => {
                journal.refused(&error).await;
                return Err(error);
            }
        };
        let claim = DeleteOnDrop::new(self, &asset.asset_id, journal);
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
