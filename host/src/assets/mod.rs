//! The Assets API: upload, direct upload, complete, file inputs.
//!
//! Promise: the API key goes to the base URL and nowhere else, presigned URLs and their headers stay within this module,
//! and neither shows in an error, a log line or `Debug`. Bodies stream, with their length known.

mod body;
mod direct;
mod error;
mod file_input;
mod retry;
mod send;
mod sink;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use url::Url;

pub use direct::{DirectUpload, NewUpload};
pub use error::{AssetsError, ServiceError};
pub use file_input::FileInput;
pub use sink::AssetsSink;

pub(crate) use body::Sent;
pub(crate) use file_input::inline_type;
pub(crate) use send::{DeleteOnDrop, Uploaded};

use error::Envelope;
use retry::with_retries;

use crate::held::Held;
use crate::stage::FileInfo;

/// The service's own base URL.
pub const DEFAULT_BASE_URL: &str = "https://api.heygen.com";

/// Largest file that goes by multipart, in bytes. The service says 32 MB; read as 10^6 it fits either reading, and a file
/// between the two goes as well by direct upload.
pub const MULTIPART_MAX: u64 = 32_000_000;

/// Media types that the service takes.
pub const SUPPORTED_TYPES: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/wav",
    "application/pdf",
    "application/x-subrip",
];

/// Longest answer of the service that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How long a call without a file may take.
const ANSWER: Duration = Duration::from_secs(60);

/// A client of the Assets API. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Assets(Arc<Inner>);

struct Inner {
    http: Client,
    base_url: Url,
    /// The header that carries the key, marked as sensitive.
    key: (HeaderName, HeaderValue),
    /// Requests that are seen through to their answer, and what they leave to be deleted.
    tasks: TaskTracker,
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assets")
            .field("base_url", &self.0.base_url.as_str())
            .finish_non_exhaustive()
    }
}

/// How a file was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// One multipart request.
    Upload,
    /// Create, PUT, complete.
    DirectUpload,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "upload",
            Self::DirectUpload => "direct upload",
        })
    }
}

/// A file that the service holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Asset {
    /// Opaque id.
    pub asset_id: String,
    /// Where the service serves it.
    pub url: String,
    /// Media type, as the service detected it.
    pub mime_type: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl Asset {
    /// Names the asset in a request: `{"type":"asset_id","asset_id":…}`.
    pub fn file_input(&self) -> FileInput {
        FileInput::asset_id(&self.asset_id)
    }
}

/// Sets up an [`Assets`].
#[derive(Default)]
pub struct AssetsBuilder {
    api_key: Option<String>,
    base_url: Option<String>,
}

impl fmt::Debug for AssetsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetsBuilder")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl AssetsBuilder {
    /// Sets the API key.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets the base URL; [`DEFAULT_BASE_URL`] unless set.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AssetsError::Setup`] when the key is missing or holds characters that a header cannot, or the URL is none.
    pub fn build(self) -> Result<Assets, AssetsError> {
        let setup = |problem: &str| AssetsError::Setup(problem.to_owned());
        let key = self
            .api_key
            .filter(|key| !key.trim().is_empty())
            .ok_or_else(|| setup("the API key is missing"))?;
        let mut value = HeaderValue::from_str(key.trim())
            .map_err(|_| setup("the API key holds characters that no header can"))?;
        value.set_sensitive(true);
        let text = self.base_url.unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
        let base_url =
            Url::parse(&text).map_err(|error| setup(&format!("base URL `{text}`: {error}")))?;
        if !matches!(base_url.scheme(), "https" | "http") || base_url.cannot_be_a_base() {
            return Err(setup(&format!(
                "base URL `{text}`: not an http or https address"
            )));
        }
        let http = Client::builder()
            .user_agent(concat!("forebay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // A body may take long, but a peer that has gone is noticed.
            .tcp_keepalive(Duration::from_secs(30))
            // A redirect would carry the key or the bytes to a place that nobody named.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| setup(&error.to_string()))?;
        let tasks = TaskTracker::new();
        // Closed trackers still take tasks; it means that `wait` may end.
        tasks.close();
        Ok(Assets(Arc::new(Inner {
            http,
            base_url,
            key: (HeaderName::from_static("x-api-key"), value),
            tasks,
        })))
    }
}

impl Assets {
    /// Starts with the service's own base URL; a key must be given.
    pub fn builder() -> AssetsBuilder {
        AssetsBuilder::default()
    }

    /// A sink that uploads every file by the flow that its size calls for.
    pub fn sink(&self) -> AssetsSink {
        AssetsSink::new(self.clone())
    }

    /// Uploads a file of up to [`MULTIPART_MAX`] bytes in one request. Dropping the future leaves nothing with the service.
    ///
    /// # Errors
    /// When the file is too large or of a type that the service does not take, or the service did not take it.
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
        let held = Arc::new(Held::memory(info, vec![content]));
        let uploaded = self.send(&held, &Sent::new(|_| {})).await?;
        uploaded.claim.keep();
        Ok(uploaded.asset)
    }

    /// Waits until nothing is left to be done for uploads that were cancelled. What a dropped future had begun is broken
    /// off or deleted in the background; a process that ends before this has returned may leave it with the service.
    pub async fn settle(&self) {
        self.0.tasks.wait().await;
    }

    /// Keeps [`settle`](Self::settle) waiting for as long as it is there: what is dropped before it may still leave
    /// something to be done.
    pub(crate) fn under_way(&self) -> TaskTrackerToken {
        self.0.tasks.token()
    }

    /// Deletes an asset.
    ///
    /// # Errors
    /// When the service did not.
    pub async fn delete(&self, asset_id: &str) -> Result<(), AssetsError> {
        let _: serde_json::Value = with_retries(|| {
            answer(
                "delete",
                self.request(Method::DELETE, &["v3", "assets", asset_id])
                    .timeout(ANSWER),
            )
        })
        .await?;
        Ok(())
    }

    /// A request to the service itself, with the key.
    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.0.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut headers = HeaderMap::new();
        headers.insert(self.0.key.0.clone(), self.0.key.1.clone());
        self.0.http.request(method, url).headers(headers)
    }
}

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A fresh key for one creation, the same across its retries.
fn idempotency_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn check_type(media_type: &str) -> Result<(), AssetsError> {
    if SUPPORTED_TYPES.contains(&media_type) {
        Ok(())
    } else {
        Err(AssetsError::UnsupportedType(media_type.to_owned()))
    }
}

/// Sends a request and reads `{"data": …}`, or the error that the service answers.
async fn answer<T: DeserializeOwned>(
    operation: &'static str,
    request: RequestBuilder,
) -> Result<T, AssetsError> {
    #[derive(Deserialize)]
    struct Answer<T> {
        data: T,
    }
    let response = request
        .send()
        .await
        .map_err(|error| AssetsError::transport(operation, error))?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = read_body(operation, response).await?;
    if !status.is_success() {
        return Err(Envelope::parse(operation, status.as_u16(), &headers, &body).into());
    }
    serde_json::from_slice::<Answer<T>>(&body)
        .map(|answer| answer.data)
        .map_err(|error| AssetsError::Transport {
            operation,
            reason: format!("an answer that cannot be read: {error}"),
        })
}

/// Reads an answer up to a length that no honest one has.
async fn read_body(
    operation: &'static str,
    mut response: Response,
) -> Result<Vec<u8>, AssetsError> {
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| AssetsError::transport(operation, error))?
    {
        if body.len() + piece.len() > MAX_ANSWER {
            return Err(AssetsError::Transport {
                operation,
                reason: "an answer without end".into(),
            });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
