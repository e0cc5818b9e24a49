//! The table of assets, and the steps from a pending upload to a usable asset.
//!
//! The file, the record and the table change under one lock and without an await point. So a client that disconnects
//! cannot leave an asset without its file.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast;

use super::changes::{Change, Changes};
use super::entry::{Arrived, Declared, Entry, Flow, Ready, State};
use super::recover::{Recovered, recover};
use super::status::Status;
use super::view::{AssetSummary, StoredAsset};
use crate::base::api_error::ApiError;
use crate::base::clock::unix_now;
use crate::base::config::Config;
use crate::base::ids::{self, new_id};
use crate::base::media::MediaType;
use crate::base::user_agent::UserAgent;
use crate::storage::files::{FileStore, Received};
use crate::storage::object::{Object, Place};
use crate::storage::records::{Kind, RecordError, Records};

/// Every asset, by id.
pub(crate) struct Assets {
    table: Mutex<Table>,
    config: Arc<Config>,
    files: Arc<FileStore>,
    records: Arc<Records>,
    changes: Changes,
}

struct Table {
    entries: HashMap<String, Entry>,
    next_serial: u64,
}

impl Table {
    fn take_serial(&mut self) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        serial
    }
}

impl Assets {
    /// Restores the assets of earlier runs.
    pub(crate) fn load(
        config: Arc<Config>,
        files: Arc<FileStore>,
        records: Arc<Records>,
    ) -> Result<Self, RecordError> {
        let Recovered {
            entries,
            next_serial,
        } = recover(&records, &files)?;
        Ok(Self {
            table: Mutex::new(Table {
                entries,
                next_serial,
            }),
            config,
            files,
            records,
            changes: Changes::default(),
        })
    }

    /// Adds the asset of a finished upload.
    pub(crate) fn add(
        &self,
        name: String,
        media: MediaType,
        received: Received,
        user_agent: Option<UserAgent>,
    ) -> Result<Ready, ApiError> {
        let mut table = self.lock();
        let id = new_id(ids::ASSET);
        let object = self
            .files
            .keep_asset(received, &id)
            .map_err(ApiError::internal)?;
        let ready = Ready {
            id,
            name,
            media,
            uploaded_at: unix_now(),
            arrived: table.take_serial(),
            since: SystemTime::now(),
            object,
        };
        let entry = Entry {
            serial: table.take_serial(),
            flow: Flow::Upload,
            user_agent,
            state: State::Ready(ready.clone()),
        };
        if let Err(error) = self.insert(&mut table, &ready.id, entry) {
            self.files.discard(&ready.object);
            return Err(ApiError::internal(error));
        }
        Ok(ready)
    }

    /// Creates a pending asset for a direct upload and returns its id.
    pub(crate) fn declare(
        &self,
        declared: Declared,
        user_agent: Option<UserAgent>,
    ) -> Result<String, ApiError> {
        let mut table = self.lock();
        let id = new_id(ids::ASSET);
        let entry = Entry {
            serial: table.take_serial(),
            flow: Flow::DirectUpload,
            user_agent,
            state: State::Pending {
                declared,
                object: None,
            },
        };
        self.insert(&mut table, &id, entry)
            .map_err(ApiError::internal)?;
        Ok(id)
    }

    /// Stores the body of a presigned `PUT`. `complete` sees it after `settles_after`. If the asset is completed or
    /// deleted already, the body is dropped and this succeeds, because the URL is still valid.
    pub(crate) fn put(
        &self,
        id: &str,
        received: Received,
        settles_after: Duration,
    ) -> std::io::Result<()> {
        let mut table = self.lock();
        let Some(entry) = table.entries.get(id) else {
            return Ok(());
        };
        let mut entry = entry.clone();
        let State::Pending { object, .. } = &mut entry.state else {
            return Ok(());
        };
        let kept = self.files.keep_incoming(received, id)?;
        let before = object.replace(Arrived {
            object: kept.clone(),
            settled: SystemTime::now() + settles_after,
        });
        let before = before.map(|arrived| arrived.object);
        let written = self.insert(&mut table, id, entry);
        // Only one of the old and the new file has a record now. If the bytes are the same, they are one file.
        let same = before
            .as_ref()
            .is_some_and(|before| before.place == kept.place);
        let unused = if written.is_ok() { before } else { Some(kept) };
        if let Some(unused) = unused.filter(|_| !same) {
            self.files.discard(&unused);
        }
        written.map_err(std::io::Error::other)
    }

    /// Makes a direct upload usable if its bytes have arrived and match what was declared. May be repeated.
    pub(crate) fn complete(&self, id: &str, sha256: Option<[u8; 32]>) -> Result<Ready, ApiError> {
        let mut table = self.lock();
        let arrived = table.take_serial();
        let entry = table
            .entries
            .get(id)
            .ok_or_else(|| ApiError::asset_not_found(id))?;
        let (declared, object) = match &entry.state {
            State::Ready(ready) => {
                self.check_sha256(&ready.object, sha256)?;
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
            return Err(
                ApiError::configured(&self.config.mismatch, message).with_param("size_bytes")
            );
        }
        self.check_sha256(object, sha256)?;
        self.check_sha256(object, declared.sha256)?;
        if object.media != Some(declared.media) {
            let found = object.media.map_or("of no supported type", MediaType::mime);
            let message = format!("declared as {}, the bytes are {found}", declared.media);
            return Err(
                ApiError::configured(&self.config.mismatch, message).with_param("content_type")
            );
        }
        let ready = Ready {
            id: id.to_owned(),
            name: declared.name.clone(),
            media: declared.media,
            uploaded_at: unix_now(),
            arrived,
            since: SystemTime::now(),
            object: self.files.as_asset(object, id),
        };
        let done = Entry {
            serial: entry.serial,
            flow: entry.flow,
            user_agent: entry.user_agent.clone(),
            state: State::Ready(ready.clone()),
        };
        // The record is written first. If the process is killed before the file is moved, the next start moves it.
        let (incoming, before) = (object.clone(), entry.clone());
        self.insert(&mut table, id, done)
            .map_err(ApiError::internal)?;
        if let Err(error) = self.files.promote(&incoming, &ready.object) {
            self.insert(&mut table, id, before)
                .map_err(ApiError::internal)?;
            return Err(ApiError::internal(error));
        }
        Ok(ready)
    }

    /// Records the object that the bucket has for a pending asset.
    pub(crate) fn record_object(&self, id: &str, found: Object) -> Result<(), ApiError> {
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
        self.insert(&mut table, id, entry)
            .map_err(ApiError::internal)
    }

    /// What was declared for a pending asset; `None` if it is completed or does not exist.
    pub(crate) fn pending(&self, id: &str) -> Option<Declared> {
        match &self.lock().entries.get(id)?.state {
            State::Pending { declared, .. } => Some(declared.clone()),
            State::Ready(_) => None,
        }
    }

    /// A usable asset; `None` if it is pending or does not exist.
    pub(crate) fn get(&self, id: &str) -> Option<Ready> {
        match &self.lock().entries.get(id)?.state {
            State::Ready(ready) => Some(ready.clone()),
            State::Pending { .. } => None,
        }
    }

    /// At most `most` usable assets, newest first. With `before`, only those whose [`Ready::arrived`] is lower.
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
    pub(crate) fn status(&self, id: &str) -> Status {
        match self.lock().entries.get(id).map(|entry| &entry.state) {
            Some(State::Ready(ready)) if ready.is_processing(self.config.processing) => {
                Status::Processing
            }
            Some(State::Ready(_)) => Status::Completed,
            Some(State::Pending { .. }) => Status::Queued,
            None => Status::NotFound,
        }
    }

    /// A usable asset as a file input. A pending asset has an error of its own.
    pub(crate) fn file_input(&self, id: &str) -> Result<Ready, ApiError> {
        match self.lock().entries.get(id).map(|entry| &entry.state) {
            Some(State::Ready(ready)) => Ok(ready.clone()),
            Some(State::Pending { .. }) => {
                let message = format!("the upload of asset {id:?} is not complete");
                Err(ApiError::configured(&self.config.not_available, message))
            }
            None => Err(ApiError::asset_not_found(id)),
        }
    }

    /// Removes an asset, pending or not, from the table. Returns where its bytes are, if they have arrived. The caller
    /// removes the bytes.
    pub(crate) fn remove(&self, id: &str) -> Result<Option<Place>, ApiError> {
        let mut table = self.lock();
        if !table.entries.contains_key(id) {
            return Err(ApiError::asset_not_found(id));
        }
        self.records
            .remove(Kind::Asset, &[id])
            .map_err(ApiError::internal)?;
        self.changes.publish(|| Change::Deleted(id.to_owned()));
        let removed = table.entries.remove(id);
        Ok(removed.and_then(|entry| Some(entry.state.object()?.place.clone())))
    }

    /// A summary of every asset, oldest first.
    pub(crate) fn summaries(&self) -> Vec<AssetSummary> {
        let table = self.lock();
        let entries = table.entries.iter();
        let mut summaries: Vec<_> = entries
            .map(|(id, entry)| AssetSummary::new(id, entry))
            .collect();
        summaries.sort_unstable_by_key(|summary| summary.serial);
        summaries
    }

    /// Receives each change from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Every asset, oldest first.
    pub(crate) fn snapshot(&self) -> Vec<StoredAsset> {
        let table = self.lock();
        let mut sorted: Vec<_> = table.entries.iter().collect();
        sorted.sort_unstable_by_key(|(_, entry)| entry.serial);
        sorted
            .into_iter()
            .map(|(id, entry)| StoredAsset::new(&self.files, id, entry))
            .collect()
    }

    /// Writes the record of an entry. If that succeeds, puts the entry into the table and publishes the change.
    fn insert(&self, table: &mut Table, id: &str, entry: Entry) -> Result<(), RecordError> {
        self.records.put(Kind::Asset, id, &entry)?;
        self.changes
            .publish(|| Change::Updated(AssetSummary::new(id, &entry)));
        table.entries.insert(id.to_owned(), entry);
        Ok(())
    }

    /// Compares the bytes' checksum with the one that the client gave, if it gave one.
    fn check_sha256(&self, object: &Object, wanted: Option<[u8; 32]>) -> Result<(), ApiError> {
        match wanted {
            Some(wanted) if wanted != object.sha256 => {
                let found = hex::encode(object.sha256);
                let message = format!("the bytes' SHA-256 is {found}");
                Err(ApiError::configured(&self.config.mismatch, message)
                    .with_param("checksum_sha256"))
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
