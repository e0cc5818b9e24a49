//! A job that runs in a task of its own.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::CancellationToken;

use super::abort_on_drop::AbortOnDrop;
use super::error::JobError;
use crate::flow::report::Report;

/// A job that runs in a task of its own, from [`Job::spawn`](crate::Job::spawn) and
/// [`WorkflowJob::spawn`](crate::WorkflowJob::spawn). As a future it waits for the job's end.
///
/// Dropping it drops the job, which cancels it and loses its report; [`cancel`](Self::cancel) returns the report.
#[must_use = "dropping it cancels the job"]
pub struct JobHandle<T = Result<Report, JobError>> {
    task: AbortOnDrop<T>,
    token: CancellationToken,
}

impl<T: Send + 'static> JobHandle<T> {
    /// Starts a job, which is cancelled by the token.
    pub(crate) fn new(
        job: impl Future<Output = T> + Send + 'static,
        token: CancellationToken,
    ) -> Self {
        let task = AbortOnDrop(tokio::spawn(job));
        Self { task, token }
    }

    /// Cancels the job, and waits until everything of it has ended. It fails with
    /// [`Error::Cancelled`](crate::Error::Cancelled) and the report of what was done, unless it had ended before.
    pub async fn cancel(self) -> T {
        self.token.cancel();
        self.task.await
    }

    /// Whether the job has ended, so that waiting for it takes no time.
    pub fn is_finished(&self) -> bool {
        self.task.0.is_finished()
    }
}

impl<T> Future for JobHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.task).poll(cx)
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle")
            .field("finished", &self.task.0.is_finished())
            .finish_non_exhaustive()
    }
}
