//! What is told of an upload while it is under way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::error::AssetsError;
use crate::job::Progress;

/// What an upload is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// The one request of an upload.
    Upload,
    /// The first step of a direct upload.
    Create,
    /// The second: the bytes.
    Put,
    /// The third.
    Complete,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "upload",
            Self::Create => "create",
            Self::Put => "put",
            Self::Complete => "complete",
        })
    }
}

/// A request that failed for now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retry {
    /// Why.
    pub reason: String,
    /// How long it is until the next attempt.
    pub pause: Duration,
}

/// What happens in an upload.
pub(crate) enum Told<'a> {
    /// So many more bytes went; each byte is told once, however often it is sent.
    Sent(u64),
    Phase(Phase),
    Retry(&'a Retry),
}

type Listener = dyn Fn(Told<'_>) + Send + Sync;

/// Tells a listener how an upload fares.
#[derive(Clone)]
pub(crate) struct Watch {
    most: Arc<AtomicU64>,
    listener: Arc<Listener>,
}

impl Watch {
    pub(crate) fn new(listener: impl Fn(Told<'_>) + Send + Sync + 'static) -> Self {
        Self {
            most: Arc::default(),
            listener: Arc::new(listener),
        }
    }

    /// Tells nobody.
    pub(crate) fn none() -> Self {
        Self::new(|_| {})
    }

    /// Tells a job's observer.
    pub(crate) fn telling(progress: &Progress) -> Self {
        let progress = progress.clone();
        Self::new(move |told| match told {
            Told::Sent(bytes) => progress.sent(bytes),
            Told::Phase(phase) => progress.phase(phase),
            Told::Retry(retry) => progress.retry(retry),
        })
    }

    pub(super) fn phase(&self, phase: Phase) {
        (self.listener)(Told::Phase(phase));
    }

    pub(super) fn retry(&self, error: &AssetsError, pause: Duration) {
        let reason = error.to_string();
        tracing::info!("{reason}; again in {pause:?}");
        (self.listener)(Told::Retry(&Retry { reason, pause }));
    }

    /// Counts the bytes of one attempt from the first.
    pub(super) fn attempt(&self) -> impl FnMut(u64) + Send + Sync + use<> {
        let this = self.clone();
        let mut count = 0;
        move |bytes| {
            count += bytes;
            let before = this.most.fetch_max(count, Ordering::Relaxed);
            if count > before {
                (this.listener)(Told::Sent(count - before));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use super::*;

    #[test]
    fn bytes_that_are_sent_again_are_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let watch = {
            let told = told.clone();
            Watch::new(move |what| {
                if let Told::Sent(bytes) = what {
                    told.lock().unwrap().push(bytes);
                }
            })
        };
        let mut first = watch.attempt();
        first(10);
        first(5);
        let mut second = watch.attempt();
        second(10);
        second(10);
        assert_eq!(*told.lock().unwrap(), [10, 5, 5]);
    }
}
