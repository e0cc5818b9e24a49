//! Responses to requests with an `Idempotency-Key`: the first response to a key is the response to all.
//!
//! A key counts per path, so per endpoint and resource, whatever the body is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::config::Config;
use crate::storage::records::{Kind, RecordError, Records};

/// A request's path and its key. Only `POST` has keys.
type Scope = (String, String);

/// A response that can be replayed.
#[derive(Clone)]
pub(crate) struct StoredResponse {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

/// `None` while the first request is being handled.
type Slot = Option<StoredResponse>;

/// A response in its record.
#[derive(Serialize, Deserialize)]
struct ResponseRecord {
    at: SystemTime,
    path: String,
    key: String,
    status: u16,
    content_type: Option<String>,
    body: String,
}

/// The responses that can be replayed.
pub(crate) struct IdempotentResponses {
    table: Mutex<Table>,
    config: Arc<Config>,
    records: Arc<Records>,
}

#[derive(Default)]
struct Table {
    slots: HashMap<Scope, Slot>,
    /// The keys that have a response, oldest first.
    answered: VecDeque<(SystemTime, Scope)>,
}

/// The right to store the response to a key. Dropping the claim frees the key, so that a retry is handled anew.
pub(crate) struct Claim<'a> {
    responses: &'a IdempotentResponses,
    scope: Scope,
}

/// What to do with a request that has a key.
pub(crate) enum Begin<'a> {
    /// Handle it: it is the first with its key.
    First(Claim<'a>),
    /// Send this response.
    Replay(StoredResponse),
    /// Refuse it: the first request is still being handled.
    InProgress,
}

impl IdempotentResponses {
    /// Restores the responses of earlier runs.
    pub(crate) fn load(config: Arc<Config>, records: Arc<Records>) -> Result<Self, RecordError> {
        let mut stored: Vec<ResponseRecord> = records
            .load(Kind::Response)?
            .into_iter()
            .map(|(_, record)| record)
            .collect();
        stored.sort_by_key(|record| record.at);
        let mut table = Table::default();
        for record in stored {
            let scope = (record.path, record.key);
            let response = StoredResponse {
                status: StatusCode::from_u16(record.status).unwrap_or_default(),
                content_type: record.content_type.and_then(|value| value.try_into().ok()),
                body: record.body.into(),
            };
            table.slots.insert(scope.clone(), Some(response));
            table.answered.push_back((record.at, scope));
        }
        Ok(Self {
            table: Mutex::new(table),
            config,
            records,
        })
    }

    fn remove_older_than(&self, table: &mut Table, retention: Duration) {
        let removed = table.remove_older_than(retention);
        let keys: Vec<String> = removed.iter().map(record_key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        // If this fails, the next start loads the record and the next request removes it.
        if let Err(error) = self.records.remove(Kind::Response, &keys) {
            tracing::warn!(%error, "removing old responses");
        }
    }

    /// Looks up the key of a request to `path`. If it is new, it is taken until the claim is stored or dropped.
    pub(crate) fn begin(&self, path: String, key: String) -> Begin<'_> {
        let scope = (path, key);
        let mut table = self.lock();
        self.remove_older_than(&mut table, self.config.idempotency_retention);
        match table.slots.get(&scope) {
            Some(Some(response)) => Begin::Replay(response.clone()),
            Some(None) => Begin::InProgress,
            None => {
                table.slots.insert(scope.clone(), None);
                drop(table);
                Begin::First(Claim {
                    responses: self,
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
    fn remove_older_than(&mut self, retention: Duration) -> Vec<Scope> {
        let mut removed = Vec::new();
        while let Some((at, _)) = self.answered.front()
            && at.elapsed().is_ok_and(|age| age >= retention)
            && let Some((_, scope)) = self.answered.pop_front()
        {
            self.slots.remove(&scope);
            removed.push(scope);
        }
        removed
    }
}

/// The key of a record. A path contains no line break, so no two scopes have the same key.
fn record_key((path, key): &Scope) -> String {
    format!("{path}\n{key}")
}

impl Claim<'_> {
    /// Stores the response to the key.
    pub(crate) fn store(self, response: StoredResponse) {
        let at = SystemTime::now();
        let content_type = response.content_type.as_ref();
        let (path, key) = self.scope.clone();
        let record = ResponseRecord {
            at,
            path,
            key,
            status: response.status.as_u16(),
            content_type: content_type.and_then(|value| Some(value.to_str().ok()?.to_owned())),
            body: String::from_utf8_lossy(&response.body).into_owned(),
        };
        let record_key = record_key(&self.scope);
        let records = &self.responses.records;
        if let Err(error) = records.put(Kind::Response, &record_key, &record) {
            tracing::warn!(%error, "recording a response; a restart will forget it");
        }
        let mut table = self.responses.lock();
        table.slots.insert(self.scope.clone(), Some(response));
        table.answered.push_back((at, self.scope.clone()));
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut table = self.responses.lock();
        if let Some(None) = table.slots.get(&self.scope) {
            table.slots.remove(&self.scope);
        }
    }
}
