//! The log of requests: an id on every answer, a tracing span, and a record for tests.
//!
//! Paths are recorded without their query, because it may contain a signature. Keys are not recorded. Requests to the
//! emulator's own endpoints have an id and a span but no record, so that tests count only the requests of a client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::api_key::api_key;
use super::internal_path::is_internal;
use crate::base::ids::new_id;

/// The number of requests that are kept. The oldest are removed first.
const MAX_RECORDS: usize = 10_000;

/// The longest path that is recorded, in characters. Longer ones are cut. Valid paths have under 100.
const MAX_PATH: usize = 256;

/// A request that the emulator received, for tests to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// The id in the answer's `X-Request-Id`.
    pub id: String,
    /// The method, such as `POST`.
    pub method: String,
    /// The path without its query, such as `/v3/assets`.
    pub path: String,
    /// Whether the request had an API key, accepted or not. A presigned `PUT` must not have one.
    pub carried_key: bool,
    /// The status of the answer. `None` if there is no answer yet, if the client disconnected before it, or if a
    /// [fault](crate::Fault) reset the connection.
    pub status: Option<u16>,
}

/// The latest requests, oldest first.
#[derive(Default)]
pub(crate) struct RequestLog {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    seen: u64,
    records: VecDeque<RequestRecord>,
}

impl RequestLog {
    /// The number of requests so far, including those that are no longer kept.
    pub(crate) fn seen(&self) -> u64 {
        self.with(|inner| inner.seen)
    }

    pub(crate) fn snapshot(&self) -> Vec<RequestRecord> {
        self.with(|inner| inner.records.iter().cloned().collect())
    }

    /// Records a request. Returns its number for [`answered`](Self::answered).
    fn begin(&self, record: RequestRecord) -> u64 {
        self.with(|inner| {
            if inner.records.len() == MAX_RECORDS {
                inner.records.pop_front();
            }
            inner.records.push_back(record);
            inner.seen += 1;
            inner.seen
        })
    }

    fn answered(&self, number: u64, status: u16) {
        self.with(|inner| {
            // The newest record has the number `seen`, and each older one has the number before.
            let from_end = usize::try_from(inner.seen - number).unwrap_or(usize::MAX);
            let index = (inner.records.len() - 1).checked_sub(from_end);
            if let Some(record) = index.and_then(|index| inner.records.get_mut(index)) {
                record.status = Some(status);
            }
        });
    }

    fn with<R>(&self, action: impl FnOnce(&mut Inner) -> R) -> R {
        action(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The id of the request, as an extension of it, for handlers that put it into their answer.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Middleware: gives each request its id, span and record.
pub(crate) async fn record(
    State(log): State<Arc<RequestLog>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = new_id("");
    let record = RequestRecord {
        id: id.clone(),
        method: request.method().to_string(),
        path: request.uri().path().chars().take(MAX_PATH).collect(),
        carried_key: api_key(request.headers()).is_some(),
        status: None,
    };
    let span = tracing::info_span!("request", id, method = record.method, path = record.path);
    let number = (!is_internal(&record.path)).then(|| log.begin(record));
    request.extensions_mut().insert(RequestId(id.clone()));

    async {
        let start = Instant::now();
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        if let Some(number) = number {
            log.answered(number, status);
        }
        tracing::info!(status, elapsed = ?start.elapsed(), "answered");
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert("x-request-id", id);
        }
        response
    }
    .instrument(span)
    .await
}
