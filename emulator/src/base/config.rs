//! What the emulator is told, and what it had to choose.
//!
//! The service documents some figures and leaves others open. Every open one is a field here, so that a test can try
//! both readings and a better fact is one edit. The marks are **D** for documented, **S** for seen in the service's own
//! client or answers, and **U** for unverified: the emulator's choice.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::StatusCode;

/// One mebibyte.
const MIB: u64 = 1 << 20;

/// The figures and answers of an emulator; the default is what is known of the service.
///
/// ```
/// use forebay_emulator::Config;
///
/// let config = Config { max_bytes: 5 << 30, ..Config::default() };
/// assert_eq!(config.upload_limit, 32 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The largest file, in bytes, that `POST /v3/assets` takes, and the largest behind a `url` or `base64` file
    /// input. "32 MB" (D) is read as 32 MiB, inclusive, and as the file's bytes without the multipart frame (U): the
    /// service's other limit is a whole number of MiB. Set 32 000 000 to try the narrower reading.
    pub upload_limit: u64,
    /// The largest direct upload, in bytes, answered as `max_bytes`: 200 MiB (S).
    pub max_bytes: u64,
    /// How long a presigned URL is good for, answered in whole seconds as `expires_in_seconds`: an hour (U).
    pub upload_expiry: Duration,
    /// The largest JSON body in bytes: 64 MiB (U), so that one file of [`upload_limit`](Self::upload_limit) fits as
    /// base64 and a hostile body cannot take all memory.
    pub json_limit: u64,
    /// How long an upload may stand still before it is cut off: a minute (U; S3 gives up after some 20 seconds, which
    /// a pipeline under a debugger would meet).
    pub body_timeout: Duration,
    /// How long fetching one `url` file input may take: 30 seconds (U).
    pub download_timeout: Duration,
    /// How long the first answer to an `Idempotency-Key` is replayed: 24 hours (D).
    pub idempotency_retention: Duration,
    /// The most characters in a `prompt`: 10 000 (D).
    pub prompt_limit: usize,
    /// The most `files` of one request: 20 (D).
    pub files_limit: usize,
    /// The most `reference_images` of one avatar: 3 (D).
    pub reference_images_limit: usize,
    /// The most files of one batch: 100 (S).
    pub batch_limit: usize,
    /// How long `statuses` and batches call a completed asset `processing`: not at all (U). It is usable all the same.
    pub processing: Duration,
    /// How many requests the API takes; no limit unless told, as the service publishes none (U).
    pub rate_limit: Option<RateLimit>,
    /// The answer to a file or body over its limit (U).
    pub too_large: Answer,
    /// The answer to a file of a type that the service does not list (U).
    pub unsupported_type: Answer,
    /// The answer to stored bytes that differ from their declared type or checksum (U).
    pub mismatch: Answer,
    /// The answer to a `size_bytes` under 1 or over `max_bytes` (U).
    pub bad_size: Answer,
    /// The answer to a pending asset used as an input (U).
    pub not_available: Answer,
    /// The answer to a batch that does not exist (U).
    pub unknown_batch: Answer,
}

/// So many requests a second; more are answered 429 `rate_limit_exceeded` with `Retry-After` (D).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a rest.
    pub burst: NonZeroU32,
}

impl RateLimit {
    /// A limit of `per_second` requests a second and `burst` at once; `None` if one of them is 0.
    pub const fn new(per_second: u32, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => Some(Self { per_second, burst }),
            _ => None,
        }
    }
}

/// The status and code of an error answer that the service does not document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The envelope's `code`.
    pub code: &'static str,
}

impl Answer {
    /// An answer of `status` and `code`.
    pub const fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code }
    }
}

impl Default for Config {
    fn default() -> Self {
        let invalid = Answer::new(StatusCode::BAD_REQUEST, "invalid_parameter");
        Self {
            upload_limit: 32 * MIB,
            max_bytes: 200 * MIB,
            upload_expiry: Duration::from_secs(3600),
            json_limit: 64 * MIB,
            body_timeout: Duration::from_secs(60),
            download_timeout: Duration::from_secs(30),
            idempotency_retention: Duration::from_secs(24 * 3600),
            prompt_limit: 10_000,
            files_limit: 20,
            reference_images_limit: 3,
            batch_limit: 100,
            processing: Duration::ZERO,
            rate_limit: None,
            too_large: Answer::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            unsupported_type: invalid.clone(),
            mismatch: invalid.clone(),
            bad_size: invalid,
            not_available: Answer::new(StatusCode::BAD_REQUEST, "asset_not_available"),
            unknown_batch: Answer::new(StatusCode::NOT_FOUND, "batch_not_found"),
        }
    }
}
