//! What the emulator knows of one asset, in the table and in its record.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::base::media::MediaType;
use crate::base::user_agent::UserAgent;
use crate::storage::object::Object;

/// How an asset was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Flow {
    /// `POST /v3/assets`.
    Upload,
    /// The three steps of a direct upload.
    DirectUpload,
}

/// What a client declares when it creates a direct upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) media: MediaType,
    /// The size in bytes.
    pub(crate) size: u64,
    pub(crate) sha256: Option<[u8; 32]>,
}

/// A usable asset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) media: MediaType,
    /// Unix seconds.
    pub(crate) uploaded_at: u64,
    /// Grows with each asset that becomes usable. It orders the assets that do so within one second.
    pub(crate) arrived: u64,
    /// When the asset became usable.
    pub(super) since: SystemTime,
    pub(crate) object: Object,
}

impl Ready {
    /// Whether the asset became usable less than `time` ago. If the clock was set back, the answer is no.
    pub(super) fn is_processing(&self, time: Duration) -> bool {
        self.since.elapsed().is_ok_and(|elapsed| elapsed < time)
    }

    /// The path of the file's public URL.
    pub(crate) fn file_path(&self) -> String {
        format!("/files/asset/{}", self.file_name())
    }

    /// The last part of [`file_path`](Self::file_path).
    pub(crate) fn file_name(&self) -> String {
        format!("{}.{}", self.id, self.media.extension())
    }
}

/// An asset in the table. Its record is the same, as JSON.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Grows with each asset. It orders the assets that are created within one second.
    pub(super) serial: u64,
    pub(super) flow: Flow,
    /// The `User-Agent` of the request that created the asset. Older records lack it.
    #[serde(default)]
    pub(super) user_agent: Option<UserAgent>,
    pub(super) state: State,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Pending {
        declared: Declared,
        object: Option<Arrived>,
    },
    Ready(Ready),
}

impl State {
    /// The object with the asset's bytes, if they have arrived.
    pub(super) fn object(&self) -> Option<&Object> {
        match self {
            Self::Ready(ready) => Some(&ready.object),
            Self::Pending { object, .. } => object.as_ref().map(|arrived| &arrived.object),
        }
    }
}

/// The bytes that a presigned `PUT` stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Arrived {
    pub(super) object: Object,
    /// Before this time, `complete` answers as if the bytes had not arrived.
    pub(super) settled: SystemTime,
}
