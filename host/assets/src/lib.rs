//! A resilient client of the Assets API: upload, direct upload, complete, file inputs.
//!
//! ```no_run
//! # async fn example(key: String) -> Result<(), forebay_assets::AssetsError> {
//! use forebay_assets::Assets;
//!
//! let assets = Assets::builder().api_key(key).build()?;
//! let asset = assets.upload("words.srt", "application/x-subrip", "1\n00:00:00,000 --> 00:00:01,000\nHi\n").await?;
//! println!("{}", serde_json::to_string(&asset.file_input()).unwrap_or_default());
//! # Ok(()) }
//! ```
//!
//! Promise: the API key goes to the base URL and nowhere else. Presigned URLs and their headers stay within this crate.
//! Neither shows in an error, a log line or `Debug`. Bodies stream, with their length known. A request that failed for now
//! is sent again, with growing pauses; what is sent again is idempotent. An upload whose future is dropped leaves nothing
//! with the service: [`Assets::settle`] waits until that is so.
//!
//! # Where things are
//!
//! | module | what it has |
//! |---|---|
//! | `builder`, `client` | [`Assets`]: options, requests and their answers |
//! | `retry`, `gate` | when a request is sent again; how many are under way at a time |
//! | `direct`, `body`, `tee` | the three steps of a direct upload; bodies with a known length |
//! | `delete_on_drop` | an asset that is deleted unless somebody keeps it |
//! | `send`, `incoming` | a file that can be read again, and one whose bytes come once, by the flow that its size calls for |
//! | `journal` | what a run remembers of its uploads, for the next one |
//! | `watch` | what is reported of an upload under way |
//! | `batch`, `manage`, `requests`, `file_input` | the other endpoints, and how requests name files |
//! | `error` | what the service, its storage and the network can answer |

mod asset;
mod batch;
mod body;
mod builder;
mod client;
mod delete_on_drop;
mod direct;
mod error;
mod file_input;
mod gate;
mod incoming;
pub mod journal;
mod manage;
mod requests;
mod retry;
mod send;
mod tee;
mod tls;
mod watch;

pub use asset::{Asset, DEFAULT_BASE_URL, Flow, MULTIPART_MAX, SUPPORTED_TYPES};
pub use batch::{Batch, BatchItem, BatchStatus};
pub use builder::AssetsBuilder;
pub use client::Assets;
pub use delete_on_drop::{DeleteOnDrop, Uploaded};
pub use direct::{DirectUpload, NewUpload};
pub use error::{AssetsError, ServiceError};
pub use file_input::{FileInput, inline_type};
pub use incoming::Incoming;
pub use manage::{AssetInfo, ListQuery, Page, Status};
pub use requests::Request;
pub use watch::{Phase, Retry, UploadEvent, Watch};
