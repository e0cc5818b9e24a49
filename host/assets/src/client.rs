//! The client: sends requests to the service and its storage, and reads their answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use url::Url;

use crate::error::{AssetsError, Envelope};
use crate::gate::Gate;
use crate::retry::Retries;
use crate::watch::Watch;
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
    pub(crate) stall_timeout: Duration,
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
    /// although nobody wants them.
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

    /// Like [`answer`](Self::answer), for a caller that has a permit.
    pub(crate) async fn exchange<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<T, AssetsError> {
        let response = request
            .send()
            .await
            .map_err(|error| AssetsError::transport(operation, error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = read_body(operation, response).await?;
        if !status.is_success() {
            let error = Envelope::parse(operation, status.as_u16(), &headers, &body);
            if error.status == 429 {
                self.0.gate.too_many(error.retry_after);
            }
            return Err(error.into());
        }
        self.0.gate.well();
        serde_json::from_slice(&body).map_err(|error| AssetsError::Transport {
            operation,
            reason: format!("an answer that cannot be read: {error}"),
        })
    }
}

/// `{"data": …}`
#[derive(Deserialize)]
pub(crate) struct Answer<T> {
    pub(crate) data: T,
}

/// Reads an answer up to a length that no valid answer has.
pub(crate) async fn read_body(
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
