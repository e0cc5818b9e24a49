//! Ends a run early when every upload would fail for the same reason.
//!
//! Promise: after an upload has failed because the key is not accepted, the credit is used up or the service cannot be
//! reached at all, other uploads fail at once for a while, with the first error as their reason. A service that answered
//! before gets more patience: its connection may come back. Deletions and questions are not affected.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay_core::mutex::lock;
use tokio::time::Instant;

use crate::error::{AssetsError, TransportKind};

/// How long uploads fail at once. After that one upload is tried.
const COOLDOWN: Duration = Duration::from_secs(30);

/// How long a service that answered before may be out of reach: a restarted router takes about two minutes.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is known about the service's availability.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the service last answered anything.
    answered: Option<Instant>,
    /// Until when uploads fail at once, and why.
    closed: Option<(Instant, Arc<str>)>,
}

impl Outage {
    /// Called before an upload starts.
    ///
    /// # Errors
    /// [`AssetsError::NotTried`] while the service is known to take no upload.
    pub(crate) fn check(&self) -> Result<(), AssetsError> {
        self.check_at(Instant::now())
    }

    fn check_at(&self, now: Instant) -> Result<(), AssetsError> {
        match &mut lock(&self.0).closed {
            Some((until, reason)) if *until > now => Err(AssetsError::NotTried {
                reason: reason.to_string(),
            }),
            // This upload shows whether the outage is over. The others wait for its result.
            Some((until, _)) => {
                *until = now + COOLDOWN;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Called when the service has answered something that does not concern every upload.
    pub(crate) fn answered(&self) {
        lock(&self.0).answered = Some(Instant::now());
    }

    /// Called with the result of an upload, after its retries.
    pub(crate) fn ended<T>(&self, result: &Result<T, AssetsError>) {
        self.ended_at(Instant::now(), result.as_ref().err());
    }

    fn ended_at(&self, now: Instant, error: Option<&AssetsError>) {
        let mut state = lock(&self.0);
        match error {
            Some(AssetsError::NotTried { .. }) => {}
            Some(error) if error.concerns_every_upload() => {
                let is_network = matches!(
                    error,
                    AssetsError::Transport {
                        kind: TransportKind::Unreachable | TransportKind::UnknownHost,
                        ..
                    }
                );
                let was_there = state
                    .answered
                    .is_some_and(|answered| now.duration_since(answered) < PATIENCE);
                if !(is_network && was_there) {
                    state.closed = Some((now + COOLDOWN, error.to_string().into()));
                }
            }
            _ => state.closed = None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::error::ServiceError;

    fn unreachable() -> AssetsError {
        let kind = TransportKind::Unreachable;
        AssetsError::transport("upload", kind, "no connection")
    }

    fn refused(status: u16) -> AssetsError {
        ServiceError {
            operation: "upload",
            status,
            code: "c".into(),
            message: "m".into(),
            param: None,
            request_id: None,
            retry_after: None,
        }
        .into()
    }

    #[test]
    fn a_service_that_never_answered_is_not_asked_for_every_file() {
        let outage = Outage::default();
        let now = Instant::now();
        outage.check_at(now).unwrap();
        outage.ended_at(now, Some(&unreachable()));
        let error = outage.check_at(now).unwrap_err();
        assert!(error.concerns_every_upload(), "{error}");
        let said = error.to_string();
        assert!(said.ends_with("upload: no connection"), "{said}");
        outage.ended_at(now, Some(&error));
        let later = now + COOLDOWN;
        outage.check_at(later).unwrap();
        assert!(
            outage.check_at(later).is_err(),
            "one upload is tried, the others wait for it"
        );
        outage.ended_at(later, None);
        outage.check_at(later).unwrap();
    }

    #[test]
    fn a_service_that_answered_may_be_gone_for_a_while() {
        let outage = Outage::default();
        outage.answered();
        let now = Instant::now();
        outage.ended_at(now + PATIENCE / 2, Some(&unreachable()));
        outage.check_at(now + PATIENCE / 2).unwrap();
        outage.ended_at(now + PATIENCE, Some(&unreachable()));
        assert!(outage.check_at(now + PATIENCE).is_err());
    }

    #[test]
    fn a_key_that_is_not_accepted_ends_the_run_and_other_refusals_do_not() {
        for (status, ends) in [
            (401, true),
            (402, true),
            (400, false),
            (403, false),
            (503, false),
        ] {
            let outage = Outage::default();
            outage.answered();
            let now = Instant::now();
            outage.ended_at(now, Some(&refused(status)));
            assert_eq!(outage.check_at(now).is_err(), ends, "{status}");
        }
    }
}
