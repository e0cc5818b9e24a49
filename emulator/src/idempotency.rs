//! `Idempotency-Key`: the first answer to a key is the answer to all.
//!
//! A key counts per method and path, so per endpoint and resource, and whatever the body says. Answers that ask the
//! client to come back (409, 429 and every 5xx) are not kept: replaying them would make the retry they ask for useless.
//! Nor are answers to a request that broke off on its way. The service documents neither exception.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, Unread};
use crate::records::{Kind, RecordError, Records};
use crate::state::App;

const HEADER: &str = "idempotency-key";

/// Answers are small JSON documents; this only keeps a mistake from filling memory.
const LARGEST_ANSWER: usize = 1 << 20;

/// A request's path and its key. Only `POST` has keys.
type Scope = (String, String);

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

/// `None` while the first request is being answered.
type Slot = Option<Answer>;

/// An answer as its record has it.
#[derive(Serialize, Deserialize)]
struct Kept {
    at: SystemTime,
    path: String,
    key: String,
    status: u16,
    content_type: Option<String>,
    body: String,
}

/// The answers that may be replayed.
pub(crate) struct Answers {
    table: Mutex<Table>,
    records: Arc<Records>,
}

#[derive(Default)]
struct Table {
    slots: HashMap<Scope, Slot>,
    /// The answered ones, oldest first.
    answered: VecDeque<(SystemTime, Scope)>,
}

/// Lets go of a key when its request ends without an answer worth keeping, or is dropped.
struct Claim<'a> {
    answers: &'a Answers,
    scope: Scope,
}

enum Begin<'a> {
    First(Claim<'a>),
    Replay(Answer),
    InProgress,
}

impl Answers {
    /// The answers of earlier runs.
    pub(crate) fn load(records: Arc<Records>) -> Result<Self, RecordError> {
        let mut kept: Vec<Kept> = records
            .load(Kind::Answer)?
            .into_iter()
            .map(|(_, kept)| kept)
            .collect();
        kept.sort_by_key(|kept| kept.at);
        let mut table = Table::default();
        for kept in kept {
            let scope = (kept.path, kept.key);
            let answer = Answer {
                status: StatusCode::from_u16(kept.status).unwrap_or_default(),
                content_type: kept.content_type.and_then(|value| value.try_into().ok()),
                body: kept.body.into(),
            };
            table.slots.insert(scope.clone(), Some(answer));
            table.answered.push_back((kept.at, scope));
        }
        Ok(Self {
            table: Mutex::new(table),
            records,
        })
    }

    fn forget_older_than(&self, table: &mut Table, retention: Duration) {
        let forgotten = table.forget_older_than(retention);
        let keys: Vec<String> = forgotten.iter().map(record_key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        // One that is forgotten late is forgotten at the next occasion.
        if let Err(error) = self.records.remove(Kind::Answer, &keys) {
            tracing::warn!(%error, "forgetting answers");
        }
    }

    fn begin(&self, scope: Scope, retention: Duration) -> Begin<'_> {
        let mut table = self.lock();
        self.forget_older_than(&mut table, retention);
        match table.slots.get(&scope) {
            Some(Some(answer)) => Begin::Replay(answer.clone()),
            Some(None) => Begin::InProgress,
            None => {
                table.slots.insert(scope.clone(), None);
                drop(table);
                Begin::First(Claim {
                    answers: self,
                    scope,
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_older_than(&mut self, retention: Duration) -> Vec<Scope> {
        let mut forgotten = Vec::new();
        while let Some((at, _)) = self.answered.front()
            && at.elapsed().is_ok_and(|age| age >= retention)
            && let Some((_, scope)) = self.answered.pop_front()
        {
            self.slots.remove(&scope);
            forgotten.push(scope);
        }
        forgotten
    }
}

/// A path holds no line break.
fn record_key((path, key): &Scope) -> String {
    format!("{path}\n{key}")
}

impl Claim<'_> {
    fn keep(self, answer: Answer) {
        let at = SystemTime::now();
        let content_type = answer.content_type.as_ref();
        let (path, key) = self.scope.clone();
        let kept = Kept {
            at,
            path,
            key,
            status: answer.status.as_u16(),
            content_type: content_type.and_then(|value| Some(value.to_str().ok()?.to_owned())),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        };
        let record = record_key(&self.scope);
        if let Err(error) = self.answers.records.put(Kind::Answer, &record, &kept) {
            tracing::warn!(%error, "keeping an answer beyond this run");
        }
        let mut table = self.answers.lock();
        table.slots.insert(self.scope.clone(), Some(answer));
        table.answered.push_back((at, self.scope.clone()));
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut table = self.answers.lock();
        if let Some(None) = table.slots.get(&self.scope) {
            table.slots.remove(&self.scope);
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Body::from(self.body)).into_response();
        if let Some(content_type) = self.content_type {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, content_type);
        }
        response
    }
}

/// Answers a repeated `POST` as the first time.
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let Some(key) = key(request.headers())? else {
        return Ok(next.run(request).await);
    };
    let scope = (request.uri().path().to_owned(), key);
    match app.answers.begin(scope, app.config.idempotency_retention) {
        Begin::Replay(answer) => Ok(answer.into_response()),
        Begin::InProgress => Err(ApiError::new(
            StatusCode::CONFLICT,
            "request_in_progress",
            "the first request with this Idempotency-Key is still being answered",
        )),
        Begin::First(claim) => {
            let (head, body) = next.run(request).await.into_parts();
            let body = to_bytes(body, LARGEST_ANSWER)
                .await
                .map_err(ApiError::internal)?;
            if is_final(head.status) && head.extensions.get::<Unread>().is_none() {
                claim.keep(Answer {
                    status: head.status,
                    content_type: head.headers.get(header::CONTENT_TYPE).cloned(),
                    body: body.clone(),
                });
            }
            Ok(Response::from_parts(head, Body::from(body)))
        }
    }
}

fn is_final(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS)
}

/// The request's key: `[A-Za-z0-9_\-:.]{1,255}`.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:.".contains(byte);
    let bytes = value.as_bytes();
    match value.to_str() {
        Ok(key) if (1..=255).contains(&bytes.len()) && bytes.iter().all(allowed) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(
            ApiError::invalid("an Idempotency-Key is 1 to 255 of A-Z a-z 0-9 _ - : .")
                .param("Idempotency-Key"),
        ),
    }
}
