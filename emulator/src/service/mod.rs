//! What the service does with assets, batches, file inputs and idempotency keys. Knows no routes, and uses `storage`
//! and `base`.

pub(crate) mod assets;
pub(crate) mod batches;
pub(crate) mod direct_uploads;
pub(crate) mod file_inputs;
pub(crate) mod idempotency;
