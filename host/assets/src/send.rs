//! Uploads a file that can be read again, by the flow that its size calls for.
//!
//! Promise: an upload whose caller was dropped leaves nothing with the service. It is cancelled if that is still
//! possible. If its bytes were sent already, the client waits for the answer and deletes the asset that the answer
//! names.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Body, Method};
use tokio::sync::oneshot;

use crate::asset::{Asset, Flow, MULTIPART_MAX, check_type};
use crate::body::{BodyStatus, Outbound};
use crate::client::{Assets, IDEMPOTENCY_KEY};
use crate::delete_on_drop::{DeleteOnDrop, Uploaded};
use crate::direct::{DirectUpload, NewUpload, hashed};
use crate::error::AssetsError;
use crate::journal::{Known, UploadJournal};
use crate::watch::{Phase, Watch};
use crate::wire::WireAsset;
use forebay_core::FileInfo;
use forebay_core::channel::Interrupted;
use forebay_core::mutex::lock;
use forebay_core::replay::{Reading, ReplayableFile, fault};

/// A file that is sent.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'a> {
    /// Name and type under which it is sent.
    pub(crate) info: &'a FileInfo,
    /// Its bytes, and its size.
    pub(crate) file: &'a Arc<ReplayableFile>,
    /// The SHA-256 of its bytes in hex, if it is known. Sending fails if the bytes are different now.
    pub(crate) sha256: Option<&'a str>,
}

impl Sending<'_> {
    fn new_upload(&self) -> NewUpload<'_> {
        NewUpload {
            name: &self.info.name,
            media_type: &self.info.media_type,
            size: self.file.size(),
            sha256: self.sha256,
        }
    }

    /// Compares the SHA-256 of what was sent with the one that was known before.
    fn check_unchanged(&self, sent: &str) -> Result<(), AssetsError> {
        match self.sha256 {
            Some(before) if before != sent => Err(AssetsError::Source(std::io::Error::other(
                "the file changed while it was sent",
            ))),
            _ => Ok(()),
        }
    }
}

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
        let sending = Sending {
            info: &file.info,
            file,
            sha256: file.sha256.as_deref(),
        };
        self.send_file(sending, journal, watch).await
    }

    /// Like [`send`](Self::send), with name and type apart from the bytes.
    pub(crate) async fn send_file(
        &self,
        sending: Sending<'_>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        check_type(&sending.info.media_type)?;
        let watch = &watch.clone().about(&sending.info.name);
        let size = sending.file.size();
        if size <= self.multipart_max() {
            match self.send_multipart(sending, journal, watch).await {
                // The service's limit, or that of a gateway in front of it, is lower. The storage has limits of its own.
                Err(error) if error.is_too_large() => {
                    let most = size.saturating_sub(1);
                    self.0.multipart_max.fetch_min(most, Ordering::Relaxed);
                    watch.retry(&error, Duration::ZERO);
                }
                ended => return ended,
            }
        }
        let upload = self.create(sending.new_upload(), journal, watch).await?;
        self.put_and_complete(upload, None, sending, journal, watch)
            .await
    }

    /// Largest file that is uploaded by multipart, as far as is known.
    pub(crate) fn multipart_max(&self) -> u64 {
        self.0.multipart_max.load(Ordering::Relaxed)
    }

    /// The second and third step, with bytes that can be read again. If the URL has expired, or the asset no longer
    /// exists, the upload is abandoned and a new one starts, once. `first` is the error of a first attempt.
    pub(crate) async fn put_and_complete(
        &self,
        upload: DirectUpload,
        first: Option<AssetsError>,
        sending: Sending<'_>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        let steps = async |upload: &DirectUpload, first: Option<AssetsError>| {
            let (sha256, found) = upload.put_or_find(sending.file, first, watch).await?;
            match found {
                Some(asset) => {
                    let uploaded = self.uploaded(asset, Flow::DirectUpload, sha256, journal);
                    sending.check_unchanged(&uploaded.sha256)?;
                    Ok(uploaded)
                }
                None => {
                    sending.check_unchanged(&sha256)?;
                    self.finish_direct(upload, sha256, journal, watch).await
                }
            }
        };
        let mut upload = upload;
        let mut ended = steps(&upload, first).await;
        if let Err(error) = &ended
            && error.is_expired()
        {
            let new = sending.new_upload();
            upload = self.renew(upload, error, new, journal, watch).await?;
            ended = steps(&upload, None).await;
        }
        if ended.is_err() {
            upload.abandon().await;
        }
        ended
    }

    /// Abandons an upload for this reason, and starts a new one.
    async fn renew(
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
        // On disk before the asset is complete: a later run then completes it, even after the service has forgotten the key.
        journal.know_on_disk(put).await;
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
        sending: Sending<'_>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<Uploaded, AssetsError> {
        // Dropped with this future.
        let (_waiting, gone) = oneshot::channel::<()>();
        let (this, file) = (self.clone(), sending.file.clone());
        let (info, sha256) = (sending.info.clone(), sending.sha256.map(str::to_owned));
        let (journal, watch) = (journal.clone(), watch.clone());
        self.see_through(async move {
            let attempts = Mutex::default();
            let sending = Sending {
                info: &info,
                file: &file,
                sha256: sha256.as_deref(),
            };
            let mut post = std::pin::pin!(this.post(sending, &journal, &watch, &attempts));
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
            tokio::time::timeout(this.0.patience.answer, post)
                .await
                .unwrap_or_else(|_| Err(Interrupted.into()))
        })
        .await
    }

    /// Sends a file in one request, and again if needed. `attempts` gets the state of each attempt.
    async fn post(
        &self,
        sending: Sending<'_>,
        journal: &UploadJournal,
        watch: &Watch,
        attempts: &Mutex<Vec<BodyStatus>>,
    ) -> Result<Uploaded, AssetsError> {
        let Sending { info, file, sha256 } = sending;
        let size = file.size();
        // The service repeats the answer to the first request for the same key, so other bytes need another key.
        let key = journal.idempotency_key(size, sha256.unwrap_or_default());
        self.0.outage.check()?;
        watch.phase(Phase::Upload);
        let attempt = || async {
            let _pass = self.0.gate.pass().await;
            let Reading { content, reader } = file.read_and_hash();
            let pace = self.0.pace.clone();
            let (body, status) = Outbound::new(content, size, pace, watch.attempt());
            lock(attempts).push(status.clone());
            let part = reqwest::multipart::Part::stream_with_length(Body::wrap_stream(body), size)
                .file_name(info.name.clone())
                .mime_str(&info.media_type)
                .map_err(|_| AssetsError::UnsupportedType(info.media_type.clone()))?;
            let form = reqwest::multipart::Form::new().part("file", part);
            let request = self
                .request(Method::POST, &["v3", "assets"])
                .header(IDEMPOTENCY_KEY, &key)
                .multipart(form);
            let post = self.exchange_made("upload", request, journal);
            let posted: Result<WireAsset, AssetsError> =
                status.run("upload", self.0.patience, post).await;
            match status.fault(size) {
                Some(AssetsError::Interrupted(_)) => Err(AssetsError::Source(fault(reader.await))),
                Some(error) => Err(error),
                // If an earlier attempt created the asset, the answer may come before the bytes were sent again.
                None => posted.map(|asset| (asset, reader)),
            }
        };
        let posted = self.0.retries.run(watch, attempt).await;
        self.0.outage.ended(&posted);
        let (asset, reader) = journal.note_refusal(posted)?;
        let asset = asset.or_sent(&info.media_type, size);
        let claim = DeleteOnDrop::new(self, &asset.asset_id, journal);
        if asset.size_bytes != size {
            return Err(AssetsError::Mismatch {
                held: asset.size_bytes,
                sent: size,
            });
        }
        let sha256 = hashed(file, reader.await).await?;
        sending.check_unchanged(&sha256)?;
        Ok(Uploaded {
            asset,
            flow: Flow::Upload,
            sha256,
            claim,
        })
    }
}
