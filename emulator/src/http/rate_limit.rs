//! The rate limit of the API. Requests over it are answered 429.
//!
//! The algorithm is the generic cell rate algorithm (ITU-T I.371). Its state is one point in time. Each request moves
//! it forward by the interval between two requests. A request is refused if the point would be ahead of now by more
//! than the intervals of a burst.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::base::api_error::ApiError;
use crate::base::config::RateLimit;

/// Limits the rate of requests.
pub(crate) struct RateLimiter {
    limit: Option<RateLimit>,
    /// When all requests so far would be done at an even rate.
    done_at: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// A limiter of `limit`, or of none.
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            done_at: Mutex::new(None),
        }
    }

    /// Counts a request at `now`, or returns how long the client must wait.
    fn admit(&self, limit: RateLimit, now: Instant) -> Result<(), Duration> {
        let each = Duration::from_secs(1) / limit.per_second.get();
        let mut done_at = self.done_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = done_at.map_or(now, |done_at| done_at.max(now)) + each;
        let ahead = next.duration_since(now);
        match ahead.checked_sub(each * limit.burst.get()) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *done_at = Some(next);
                Ok(())
            }
        }
    }
}

/// Middleware: enforces [`Config::rate_limit`](crate::Config::rate_limit) on the API. Requests to presigned URLs are
/// not limited, because they go to the storage.
pub(crate) async fn limit(
    State(limiter): State<Arc<RateLimiter>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(limit) = limiter.limit else {
        return next.run(request).await;
    };
    match limiter.admit(limit, Instant::now()) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            // Rounded up, because a client that retries too early is refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let message = format!("at most {} requests a second", limit.per_second);
            let mut response =
                ApiError::from_status(StatusCode::TOO_MANY_REQUESTS, message).into_response();
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            response
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_an_even_pace() {
        let limit = RateLimit::new(10, 3).unwrap();
        let limiter = RateLimiter::new(Some(limit));
        let start = Instant::now();
        let at = |ms| limiter.admit(limit, start + Duration::from_millis(ms));
        for _ in 0..3 {
            assert_eq!(at(0), Ok(()));
        }
        assert_eq!(at(0), Err(Duration::from_millis(100)));
        assert_eq!(
            at(60),
            Err(Duration::from_millis(40)),
            "refusals cost nothing"
        );
        assert_eq!(at(100), Ok(()));
        assert_eq!(at(100), Err(Duration::from_millis(100)));
        for _ in 0..3 {
            assert_eq!(at(5000), Ok(()), "a rest earns one burst, and no more");
        }
        assert!(at(5000).is_err());
    }
}
