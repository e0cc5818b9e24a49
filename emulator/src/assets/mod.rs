//! The table of assets: what the emulator knows of each, and the steps between `pending_upload` and a usable asset.
//!
//! A rename, the record and the table change under one lock and without a wait between them, so an asset is there with
//! its file or not at all, whenever a client goes away.

mod entry;
mod recover;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use entry::{Arrived, Entry, State, describe};
pub use entry::{AssetStatus, Flow, StoredAsset};
pub(crate) use entry::{Declared, Ready};

use crate::batches::Status;
use crate::config::Config;
use crate::error::ApiError;
use crate::feed::{Card, Change, Feed};
use crate::maker::UserAgent;
use crate::media::MediaType;
use crate::records::{Kind, RecordError, Records};
use crate::store::{Object, Received, Store};

/// Every asset, by id.
pub(crate) struct Assets {
    table: Mutex<Table>,
    records: Arc<Records>,
    feed: Feed,
}

#[derive(Default)]
struct Table {
    entries: HashMap<String, Entry>,
    next_serial: u64,
}

impl Table {
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
        user_agent: Option<UserAgent>,
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
            since: SystemTime::now(),
            object,
        };
        let entry = Entry {
            serial: table.next(),
            flow: Flow::Upload,
            user_agent,
            state: State::Ready(ready.clone()),
        };
        if let Err(error) = self.keep(&mut table, &ready.id, entry) {
            store.discard(&ready.object);
            return Err(ApiError::internal(error));
        }
        Ok(ready)
    }

    /// Makes room for a direct upload and gives its id.
    pub(crate) fn declare(
        &self,
        declared: Declared,
        user_agent: Option<UserAgent>,
    ) -> Result<String, ApiError> {
        let mut table = self.lock();
        let id = new_id();
        let entry = Entry {
            serial: table.next(),
            flow: Flow::DirectUpload,
            user_agent,
            state: State::Pending {
                declared,
                object: None,
            },
        };
        self.keep(&mut table, &id, entry)
            .map_err(ApiError::internal)?;
        Ok(id)
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
        let Some(entry) = table.entries.get(id) else {
            return Ok(());
        };
        let mut entry = entry.clone();
        let State::Pending { object, .. } = &mut entry.state else {
            return Ok(());
        };
        let kept = store.keep_incoming(received, id)?;
        let before = object.replace(Arrived {
            object: kept.clone(),
            settled: SystemTime::now() + settles,
        });
        let before = before.map(|arrived| arrived.object);
        let written = self.keep(&mut table, id, entry);
        // One of the two has no record now, unless they are the same bytes and so the same file.
        let same = before
            .as_ref()
            .is_some_and(|before| before.place == kept.place);
        let spare = if written.is_ok() { before } else { Some(kept) };
        if let Some(spare) = spare.filter(|_| !same) {
            store.discard(&spare);
        }
        written.map_err(std::io::Error::other)
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
            .get(id)
            .ok_or_else(|| ApiError::asset_not_found(id))?;
        let (declared, object) = match &entry.state {
            State::Ready(ready) => {
                check_sum(config, &ready.object, sha256)?;
                return Ok(ready.clone());
            }
            State::Pending {
                declared,
                object: Some(Arrived { object, settled }),
            } if *settled <= SystemTime::now() => (declared, object),
            State::Pending { .. } => {
                return Err(ApiError::conflict("the bytes have not arrived yet"));
            }
        };
        if object.size != declared.size {
            let message = format!(
                "declared as {} bytes, there are {}",
                declared.size, object.size
            );
            return Err(ApiError::unverified(&config.mismatch, message).param("size_bytes"));
        }
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
            since: SystemTime::now(),
            object: store.as_asset(object, id),
        };
        let done = Entry {
            serial: entry.serial,
            flow: entry.flow,
            user_agent: entry.user_agent.clone(),
            state: State::Ready(ready.clone()),
        };
        // The record decides. Killed before the file has moved, the next start moves it.
        let (incoming, before) = (object.clone(), entry.clone());
        self.keep(&mut table, id, done)
            .map_err(ApiError::internal)?;
        if let Err(error) = store.promote(&incoming, &ready.object) {
            self.keep(&mut table, id, before)
                .map_err(ApiError::internal)?;
            return Err(ApiError::internal(error));
        }
        Ok(ready)
    }

    /// Takes note of what is in a bucket.
    pub(crate) fn arrive(&self, id: &str, found: Object) -> Result<(), ApiError> {
        let mut table = self.lock();
        let Some(mut entry) = table.entries.get(id).cloned() else {
            return Ok(());
        };
        let State::Pending { object, .. } = &mut entry.state else {
            return Ok(());
        };
        *object = Some(Arrived {
            object: found,
            settled: SystemTime::now(),
        });
        self.keep(&mut table, id, entry).map_err(ApiError::internal)
    }

    /// What was declared of an upload that is not completed.
    pub(crate) fn pending(&self, id: &str) -> Option<Declared> {
        match &self.lock().entries.get(id)?.state {
            State::Pending { declared, .. } => Some(declared.clone()),
            State::Ready(_) => None,
        }
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
            Some(State::Ready(ready)) if ready.is_processing(config.processing) => {
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
        let mut table = self.lock();
        if !table.entries.contains_key(id) {
            return Err(ApiError::asset_not_found(id));
        }
        self.records
            .remove(Kind::Asset, &[id])
            .map_err(ApiError::internal)?;
        self.feed.tell(|| Change::Went(id.to_owned()));
        Ok(match table.entries.remove(id).map(|entry| entry.state) {
            Some(State::Ready(ready)) => Some(ready.object),
            Some(State::Pending { object, .. }) => object.map(|arrived| arrived.object),
            None => None,
        })
    }

    /// Every asset at a glance, oldest first.
    pub(crate) fn cards(&self) -> Vec<Card> {
        let table = self.lock();
        let cards = table.entries.iter().map(|(id, entry)| entry.card(id));
        let mut cards: Vec<_> = cards.collect();
        cards.sort_unstable_by_key(|card| card.serial);
        cards
    }

    /// Tells of what changes from now on.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Every asset, oldest first.
    pub(crate) fn snapshot(&self, store: &Store) -> Vec<StoredAsset> {
        let table = self.lock();
        let mut sorted: Vec<_> = table.entries.iter().collect();
        sorted.sort_unstable_by_key(|(_, entry)| entry.serial);
        sorted
            .into_iter()
            .map(|(id, entry)| describe(store, id, entry))
            .collect()
    }

    /// Writes an entry's record and, if that went well, the entry.
    fn keep(&self, table: &mut Table, id: &str, entry: Entry) -> Result<(), RecordError> {
        self.records.put(Kind::Asset, id, &entry)?;
        self.feed.tell(|| Change::Came(entry.card(id)));
        table.entries.insert(id.to_owned(), entry);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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
