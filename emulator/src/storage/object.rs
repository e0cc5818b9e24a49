//! A stored object: where its bytes are, and what is known of them.

use serde::{Deserialize, Serialize};

use crate::base::media::MediaType;

/// Where an object's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// A path relative to the root folder, so that the folder can be moved between two runs.
    File(String),
    /// A key in the [bucket](crate::S3).
    Bucket(String),
}

/// A stored object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) place: Place,
    /// The size in bytes.
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
    /// The type that the bytes show; `None` for one that the service does not accept.
    pub(crate) media: Option<MediaType>,
}

impl Object {
    /// The same bytes under another file name. An object in a bucket keeps its key.
    pub(crate) fn renamed(&self, file: impl FnOnce() -> String) -> Self {
        let place = match &self.place {
            Place::File(_) => Place::File(file()),
            Place::Bucket(key) => Place::Bucket(key.clone()),
        };
        Self {
            place,
            ..self.clone()
        }
    }
}
