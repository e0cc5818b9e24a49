//! The table as a start finds it, whatever the last end was.
//!
//! A kill may come between any two steps. What it can leave is mended here: a completed asset whose file has not moved
//! yet is moved; one without its file is dropped; a pending upload without its bytes waits for them again; and files
//! that no record speaks of are removed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::entry::{Entry, State};
use super::{Assets, Table};
use crate::feed::Feed;
use crate::records::{Kind, RecordError, Records};
use crate::store::{Place, Store};

impl Assets {
    /// Reads the records and makes files and records agree.
    pub(crate) fn load(records: Arc<Records>, store: &Store) -> Result<Self, RecordError> {
        let mut entries = HashMap::new();
        let mut files = HashSet::new();
        for (id, mut entry) in records.load::<Entry>(Kind::Asset)? {
            match mend(store, &id, &mut entry) {
                Mended::Whole => {}
                Mended::Changed => records.put(Kind::Asset, &id, &entry)?,
                Mended::Lost => {
                    tracing::warn!(id, "an asset without its file is dropped");
                    records.remove(Kind::Asset, &[&id])?;
                    continue;
                }
            }
            files.extend(entry.state.file().map(str::to_owned));
            entries.insert(id, entry);
        }
        store.sweep(&files);
        let serials = entries.values().flat_map(|entry| match &entry.state {
            State::Ready(ready) => [entry.serial, ready.arrived],
            State::Pending { .. } => [entry.serial; 2],
        });
        let next_serial = serials.max().map_or(0, |last| last + 1);
        Ok(Self {
            table: Mutex::new(Table {
                entries,
                next_serial,
            }),
            records,
            feed: Feed::default(),
        })
    }
}

enum Mended {
    Whole,
    /// The record is to be written anew.
    Changed,
    /// The record is of nothing.
    Lost,
}

fn mend(store: &Store, id: &str, entry: &mut Entry) -> Mended {
    match &mut entry.state {
        State::Ready(ready) if store.holds(&ready.object) => Mended::Whole,
        State::Ready(ready) => {
            let incoming = store.as_incoming(&ready.object, id);
            let moved = store.holds(&incoming) && store.promote(&incoming, &ready.object).is_ok();
            if moved { Mended::Whole } else { Mended::Lost }
        }
        State::Pending { object, .. } => match object {
            Some(arrived) if !store.holds(&arrived.object) => {
                *object = None;
                Mended::Changed
            }
            _ => Mended::Whole,
        },
    }
}

impl State {
    fn file(&self) -> Option<&str> {
        let object = match self {
            Self::Ready(ready) => Some(&ready.object),
            Self::Pending { object, .. } => object.as_ref().map(|arrived| &arrived.object),
        };
        match &object?.place {
            Place::File(file) => Some(file),
            Place::Bucket(_) => None,
        }
    }
}
