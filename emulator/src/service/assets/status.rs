//! How far the service is with an asset or a batch.

use serde::Serialize;

/// How far one asset is, as `statuses` and batches show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Declared, and not completed.
    Queued,
    /// Completed less than [`Config::processing`](crate::Config::processing) ago.
    Processing,
    /// Completed.
    Completed,
    /// In a batch, and the last completion of that batch refused it.
    Failed,
    /// There is no such asset. Items of a batch never have this status.
    NotFound,
}
