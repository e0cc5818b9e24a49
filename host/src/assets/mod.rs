//! The Assets API: upload, direct upload, complete, file inputs.
//!
//! Promise: the API key goes to the base URL and nowhere else, presigned URLs and their headers stay within this module,
//! and neither shows in an error, a log line or `Debug`. Bodies stream, with their length known.

mod batch;
mod body;
mod builder;
mod client;
mod direct;
mod error;
mod file_input;
mod gate;
mod manage;
mod notes;
mod requests;
mod retry;
mod send;
mod sink;
mod tee;
mod tls;
mod watch;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use batch::{Batch, BatchItem, BatchStatus};
pub use builder::AssetsBuilder;
pub use client::Assets;
pub use direct::{DirectUpload, NewUpload};
pub use error::{AssetsError, ServiceError};
pub use file_input::FileInput;
pub use manage::{AssetInfo, ListQuery, Page, Status};
pub use requests::Request;
pub use sink::AssetsSink;
pub use watch::{Phase, Retry};

pub(crate) use file_input::inline_type;
pub(crate) use notes::Notes;
pub(crate) use send::{DeleteOnDrop, Uploaded};
pub(crate) use watch::Watch;

use crate::held::Held;
use crate::stage::FileInfo;

/// The service's own base URL.
pub const DEFAULT_BASE_URL: &str = "https://api.heygen.com";

/// Largest file that goes by multipart, in bytes. The service says 32 MB; read as 10^6 it fits either reading, and a file
/// between the two goes as well by direct upload.
pub const MULTIPART_MAX: u64 = 32_000_000;

/// Media types that the service takes.
pub const SUPPORTED_TYPES: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/wav",
    "application/pdf",
    "application/x-subrip",
];

/// How a file was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// One multipart request.
    Upload,
    /// Create, PUT, complete.
    DirectUpload,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "upload",
            Self::DirectUpload => "direct upload",
        })
    }
}

/// A file that the service holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Asset {
    /// Opaque id.
    pub asset_id: String,
    /// Where the service serves it.
    pub url: String,
    /// Media type, as the service detected it.
    pub mime_type: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl Asset {
    /// Names the asset in a request: `{"type":"asset_id","asset_id":…}`.
    pub fn file_input(&self) -> FileInput {
        FileInput::asset_id(&self.asset_id)
    }
}

impl Assets {
    /// Uploads a file of up to [`MULTIPART_MAX`] bytes in one request. Dropping the future leaves nothing with the service.
    ///
    /// # Errors
    /// When the file is too large or of a type that the service does not take, or the service did not take it.
    pub async fn upload(
        &self,
        name: &str,
        media_type: &str,
        content: impl Into<Bytes>,
    ) -> Result<Asset, AssetsError> {
        let content = content.into();
        if content.len() as u64 > MULTIPART_MAX {
            return Err(AssetsError::TooLarge {
                size: content.len() as u64,
                most: MULTIPART_MAX,
            });
        }
        let info = FileInfo {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            size: None,
        };
        let held = Arc::new(Held::memory(info, vec![content]));
        let uploaded = self.send(&held, &Notes::default(), &Watch::none()).await?;
        uploaded.claim.keep();
        Ok(uploaded.asset)
    }
}

fn check_type(media_type: &str) -> Result<(), AssetsError> {
    if SUPPORTED_TYPES.contains(&media_type) {
        Ok(())
    } else {
        Err(AssetsError::UnsupportedType(media_type.to_owned()))
    }
}
