//! The Assets API on loopback, for tests, demos and development.
//!
//! An [`Emulator`] is a real HTTP server: clients connect to it over a socket, bytes are written to disk, signatures
//! are checked and limits are enforced. It is written from the service's documentation and shares no code with
//! forebay's client, so each is a check of the other. Where the documentation leaves something open, [`Config`] has a
//! field for it.
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
//! # Endpoints
//!
//! | route | what it does |
//! |---|---|
//! | `POST /v3/assets` | uploads one file, as the multipart part `file` |
//! | `POST /v3/assets/direct-uploads` | first step of a direct upload: returns a presigned URL |
//! | `PUT` to that URL (`/bucket/…`) | second step: stores the bytes, and answers as S3 does |
//! | `POST /v3/assets/{id}/complete` | third step: makes the asset usable |
//! | `GET`, `DELETE /v3/assets/{id}` | shows or deletes one asset |
//! | `GET /v3/assets` | lists the usable assets in pages, newest first |
//! | `GET /v3/assets/statuses` | shows the status of up to 100 assets |
//! | `POST /v3/assets/direct-uploads/batches`, `POST /v3/assets/complete/batches`, `GET /v3/assets/batches/{id}` | direct uploads in batches of up to 100 |
//! | `GET` of an asset's `url` (`/files/asset/…`) | returns its bytes, whole or in ranges |
//! | `POST /v3/video-agents`, `POST /v3/video-agents/{id}` | checks a prompt or message and its file inputs; makes no video |
//! | `POST /v3/avatars`, `/v3/videos`, `/v3/video-translations`, `/v3/lipsyncs` | the same, with the file inputs that these take |
//! | `GET /` | a page that shows the assets as they arrive, and which pipeline or client made each, by its `User-Agent` |
//! | `GET /_emulator/assets`, `GET /_emulator/events` | the data of that page, as JSON and as server-sent events; needs no key |
//! | `GET`, `POST`, `DELETE /_emulator/faults` | lists, injects and removes [faults](Fault), as JSON; needs no key |
//!
//! # Faults
//!
//! Tests make requests fail with [`Emulator::inject`], or over HTTP:
//!
//! | fault | what the client sees |
//! |---|---|
//! | `latency`, `slow-reader`, `pause` | a delay before the request is handled, a body that is read slowly, or with a pause |
//! | `rate-limited`, `status` | 429 with `Retry-After`, or any other error |
//! | `answer`, `changed-answer` | an answer of a gateway, or the service's answer with other fields |
//! | `reset-before`, `reset-during`, `reset-after` | the connection is reset before, within or after the body |
//! | `lost-answer`, `cut-short` | the request is handled, but the answer does not arrive, or only half of it does |
//! | `expired-url`, `checksum-mismatch`, `settles-late` | errors of presigned URLs and of storage |
//!
//! # Guarantees
//!
//! - An asset exists whole or not at all: files appear by rename, and a broken connection leaves nothing.
//! - With a folder of its own ([`Builder::data_dir`]), it keeps its state after a restart, also after a kill.
//! - Memory use does not grow with the size of a body.
//! - Every answer, errors included, has the documented envelope (S3's XML for presigned URLs) and an `X-Request-Id`.
//! - Keys, secrets and signed URLs are never logged, and no `Debug` output contains them.
//! - It connects only to loopback and to the bucket that it was given ([`Builder::s3`]).
//!
//! # Layout of the source
//!
//! Each layer uses the layers below it and none above. No two files depend on each other in a circle.
//!
//! | layer | what is in it |
//! |---|---|
//! | `emulator.rs` | [`Builder`] and [`Emulator`]: starts the parts and stops them |
//! | `routes/` | paths and handlers, one file for each resource; `routes/mod.rs` merges them and adds middleware |
//! | `state.rs` | `AppState`: every part, so that a handler can take the ones that it needs |
//! | `http/` | the server, middleware (keys, rate limit, idempotency, faults, request log), extractors, envelopes |
//! | `service/` | assets, direct uploads, batches, file inputs, stored responses of idempotency keys |
//! | `storage/` | files on disk, objects in a bucket, records in a database, the signer of presigned URLs |
//! | `base/` | configuration, API errors, media types, names and ids, the time |
//!
//! To add an endpoint, add a handler and its path to the file of its resource in `routes/`. A new resource is a new
//! file there and one line in `routes/mod.rs`. For a fault that hits only this endpoint, also list its path in
//! `http/fault/plan.rs`; until then, faults of [`Route::Any`] hit it.

mod base;
mod emulator;
mod http;
mod routes;
mod service;
mod state;
mod storage;

pub use base::client::client;
pub use base::config::{Answer, Config, RateLimit};
pub use emulator::{Builder, Emulator, StartError};
pub use http::fault::{Fault, FaultKind, Route};
pub use http::request_log::RequestRecord;
pub use service::assets::{AssetStatus, Flow, StoredAsset};
pub use storage::bucket::S3;
