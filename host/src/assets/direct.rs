//! Direct upload: create, PUT to a presigned URL, complete.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method};
use serde::Deserialize;
use serde_json::json;

use super::body::{Outbound, Sent};
use super::error::AssetsError;
use super::retry::{retry_when, with_retries};
use super::send::DeleteOnDrop;
use super::{
    ANSWER, Asset, Assets, IDEMPOTENCY_KEY, answer, check_type, idempotency_key, read_body,
};
use crate::held::{Held, Reading, fault};
use crate::stage::FileInfo;
use crate::stream::Content;

/// What a direct upload announces.
#[derive(Debug, Clone)]
pub struct NewUpload<'a> {
    /// The file's name.
    pub name: &'a str,
    /// Its media type; the service compares it with the bytes at completion.
    pub media_type: &'a str,
    /// Its exact size in bytes.
    pub size: u64,
    /// Its SHA-256 in hex, where known already.
    pub sha256: Option<&'a str>,
}

/// An asset that was reserved and waits for its bytes. Not usable before [`complete`](Self::complete), and deleted when
/// this is dropped before that.
pub struct DirectUpload {
    assets: Assets,
    slot: Slot,
    headers: HeaderMap,
    media_type: String,
    size: u64,
    reservation: DeleteOnDrop,
}

#[derive(Deserialize)]
struct Slot {
    asset_id: String,
    upload_url: String,
    #[serde(default)]
    upload_headers: std::collections::BTreeMap<String, String>,
    expires_in_seconds: u64,
    max_bytes: u64,
}

impl fmt::Debug for DirectUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectUpload")
            .field("asset_id", &self.slot.asset_id)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Assets {
    /// Reserves an asset of exactly the announced size.
    ///
    /// # Errors
    /// When the type is one that the service does not take, the size is over what it takes, or it said no.
    pub async fn direct_upload(&self, new: NewUpload<'_>) -> Result<DirectUpload, AssetsError> {
        check_type(new.media_type)?;
        let mut body =
            json!({ "filename": new.name, "content_type": new.media_type, "size_bytes": new.size });
        if let (Some(sha256), Some(body)) = (new.sha256, body.as_object_mut()) {
            body.insert("checksum_sha256".into(), sha256.into());
        }
        let (this, media_type, size) = (self.clone(), new.media_type.to_owned(), new.size);
        // Seen through to its answer: only that names what there is to delete, should nobody want it any more.
        self.see_through(async move { this.reserve(body, media_type, size).await })
            .await
    }

    async fn reserve(
        &self,
        body: serde_json::Value,
        media_type: String,
        size: u64,
    ) -> Result<DirectUpload, AssetsError> {
        let key = idempotency_key();
        let slot: Slot = with_retries(|| {
            let request = self.request(Method::POST, &["v3", "assets", "direct-uploads"]);
            answer(
                "create",
                request
                    .header(IDEMPOTENCY_KEY, &key)
                    .timeout(ANSWER)
                    .json(&body),
            )
        })
        .await?;
        let reservation = DeleteOnDrop::new(self, &slot.asset_id);
        if size > slot.max_bytes {
            return Err(AssetsError::TooLarge {
                size,
                most: slot.max_bytes,
            });
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &slot.upload_headers {
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            else {
                return Err(AssetsError::Transport {
                    operation: "create",
                    reason: "upload headers that cannot be sent".into(),
                });
            };
            headers.insert(name, value);
        }
        Ok(DirectUpload {
            assets: self.clone(),
            slot,
            headers,
            media_type,
            size,
            reservation,
        })
    }
}

impl DirectUpload {
    /// The asset's id.
    pub fn asset_id(&self) -> &str {
        &self.slot.asset_id
    }

    /// The most that this flow takes, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.slot.max_bytes
    }

    /// How long the URL may be used, from its creation.
    pub fn expires_in(&self) -> Duration {
        Duration::from_secs(self.slot.expires_in_seconds)
    }

    /// The size that was announced, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The media type that was announced.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Sends the bytes; sent again while the storage or the way there fails for a moment.
    ///
    /// # Errors
    /// When they are not as many as were announced, or the storage did not take them.
    pub async fn put_bytes(&self, content: Bytes) -> Result<(), AssetsError> {
        let held = Arc::new(Held::memory(FileInfo::default(), vec![content]));
        self.put_held(&held, &Sent::new(|_| {})).await.map(drop)
    }

    /// As [`put_bytes`](Self::put_bytes), of a file that can be read again. Gives its SHA-256 in hex.
    pub(crate) async fn put_held(
        &self,
        file: &Arc<Held>,
        sent: &Sent,
    ) -> Result<String, AssetsError> {
        with_retries(|| async {
            let Reading { content, reader } = file.read();
            match self.put(content, sent).await {
                Err(AssetsError::Interrupted(_)) => Err(AssetsError::Source(fault(reader.await))),
                ended => ended,
            }
        })
        .await
    }

    /// Sends a content, once: it cannot be rewound. The last of it goes only when it has ended, so that an object whose
    /// making failed is never stored. Gives its SHA-256 in hex.
    pub(crate) async fn put(&self, content: Content, sent: &Sent) -> Result<String, AssetsError> {
        let (body, passage) = Outbound::new(content, self.size, sent.attempt());
        let put = self.put_body(Body::wrap_stream(body)).await;
        if let Some(fault) = passage.fault(self.size) {
            return Err(fault);
        }
        put?;
        passage.sha256().ok_or_else(|| AssetsError::Transport {
            operation: "put",
            reason: "the storage answered before it had the bytes".into(),
        })
    }

    async fn put_body(&self, body: Body) -> Result<(), AssetsError> {
        // The storage gets what it signed for, and no key.
        let request = self
            .assets
            .0
            .http
            .put(&self.slot.upload_url)
            .headers(self.headers.clone());
        let request = request.header(CONTENT_LENGTH, self.size).body(body);
        let response = request
            .send()
            .await
            .map_err(|error| AssetsError::transport("put", error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = read_body("put", response).await.unwrap_or_default();
        Err(AssetsError::Storage {
            status: status.as_u16(),
            code: xml_code(&String::from_utf8_lossy(&body)),
        })
    }

    /// Makes the asset usable. May be called again.
    ///
    /// # Errors
    /// When the bytes are not there, are not what was announced, or the service said no.
    pub async fn complete(&self, sha256: Option<&str>) -> Result<Asset, AssetsError> {
        let body = sha256.map_or_else(|| json!({}), |sha256| json!({ "checksum_sha256": sha256 }));
        // 409: the bytes are still settling in the storage.
        let again = |error: &AssetsError| {
            error.is_transient() || matches!(error, AssetsError::Service(e) if e.status == 409)
        };
        let asset: Asset = retry_when(again, || {
            answer(
                "complete",
                self.assets
                    .request(Method::POST, &["v3", "assets", self.asset_id(), "complete"])
                    .timeout(ANSWER)
                    .json(&body),
            )
        })
        .await?;
        if asset.size_bytes != self.size {
            return Err(AssetsError::Mismatch {
                held: asset.size_bytes,
                sent: self.size,
            });
        }
        self.reservation.keep();
        Ok(asset)
    }

    /// Gives the reservation up and waits until what may have been stored is deleted.
    pub async fn abandon(self) {
        self.reservation.delete().await;
    }
}

/// `<Code>…</Code>` of the storage's XML; nothing else of it is needed.
fn xml_code(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| code.to_owned())
}
