//! The signals that cancel a job.

use std::future::pending;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, select_all};

/// The signals that cancel a job. The first of them does.
#[derive(Clone, Default)]
pub(crate) struct Cancel(Vec<Shared<BoxFuture<'static, ()>>>);

impl Cancel {
    pub(crate) fn on(&mut self, signal: impl Future<Output = ()> + Send + 'static) {
        self.0.push(signal.boxed().shared());
    }

    /// Waits for the first signal.
    pub(crate) async fn requested(&self) {
        if self.0.is_empty() {
            return pending().await;
        }
        select_all(self.0.iter().cloned()).await;
    }

    /// Does some work, or drops it and returns `None` when a signal comes first.
    #[cfg(feature = "journal")]
    pub(crate) async fn unless_requested<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.requested() => None,
            done = work => Some(done),
        }
    }
}
