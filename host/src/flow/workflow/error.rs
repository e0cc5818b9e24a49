//! A workflow that did not succeed.

use crate::flow::error::{Error, summarize};
use crate::flow::report::WorkflowReport;

/// A workflow that did not succeed. None of its assets stays in the service.
#[derive(Debug)]
#[non_exhaustive]
pub struct WorkflowError {
    /// What failed. Never empty. There are several errors only if several sources could not become inputs.
    pub errors: Vec<Error>,
    /// What the plugin did, printed and used, if it was run.
    pub report: Option<Box<WorkflowReport>>,
}

impl From<Error> for WorkflowError {
    fn from(error: Error) -> Self {
        Self {
            errors: vec![error],
            report: None,
        }
    }
}

impl std::fmt::Display for WorkflowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        summarize(&self.errors, f)
    }
}

impl std::error::Error for WorkflowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}
