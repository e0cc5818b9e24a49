//! Faults on demand: what may go wrong between a client and the service, made to go wrong.
//!
//! A [`Fault`] waits for requests to its [`Route`]. Those that could hit one request act one at a time, in the order in
//! which they were injected: while an earlier one still waits or acts, a later one does not even count. A fault stands
//! before keys, idempotency and handlers, as a network or a proxy would, so what it answers is never replayed.
//!
//! ```
//! use forebay_emulator::{Fault, FaultKind, Route};
//!
//! let fault: Fault = serde_json::from_str(
//!     r#"{"route": "upload", "fault": "rate-limited", "retry_after": 2, "times": 3}"#,
//! )?;
//! assert_eq!(fault, Fault::new(Route::Upload, FaultKind::RateLimited { retry_after: 2 }).times(3));
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// What goes wrong, where, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The requests it may hit.
    pub route: Route,
    /// What happens to them.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Matching requests that pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests are hit after that: one unless told, and none if it is 0.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// Which requests a fault may hit. The emulator's own endpoints are never hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Route {
    /// Every request, also to files and to routes that do not exist.
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
    /// The three calls of a batch: create, complete, look.
    Batch,
    /// The endpoints that take file inputs.
    FileInput,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The request waits before it is handled as usual.
    Latency {
        /// How long it waits.
        milliseconds: u64,
    },
    /// 429 `rate_limit_exceeded` (S3's `SlowDown` on a `PUT`); the body is not handled.
    RateLimited {
        /// `Retry-After`, in seconds.
        retry_after: u64,
    },
    /// An error of this status, in the API's envelope or, on a `PUT`, in S3's XML; nothing is done.
    Status {
        /// From 400 to 599; any other is answered as 500.
        status: u16,
    },
    /// The connection is reset once the head was read, with the body unread.
    ResetBefore,
    /// The connection is reset once so much of the body was read, or all of a shorter one; nothing is kept.
    ResetDuring {
        /// How much is read, in bytes.
        after_bytes: u64,
    },
    /// The body is wholly read, then the connection is reset; nothing is done.
    ResetAfter,
    /// The request is handled, but its answer breaks off in the middle of its body. An answer without a body is
    /// announced with one byte, which does not come.
    CutShort,
    /// On [`Create`](Route::Create) and on [`Batch`](Route::Batch) creation, presigned URLs are expired from the start,
    /// whatever their `expires_in_seconds` says. On [`Put`](Route::Put), the answer is S3's to an expired URL.
    ExpiredUrl,
    /// The body is read slowly, and then the request is handled as usual.
    SlowReader {
        /// How slowly; 0 stands still.
        bytes_per_second: u64,
    },
    /// The request is handled and done, then the connection is reset without a word.
    LostAnswer,
    /// On [`Put`](Route::Put), S3's 400 `BadDigest`; on [`Upload`](Route::Upload) and [`Complete`](Route::Complete),
    /// [`Config::mismatch`](crate::Config::mismatch). The body is read, and nothing is done.
    ChecksumMismatch,
    /// After a good [`Put`](Route::Put), `complete` answers 409 `conflict` for a while, as if the bytes were still on
    /// their way between two parts of the service.
    SettlesLate {
        /// How long, from the end of the `PUT`.
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

    /// Lets so many matching requests pass first.
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Hits so many requests.
    pub fn times(mut self, requests: u32) -> Self {
        self.times = requests;
        self
    }

    /// Why this fault can never do what it says, if it cannot.
    pub(crate) fn objection(&self) -> Option<&'static str> {
        match self.kind {
            FaultKind::Status { status } if !(400..=599).contains(&status) => {
                Some("a status is from 400 to 599")
            }
            _ if self.route != Route::Any && !self.kind.acts_at(self.route) => {
                Some("this fault means nothing on this route")
            }
            _ => None,
        }
    }

    fn matches(&self, route: Route) -> bool {
        (self.route == Route::Any || self.route == route) && self.kind.acts_at(route)
    }
}

impl FaultKind {
    /// Whether it means something on a route; a request to another does not match.
    fn acts_at(&self, route: Route) -> bool {
        match self {
            Self::ExpiredUrl => matches!(route, Route::Create | Route::Batch | Route::Put),
            Self::ChecksumMismatch => matches!(route, Route::Put | Route::Upload | Route::Complete),
            Self::SettlesLate { .. } => route == Route::Put,
            _ => true,
        }
    }
}

impl Route {
    /// The route of a request, by its method and the path pattern that it matched.
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

/// The faults still to come, in the order in which they were injected.
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

    /// What happens to the next request to `route`.
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
