//! What outlives a restart: records in an embedded database, beside the files.
//!
//! A record is written in a transaction of its own, and is there whole or not at all, whenever the process is killed.
//! The order of files and records makes the rest: a file gets its name before its record is written and loses it after
//! its record is gone, so a record without a file is rare and a file without a record means nothing. Both are mended at
//! the next start.
//!
//! Without a folder of the user's there is no database, and nothing is written.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The database's cache, in bytes. Records are small and read only at the start.
const CACHE: usize = 4 << 20;

/// What a record is of. Each has a table, of JSON by key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// By asset id.
    Asset,
    /// By batch id.
    Batch,
    /// By path and idempotency key.
    Answer,
    /// By its name: what the emulator itself has to remember.
    Setting,
}

impl Kind {
    fn table(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(match self {
            Self::Asset => "assets",
            Self::Batch => "batches",
            Self::Answer => "answers",
            Self::Setting => "settings",
        })
    }
}

/// Why a record was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the database of records")]
    Database(#[from] redb::Error),
    #[error("a record of another version")]
    Json(#[from] serde_json::Error),
}

/// The records of one emulator.
pub(crate) struct Records {
    database: Option<Database>,
}

impl Records {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self { database: None }
    }

    /// Opens the database at `path`, which no other process may have open, and makes it if it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, RecordError> {
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create(path)
            .map_err(redb::Error::from)?;
        Ok(Self {
            database: Some(database),
        })
    }

    /// Writes a record over one of the same key. When it returns, a kill does not undo it. It blocks for as long as the
    /// disk takes to make sure, some milliseconds.
    pub(crate) fn put(
        &self,
        kind: Kind,
        key: &str,
        record: &impl Serialize,
    ) -> Result<(), RecordError> {
        let Some(database) = &self.database else {
            return Ok(());
        };
        let json = serde_json::to_vec(record)?;
        let change = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            transaction
                .open_table(kind.table())?
                .insert(key, json.as_slice())?;
            Ok(transaction.commit()?)
        };
        Ok(change()?)
    }

    /// Removes records; those that are not there are gone already.
    pub(crate) fn remove(&self, kind: Kind, keys: &[&str]) -> Result<(), RecordError> {
        let Some(database) = self.database.as_ref().filter(|_| !keys.is_empty()) else {
            return Ok(());
        };
        let change = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            let mut table = transaction.open_table(kind.table())?;
            for key in keys {
                table.remove(key)?;
            }
            drop(table);
            Ok(transaction.commit()?)
        };
        Ok(change()?)
    }

    /// Every record of a kind, in the order of their keys.
    pub(crate) fn load<T: DeserializeOwned>(
        &self,
        kind: Kind,
    ) -> Result<Vec<(String, T)>, RecordError> {
        let Some(database) = &self.database else {
            return Ok(Vec::new());
        };
        let read = || -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
            let transaction = database.begin_read()?;
            let table = match transaction.open_table(kind.table()) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                opened => opened?,
            };
            let mut rows = Vec::new();
            for row in table.iter()? {
                let (key, json) = row?;
                rows.push((key.value().to_owned(), json.value().to_vec()));
            }
            Ok(rows)
        };
        let rows = read()?.into_iter();
        rows.map(|(key, json)| Ok((key, serde_json::from_slice(&json)?)))
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn records_are_there_when_the_database_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records");
        let records = Records::open(&path).unwrap();
        assert!(records.load::<u32>(Kind::Asset).unwrap().is_empty());
        for (key, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            records.put(Kind::Asset, key, &value).unwrap();
        }
        records.put(Kind::Batch, "a", &9).unwrap();
        records.remove(Kind::Asset, &["c", "none"]).unwrap();
        assert!(Records::open(&path).is_err(), "one process at a time");
        drop(records);

        let records = Records::open(&path).unwrap();
        let kept: Vec<(String, u32)> = records.load(Kind::Asset).unwrap();
        assert_eq!(kept, [("a".to_owned(), 3), ("b".to_owned(), 2)]);
        assert!(records.load::<String>(Kind::Batch).is_err(), "not a string");
    }

    #[test]
    fn without_a_database_nothing_is_kept() {
        let records = Records::none();
        records.put(Kind::Asset, "a", &1).unwrap();
        records.remove(Kind::Asset, &["a"]).unwrap();
        assert!(records.load::<u32>(Kind::Asset).unwrap().is_empty());
    }
}
