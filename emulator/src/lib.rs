//! The Assets API on loopback, for tests, demos and development.
//!
//! An [`Emulator`] is a real HTTP server: clients speak to it over a socket, bytes go to disk, signatures are checked and
//! limits hold. It was written from the service's documentation and shares no code with forebay's client, so each checks
//! the other. What the documentation leaves open is a field of [`Config`].
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use forebay_emulator::Emulator;
//!
//! let emulator = Emulator::builder().api_key("k").start().await?;
//! println!("HEYGEN_BASE_URL={}", emulator.base_url());
//!
//! // … run a client, then look at what arrived.
//! for asset in emulator.assets() {
//!     println!("{} {} {} bytes", asset.id, asset.mime_type, asset.size);
//! }
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # What it serves
//!
//! | route | what |
//! |---|---|
//! | `POST /v3/assets` | upload of one multipart part `file` |
//! | `POST /v3/assets/direct-uploads` | the first step of a direct upload: a presigned URL |
//! | `PUT` to that URL (`/bucket/…`) | the second step, answered as S3 does |
//! | `POST /v3/assets/{id}/complete` | the third step |
//! | `GET`, `DELETE /v3/assets/{id}` | one asset |
//! | `GET /v3/assets` | the usable ones in pages, newest first |
//! | `GET /v3/assets/statuses` | how far up to 100 of them are |
//! | `POST /v3/assets/direct-uploads/batches`, `POST /v3/assets/complete/batches`, `GET /v3/assets/batches/{id}` | direct uploads by the hundred |
//! | `GET` of an asset's `url` (`/files/asset/…`) | its bytes, whole or in ranges |
//! | `POST /v3/video-agents`, `POST /v3/video-agents/{id}` | a prompt or message and its file inputs, looked up and then forgotten |
//! | `POST /v3/avatars`, `/v3/videos`, `/v3/video-translations`, `/v3/lipsyncs` | the same with the file inputs that these take |
//! | `GET /` | a page that shows the assets as they arrive, and which pipeline or client made each, by its `User-Agent` |
//! | `GET /_emulator/assets`, `GET /_emulator/events` | what the page shows, as JSON and as server-sent events; needs no key |
//! | `GET`, `POST`, `DELETE /_emulator/faults` | [faults](Fault) still to come, as JSON; needs no key |
//!
//! # What can go wrong
//!
//! Whatever a network or a service may do to a client, by [`Emulator::inject`] or over HTTP:
//!
//! | fault | what the client meets |
//! |---|---|
//! | `latency`, `slow-reader` | a wait before the request is handled, or a body taken slowly |
//! | `rate-limited`, `status` | 429 with `Retry-After`, or any other error |
//! | `reset-before`, `reset-during`, `reset-after` | the connection reset before, within or after the body |
//! | `lost-answer`, `cut-short` | all is done, but no answer comes, or half of it |
//! | `expired-url`, `checksum-mismatch`, `settles-late` | the ways of presigned URLs and of storage |
//!
//! # What it promises
//!
//! - An asset is there whole or not at all: files appear by rename, and a connection that breaks leaves nothing.
//! - With a folder of its own ([`Builder::data_dir`]) it goes on after a restart where it was, also after a kill.
//! - Memory stays flat however long a body is.
//! - Every answer, errors included, has the documented envelope (S3's XML behind presigned URLs) and an `X-Request-Id`.
//! - Keys and signed URLs are never logged.
//! - Secrets are in no `Debug`, and no log.
//! - It connects to nothing but loopback and the bucket that it was given ([`Builder::s3`]).

mod assets;
mod auth;
mod batches;
mod bucket;
mod client;
mod completion;
mod config;
mod emulator;
mod error;
mod fault;
mod feed;
mod idempotency;
mod input;
mod json;
mod maker;
mod media;
mod page;
mod presign;
mod rate_limit;
mod records;
mod request_log;
mod routes;
mod s3_error;
mod server;
mod state;
mod store;

pub use assets::{AssetStatus, Flow, StoredAsset};
pub use bucket::S3;
pub use client::client;
pub use config::{Answer, Config, RateLimit};
pub use emulator::{Builder, Emulator, StartError};
pub use fault::{Fault, FaultKind, Route};
pub use request_log::RequestRecord;
