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
        /// The path.
        path: PathBuf,
    },
    /// In the service.
    #[cfg(feature = "assets")]
    Asset {
        /// The asset.
        asset: Asset,
        /// How it was uploaded.
        flow: Flow,
    },
    /// Where the embedder's own sink put it.
    Custom {
        /// What the sink reports about it.
        note: serde_json::Value,
    },
    /// In memory.
    Memory {},
}
