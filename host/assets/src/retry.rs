//! When a request is sent again: after a connection failure, 408, 429 (after the time that it names) or 5xx, and while
//! a creation is still in progress. It is sent again a few times, with growing pauses. Every request that is sent again
//! is idempotent, or carries an Idempotency-Key that stays the same.
//!
//! A wait that the service or the storage asks for is kept in full. If it is longer than [`LONGEST_WAIT`], the request
//! fails at once, and its error says what was asked.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use crate::error::AssetsError;
use crate::watch::Watch;

/// Longest pause that nobody asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Longest wait that the other side may ask for.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

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
        again: impl FnMut(&AssetsError) -> bool,
        watch: &Watch,
        request: impl FnMut() -> F,
    ) -> Result<T, AssetsError>
    where
        F: Future<Output = Result<T, AssetsError>>,
    {
        self.run_with(tokio::time::sleep, again, watch, request)
            .await
    }

    /// Like [`run_when`](Self::run_when), pausing with `sleep`.
    async fn run_with<T, F>(
        self,
        sleep: impl backon::Sleeper,
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
            .sleep(sleep)
            .when(|error| {
                // A request that is asked to wait has not failed: the service may ask many to wait.
                failures += match error.asked_wait() {
                    Some(_) => 0,
                    // The wait was long, and the other side may have the body: it is sent once more, not oftener.
                    None if error.is_unanswered() => self.times.max(1),
                    None => 1,
                };
                again(error)
                    && failures <= self.times
                    && error.asked_wait().is_none_or(|asked| asked <= LONGEST_WAIT)
            })
            // Not sooner than the first pause, however little the other side asks for.
            .adjust(|error, pause| {
                let asked = error.asked_wait();
                pause.map(|pause| asked.map_or(pause, |asked| asked.max(self.first_pause)))
            })
            .notify(|error, pause| watch.retry(error, pause))
            .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::error::{ServiceError, TransportKind};

    fn asks(wait: Option<Duration>) -> AssetsError {
        ServiceError {
            operation: "upload",
            status: 429,
            code: "rate_limit_exceeded".into(),
            message: "slow down".into(),
            param: None,
            request_id: None,
            retry_after: wait,
        }
        .into()
    }

    /// Fails `failures` times, and returns the number of attempts, the length of all pauses, and whether it succeeded.
    async fn run(failures: u32, error: impl Fn() -> AssetsError) -> (u32, Duration, bool) {
        let mut attempts = 0;
        let paused = Arc::new(Mutex::new(Duration::ZERO));
        let counted = paused.clone();
        let sleep = move |pause| {
            *counted.lock().unwrap() += pause;
            std::future::ready(())
        };
        let request = || {
            attempts += 1;
            std::future::ready(if attempts > failures {
                Ok(())
            } else {
                Err(error())
            })
        };
        let again = AssetsError::is_transient;
        let ended = Retries::default()
            .run_with(sleep, again, &Watch::none(), request)
            .await;
        let paused = *paused.lock().unwrap();
        (attempts, paused, ended.is_ok())
    }

    #[tokio::test]
    async fn a_wait_that_is_asked_for_is_kept() {
        let seconds = Duration::from_secs;
        let (attempts, took, ok) = run(1, || asks(Some(seconds(120)))).await;
        assert!(ok && attempts == 2 && took >= seconds(120), "{took:?}");
        assert!(
            took < seconds(121),
            "30 s is not 120, and 240 is not either"
        );
        let (attempts, took, ok) = run(8, || asks(Some(Duration::from_millis(3500)))).await;
        assert!(ok && attempts == 9, "asked to wait is not failed");
        assert!(took >= seconds(28), "{took:?}");
        let (attempts, took, ok) = run(1, || asks(Some(seconds(3600)))).await;
        assert!(!ok && attempts == 1 && took == Duration::ZERO);
    }

    #[tokio::test]
    async fn zero_is_not_at_once() {
        let (attempts, took, ok) = run(100, || asks(Some(Duration::ZERO))).await;
        assert!(!ok);
        assert_eq!(attempts, 5, "as after any other failure");
        assert!(took >= Duration::from_millis(7500), "{took:?}");
        let (attempts, took, _) = run(4, || asks(Some(Duration::from_millis(1)))).await;
        assert_eq!(attempts, 5);
        assert!(took >= Duration::from_secs(2), "{took:?}");
    }

    #[tokio::test]
    async fn a_body_that_nobody_answers_is_not_sent_five_times() {
        let silent = || AssetsError::transport("upload", TransportKind::Unanswered, "no answer");
        assert_eq!(run(100, silent).await.0, 2);
        let broken = || AssetsError::transport("upload", TransportKind::AnswerLost, "reset");
        assert_eq!(run(100, broken).await.0, 5);
    }
}
