//! A job in which something failed.

use crate::flow::error::{Error, summarize};
use crate::flow::report::Report;

/// A job in which something failed. The report contains what succeeded.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobError {
    /// What the job did. It also lists the failures as text.
    pub report: Box<Report>,
    /// What failed, in the order in which it happened. Never empty.
    pub errors: Vec<Error>,
}

impl JobError {
    /// A job that has done all its work, and then failed.
    pub(super) fn after(report: Report, error: Error) -> Self {
        let mut failed = Self {
            report: Box::new(report),
            errors: Vec::new(),
        };
        failed.add(error);
        failed
    }

    /// Adds a failure, also to the report.
    pub(super) fn add(&mut self, error: Error) {
        self.report.failures.push(error.to_string());
        self.errors.push(error);
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        summarize(&self.errors, f)
    }
}

impl std::error::Error for JobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}
