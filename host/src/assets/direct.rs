//! Direct upload: create, PUT to a presigned URL, complete.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method};
use serde::Deserialize;
use serde_json::json;

use super::error::AssetsError;
use super::retry::{retry_when, with_retries};
use super::{
    ANSWER, Asset, Assets, IDEMPOTENCY_KEY, answer, check_type, idempotency_key, read_body,
};
use crate::stream::{Content, Interrupted};

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

/// An asset that was reserved and waits for its bytes. Not usable before [`complete`](Self::complete).
pub struct DirectUpload {
    assets: Assets,
    slot: Slot,
    headers: HeaderMap,
    size: u64,
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
        if new.size > slot.max_bytes {
            let most = slot.max_bytes;
            let _ = self.delete(&slot.asset_id).await;
            return Err(AssetsError::TooLarge {
                size: new.size,
                most,
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
            size: new.size,
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

    /// Sends the bytes; sent again while the storage or the way there fails for a moment.
    ///
    /// # Errors
    /// When they are not as many as were announced, or the storage did not take them.
    pub async fn put_bytes(&self, content: Bytes) -> Result<(), AssetsError> {
        let actual = content.len() as u64;
        if actual != self.size {
            return Err(AssetsError::WrongSize {
                announced: self.size,
                actual,
            });
        }
        with_retries(|| self.put_body(content.clone().into())).await
    }

    /// Sends a content, once: it cannot be rewound. The last of it goes only when it has ended, so that an object whose
    /// making failed is never stored.
    pub(crate) async fn put(
        &self,
        content: Content,
        sent: impl FnMut(&Bytes) + Send + Unpin + 'static,
    ) -> Result<(), AssetsError> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let body = HeldBack {
            content,
            held: None,
            ended: false,
            interrupted: interrupted.clone(),
            sent,
        };
        let put = self.put_body(Body::wrap_stream(body)).await;
        if put.is_err() && interrupted.load(Ordering::Relaxed) {
            Err(Interrupted.into())
        } else {
            put
        }
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
        Ok(asset)
    }

    /// Gives the reservation up and deletes what may have been stored.
    pub async fn abandon(self) {
        if let Err(error) = self.assets.delete(self.asset_id()).await {
            tracing::warn!(
                "asset {} was reserved, not completed, and could not be deleted: {error}",
                self.asset_id()
            );
        }
    }
}

/// `<Code>…</Code>` of the storage's XML; nothing else of it is needed.
fn xml_code(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| code.to_owned())
}

/// A content, one piece late: the last piece goes only once the content has ended.
struct HeldBack<F> {
    content: Content,
    held: Option<Bytes>,
    ended: bool,
    interrupted: Arc<AtomicBool>,
    sent: F,
}

impl<F: FnMut(&Bytes) + Unpin> Stream for HeldBack<F> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.ended {
            let next = match std::task::ready!(this.content.poll_piece(cx)) {
                Ok(Some(piece)) => this.held.replace(piece),
                Ok(None) => {
                    this.ended = true;
                    this.held.take()
                }
                Err(interrupted) => {
                    this.ended = true;
                    this.interrupted.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(io::Error::other(interrupted))));
                }
            };
            if let Some(piece) = next {
                (this.sent)(&piece);
                return Poll::Ready(Some(Ok(piece)));
            }
        }
        Poll::Ready(None)
    }
}
