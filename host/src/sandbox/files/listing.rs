//! The entries of a directory, read a batch at a time.
//!
//! Whoever lists a directory holds its handle and the names of one batch, and no thread while it waits to be asked.
//!
//! The directory may change meanwhile. What stays is listed once; what is removed or added before the end may be listed or not.

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
        let kind = match entry.metadata() {
            Ok(metadata) => metadata.file_type(),
            // It was there when the system read its name.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        batch.push_back((kind, entry.file_name().into_string().ok()));
    }
    Ok((batch, Some(entries)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_may_change_while_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |number: usize| folder.path().join(format!("{number:04}"));
        for number in 0..600 {
            fs::write(at(number), "").unwrap();
        }
        let (first, rest) = open(&File::open(folder.path()).unwrap()).unwrap();
        assert_eq!(first.len(), ENTRIES);
        let mut listed: Vec<String> = first.into_iter().map(|(_, name)| name.unwrap()).collect();
        // The system has read the names of many by now.
        let removed: BTreeSet<usize> = (0..600).filter(|number| number % 2 == 0).collect();
        for &number in &removed {
            fs::remove_file(at(number)).unwrap();
        }
        fs::write(at(1000), "").unwrap();
        fs::create_dir(at(1001)).unwrap();
        let mut rest = rest;
        while let Some(entries) = rest.take() {
            let (batch, next) = read(entries).unwrap();
            listed.extend(batch.into_iter().map(|(_, name)| name.unwrap()));
            rest = next;
        }
        let once: BTreeSet<&String> = listed.iter().collect();
        assert_eq!(once.len(), listed.len(), "each is listed once");
        for number in (0..600).filter(|number| !removed.contains(number)) {
            assert!(once.contains(&format!("{number:04}")), "{number}");
        }
    }
}
