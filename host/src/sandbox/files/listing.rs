//! The entries of a directory, read a batch at a time.
//!
//! Whoever lists a directory holds its handle and the names of one batch, and no thread while it waits to be asked.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use cap_std::fs::{Dir, FileType, ReadDir};

/// Entries of a directory that are read at a time.
const ENTRIES: usize = 64;

/// An entry: what it is, and its name, if that is Unicode.
pub(super) type Entry = (FileType, Option<String>);

/// Some entries, and what reads the next ones; `None` at the end.
pub(super) type Batch = io::Result<(VecDeque<Entry>, Option<ReadDir>)>;

/// Opens a directory and reads its first entries. Blocks.
pub(super) fn open(folder: &File) -> Batch {
    read(Dir::from_std_file(folder.try_clone()?).entries()?)
}

/// Reads the next entries. Blocks.
pub(super) fn read(mut entries: ReadDir) -> Batch {
    let mut batch = VecDeque::new();
    while batch.len() < ENTRIES {
        let Some(entry) = entries.next() else {
            return Ok((batch, None));
        };
        let entry = entry?;
        let kind = entry.metadata()?.file_type();
        batch.push_back((kind, entry.file_name().into_string().ok()));
    }
    Ok((batch, Some(entries)))
}
