//! When a request is sent again: connection failures, 408, 429 (after the time that it names) and 5xx, a few times, with
//! growing pauses. What is sent again is idempotent, or carries an Idempotency-Key that stays the same.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use super::error::AssetsError;

/// Attempts after the first.
const RETRIES: usize = 4;
/// Pauses start here and double, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// No pause is longer, whatever the service asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs a request until it succeeds, fails for good, or has been tried often enough.
pub(super) async fn with_retries<T, F>(request: impl FnMut() -> F) -> Result<T, AssetsError>
where
    F: Future<Output = Result<T, AssetsError>>,
{
    retry_when(AssetsError::is_transient, request).await
}

/// As [`with_retries`], for the errors that `again` picks.
pub(super) async fn retry_when<T, F>(
    again: impl FnMut(&AssetsError) -> bool,
    request: impl FnMut() -> F,
) -> Result<T, AssetsError>
where
    F: Future<Output = Result<T, AssetsError>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(RETRIES)
        .with_jitter();
    request
        .retry(pauses)
        .when(again)
        .adjust(|error, pause| {
            let asked = match error {
                AssetsError::Service(error) => error.retry_after,
                _ => None,
            };
            pause.map(|pause| asked.unwrap_or(pause).min(LONGEST_PAUSE))
        })
        .notify(|error, pause| tracing::info!("{error}; again in {pause:?}"))
        .await
}
