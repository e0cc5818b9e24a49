//! The client: sends requests to the service and its storage, and reads their answers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use url::Url;

use crate::body::Patience;
use crate::delete_on_drop::DeleteOnDrop;
use crate::error::{AssetsError, TransportKind};
use crate::gate::Gate;
use crate::journal::UploadJournal;
use crate::network::Route;
use crate::outage::Outage;
use crate::pace::Pace;
use crate::retry::Retries;
use crate::watch::Watch;
use crate::{wire, words};
use forebay_core::mutex::lock;

/// Longest answer of the service that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// An asset that was created or reserved and is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// The asset's id.
    pub asset_id: String,
    /// Why it could not be deleted, if that was tried.
    pub problem: Option<String>,
}

/// A client of the Assets API. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Assets(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) http: Client,
    pub(crate) base_url: Url,
    /// The header that carries the key or token, marked as sensitive.
    pub(crate) credential: (HeaderName, HeaderValue),
    /// Tasks of requests that run to their answer, and of the deletions that follow from them.
    pub(crate) tasks: TaskTracker,
    pub(crate) gate: Gate,
    pub(crate) retries: Retries,
    pub(crate) answer_timeout: Duration,
    /// How long a request with a file may stand still.
    pub(crate) patience: Patience,
    pub(crate) route: Route,
    pub(crate) outage: Outage,
    /// The bandwidth limit of all uploads together.
    pub(crate) pace: Option<Arc<Pace>>,
    /// Largest file that is uploaded by multipart. It is lower than the service's limit if a gateway refused a smaller
    /// file.
    pub(crate) multipart_max: AtomicU64,
    /// By the asset's id: why it could not be deleted, if that was tried.
    pub(crate) unfinished: Mutex<BTreeMap<String, Option<String>>>,
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assets")
            .field("base_url", &self.0.base_url.as_str())
            .finish_non_exhaustive()
    }
}

impl Assets {
    /// Waits until the cleanup of cancelled uploads is done. What a dropped future had begun is cancelled or deleted in
    /// the background. If the process ends before this returns, it may stay with the service.
    pub async fn settle(&self) {
        self.0.tasks.wait().await;
    }

    /// The service's base URL.
    pub fn base_url(&self) -> &str {
        self.0.base_url.as_str()
    }

    /// Identifies the account: a digest of the key or token. Two keys of one account have different digests. The key
    /// cannot be computed from it.
    pub fn account(&self) -> String {
        let mut hash = Sha256::new();
        hash.update("forebay account\0");
        hash.update(self.0.credential.1.as_bytes());
        let mut hex = hex::encode(hash.finalize());
        hex.truncate(32);
        hex
    }

    /// The assets that this client has created or reserved and that are not finished: uploads in progress, deletions in
    /// progress, and deletions that failed. After [`settle`](Self::settle) only those are left that stay with the service
    /// although nobody wants them. An asset whose deletion its log cannot record is not among them: it is not deleted, and
    /// the next run with that log takes it up.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        lock(&self.0.unfinished)
            .iter()
            .map(|(asset_id, problem)| Unfinished {
                asset_id: asset_id.clone(),
                problem: problem.clone(),
            })
            .collect()
    }

    /// Keeps [`settle`](Self::settle) waiting for as long as the token exists. What is dropped before the token may
    /// still need cleanup.
    pub fn under_way(&self) -> TaskTrackerToken {
        self.0.tasks.token()
    }

    /// Runs work that changes something at the service in a task of its own, so that it is not interrupted when the
    /// caller is dropped. The value that it returns must clean up after itself when dropped.
    pub(crate) async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (sender, receiver) = oneshot::channel();
        let task = self.0.tasks.spawn(async move {
            // If nobody waits for the value, it is dropped here, while `settle` still waits for this task.
            drop(sender.send(work.await));
        });
        match receiver.await {
            Ok(done) => done,
            Err(_) => match task.await {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is shutting down. Everything that waits here is dropped with it.
                _ => std::future::pending().await,
            },
        }
    }

    /// A request to the service itself, with the key or token.
    pub(crate) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.0.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut headers = HeaderMap::new();
        let (name, value) = &self.0.credential;
        headers.insert(name.clone(), value.clone());
        self.0.http.request(method, url).headers(headers)
    }

    /// Sends a request without a file, retries it if needed, and returns the `data` of its answer.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T, AssetsError> {
        self.call_when(
            operation,
            AssetsError::is_transient,
            &Watch::none(),
            request,
        )
        .await
    }

    /// Like [`call`](Self::call), but retries the errors that `again` selects, and reports to `watch`.
    pub(crate) async fn call_when<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        again: impl FnMut(&AssetsError) -> bool,
        watch: &Watch,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T, AssetsError> {
        let attempt = || self.answer(operation, request().timeout(self.0.answer_timeout));
        let answer: Answer<T> = self.0.retries.run_when(again, watch, attempt).await?;
        Ok(answer.data)
    }

    /// Sends a request once, when it gets a permit, and reads its answer or the service's error.
    pub(crate) async fn answer<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<T, AssetsError> {
        let _pass = self.0.gate.pass().await;
        self.exchange(operation, request).await
    }

    /// Like [`answer`](Self::answer), for a request that makes assets. If its answer cannot be read, the assets whose ids
    /// can be found in it are deleted.
    pub(crate) async fn answer_made<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        journal: &UploadJournal,
    ) -> Result<T, AssetsError> {
        let _pass = self.0.gate.pass().await;
        self.exchange_made(operation, request, journal).await
    }

    /// Like [`answer_made`](Self::answer_made), for a caller that has a permit.
    pub(crate) async fn exchange_made<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        journal: &UploadJournal,
    ) -> Result<T, AssetsError> {
        let (headers, body) = self.success(operation, request).await?;
        let read = read_answer::<Answer<T>>(operation, &headers, &body);
        read.map(|answer| answer.data).inspect_err(|_| {
            for asset_id in wire::asset_ids(&body) {
                // Deleted when dropped.
                drop(DeleteOnDrop::new(self, &asset_id, journal));
            }
        })
    }

    /// Like [`answer`](Self::answer), for a caller that has a permit.
    async fn exchange<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<T, AssetsError> {
        let (headers, body) = self.success(operation, request).await?;
        read_answer(operation, &headers, &body)
    }

    /// Sends a request once and returns its answer, if the service did as it was asked.
    async fn success(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<(HeaderMap, Vec<u8>), AssetsError> {
        let failure = |error| {
            let url = Some(&self.0.base_url);
            self.0.route.failure(operation, url, error)
        };
        let response = request.send().await.map_err(failure)?;
        let status = response.status();
        let headers = response.headers().clone();
        let (body, read) = read_body(response).await;
        if !matches!(status.as_u16(), 401 | 402) {
            self.0.outage.answered();
        }
        if !status.is_success() {
            // The status says enough, even if the connection broke within the rest.
            let error = words::service_error(operation, status.as_u16(), &headers, &body);
            if error.status == 429 {
                self.0.gate.too_many(error.retry_after);
            }
            return Err(error.into());
        }
        let body = match read {
            Ok(()) => plain_body(operation, &headers, body)?,
            Err(Unread::Broken(error)) => return Err(failure(error)),
            Err(Unread::Endless) => {
                let kind = TransportKind::Unreadable;
                let reason = format!("the answer has more than {MAX_ANSWER} bytes");
                return Err(AssetsError::transport(operation, kind, reason));
            }
        };
        self.0.gate.well();
        Ok((headers, body))
    }
}

/// The bytes of an answer. Some gateways compress them although the client asks for plain bytes.
fn plain_body(
    operation: &'static str,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Result<Vec<u8>, AssetsError> {
    let coding = headers.get(CONTENT_ENCODING);
    let coding = coding
        .and_then(|value| value.to_str().ok())
        .unwrap_or("identity");
    let mut plain = Vec::new();
    let limit = MAX_ANSWER as u64;
    let read = match coding.trim().to_ascii_lowercase().as_str() {
        "identity" | "" => return Ok(body),
        "gzip" | "x-gzip" => MultiGzDecoder::new(body.as_slice())
            .take(limit)
            .read_to_end(&mut plain),
        "deflate" => ZlibDecoder::new(body.as_slice())
            .take(limit)
            .read_to_end(&mut plain),
        other => Err(std::io::Error::other(format!(
            "it is compressed as {other}"
        ))),
    };
    let unreadable = |error| {
        let reason = format!("the answer cannot be read: {error}");
        AssetsError::transport(operation, TransportKind::Unreadable, reason)
    };
    read.map_err(unreadable)?;
    Ok(plain)
}

/// Reads the service's JSON.
fn read_answer<T: DeserializeOwned>(
    operation: &'static str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, AssetsError> {
    // Some gateways put a byte order mark in front.
    let json = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(json).map_err(|error| {
        let kind = TransportKind::Unreadable;
        let reason = match serde_json::from_slice::<serde_json::Value>(json) {
            Ok(_) => {
                // The position is of no use to anyone who does not see the answer.
                let problem = error.to_string();
                let problem = problem.split(" at line ").next().unwrap_or_default();
                format!("the service's answer cannot be used: {problem}")
            }
            Err(_) => format!(
                "the answer is not the service's ({}); something on the way may have answered in its place",
                words::describe(headers, body)
            ),
        };
        AssetsError::transport(operation, kind, reason)
    })
}

/// `{"data": …}`
#[derive(Deserialize)]
pub(crate) struct Answer<T> {
    pub(crate) data: T,
}

/// Why an answer was not read to its end.
pub(crate) enum Unread {
    Broken(reqwest::Error),
    /// It is longer than any valid answer.
    Endless,
}

/// Reads an answer up to a length that no valid answer has. Also returns what was read before a failure.
pub(crate) async fn read_body(mut response: Response) -> (Vec<u8>, Result<(), Unread>) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if body.len() + piece.len() > MAX_ANSWER => {
                return (body, Err(Unread::Endless));
            }
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => return (body, Ok(())),
            Err(error) => return (body, Err(Unread::Broken(error))),
        }
    }
}
