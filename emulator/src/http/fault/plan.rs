//! Faults on demand: errors and delays of the network and of the service, which a test injects.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What goes wrong, for which requests, and how often.
///
/// If several faults match a request, the one that was injected first acts. A later one does not count requests until
/// the earlier one is used up. Faults act before keys, idempotency keys and handlers, as a network or a proxy would, so
/// their answers are never replayed.
///
/// ```
/// use forebay_emulator::{Fault, FaultKind, Route};
///
/// let fault: Fault = serde_json::from_str(
///     r#"{"route": "upload", "fault": "rate-limited", "retry_after": 2, "times": 3}"#,
/// )?;
/// assert_eq!(fault, Fault::new(Route::Upload, FaultKind::RateLimited { retry_after: 2 }).times(3));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The requests that it can hit.
    pub route: Route,
    /// What happens to them.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// The number of matching requests that pass before the first one is hit.
    #[serde(default)]
    pub skip: u32,
    /// The number of requests that are hit after that. The default is 1; 0 hits none.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// Which requests a fault can hit. The emulator's own endpoints are never hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Route {
    /// Every request, including those to files and to routes that do not exist.
    Any,
    /// `POST /v3/assets`.
    Upload,
    /// `POST /v3/assets/direct-uploads`.
    Create,
    /// The `PUT` to a presigned URL.
    Put,
    /// `POST /v3/assets/{id}/complete`.
    Complete,
    /// `GET /v3/assets/{id}`.
    Get,
    /// `GET /v3/assets`.
    List,
    /// `DELETE /v3/assets/{id}`.
    Delete,
    /// `GET /v3/assets/statuses`.
    Statuses,
    /// The three calls of a batch: create, complete, show.
    Batch,
    /// The endpoints that take file inputs.
    FileInput,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The request is handled after a delay.
    Latency {
        /// The delay in milliseconds.
        milliseconds: u64,
    },
    /// The answer is 429 `rate_limit_exceeded` (S3's `SlowDown` on a `PUT`). The request is not handled.
    RateLimited {
        /// The value of `Retry-After` in seconds.
        retry_after: u64,
    },
    /// The answer is an error, in the API's envelope or, on a `PUT`, in S3's XML. The request is not handled.
    Status {
        /// The status, from 400 to 599. Any other value is answered as 500.
        status: u16,
    },
    /// The connection is reset after the head of the request, before its body is read. The request is not handled.
    ResetBefore,
    /// The connection is reset after a part of the body, or after all of a shorter body. The request is not handled.
    ResetDuring {
        /// The length of that part in bytes.
        after_bytes: u64,
    },
    /// The connection is reset after the whole body. The request is not handled.
    ResetAfter,
    /// The request is handled, and the connection breaks in the middle of the answer's body. If the answer has no body,
    /// one byte is announced and not sent.
    CutShort,
    /// On [`Create`](Route::Create), and on the creation of a [`Batch`](Route::Batch), the presigned URLs have expired
    /// already, whatever `expires_in_seconds` says. On [`Put`](Route::Put), the answer is the one of S3 to an expired
    /// URL.
    ExpiredUrl,
    /// The body is read slowly, and then the request is handled as usual.
    SlowReader {
        /// The rate in bytes per second; at 0 nothing is read.
        bytes_per_second: u64,
    },
    /// A part of the body is read, then nothing for a while; then the request is handled as usual.
    Pause {
        /// The length of that part in bytes.
        after_bytes: u64,
        /// The pause in milliseconds.
        milliseconds: u64,
    },
    /// The body is read, and the answer is this one, as a gateway in front of the service might give it. The request is
    /// not handled.
    Answer {
        /// The status, from 200 to 599.
        status: u16,
        /// Headers by name.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// The request is handled, and fields of `data` in its answer are replaced by these.
    ChangedAnswer {
        /// The fields.
        data: Map<String, Value>,
    },
    /// The request is handled, then the connection is reset without an answer.
    LostAnswer,
    /// The body is read, and the answer is the error of a wrong checksum: S3's 400 `BadDigest` on [`Put`](Route::Put),
    /// [`Config::mismatch`](crate::Config::mismatch) on [`Upload`](Route::Upload) and [`Complete`](Route::Complete).
    /// The request is not handled.
    ChecksumMismatch,
    /// After a successful [`Put`](Route::Put), `complete` answers 409 `conflict` for some time, as if one part of the
    /// service did not see the bytes yet.
    SettlesLate {
        /// How long, in milliseconds from the end of the `PUT`.
        milliseconds: u64,
    },
}

impl Fault {
    /// A fault that hits the next matching request.
    pub fn new(route: Route, kind: FaultKind) -> Self {
        Self {
            route,
            kind,
            skip: 0,
            times: 1,
        }
    }

    /// Sets how many matching requests pass before the first one is hit.
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Sets how many requests are hit.
    pub fn times(mut self, requests: u32) -> Self {
        self.times = requests;
        self
    }

    /// Why this fault can never act as described; `None` if it can.
    pub(crate) fn objection(&self) -> Option<&'static str> {
        match &self.kind {
            FaultKind::Status { status } if !(400..=599).contains(status) => {
                Some("the status of a fault is from 400 to 599")
            }
            FaultKind::Answer { status, .. } if !(200..=599).contains(status) => {
                Some("the status of an answer is from 200 to 599")
            }
            FaultKind::Answer { headers, .. }
                if headers.iter().any(|(name, value)| {
                    name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err()
                }) =>
            {
                Some("a header of the answer cannot be sent")
            }
            _ if self.route != Route::Any && !self.kind.acts_at(self.route) => {
                Some("this fault has no effect on this route")
            }
            _ => None,
        }
    }

    fn matches(&self, route: Route) -> bool {
        (self.route == Route::Any || self.route == route) && self.kind.acts_at(route)
    }
}

impl FaultKind {
    /// Whether the fault has an effect on a route. Requests to other routes do not match.
    fn acts_at(&self, route: Route) -> bool {
        match self {
            Self::ExpiredUrl => matches!(route, Route::Create | Route::Batch | Route::Put),
            Self::ChecksumMismatch => matches!(route, Route::Put | Route::Upload | Route::Complete),
            Self::SettlesLate { .. } => route == Route::Put,
            // S3 answers a PUT without JSON.
            Self::ChangedAnswer { .. } => route != Route::Put,
            _ => true,
        }
    }
}

impl Route {
    /// The route of a request, by its method and the path pattern that it matched. Requests to other endpoints are
    /// [`Any`](Self::Any).
    pub(super) fn of(method: &Method, pattern: Option<&str>) -> Self {
        match (method.as_str(), pattern.unwrap_or_default()) {
            ("POST", "/v3/assets") => Self::Upload,
            ("GET", "/v3/assets") => Self::List,
            ("POST", "/v3/assets/direct-uploads") => Self::Create,
            ("PUT", "/bucket/{id}") => Self::Put,
            ("POST", "/v3/assets/{id}/complete") => Self::Complete,
            ("GET", "/v3/assets/{id}") => Self::Get,
            ("DELETE", "/v3/assets/{id}") => Self::Delete,
            ("GET", "/v3/assets/statuses") => Self::Statuses,
            ("POST", "/v3/assets/direct-uploads/batches" | "/v3/assets/complete/batches")
            | ("GET", "/v3/assets/batches/{id}") => Self::Batch,
            (
                "POST",
                "/v3/video-agents"
                | "/v3/video-agents/{id}"
                | "/v3/avatars"
                | "/v3/videos"
                | "/v3/video-translations"
                | "/v3/lipsyncs",
            ) => Self::FileInput,
            _ => Self::Any,
        }
    }
}

/// The faults that have not acted yet, in the order in which they were injected.
#[derive(Default)]
pub(crate) struct Faults {
    queue: Mutex<VecDeque<Fault>>,
}

impl Faults {
    pub(crate) fn inject(&self, fault: Fault) {
        if fault.times > 0 {
            self.lock().push_back(fault);
        }
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn snapshot(&self) -> Vec<Fault> {
        self.lock().iter().cloned().collect()
    }

    /// Counts a request to `route`. Returns the fault that hits it, if one does.
    pub(super) fn take(&self, route: Route) -> Option<FaultKind> {
        let mut queue = self.lock();
        let index = queue.iter().position(|fault| fault.matches(route))?;
        let fault = queue.get_mut(index)?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        let kind = fault.kind.clone();
        fault.times -= 1;
        if fault.times == 0 {
            queue.remove(index);
        }
        Some(kind)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: FaultKind = FaultKind::Latency { milliseconds: 1 };

    #[test]
    fn faults_act_one_at_a_time_in_their_order() {
        let faults = Faults::default();
        faults.inject(Fault::new(Route::Upload, LATE).skip(1).times(2));
        faults.inject(Fault::new(Route::Any, FaultKind::ResetAfter).skip(1));
        faults.inject(Fault::new(Route::Upload, FaultKind::LostAnswer).times(0));
        assert_eq!(faults.take(Route::Upload), None);
        assert_eq!(faults.take(Route::Upload), Some(LATE));
        assert_eq!(faults.snapshot().first().map(|fault| fault.times), Some(1));
        assert_eq!(faults.take(Route::Get), None, "the second lets one pass");
        assert_eq!(faults.take(Route::Upload), Some(LATE));
        assert_eq!(faults.take(Route::Upload), Some(FaultKind::ResetAfter));
        assert_eq!(faults.take(Route::Upload), None);
        assert!(faults.snapshot().is_empty());
    }

    #[test]
    fn a_fault_waits_for_a_route_where_it_means_something() {
        let faults = Faults::default();
        faults.inject(Fault::new(Route::Any, FaultKind::ExpiredUrl));
        faults.inject(Fault::new(Route::Any, LATE));
        assert_eq!(faults.take(Route::Upload), Some(LATE));
        assert_eq!(faults.take(Route::Put), Some(FaultKind::ExpiredUrl));
    }
}
