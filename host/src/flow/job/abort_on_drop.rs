//! A task that is cancelled when its handle is dropped.

use tokio::task::JoinHandle;

/// A task that is cancelled when this handle is dropped.
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    /// Waits for the task. If the task panics, the panic is resumed in the caller.
    pub(crate) async fn wait(mut self) -> T {
        self.wait_on().await
    }

    /// Cancels the task, and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }

    /// Like [`wait`](Self::wait), for a task that may still be stopped.
    pub(crate) async fn wait_on(&mut self) -> T {
        match (&mut self.0).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down, and cancels everything that waits here.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
