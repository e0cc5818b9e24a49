//! The options that tests set: limits, times, and answers that the service does not document.
//!
//! The service documents some values and not others. Each undocumented value is a field here, so that a test can try
//! several values. Each field is marked: **D** is documented, **S** was seen in the service's own client or answers,
//! and **U** is unverified, chosen for the emulator.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::StatusCode;

/// One mebibyte.
const MIB: u64 = 1 << 20;

/// Limits, times and answers of an emulator. The defaults are what is known of the service. Each field is marked **D**
/// (documented by the service), **S** (seen in its client or answers) or **U** (unverified, chosen for the emulator).
///
/// ```
/// use forebay_emulator::Config;
///
/// let config = Config { max_bytes: 5 << 30, ..Config::default() };
/// assert_eq!(config.upload_limit, 32 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The largest file of `POST /v3/assets` and of a `url` or `base64` file input, in bytes: 32 MiB. The service
    /// documents "32 MB" (D). The emulator takes this as 32 MiB, inclusive, without the multipart framing (U), because
    /// the service's other limit is a whole number of MiB. Set 32 000 000 to try the other reading.
    pub upload_limit: u64,
    /// The largest direct upload, in bytes: 200 MiB (S). Answers show it as `max_bytes`.
    pub max_bytes: u64,
    /// How long a presigned URL is valid: an hour (U). Answers show it in whole seconds as `expires_in_seconds`.
    pub upload_expiry: Duration,
    /// The largest JSON body, in bytes: 64 MiB (U). One file of [`upload_limit`](Self::upload_limit) fits in it as
    /// base64, and a hostile body cannot fill the memory.
    pub json_limit: u64,
    /// How long an upload may send nothing before it is refused: a minute (U). S3 waits for about 20 seconds, which is
    /// too short for a pipeline in a debugger.
    pub body_timeout: Duration,
    /// How long the download of one `url` file input may take: 30 seconds (U).
    pub download_timeout: Duration,
    /// How long the response to an `Idempotency-Key` is replayed: 24 hours (D).
    pub idempotency_retention: Duration,
    /// The most characters in a `prompt`: 10 000 (D).
    pub prompt_limit: usize,
    /// The most `files` of one request: 20 (D).
    pub files_limit: usize,
    /// The most `reference_images` of one avatar: 3 (D).
    pub reference_images_limit: usize,
    /// The most files of one batch: 100 (S).
    pub batch_limit: usize,
    /// How long `statuses` and batches show a completed asset as `processing`: not at all (U). The asset can be used
    /// during this time.
    pub processing: Duration,
    /// The rate limit of the API: none (U), because the service publishes none.
    pub rate_limit: Option<RateLimit>,
    /// The answer to a file or body over its limit (U).
    pub too_large: Answer,
    /// The answer to a file of a type that the service does not list (U).
    pub unsupported_type: Answer,
    /// The answer to stored bytes that differ from their declared size, type or checksum (U).
    pub mismatch: Answer,
    /// The answer to a `size_bytes` under 1 or over `max_bytes` (U).
    pub bad_size: Answer,
    /// The answer to a pending asset as a file input (U).
    pub not_available: Answer,
    /// The answer to a batch that does not exist (U).
    pub unknown_batch: Answer,
}

/// A limit on requests per second. Requests over it are answered 429 `rate_limit_exceeded` with `Retry-After` (D).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second in the long run.
    pub per_second: NonZeroU32,
    /// Requests that may come at once after a pause.
    pub burst: NonZeroU32,
}

impl RateLimit {
    /// A limit of `per_second` requests per second and `burst` requests at once; `None` if one of them is 0.
    pub const fn new(per_second: u32, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => Some(Self { per_second, burst }),
            _ => None,
        }
    }
}

/// The status and code of an error that the service does not document.
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
