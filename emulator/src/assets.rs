//! The table of assets: what the emulator knows of each, and the steps between `pending_upload` and a usable asset.
//!
//! A rename and the table change under one lock and without a wait between them, so an asset is there with its file or
//! not at all, whenever a client goes away.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use crate::batches::Status;
use crate::config::Config;
use crate::error::ApiError;
use crate::media::MediaType;
use crate::store::{Object, Received, Store};

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
    /// How far it is.
    pub status: AssetStatus,
    /// Where the bytes are; `None` while there are none.
    pub path: Option<PathBuf>,
}

/// How an asset came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) media: MediaType,
    pub(crate) size: u64,
    pub(crate) sha256: Option<[u8; 32]>,
}

/// A usable asset.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) media: MediaType,
    pub(crate) uploaded_at: u64,
    /// Counts up as assets become usable: several may within one second.
    pub(crate) arrived: u64,
    /// When it became usable.
    since: Instant,
    pub(crate) object: Object,
}

impl Ready {
    /// The asset's name among the files.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.{}", self.id, self.media.extension())
    }
}

struct Entry {
    /// Counts up: several assets may come within one second.
    serial: u64,
    flow: Flow,
    state: State,
}

enum State {
    Pending {
        declared: Declared,
        object: Option<Arrived>,
    },
    Ready(Ready),
}

/// What a presigned `PUT` brought.
struct Arrived {
    object: Object,
    /// `complete` does not see the bytes before.
    settled: Instant,
}

/// Every asset, by id.
#[derive(Default)]
pub(crate) struct Assets {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<String, Entry>,
    next_serial: u64,
}

impl Table {
    fn insert(&mut self, id: &str, flow: Flow, state: State) {
        let serial = self.next();
        let entry = Entry {
            serial,
            flow,
            state,
        };
        self.entries.insert(id.to_owned(), entry);
    }

    fn next(&mut self) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        serial
    }
}

impl Assets {
    /// Takes a finished upload in.
    pub(crate) fn add(
        &self,
        store: &Store,
        name: String,
        media: MediaType,
        received: Received,
    ) -> Result<Ready, ApiError> {
        let mut table = self.lock();
        let id = new_id();
        let object = store
            .keep_asset(received, &id)
            .map_err(ApiError::internal)?;
        let ready = Ready {
            id,
            name,
            media,
            uploaded_at: unix_now(),
            arrived: table.next(),
            since: Instant::now(),
            object,
        };
        table.insert(&ready.id, Flow::Upload, State::Ready(ready.clone()));
        Ok(ready)
    }

    /// Makes room for a direct upload and gives its id.
    pub(crate) fn declare(&self, declared: Declared) -> String {
        let id = new_id();
        let state = State::Pending {
            declared,
            object: None,
        };
        self.lock().insert(&id, Flow::DirectUpload, state);
        id
    }

    /// Takes what a presigned `PUT` brought. Bytes for an asset that is completed or deleted are let go: the URL is
    /// still good, but nothing asks for them any more.
    pub(crate) fn put(
        &self,
        store: &Store,
        id: &str,
        received: Received,
        settles: Duration,
    ) -> std::io::Result<()> {
        let mut table = self.lock();
        if let Some(entry) = table.entries.get_mut(id)
            && let State::Pending { object, .. } = &mut entry.state
        {
            *object = Some(Arrived {
                object: store.keep_incoming(received, id)?,
                settled: Instant::now() + settles,
            });
        }
        Ok(())
    }

    /// Makes a direct upload usable, if its bytes are there and are what was declared. May be repeated.
    pub(crate) fn complete(
        &self,
        store: &Store,
        config: &Config,
        id: &str,
        sha256: Option<[u8; 32]>,
    ) -> Result<Ready, ApiError> {
        let mut table = self.lock();
        let arrived = table.next();
        let entry = table
            .entries
            .get_mut(id)
            .ok_or_else(|| ApiError::asset_not_found(id))?;
        let (declared, object) = match &entry.state {
            State::Ready(ready) => {
                check_sum(config, &ready.object, sha256)?;
                return Ok(ready.clone());
            }
            State::Pending {
                declared,
                object: Some(Arrived { object, settled }),
            } if *settled <= Instant::now() => (declared, object),
            State::Pending { .. } => {
                return Err(ApiError::conflict("the bytes have not arrived yet"));
            }
        };
        check_sum(config, object, sha256)?;
        check_sum(config, object, declared.sha256)?;
        if object.media != Some(declared.media) {
            let found = object.media.map_or("of no supported type", MediaType::mime);
            let message = format!("declared as {}, the bytes are {found}", declared.media);
            return Err(ApiError::unverified(&config.mismatch, message).param("content_type"));
        }
        let ready = Ready {
            id: id.to_owned(),
            name: declared.name.clone(),
            media: declared.media,
            uploaded_at: unix_now(),
            arrived,
            since: Instant::now(),
            object: store
                .promote(object.clone(), id)
                .map_err(ApiError::internal)?,
        };
        entry.state = State::Ready(ready.clone());
        Ok(ready)
    }

    /// A usable asset; one that is pending is not found.
    pub(crate) fn get(&self, id: &str) -> Option<Ready> {
        match &self.lock().entries.get(id)?.state {
            State::Ready(ready) => Some(ready.clone()),
            State::Pending { .. } => None,
        }
    }

    /// The usable assets that arrived before one of this number, newest first, at most so many.
    pub(crate) fn newest(&self, before: Option<u64>, most: usize) -> Vec<Ready> {
        let table = self.lock();
        let ready = table
            .entries
            .values()
            .filter_map(|entry| match &entry.state {
                State::Ready(ready) => Some(ready),
                State::Pending { .. } => None,
            });
        let mut page: Vec<_> = ready
            .filter(|ready| before.is_none_or(|before| ready.arrived < before))
            .collect();
        page.sort_unstable_by_key(|ready| Reverse(ready.arrived));
        page.into_iter().take(most).cloned().collect()
    }

    /// How far an asset is.
    pub(crate) fn status(&self, config: &Config, id: &str) -> Status {
        match self.lock().entries.get(id).map(|entry| &entry.state) {
            Some(State::Ready(ready)) if ready.since.elapsed() < config.processing => {
                Status::Processing
            }
            Some(State::Ready(_)) => Status::Completed,
            Some(State::Pending { .. }) => Status::Queued,
            None => Status::NotFound,
        }
    }

    /// A usable asset, as the input of a request.
    pub(crate) fn input(&self, config: &Config, id: &str) -> Result<Ready, ApiError> {
        match self.lock().entries.get(id).map(|entry| &entry.state) {
            Some(State::Ready(ready)) => Ok(ready.clone()),
            Some(State::Pending { .. }) => {
                let message = format!("the upload of asset {id:?} is not complete");
                Err(ApiError::unverified(&config.not_available, message))
            }
            None => Err(ApiError::asset_not_found(id)),
        }
    }

    /// Forgets an asset, pending or not, and gives its file, if it has one.
    pub(crate) fn remove(&self, id: &str) -> Result<Option<Object>, ApiError> {
        match self.lock().entries.remove(id).map(|entry| entry.state) {
            Some(State::Ready(ready)) => Ok(Some(ready.object)),
            Some(State::Pending { object, .. }) => Ok(object.map(|arrived| arrived.object)),
            None => Err(ApiError::asset_not_found(id)),
        }
    }

    /// Every asset, oldest first.
    pub(crate) fn snapshot(&self) -> Vec<StoredAsset> {
        let table = self.lock();
        let mut sorted: Vec<_> = table.entries.iter().collect();
        sorted.sort_unstable_by_key(|(_, entry)| entry.serial);
        sorted
            .into_iter()
            .map(|(id, entry)| describe(id, entry))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn describe(id: &str, entry: &Entry) -> StoredAsset {
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
        status,
        path: object.map(|object| object.path.clone()),
    }
}

fn check_sum(config: &Config, object: &Object, wanted: Option<[u8; 32]>) -> Result<(), ApiError> {
    match wanted {
        Some(wanted) if wanted != object.sha256 => {
            let found = hex::encode(object.sha256);
            let message = format!("the bytes' SHA-256 is {found}");
            Err(ApiError::unverified(&config.mismatch, message).param("checksum_sha256"))
        }
        _ => Ok(()),
    }
}

/// A name fit to show: the last part of a path, without control characters, of at most 255 characters.
pub(crate) fn clean_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(255).collect();
    match clean.trim() {
        "" | "." | ".." => "untitled".to_owned(),
        name => name.to_owned(),
    }
}

/// Opaque to clients; the prefix is the one in the service's own examples.
fn new_id() -> String {
    format!("ast_{}", Uuid::new_v4().simple())
}

/// The time in whole seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::clean_name;

    #[test]
    fn names_lose_folders_and_control_characters() {
        let cases = [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a b.pdf ", "a b.pdf"),
            ("a\0b\r\nc", "abc"),
            ("folder/", "untitled"),
            ("..", "untitled"),
            ("Grüße.pdf", "Grüße.pdf"),
        ];
        for (given, clean) in cases {
            assert_eq!(clean_name(given), clean);
        }
        assert_eq!(clean_name(&"ü".repeat(1000)).chars().count(), 255);
    }
}
