//! An asset: what the emulator knows of one, in the table, in its record, and as tests see it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::feed::Card;
use crate::maker::UserAgent;
use crate::media::MediaType;
use crate::store::{Object, Store};

/// An asset as the emulator holds it, for tests to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAsset {
    /// The id that requests use.
    pub id: String,
    /// The file's name, as the client gave it, without folders.
    pub name: String,
    /// The type: told from the bytes, or as declared while the asset is pending.
    pub mime_type: String,
    /// The size in bytes: counted, or as declared while the asset is pending.
    pub size: u64,
    /// The SHA-256 of the bytes in hex; `None` while there are no bytes.
    pub sha256: Option<String>,
    /// How the asset came.
    pub flow: Flow,
    /// The `User-Agent` of the request that created it: at most 200 characters, without control characters.
    pub user_agent: Option<String>,
    /// How far it is.
    pub status: AssetStatus,
    /// Where the bytes are; `None` while there are none, and for those in a bucket.
    pub path: Option<PathBuf>,
}

/// How an asset came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Flow {
    /// `POST /v3/assets`.
    Upload,
    /// The three steps of a direct upload.
    DirectUpload,
}

/// How far an asset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssetStatus {
    /// Declared; its bytes may be there, but it has not been completed and cannot be used.
    PendingUpload,
    /// Usable.
    Completed,
}

/// What a client says of a direct upload beforehand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) media: MediaType,
    pub(crate) size: u64,
    pub(crate) sha256: Option<[u8; 32]>,
}

/// A usable asset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) media: MediaType,
    pub(crate) uploaded_at: u64,
    /// Counts up as assets become usable: several may within one second.
    pub(crate) arrived: u64,
    /// When it became usable.
    pub(super) since: SystemTime,
    pub(crate) object: Object,
}

impl Ready {
    /// Whether it became usable less than `time` ago. A clock that was set back counts as long ago.
    pub(super) fn is_processing(&self, time: Duration) -> bool {
        self.since.elapsed().is_ok_and(|elapsed| elapsed < time)
    }

    /// The path of its address.
    pub(crate) fn file_path(&self) -> String {
        format!("/files/asset/{}", self.file_name())
    }

    /// The asset's name among the files.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.{}", self.id, self.media.extension())
    }
}

/// An asset in the table and, the same, in its record.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Counts up: several assets may come within one second.
    pub(super) serial: u64,
    pub(super) flow: Flow,
    /// Of the request that created it. Older records lack it.
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

impl Entry {
    pub(super) fn card(&self, id: &str) -> Card {
        let (name, media, size_bytes, status, ready) = match &self.state {
            State::Pending { declared, object } => {
                let status = match object {
                    Some(_) => "arrived",
                    None => "pending_upload",
                };
                (&declared.name, declared.media, declared.size, status, None)
            }
            State::Ready(ready) => (
                &ready.name,
                ready.media,
                ready.object.size,
                "completed",
                Some(ready),
            ),
        };
        Card {
            serial: self.serial,
            id: id.to_owned(),
            name: name.clone(),
            mime_type: media.mime(),
            size_bytes,
            flow: self.flow,
            made_by: self.user_agent.as_ref().map(UserAgent::short),
            status,
            uploaded_at: ready.map(|ready| ready.uploaded_at),
            file: ready.map(Ready::file_path),
        }
    }
}

/// What a presigned `PUT` brought.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Arrived {
    pub(super) object: Object,
    /// `complete` does not see the bytes before.
    pub(super) settled: SystemTime,
}

/// What tests may see of an entry.
pub(super) fn describe(store: &Store, id: &str, entry: &Entry) -> StoredAsset {
    let (name, media, size, object, status) = match &entry.state {
        State::Pending { declared, object } => (
            &declared.name,
            declared.media,
            declared.size,
            object.as_ref().map(|arrived| &arrived.object),
            AssetStatus::PendingUpload,
        ),
        State::Ready(ready) => (
            &ready.name,
            ready.media,
            ready.object.size,
            Some(&ready.object),
            AssetStatus::Completed,
        ),
    };
    StoredAsset {
        id: id.to_owned(),
        name: name.clone(),
        mime_type: media.mime().to_owned(),
        size,
        sha256: object.map(|object| hex::encode(object.sha256)),
        flow: entry.flow,
        user_agent: entry
            .user_agent
            .as_ref()
            .map(|agent| agent.as_str().to_owned()),
        status,
        path: object.and_then(|object| store.path(object)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Entry;

    #[test]
    fn a_record_that_names_no_maker_is_read() {
        let json = r#"{"serial": 7, "flow": "direct_upload", "state": {"pending": {"object": null,
            "declared": {"name": "a", "media": "png", "size": 1, "sha256": null}}}}"#;
        let entry: Entry = serde_json::from_str(json).unwrap();
        assert_eq!(entry.user_agent, None);
        let json = serde_json::to_string(&entry).unwrap();
        let again: Entry = serde_json::from_str(&json).unwrap();
        assert_eq!(again.card("ast_a").made_by, None);
    }
}
