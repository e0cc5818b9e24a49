//! The signal that cancels a job.

use std::fmt;
use std::future::pending;
use std::pin::Pin;

use futures::FutureExt as _;
use futures::future::Shared;

/// The signal that cancels a job, if it has one.
#[derive(Clone, Default)]
pub(super) struct Cancel(Option<Shared<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Cancel {
    pub(super) fn on(signal: impl Future<Output = ()> + Send + 'static) -> Self {
        let signal: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(signal);
        Self(Some(signal.shared()))
    }

    /// Waits for the signal.
    pub(super) async fn requested(&self) {
        match self.0.clone() {
            Some(signal) => signal.await,
            None => pending().await,
        }
    }

    /// Does some work, or drops it and returns `None` when the signal comes first.
    #[cfg(feature = "journal")]
    pub(super) async fn unless_requested<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.requested() => None,
            done = work => Some(done),
        }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.0.is_some()).finish()
    }
}
