//! The client: requests to the service and its storage, and what they answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use url::Url;

use crate::error::{AssetsError, Envelope};
use crate::gate::Gate;
use crate::retry::Retries;
use crate::watch::Watch;

/// Longest answer of the service that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A client of the Assets API. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Assets(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) http: Client,
    pub(crate) base_url: Url,
    /// The header that carries the key or token, marked as sensitive.
    pub(crate) credential: (HeaderName, HeaderValue),
    /// Requests that are seen through to their answer, and what they leave to be deleted.
    pub(crate) tasks: TaskTracker,
    pub(crate) gate: Gate,
    pub(crate) retries: Retries,
    pub(crate) answer_timeout: Duration,
    pub(crate) stall_timeout: Duration,
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assets")
            .field("base_url", &self.0.base_url.as_str())
            .finish_non_exhaustive()
    }
}

impl Assets {
    /// Waits until nothing is left to be done for uploads that were cancelled. What a dropped future had begun is broken
    /// off or deleted in the background; a process that ends before this has returned may leave it with the service.
    pub async fn settle(&self) {
        self.0.tasks.wait().await;
    }

    /// Where the service is.
    pub fn base_url(&self) -> &str {
        self.0.base_url.as_str()
    }

    /// Keeps [`settle`](Self::settle) waiting for as long as it is there: what is dropped before it may still leave
    /// something to be done.
    pub fn under_way(&self) -> TaskTrackerToken {
        self.0.tasks.token()
    }

    /// Runs something that leaves its mark on the service in a task of its own, so that it is not cut off half-way when
    /// the caller goes. What it gives must clean up after itself when dropped.
    pub(crate) async fn see_through<T: Send + 'static>(
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

    /// A request to the service itself, with the key.
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

    /// Sends a request without a file, again if need be, and gives the `data` of its answer.
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

    /// As [`call`](Self::call), again for the errors that `again` picks, and told to `watch`.
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

    /// Sends a request once, when there is a place for it, and reads its answer, or the error that the service answers.
    pub(crate) async fn answer<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<T, AssetsError> {
        let _pass = self.0.gate.pass().await;
        self.exchange(operation, request).await
    }

    /// As [`answer`](Self::answer), for a caller that has a place.
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

/// Reads an answer up to a length that no honest one has.
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
