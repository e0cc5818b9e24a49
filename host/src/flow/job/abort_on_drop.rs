//! A task that is cancelled when its handle is dropped.

use tokio::task::JoinHandle;

/// A task that ends when its handle goes.
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    /// Waits for the task; its panic becomes the caller's.
    pub(crate) async fn wait(mut self) -> T {
        self.wait_on().await
    }

    /// Breaks the task off, and waits until it is.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }

    /// As [`wait`](Self::wait), for a task that may still be stopped.
    pub(crate) async fn wait_on(&mut self) -> T {
        match (&mut self.0).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going, and everything that waits with it.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
