//! Direct upload: create, PUT to a presigned URL, complete.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Body, Method, RequestBuilder};
use serde_json::json;

use crate::asset::{Asset, check_type};
use crate::body::Outbound;
use crate::client::{Answer, Assets, IDEMPOTENCY_KEY, read_body};
use crate::delete_on_drop::DeleteOnDrop;
use crate::error::{AssetsError, TransportKind};
use crate::journal::UploadJournal;
use crate::network::host_and_port;
use crate::watch::{Phase, Watch};
use crate::wire::{Slot, WireAsset};
use crate::words;
use forebay_core::FileInfo;
use forebay_core::channel::Content;
use forebay_core::mutex::lock;
use forebay_core::replay::{Reading, ReplayableFile, fault};

/// What a direct upload announces to the service.
#[derive(Debug, Clone)]
pub struct NewUpload<'a> {
    /// The file's name.
    pub name: &'a str,
    /// Its media type; the service compares it with the bytes at completion.
    pub media_type: &'a str,
    /// Its exact size in bytes.
    pub size: u64,
    /// Its SHA-256 in hex, if known already.
    pub sha256: Option<&'a str>,
}

/// A reserved asset that waits for its bytes. It cannot be used before [`complete`](Self::complete). If this is dropped
/// before that, the asset is deleted.
pub struct DirectUpload {
    assets: Assets,
    slot: Slot,
    headers: HeaderMap,
    media_type: String,
    size: u64,
    reservation: DeleteOnDrop,
}

impl fmt::Debug for DirectUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectUpload")
            .field("asset_id", &self.asset_id())
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Assets {
    /// Reserves an asset of exactly the announced size.
    ///
    /// # Errors
    /// When the service does not take the type or the size, or it refused.
    pub async fn direct_upload(&self, new: NewUpload<'_>) -> Result<DirectUpload, AssetsError> {
        self.create(new, &UploadJournal::default(), &Watch::none())
            .await
    }

    /// Like [`direct_upload`](Self::direct_upload), recorded in a journal.
    pub(crate) async fn create(
        &self,
        new: NewUpload<'_>,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<DirectUpload, AssetsError> {
        check_type(new.media_type)?;
        watch.phase(Phase::Create);
        let body = new.body();
        let (this, journal, watch) = (self.clone(), journal.clone(), watch.clone());
        let (media_type, size) = (new.media_type.to_owned(), new.size);
        // Runs to its answer even if the caller is dropped: only the answer names the asset that must then be deleted.
        self.see_through(
            async move { this.reserve(body, media_type, size, &journal, &watch).await },
        )
        .await
    }

    async fn reserve(
        &self,
        body: serde_json::Value,
        media_type: String,
        size: u64,
        journal: &UploadJournal,
        watch: &Watch,
    ) -> Result<DirectUpload, AssetsError> {
        let key = journal.idempotency_key(size, "");
        let request = || {
            self.request(Method::POST, &["v3", "assets", "direct-uploads"])
                .header(IDEMPOTENCY_KEY, &key)
                .json(&body)
        };
        let attempt = || {
            let request = request().timeout(self.0.answer_timeout);
            self.answer_made("create", request, journal)
        };
        self.0.outage.check()?;
        let created = self.0.retries.run(watch, attempt).await;
        self.0.outage.ended(&created);
        let slot = journal.note_refusal(created)?;
        DirectUpload::reserved(self, slot, media_type, size, journal)
    }
}

impl NewUpload<'_> {
    /// The body of a creation for this file.
    pub(crate) fn body(&self) -> serde_json::Value {
        let mut body = json!({ "filename": self.name, "content_type": self.media_type, "size_bytes": self.size });
        if let (Some(sha256), Some(body)) = (self.sha256, body.as_object_mut()) {
            body.insert("checksum_sha256".into(), sha256.into());
        }
        body
    }
}

impl DirectUpload {
    pub(crate) fn reserved(
        assets: &Assets,
        slot: Slot,
        media_type: String,
        size: u64,
        journal: &UploadJournal,
    ) -> Result<Self, AssetsError> {
        // Deletes the asset if this returns an error.
        let reservation = DeleteOnDrop::new(assets, &slot.asset_id.0, journal);
        if let Some(most) = slot.max_bytes.filter(|&most| size > most) {
            return Err(AssetsError::TooLarge { size, most });
        }
        let headers = slot.headers().ok_or_else(|| {
            let kind = TransportKind::Unreadable;
            AssetsError::transport("create", kind, "the upload headers cannot be sent")
        })?;
        Ok(Self {
            assets: assets.clone(),
            slot,
            headers,
            media_type,
            size,
            reservation,
        })
    }

    /// The asset's id.
    pub fn asset_id(&self) -> &str {
        &self.slot.asset_id.0
    }

    /// Most bytes that this flow takes, if the service says it; otherwise the announced size.
    pub fn max_bytes(&self) -> u64 {
        self.slot.max_bytes.unwrap_or(self.size)
    }

    /// How long the URL is valid, from its creation, if the service says it; otherwise zero.
    pub fn expires_in(&self) -> Duration {
        self.slot.expires_in().unwrap_or_default()
    }

    /// The size that was announced, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The media type that was announced.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Sends the bytes. They are sent again while the storage or the connection fails temporarily.
    ///
    /// # Errors
    /// When there are more or fewer bytes than were announced, or the storage did not take them.
    pub async fn put_bytes(&self, content: Bytes) -> Result<(), AssetsError> {
        let held = Arc::new(ReplayableFile::memory(FileInfo::default(), vec![content]));
        self.put_replayable(&held, &Watch::none()).await.map(drop)
    }

    /// Like [`put_bytes`](Self::put_bytes), for a file on disk. The file is read again for each attempt, and is never
    /// held in memory as a whole. Returns its SHA-256 in hex, for [`complete`](Self::complete).
    ///
    /// # Errors
    /// As for `put_bytes`; [`AssetsError::Source`] when the file cannot be read, or changes while it is.
    pub async fn put_file(&self, path: impl Into<PathBuf>) -> Result<String, AssetsError> {
        let path = path.into();
        let metadata = tokio::fs::metadata(&path).await;
        let info = FileInfo {
            size: Some(metadata.map_err(AssetsError::Source)?.len()),
            ..FileInfo::default()
        };
        let held = Arc::new(ReplayableFile::path(info, path));
        self.put_replayable(&held, &Watch::none()).await
    }

    /// Like [`put_bytes`](Self::put_bytes), for a file that can be read again. Returns its SHA-256 in hex.
    ///
    /// # Errors
    /// As for `put_bytes`; [`AssetsError::Source`] when the file cannot be read.
    pub async fn put_replayable(
        &self,
        file: &Arc<ReplayableFile>,
        watch: &Watch,
    ) -> Result<String, AssetsError> {
        let attempt = || async {
            match self.put_once(file, watch).await? {
                PutEnd::Stored(sha256) => Ok(sha256),
                PutEnd::AnswerLost(error, _) => Err(error),
            }
        };
        self.assets.0.retries.run(watch, attempt).await
    }

    /// Like [`put_replayable`](Self::put_replayable), and completes the asset if the answer of the storage was lost but
    /// the storage has the bytes: the service knows. `first` is the error of a first attempt, which counts as one.
    pub(crate) async fn put_or_find(
        &self,
        file: &Arc<ReplayableFile>,
        first: Option<AssetsError>,
        watch: &Watch,
    ) -> Result<(String, Option<Asset>), AssetsError> {
        let first = Mutex::new(first);
        let attempt = || async {
            let before = lock(&first).take();
            if let Some(error) = before {
                return Err(error);
            }
            match self.put_once(file, watch).await? {
                PutEnd::Stored(sha256) => Ok((sha256, None)),
                PutEnd::AnswerLost(error, sha256) => match self.find(&sha256, watch).await {
                    Some(asset) => Ok((sha256, Some(asset))),
                    None => Err(error),
                },
            }
        };
        self.assets.0.retries.run(watch, attempt).await
    }

    /// Sends a file once.
    async fn put_once(
        &self,
        file: &Arc<ReplayableFile>,
        watch: &Watch,
    ) -> Result<PutEnd, AssetsError> {
        let Reading { content, reader } = file.read_and_hash();
        match self.put(content, watch).await {
            Ok(()) => hashed(file, reader.await).await.map(PutEnd::Stored),
            Err(AssetsError::Interrupted(_)) => Err(AssetsError::Source(fault(reader.await))),
            Err(error) if error.is_answer_lost() => {
                let sha256 = hashed(file, reader.await).await?;
                Ok(PutEnd::AnswerLost(error, sha256))
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the service whether the storage has bytes of this SHA-256, after the storage's answer was lost. Completing
    /// is idempotent, and is refused while the bytes are not there.
    pub(crate) async fn find(&self, sha256: &str, watch: &Watch) -> Option<Asset> {
        watch.phase(Phase::Complete);
        let assets = &self.assets;
        let request = assets.completion(self.asset_id(), Some(sha256));
        let request = request.timeout(assets.0.patience.answer);
        let answer = assets.answer::<Answer<WireAsset>>("complete", request);
        let asset = self.completed(answer.await.ok()?.data).ok();
        if asset.is_none() {
            watch.phase(Phase::Put);
        }
        asset
    }

    /// Checks the asset that the service completed, and keeps it.
    fn completed(&self, asset: WireAsset) -> Result<Asset, AssetsError> {
        let asset = asset.or_sent(&self.media_type, self.size);
        if asset.size_bytes != self.size {
            return Err(AssetsError::Mismatch {
                held: asset.size_bytes,
                sent: self.size,
            });
        }
        self.reservation.keep();
        Ok(asset)
    }

    /// Sends a content once: it cannot be rewound. Its last chunk is sent only after the content has ended. So if
    /// producing the object failed, it is never stored.
    pub(crate) async fn put(&self, content: Content, watch: &Watch) -> Result<(), AssetsError> {
        // No permit from the gate: a body may have to wait for its plugin, and the plugin for another upload.
        watch.phase(Phase::Put);
        let pace = self.assets.0.pace.clone();
        let (body, status) = Outbound::new(content, self.size, pace, watch.attempt());
        let put = self.put_body(Body::wrap_stream(body));
        let put = status.run("put", self.assets.0.patience, put).await;
        if let Some(fault) = status.fault(self.size) {
            return Err(fault);
        }
        put?;
        if status.is_through() {
            return Ok(());
        }
        let reason = "the storage answered before it had the bytes";
        let kind = TransportKind::Broken;
        Err(AssetsError::transport("put", kind, reason))
    }

    async fn put_body(&self, body: Body) -> Result<(), AssetsError> {
        // The storage gets the headers that were signed, and no key.
        let mut headers = self.headers.clone();
        // Replaces the length that may have been signed: the storage would refuse two of them.
        headers.insert(CONTENT_LENGTH, self.size.into());
        let client = &self.assets.0.http;
        let url = &self.slot.upload_url.0;
        let request = client.put(url.clone()).headers(headers).body(body);
        let failure = |error| self.assets.0.route.failure("put", Some(url), error);
        let response = request.send().await.map_err(failure)?;
        let status = response.status();
        let headers = response.headers().clone();
        // The status says enough, even if the connection breaks within the rest.
        let (body, _) = read_body(response).await;
        // S3 may notice an error after it has sent status 200.
        if status.is_success() && !String::from_utf8_lossy(&body).contains("<Error>") {
            return Ok(());
        }
        let host = host_and_port(url);
        Err(words::storage_error(host, status.as_u16(), &headers, &body).into())
    }

    /// Makes the asset usable. May be called more than once.
    ///
    /// # Errors
    /// When the bytes have not arrived, differ from what was announced, or the service refused.
    pub async fn complete(&self, sha256: Option<&str>) -> Result<Asset, AssetsError> {
        self.complete_watched(sha256, &Watch::none()).await
    }

    pub(crate) async fn complete_watched(
        &self,
        sha256: Option<&str>,
        watch: &Watch,
    ) -> Result<Asset, AssetsError> {
        watch.phase(Phase::Complete);
        let asset = self
            .assets
            .complete_asset(self.asset_id(), sha256, watch)
            .await?;
        self.completed(asset)
    }

    /// Keeps the asset, because it was completed by other means.
    pub(crate) fn keep(&self) {
        self.reservation.keep();
    }

    /// Cancels the reservation and waits until everything that may have been stored is deleted.
    pub async fn abandon(self) {
        self.reservation.delete().await;
    }
}

impl Assets {
    /// The third step alone, for an asset whose bytes have arrived.
    pub(crate) async fn complete_asset(
        &self,
        asset_id: &str,
        sha256: Option<&str>,
        watch: &Watch,
    ) -> Result<WireAsset, AssetsError> {
        let attempt = || {
            let request = self.completion(asset_id, sha256);
            self.answer("complete", request.timeout(self.0.patience.answer))
        };
        let completed = self
            .0
            .retries
            .run_when(AssetsError::may_settle, watch, attempt);
        let answer: Answer<WireAsset> = completed.await?;
        Ok(answer.data)
    }

    fn completion(&self, asset_id: &str, sha256: Option<&str>) -> RequestBuilder {
        let body = sha256.map_or_else(|| json!({}), |sha256| json!({ "checksum_sha256": sha256 }));
        self.request(Method::POST, &["v3", "assets", asset_id, "complete"])
            .json(&body)
    }
}

/// How one PUT ended, if the storage may have the bytes. With the SHA-256 of what was sent, in hex.
enum PutEnd {
    Stored(String),
    /// All bytes were sent, and no answer came.
    AnswerLost(AssetsError, String),
}

/// The SHA-256 that a reader computed during the upload. If the other side did not take all bytes, the file is read
/// again.
pub(crate) async fn hashed(
    file: &Arc<ReplayableFile>,
    ended: Result<std::io::Result<Option<String>>, tokio::task::JoinError>,
) -> Result<String, AssetsError> {
    match ended {
        Ok(Ok(Some(sha256))) => Ok(sha256),
        Ok(Ok(None)) => file.sha256().await.map_err(AssetsError::Source),
        ended => Err(AssetsError::Source(fault(ended))),
    }
}
