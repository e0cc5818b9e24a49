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
//! Promise: the API key is sent to the base URL and nowhere else, and over plain http only to this machine or to a host
//! that was allowed by name. Presigned URLs and their headers stay within this
//! crate. None of these appears in an error, a log line or `Debug`. Bodies stream, with a known length. A request that
//! fails temporarily is sent again, with growing pauses. Every request that is sent again is idempotent. An upload
//! whose future is dropped leaves nothing with the service: [`Assets::settle`] waits until that is true.
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | `builder`, `client` | [`Assets`]: options, requests and their answers |
//! | `base_url` | where the key may go |
//! | `retry`, `gate`, `pace`, `outage` | when a request is sent again; how many requests are in flight at a time; the bandwidth limit; when uploads are not tried at all |
//! | `direct`, `body`, `tee` | the three steps of a direct upload; bodies with a known length |
//! | `delete_on_drop` | an asset that is deleted unless it is kept |
//! | `send`, `incoming` | uploads a file that can be read again, or only once, by the flow that its size calls for |
//! | `journal` | what a run records about its uploads, for the next run |
//! | `watch` | reports about an upload in flight |
//! | `download` | reads the bytes of an asset back |
//! | `batch`, `manage`, `requests`, `file_input` | the other endpoints, and how requests name files |
//! | `named`, `host_name` | what the file inputs in somebody else's JSON name, and from which hosts the service would fetch |
//! | `wire`, `words` | answers as they are sent: what is read from them, and what errors say |
//! | `error`, `network` | the errors of the service, its storage and the network |

mod asset;
mod base_url;
mod batch;
mod body;
mod builder;
mod client;
mod delete_on_drop;
mod direct;
mod download;
mod error;
mod file_input;
mod gate;
mod host_name;
mod incoming;
pub mod journal;
mod manage;
mod named;
mod network;
mod outage;
mod pace;
mod requests;
mod retry;
mod send;
mod tee;
mod tls;
mod watch;
mod wire;
mod words;

pub use asset::{Asset, DEFAULT_BASE_URL, Flow, MULTIPART_MAX, SUPPORTED_TYPES};
pub use batch::{Batch, BatchItem, BatchStatus};
pub use builder::AssetsBuilder;
pub use client::{Assets, Unfinished};
pub use delete_on_drop::{DeleteOnDrop, Uploaded};
pub use direct::{DirectUpload, NewUpload};
pub use download::Download;
pub use error::{AssetsError, ServiceError, StorageError, TransportKind};
pub use file_input::{FileInput, inline_type};
pub use host_name::{FetchedFrom, normal_host};
pub use incoming::Incoming;
pub use manage::{AssetInfo, ListQuery, Page, Status};
pub use named::Named;
pub use requests::Request;
pub use watch::{Phase, Retry, UploadEvent, Watch};
