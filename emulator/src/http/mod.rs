//! HTTP around the service: the server, middleware (API keys, rate limit, idempotency, faults, request log), and how
//! requests are read and answers are written. Knows no routes; takes parts of the state by `FromRef`.

pub(crate) mod api_key;
pub(crate) mod cors;
pub(crate) mod envelope;
pub(crate) mod fault;
pub(crate) mod idempotency;
pub(crate) mod internal_path;
pub(crate) mod json;
pub(crate) mod pagination;
pub(crate) mod path_id;
pub(crate) mod query;
pub(crate) mod rate_limit;
pub(crate) mod request_log;
pub(crate) mod s3_error;
pub(crate) mod server;
