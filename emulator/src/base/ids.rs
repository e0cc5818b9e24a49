//! Random ids. Clients must not read anything into them.

use uuid::Uuid;

/// The prefix of asset ids. It is the one in the service's own examples.
pub(crate) const ASSET: &str = "ast_";

/// The prefix of batch ids.
pub(crate) const BATCH: &str = "btch_";

/// A new id: `prefix` and 32 hex digits.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}{}", Uuid::new_v4().simple())
}
