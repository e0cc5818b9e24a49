//! Restores the table of assets at a start, after a clean end or a kill.
//!
//! A kill can come between any two steps of an upload. Recovery makes files and records agree:
//! - A completed asset whose file was not moved yet: the file is moved.
//! - A completed asset without a file: its record is removed.
//! - A pending upload whose bytes are missing: it waits for its bytes again.
//! - A file without a record: it is removed.

use std::collections::{HashMap, HashSet};

use super::entry::{Entry, State};
use crate::storage::files::FileStore;
use crate::storage::object::Place;
use crate::storage::records::{Kind, RecordError, Records};

/// The assets of earlier runs, by id, and the next serial number.
pub(super) struct Recovered {
    pub(super) entries: HashMap<String, Entry>,
    pub(super) next_serial: u64,
}

/// Reads the records and makes files and records agree.
pub(super) fn recover(records: &Records, files: &FileStore) -> Result<Recovered, RecordError> {
    let mut entries = HashMap::new();
    let mut known = HashSet::new();
    for (id, mut entry) in records.load::<Entry>(Kind::Asset)? {
        match repair(files, &id, &mut entry) {
            Repair::Unchanged => {}
            Repair::Changed => records.put(Kind::Asset, &id, &entry)?,
            Repair::Lost => {
                tracing::warn!(id, "removed an asset whose file is missing");
                records.remove(Kind::Asset, &[&id])?;
                continue;
            }
        }
        if let Some(Place::File(file)) = entry.state.object().map(|object| &object.place) {
            known.insert(file.clone());
        }
        entries.insert(id, entry);
    }
    files.sweep(&known);
    let serials = entries.values().flat_map(|entry| match &entry.state {
        State::Ready(ready) => [entry.serial, ready.arrived],
        State::Pending { .. } => [entry.serial; 2],
    });
    let next_serial = serials.max().map_or(0, |last| last + 1);
    Ok(Recovered {
        entries,
        next_serial,
    })
}

enum Repair {
    /// The record is right.
    Unchanged,
    /// The record must be written again.
    Changed,
    /// The record must be removed: the bytes are lost.
    Lost,
}

fn repair(files: &FileStore, id: &str, entry: &mut Entry) -> Repair {
    match &mut entry.state {
        State::Ready(ready) if files.holds(&ready.object) => Repair::Unchanged,
        State::Ready(ready) => {
            let incoming = files.as_incoming(&ready.object, id);
            let moved = files.holds(&incoming) && files.promote(&incoming, &ready.object).is_ok();
            if moved {
                Repair::Unchanged
            } else {
                Repair::Lost
            }
        }
        State::Pending { object, .. } => match object {
            Some(arrived) if !files.holds(&arrived.object) => {
                *object = None;
                Repair::Changed
            }
            _ => Repair::Unchanged,
        },
    }
}
