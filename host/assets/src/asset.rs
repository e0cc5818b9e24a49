//! The files that the service holds, and the types and sizes that it takes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::AssetsError;
use crate::file_input::FileInput;

/// The service's base URL.
pub const DEFAULT_BASE_URL: &str = "https://api.heygen.com";

/// Largest file that is uploaded by multipart, in bytes. The service says 32 MB. With 10^6 bytes in a MB, the limit is
/// right for both meanings of MB. A file between the two limits can be uploaded by direct upload as well.
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
#[non_exhaustive]
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
    /// URL at which the service serves it.
    pub url: String,
    /// Media type, as the service detected it.
    pub mime_type: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl Asset {
    /// Returns the file input that names the asset in a request: `{"type":"asset_id","asset_id":…}`.
    pub fn file_input(&self) -> FileInput {
        FileInput::asset_id(&self.asset_id)
    }
}

/// Refuses a media type that the service does not take.
pub(crate) fn check_type(media_type: &str) -> Result<(), AssetsError> {
    if SUPPORTED_TYPES.contains(&media_type) {
        Ok(())
    } else {
        Err(AssetsError::UnsupportedType(media_type.to_owned()))
    }
}
