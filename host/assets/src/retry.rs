//! When a request is sent again: after a connection failure, 408, 429 (after the time that it names) or 5xx, and while
//! a creation is still in progress. It is sent again a few times, with growing pauses. Every request that is sent again
//! is idempotent, or carries an Idempotency-Key that stays the same.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use crate::error::AssetsError;
use crate::watch::Watch;

/// Longest pause, even if the service asks for a longer one.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the service may ask a request to wait, in addition to the request's other failures.
const WAITS: usize = 16;

/// How often and how soon a request is sent again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retries {
    /// Attempts after the first.
    pub(crate) times: usize,
    /// The first pause. Pauses double, with jitter.
    pub(crate) first_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            times: 4,
            first_pause: Duration::from_millis(500),
        }
    }
}

impl Retries {
    /// Runs a request until it succeeds, fails permanently, or has no retries left.
    pub(crate) async fn run<T, F>(
        self,
        watch: &Watch,
        request: impl FnMut() -> F,
    ) -> Result<T, AssetsError>
    where
        F: Future<Output = Result<T, AssetsError>>,
    {
        self.run_when(AssetsError::is_transient, watch, request)
            .await
    }

    /// Like [`run`](Self::run), for the errors that `again` selects.
    pub(crate) async fn run_when<T, F>(
        self,
        mut again: impl FnMut(&AssetsError) -> bool,
        watch: &Watch,
        request: impl FnMut() -> F,
    ) -> Result<T, AssetsError>
    where
        F: Future<Output = Result<T, AssetsError>>,
    {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.first_pause)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(self.times + WAITS)
            .with_jitter();
        let mut failures = 0;
        request
            .retry(pauses)
            .when(|error| {
                // A request that is asked to wait has not failed: the service may ask many to wait.
                failures += usize::from(error.asked_wait().is_none());
                again(error) && failures <= self.times
            })
            .adjust(|error, pause| {
                let asked = error.asked_wait();
                pause.map(|pause| asked.unwrap_or(pause).min(LONGEST_PAUSE))
            })
            .notify(|error, pause| watch.retry(error, pause))
            .await
    }
}
