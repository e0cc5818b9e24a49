//! What others see of an asset: tests a [`StoredAsset`], the page at `/` an [`AssetSummary`].

use std::path::PathBuf;

use serde::Serialize;

use super::entry::{Entry, Flow, Ready, State};
use crate::base::user_agent::UserAgent;
use crate::storage::files::FileStore;

/// An asset as the emulator holds it, for tests to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAsset {
    /// The id that requests use.
    pub id: String,
    /// The file's name as the client gave it, without folders.
    pub name: String,
    /// The type that the bytes show. While the asset is pending, the declared type.
    pub mime_type: String,
    /// The size of the bytes. While the asset is pending, the declared size.
    pub size: u64,
    /// The SHA-256 of the bytes in hex; `None` while there are no bytes.
    pub sha256: Option<String>,
    /// How the asset was uploaded.
    pub flow: Flow,
    /// The `User-Agent` of the request that created it: at most 200 characters, without control characters.
    pub user_agent: Option<String>,
    /// How far the upload is.
    pub status: AssetStatus,
    /// Where the bytes are on disk; `None` while there are none, and if they are in a bucket.
    pub path: Option<PathBuf>,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssetStatus {
    /// Declared and not completed. The asset cannot be used yet, even if its bytes have arrived.
    PendingUpload,
    /// Usable.
    Completed,
}

impl StoredAsset {
    pub(super) fn new(files: &FileStore, id: &str, entry: &Entry) -> Self {
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
        Self {
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
            path: object.and_then(|object| files.path(object)),
        }
    }
}

/// One row of the page at `/`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AssetSummary {
    /// Grows with each asset.
    pub(super) serial: u64,
    id: String,
    name: String,
    mime_type: &'static str,
    size_bytes: u64,
    /// `upload` or `direct_upload`.
    flow: Flow,
    /// The pipeline that made the file, if the client named one, otherwise the client.
    made_by: Option<String>,
    /// `pending_upload`, `arrived` once the bytes are there, or `completed`.
    status: &'static str,
    /// Unix seconds; `None` before completion.
    uploaded_at: Option<u64>,
    /// The path of the bytes; `None` before completion.
    file: Option<String>,
}

impl AssetSummary {
    pub(super) fn new(id: &str, entry: &Entry) -> Self {
        let (name, media, size_bytes, status, ready) = match &entry.state {
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
        Self {
            serial: entry.serial,
            id: id.to_owned(),
            name: name.clone(),
            mime_type: media.mime(),
            size_bytes,
            flow: entry.flow,
            made_by: entry.user_agent.as_ref().map(UserAgent::short),
            status,
            uploaded_at: ready.map(|ready| ready.uploaded_at),
            file: ready.map(Ready::file_path),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{AssetSummary, Entry};

    #[test]
    fn a_record_that_names_no_maker_is_read() {
        let json = r#"{"serial": 7, "flow": "direct_upload", "state": {"pending": {"object": null,
            "declared": {"name": "a", "media": "png", "size": 1, "sha256": null}}}}"#;
        let entry: Entry = serde_json::from_str(json).unwrap();
        assert_eq!(entry.user_agent, None);
        let json = serde_json::to_string(&entry).unwrap();
        let again: Entry = serde_json::from_str(&json).unwrap();
        assert_eq!(AssetSummary::new("ast_a", &again).made_by, None);
    }
}
