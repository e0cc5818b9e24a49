//! What a workflow may do.
//!
//! Promise: nothing that is not granted. What is denied comes back to the plugin as a value, so that it can go another way.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// What a workflow may do with the Assets API; nothing unless granted. The stages that it may run are lent to it by name.
///
/// ```
/// use forebay::Grants;
///
/// let grants = Grants::none().upload().direct_upload().file_inputs().max_assets(50);
/// assert!(grants.upload && grants.max_assets == 50);
/// assert!(!Grants::none().upload);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Grants {
    /// To upload files. Those that are too large for one request need [`direct_upload`](Self::direct_upload) as well.
    pub upload: bool,
    /// To reserve assets, send their bytes and complete them.
    pub direct_upload: bool,
    /// To make file inputs.
    pub file_inputs: bool,
    /// How many assets it may make in one run. Default 1,000: a folder of photos, each in three versions.
    pub max_assets: u64,
    /// How many bytes they may have together. Default 16 GiB, as much as a stage may put out.
    pub max_bytes: u64,
}

impl Grants {
    /// Nothing.
    pub fn none() -> Self {
        Self {
            upload: false,
            direct_upload: false,
            file_inputs: false,
            max_assets: 1_000,
            max_bytes: 16 << 30,
        }
    }

    /// Uploads by either flow, and file inputs.
    pub fn all() -> Self {
        Self::none().upload().direct_upload().file_inputs()
    }

    /// Grants [`upload`](Self::upload).
    #[must_use]
    pub fn upload(mut self) -> Self {
        self.upload = true;
        self
    }

    /// Grants [`direct_upload`](Self::direct_upload).
    #[must_use]
    pub fn direct_upload(mut self) -> Self {
        self.direct_upload = true;
        self
    }

    /// Grants [`file_inputs`](Self::file_inputs).
    #[must_use]
    pub fn file_inputs(mut self) -> Self {
        self.file_inputs = true;
        self
    }

    /// Sets [`max_assets`](Self::max_assets).
    #[must_use]
    pub fn max_assets(mut self, most: u64) -> Self {
        self.max_assets = most;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, most: u64) -> Self {
        self.max_bytes = most;
        self
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self::none()
    }
}

/// Grants as TOML writes them; what is left out is not granted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GrantsText {
    upload: bool,
    direct_upload: bool,
    file_inputs: bool,
    max_assets: Option<u64>,
    max_bytes: Option<ByteSize>,
}

impl From<GrantsText> for Grants {
    fn from(text: GrantsText) -> Self {
        let default = Self::none();
        Self {
            upload: text.upload,
            direct_upload: text.direct_upload,
            file_inputs: text.file_inputs,
            max_assets: text.max_assets.unwrap_or(default.max_assets),
            max_bytes: text.max_bytes.map_or(default.max_bytes, |size| size.0),
        }
    }
}
