//! Reports about an upload in flight.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay_core::seconds;

use crate::error::AssetsError;

/// The current step of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// The only request of a multipart upload.
    Upload,
    /// The first step of a direct upload.
    Create,
    /// The second step of a direct upload: the bytes are sent.
    Put,
    /// The third step of a direct upload.
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

/// A request that failed temporarily.
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct Retry {
    /// Name of the file, if it is known.
    pub file: String,
    /// Why it failed.
    pub reason: String,
    /// Pause before the next attempt.
    #[serde(rename = "pause_seconds", with = "seconds")]
    pub pause: Duration,
}

/// An event of an upload.
#[derive(Debug)]
#[non_exhaustive]
pub enum UploadEvent<'a> {
    /// This many more bytes were sent. Each byte is reported once, however often it is sent.
    Sent(u64),
    /// A step has started.
    Phase(Phase),
    /// A request failed temporarily and is sent again.
    Retry(&'a Retry),
}

type Listener = dyn Fn(UploadEvent<'_>) + Send + Sync;

/// Reports the progress of an upload to a listener. Clones share the listener.
#[derive(Clone)]
pub struct Watch {
    file: Arc<str>,
    most: Arc<AtomicU64>,
    listener: Arc<Listener>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// Reports to `listener`, on the thread on which the event happens. The listener must not block.
    pub fn new(listener: impl Fn(UploadEvent<'_>) + Send + Sync + 'static) -> Self {
        Self {
            file: Arc::default(),
            most: Arc::default(),
            listener: Arc::new(listener),
        }
    }

    /// The same listener, told that its events are about the file of this name.
    #[must_use]
    pub fn about(mut self, file: &str) -> Self {
        self.file = file.into();
        self
    }

    /// Reports nothing.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn phase(&self, phase: Phase) {
        (self.listener)(UploadEvent::Phase(phase));
    }

    pub(crate) fn retry(&self, error: &AssetsError, pause: Duration) {
        let reason = error.to_string();
        let file = self.file.to_string();
        tracing::info!("{file}: {reason}; again in {pause:?}");
        (self.listener)(UploadEvent::Retry(&Retry {
            file,
            reason,
            pause,
        }));
    }

    /// Counts the bytes of one attempt, from zero.
    pub(crate) fn attempt(&self) -> impl FnMut(u64) + Send + Sync + use<> {
        let this = self.clone();
        let mut count = 0;
        move |bytes| {
            count += bytes;
            let before = this.most.fetch_max(count, Ordering::Relaxed);
            if count > before {
                (this.listener)(UploadEvent::Sent(count - before));
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
                if let UploadEvent::Sent(bytes) = what {
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
