//! Records that survive a restart, in an embedded database next to the files.
//!
//! Each record is written in its own transaction, so it exists whole or not at all, even after a kill. A file gets its
//! name before its record is written, and it is removed after its record is removed. So a record without a file is
//! rare, and a file without a record is garbage. The next start repairs both.
//!
//! Without a data folder there is no database, and nothing is written.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The cache of the database, in bytes. Records are small, and they are read only at the start.
const CACHE: usize = 4 << 20;

/// The kind of a record. Each kind has its own table of JSON values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// An asset. The key is its id.
    Asset,
    /// A batch. The key is its id.
    Batch,
    /// A response that can be replayed. The key is its path and idempotency key.
    Response,
    /// A setting of the emulator itself. The key is its name.
    Setting,
}

impl Kind {
    fn table(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(match self {
            Self::Asset => "assets",
            Self::Batch => "batches",
            Self::Response => "answers",
            Self::Setting => "settings",
        })
    }
}

/// Why a record was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("cannot read or write the database of records")]
    Database(#[from] redb::Error),
    #[error("a record has the format of another version")]
    Json(#[from] serde_json::Error),
}

/// The records of one emulator.
pub(crate) struct Records {
    database: Option<Database>,
}

impl Records {
    /// Records that are not kept: writing does nothing, and loading finds nothing.
    pub(crate) fn none() -> Self {
        Self { database: None }
    }

    /// Opens the database at `path`, and creates it if it is missing. Fails if another process has it open.
    pub(crate) fn open(path: &Path) -> Result<Self, RecordError> {
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create(path)
            .map_err(redb::Error::from)?;
        Ok(Self {
            database: Some(database),
        })
    }

    /// Writes a record, and replaces one of the same key. When this returns, the record survives a kill. It blocks the
    /// thread for some milliseconds while the disk syncs.
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

    /// Removes records. Keys without a record are ignored.
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

    /// Every record of a kind, in the order of the keys.
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
