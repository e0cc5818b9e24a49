//! Where a delivered file is.

use std::path::PathBuf;

#[cfg(feature = "assets")]
use forebay_assets::{Asset, Flow};
use serde::{Deserialize, Serialize};

/// Where a file is after its delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Place {
    /// On disk.
    File {
        /// Where.
        path: PathBuf,
    },
    /// With the service.
    #[cfg(feature = "assets")]
    Asset {
        /// The asset.
        asset: Asset,
        /// How it was uploaded.
        flow: Flow,
    },
    /// Wherever a sink of the embedder's own put it.
    Custom {
        /// What the sink says of it.
        note: serde_json::Value,
    },
    /// In memory.
    Memory {},
}
