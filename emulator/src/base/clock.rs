//! The time, as answers and presigned URLs show it.

use std::time::SystemTime;

/// The time in whole seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_secs())
}
