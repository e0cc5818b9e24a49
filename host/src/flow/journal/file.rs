//! Opens the file of a journal.
//!
//! Promise: no byte of a file changes before the file is known to be a journal of ours. A photo that was named by
//! mistake, a text, a pipe or a device is refused and does not change. The same holds for a journal with a line that
//! cannot be read. Only two things are ever repaired, both left by a killed run or a failure of the power: an incomplete
//! head line is completed, and what follows the last complete record is removed if it was never on disk as a whole.
//!
//! When a journal is open, all its records are on disk, those of a killed run included, and so is its name in its folder.

use std::fs::{File, FileType, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::Deserialize;

use super::JournalError;
use super::log::ALL_ON_DISK;
use super::record::{Head, Record, VERSION};

/// How many bytes of a file are read to find its head line. A head line has about 80.
const HEAD_BYTES: u64 = 4096;

/// Storage writes blocks whose size is a multiple of this.
const SECTOR: u64 = 512;

/// How each head line begins, in all versions.
const HEAD_START: &[u8] = br#"{"forebay-journal":{"#;

/// Why a file without a head line is refused.
const NO_HEAD: &str = "it does not begin as a journal does";

/// How each record begins, up to the first character that differs from file to file.
const RECORD_STARTS: [&[u8]; 5] = [
    br#"{"begun":{""#,
    br#"{"known":{""#,
    br#"{"abandoned":{""#,
    br#"{"deleted":{""#,
    br#"{"done":{""#,
];

/// A journal that is locked, complete, and ready for more records.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) id: String,
    pub(super) records: Vec<Record>,
    /// The end of the last record. Everything before is on disk.
    pub(super) length: u64,
}

/// What the beginning of a file contains.
enum Start {
    /// A head line of this length, newline included.
    Head { id: String, length: u64 },
    /// Nothing, or the beginning of a head line. `missing` is the rest of that line.
    Partial { id: String, missing: Vec<u8> },
}

/// Opens a journal. Starts a new one if the file does not exist or is empty.
pub(super) fn open(path: &Path) -> Result<Opened, JournalError> {
    let journal = Place { path };
    let mut file = journal.open()?;
    // This check comes before the lock, so that the file of another program is never locked, not even briefly.
    journal.identify(&mut file)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(journal.fault(error)),
    }
    // Check again under the lock: another run may have written to the file since the first check.
    match journal.identify(&mut file)? {
        Start::Partial { id, missing } => {
            let fault = |error| journal.fault(error);
            append(&mut file, &missing).map_err(fault)?;
            let length = file.metadata().map_err(fault)?.len();
            journal.sync_name()?;
            Ok(Opened {
                file,
                id,
                records: Vec::new(),
                length,
            })
        }
        Start::Head { id, length } => {
            let (records, length) = journal.records(&mut file, length)?;
            // A killed run wrote them, and may not have synced them.
            file.sync_data().map_err(|error| journal.fault(error))?;
            if records.is_empty() {
                journal.sync_name()?;
            }
            Ok(Opened {
                file,
                id,
                records,
                length,
            })
        }
    }
}

/// The path of the journal, for errors.
struct Place<'a> {
    path: &'a Path,
}

impl Place<'_> {
    /// Opens the file, or creates it. Existing content does not change, and nothing blocks.
    fn open(&self) -> Result<File, JournalError> {
        match std::fs::metadata(self.path) {
            // The type is checked by path first, because opening a device may have an effect.
            Ok(metadata) => self.check_type(metadata.file_type())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.fault(error)),
        }
        let mut options = File::options();
        // An existing file keeps its content.
        options.read(true).append(true).create(true);
        never_block(&mut options);
        let file = options.open(self.path).map_err(|error| self.fault(error))?;
        // Another file may have replaced it in the meantime.
        let metadata = file.metadata().map_err(|error| self.fault(error))?;
        self.check_type(metadata.file_type())?;
        Ok(file)
    }

    fn check_type(&self, kind: FileType) -> Result<(), JournalError> {
        if kind.is_file() {
            Ok(())
        } else {
            Err(self.no_journal(what_it_is(kind)))
        }
    }

    /// Reads the head line. Reads at most as much as a head line can need, however large the file is.
    fn identify(&self, file: &mut File) -> Result<Start, JournalError> {
        let mut start = Vec::new();
        file.rewind()
            .and_then(|()| (&*file).take(HEAD_BYTES).read_to_end(&mut start))
            .map_err(|error| self.fault(error))?;
        if let Some(end) = start.iter().position(|&byte| byte == b'\n') {
            start.truncate(end + 1);
            return Ok(Start::Head {
                id: self.head(&start)?,
                length: start.len() as u64,
            });
        }
        let partial = partial_head(&start).map_err(|error| self.fault(error.into()))?;
        partial.ok_or_else(|| self.no_journal(NO_HEAD))
    }

    /// The id in a head line.
    fn head(&self, line: &[u8]) -> Result<String, JournalError> {
        /// The part of a head line that is the same in all versions.
        #[derive(Deserialize)]
        enum AnyHead {
            #[serde(rename = "forebay-journal")]
            Journal { version: u64 },
        }
        if !line.starts_with(HEAD_START) {
            return Err(self.no_journal(NO_HEAD));
        }
        match serde_json::from_slice(line) {
            Ok(AnyHead::Journal { version }) if version == u64::from(VERSION) => {}
            Ok(AnyHead::Journal { version }) => {
                let problem = format!(
                    "version {version}, this forebay reads {VERSION}; name another file to begin a new journal"
                );
                return Err(self.unreadable(1, problem));
            }
            Err(_) => return Err(self.no_journal(NO_HEAD)),
        }
        match serde_json::from_slice(line) {
            Ok(Head::Journal { id, .. }) => Ok(id),
            Err(error) => Err(self.unreadable(1, error.to_string())),
        }
    }

    /// Syncs the folder in which the journal was created. Without it, a failure of the power removes the file.
    fn sync_name(&self) -> Result<(), JournalError> {
        if cfg!(unix) {
            // The file may have been named by a link to another folder.
            let file = std::fs::canonicalize(self.path).map_err(|error| self.fault(error))?;
            // A folder that this user cannot read cannot be synced.
            if let Some(Ok(folder)) = file.parent().map(File::open)
                && let Err(error) = folder.sync_all()
                && !matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                )
            {
                return Err(self.fault(error));
            }
        }
        Ok(())
    }

    /// Reads the records after the head line, and returns where the last one ends. Then removes what follows it, if that
    /// was never on disk as a whole.
    fn records(&self, file: &mut File, head: u64) -> Result<(Vec<Record>, u64), JournalError> {
        let fault = |error| self.fault(error);
        file.seek(SeekFrom::Start(head)).map_err(fault)?;
        let mut reader = BufReader::new(&*file);
        let mut records = Vec::new();
        let mut whole = head;
        let mut number = 1;
        let mut line = Vec::new();
        loop {
            line.clear();
            number += 1;
            reader.read_until(b'\n', &mut line).map_err(fault)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(record) => records.push(record),
                Err(error) if has_hole(&line, whole) => {
                    self.check_never_on_disk(&mut reader, number, &error)?;
                    break;
                }
                Err(error) => return Err(self.unreadable(number, error.to_string())),
            }
            whole += line.len() as u64;
        }
        // All lines before this one were read. The file may change only from here on.
        let shown = self.path.display();
        if line.is_empty() {
            // The file ends at the end of a line.
        } else if let Ok(record) = serde_json::from_slice(&line) {
            tracing::warn!("journal {shown}: its last line had no end, and gets one");
            append(file, b"\n").map_err(fault)?;
            records.push(record);
            whole += line.len() as u64 + 1;
        } else if line.ends_with(b"\n") {
            tracing::warn!(
                "journal {shown}: the power failed before all of line {number} was on disk; it and what follows are left out"
            );
            file.set_len(whole).map_err(fault)?;
        } else if is_torn(&line) || has_hole(&line, whole) {
            tracing::warn!("journal {shown}: its last record was cut off, and is left out");
            file.set_len(whole)
                .and_then(|()| file.sync_data())
                .map_err(fault)?;
        } else {
            let problem = "it has no end, and does not begin as a record does";
            return Err(self.unreadable(number, problem.into()));
        }
        Ok((records, whole))
    }

    /// Reads what follows a line in which bytes are missing. If one of the lines was written when all lines before it were
    /// on disk, the bytes were lost later, and the journal is damaged.
    fn check_never_on_disk(
        &self,
        reader: &mut impl io::BufRead,
        damaged: usize,
        problem: &serde_json::Error,
    ) -> Result<(), JournalError> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            if read.map_err(|error| self.fault(error))? == 0 {
                return Ok(());
            }
            if line.first() == Some(&ALL_ON_DISK) && serde_json::from_slice::<Record>(&line).is_ok()
            {
                return Err(self.unreadable(damaged, problem.to_string()));
            }
        }
    }

    fn fault(&self, reason: io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.to_owned(),
            reason,
        }
    }

    fn no_journal(&self, reason: &'static str) -> JournalError {
        JournalError::NotAJournal {
            path: self.path.to_owned(),
            reason,
        }
    }

    fn unreadable(&self, line: usize, problem: String) -> JournalError {
        JournalError::Unreadable {
            path: self.path.to_owned(),
            line,
            problem,
        }
    }
}

/// Opens a pipe without waiting for its other end.
#[cfg(unix)]
fn never_block(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
}

#[cfg(not(unix))]
fn never_block(_: &mut OpenOptions) {}

/// What exists at the path instead of a file.
fn what_it_is(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "it is a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "it is a pipe";
        }
        if kind.is_socket() {
            return "it is a socket";
        }
    }
    "it is a device"
}

/// Writes at the end of a file and syncs it.
fn append(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.write_all(text)?;
    file.sync_data()
}

/// A head line with this id.
fn head_line(id: &str) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Head::Journal {
        version: VERSION,
        id: id.to_owned(),
    })?;
    line.push(b'\n');
    Ok(line)
}

/// The rest of the head line that begins with these bytes, which contain no newline. `None` if no head line of ours
/// begins with them, or if there are too few bytes to decide: a file with only a `{` may belong to any program. Digits
/// of the id that exist already are kept.
fn partial_head(bytes: &[u8]) -> serde_json::Result<Option<Start>> {
    if !bytes.is_empty() && !bytes.starts_with(HEAD_START) {
        return Ok(None);
    }
    let fresh = uuid::Uuid::new_v4().simple().to_string();
    let before_id = head_line("")?;
    // The line ends with `"}}` and a newline.
    let before_id = before_id.len().saturating_sub(4);
    let digits: String = bytes
        .iter()
        .skip(before_id)
        .take(fresh.len())
        .map(|&byte| char::from(byte))
        .collect();
    if !digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
        return Ok(None);
    }
    let id = format!("{digits}{}", fresh.get(digits.len()..).unwrap_or_default());
    let line = head_line(&id)?;
    Ok(line.strip_prefix(bytes).map(|missing| Start::Partial {
        id,
        missing: missing.to_vec(),
    }))
}

/// Whether a line that starts at `offset` bytes lacks blocks that a failure of the power kept from the disk: it begins as a
/// record does, zeros follow, and they end where a block or the file ends. No record contains zeros.
fn has_hole(line: &[u8], offset: u64) -> bool {
    let is_zero = |&byte: &u8| byte == 0;
    let Some(start) = line.iter().position(is_zero) else {
        return false;
    };
    let (before, from_hole) = line.split_at(start);
    let length = from_hole.iter().take_while(|byte| is_zero(byte)).count();
    let ends_with_the_file = length == from_hole.len();
    let ends_with_a_sector = (offset + (start + length) as u64).is_multiple_of(SECTOR);
    is_torn(before) && (ends_with_the_file || ends_with_a_sector)
}

/// Whether a killed process or a power failure can have left this in place of a record. It is then the beginning of a
/// record, or a hole in the file.
fn is_torn(line: &[u8]) -> bool {
    let line = line.strip_prefix(&[ALL_ON_DISK]).unwrap_or(line);
    line.iter().all(|&byte| byte == 0)
        || RECORD_STARTS
            .iter()
            .any(|start| line.starts_with(start) || start.starts_with(line))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::super::Journal;
    use super::*;
    use crate::flow::report::Report;

    const HEAD: &str =
        "{\"forebay-journal\":{\"version\":2,\"id\":\"0123456789abcdef0123456789abcdef\"}}\n";
    const BEGUN: &str = "{\"begun\":{\"place\":\"p\",\"state\":\"s\"}}\n";

    /// A folder with a file in it.
    fn holding(content: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    /// Asserts that the file is refused with these words and does not change.
    #[track_caller]
    fn assert_refused(content: &[u8], words: &str) {
        let (_folder, path) = holding(content);
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(std::fs::read(&path).unwrap() == content, "it was changed");
    }

    /// Asserts that the file is opened, and that this is its content afterwards.
    #[track_caller]
    fn assert_mended(content: &[u8], after: &str) {
        let (_folder, path) = holding(content);
        drop(Journal::open(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        drop(Journal::open(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
    }

    #[test]
    fn what_is_no_journal_is_refused_and_left_as_it_is() {
        let mut photo = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        photo.extend((0..100_000_u32).map(|at| (at % 251) as u8));
        let one_line = vec![b'x'; 100_000];
        let like = format!("{{\"forebay-journal\":{}", "7".repeat(5_000));
        for content in [
            photo.as_slice(),
            b"some words\n",
            b"some words without an end",
            b"some\nwords without an end",
            b"\n",
            b"{}",
            b"{\"forebay\":\"0.1.0\"}",
            b"{\"forebay-journal\":\"how to\"}\nwords",
            b"{\"forebay-journal\":[1,\"x\"]}\n",
            b"{\"forebay-journals\":",
            b"{\"forebay-journal\": {\"version\":1",
            b"{\"forebay-journal\":{\"version\":2,\"id\":\"not hex",
            b"{\"forebay-journal\":{\"version\":2,\"id\":\"0123\0\0\0\0",
            // A file of zeros may be anything.
            &[0; 83],
            &one_line,
            like.as_bytes(),
        ] {
            assert_refused(content, "this is not a journal, and is left as it is: it");
        }
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_left_as_it_is() {
        for (content, words) in [
            (
                "{\"forebay-journal\":{\"version\":3,\"name\":\"x\"}}\n{\"begun\":{\"pl",
                "line 1: version 3, this forebay reads 2",
            ),
            ("{\"forebay-journal\":{\"version\":2}}\n", "line 1: missing"),
            (&format!("{HEAD}words\n{BEGUN}"), "line 2: "),
            // The torn last record stays, too.
            (
                &format!("{HEAD}{BEGUN}words\n{BEGUN}{{\"begun\":{{\"pl"),
                "line 3: ",
            ),
            (&format!("{HEAD}{BEGUN}words"), "line 3: it has no end"),
            (
                &format!("{HEAD}{BEGUN}{{\"begun\":\"words"),
                "line 3: it has no end",
            ),
            (
                &format!("{HEAD}{{\"noted\":{{\"file\":\"x"),
                "line 2: it has no end",
            ),
            (&format!("{HEAD}\0\0words"), "line 2: it has no end"),
            (&format!("{HEAD}\0\0\n"), "line 2: "),
        ] {
            assert_refused(content.as_bytes(), words);
        }
    }

    #[test]
    fn only_the_torn_last_record_is_removed() {
        for tail in [
            "{",
            "{\"be",
            "{\"begun\":{\"place\":\"p\",\"st",
            "{\"known\":{\"file\":\"f\",\"known\":{\"put\":{\"asset",
            "{\"abandoned\":{\"file\":\"f",
            "{\"deleted\":{\"f",
            "{\"done\":{\"job\":\"j",
            "{\"begun\":{\"place\":\"\0\0\0\0\0",
            " ",
            " {\"be",
            "\0",
            &"\0".repeat(10_000),
        ] {
            let content = format!("{HEAD}{BEGUN}{tail}");
            assert_mended(content.as_bytes(), &format!("{HEAD}{BEGUN}"));
        }
    }

    /// A journal of these records, in which the bytes from `hole` to the next end of a sector are missing.
    fn with_hole(records: &[&str], hole: usize) -> Vec<u8> {
        let mut content = HEAD.as_bytes().to_vec();
        for record in records {
            content.extend(record.as_bytes());
        }
        let end = (hole + 1).next_multiple_of(SECTOR as usize);
        content.get_mut(hole..end).unwrap().fill(0);
        content
    }

    #[test]
    fn blocks_that_the_power_kept_from_the_disk_end_the_journal() {
        let after = |number: usize| format!("{HEAD}{}", BEGUN.repeat(number));
        let records = [BEGUN; 60];
        for hole in [
            // Within a record; where a record starts; where a sector starts.
            HEAD.len() + 10 * BEGUN.len() + 7,
            HEAD.len() + 10 * BEGUN.len(),
            1024,
            // In the second half of a record, and over its end.
            HEAD.len() + 11 * BEGUN.len() - 2,
            // The first byte of a record.
            HEAD.len() + 10 * BEGUN.len() + 1,
        ] {
            let kept = (hole - HEAD.len()) / BEGUN.len();
            assert_mended(&with_hole(&records, hole), &after(kept));
        }
        // All that follows may be the rest of one line, without an end.
        let content = with_hole(&records, 1024);
        let cut = content.get(..1540).unwrap();
        assert_mended(cut, &after((1024 - HEAD.len()) / BEGUN.len()));
        // The hole may begin behind the first bytes of a record and end with the file.
        for kept in 1..BEGUN.len() - 1 {
            let mut content = format!("{HEAD}{BEGUN}{BEGUN}").into_bytes();
            content
                .get_mut(HEAD.len() + BEGUN.len() + kept..)
                .unwrap()
                .fill(0);
            assert_mended(&content, &after(1));
        }
    }

    #[test]
    fn bytes_that_were_on_disk_and_are_missing_are_an_error() {
        let marked = format!(" {BEGUN}");
        let mut records = [BEGUN; 60];
        *records.last_mut().unwrap() = &marked;
        assert_refused(&with_hole(&records, 1024), ": line ");
        // A hole that ends anywhere is none.
        let mut content = with_hole(&[BEGUN; 60], 1024);
        *content.get_mut(1535).unwrap() = b'x';
        assert_refused(&content, ": line ");
    }

    #[test]
    fn a_last_record_that_lacks_only_its_newline_is_kept() {
        let whole = format!("{HEAD}{BEGUN}");
        assert_mended(whole.trim_end().as_bytes(), &whole);
    }

    #[test]
    fn a_torn_head_is_completed() {
        for length in std::iter::once(0).chain(HEAD_START.len()..HEAD.len()) {
            let start = HEAD.get(..length).unwrap();
            let (_folder, path) = holding(start.as_bytes());
            drop(Journal::open(&path).unwrap());
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                text.starts_with(start) && text.len() == HEAD.len(),
                "{text}"
            );
            drop(Journal::open(&path).unwrap());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_few_bytes_that_may_be_anybodys_are_left_as_they_are() {
        for length in 1..HEAD_START.len() {
            let start = HEAD.as_bytes().get(..length).unwrap();
            assert_refused(start, "this is not a journal, and is left as it is: it");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_no_file_is_refused_at_once() {
        use rustix::fs::{CWD, FileType, Mode};

        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        // Without the program of that name: a process that starts holds the locks of this one for a moment, and other tests
        // would find their journals in use.
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, words) in [
            (folder.path(), "it is a folder"),
            (&pipe, "it is a pipe"),
            (&socket, "it is a socket"),
        ] {
            let error = Journal::open(path).unwrap_err();
            assert!(
                matches!(error, JournalError::NotAJournal { reason, .. } if reason == words),
                "{error}"
            );
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_followed_even_where_the_file_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("journal", &link).unwrap();
        drop(Journal::open(&link).unwrap());
        assert!(link.is_symlink());
        let text = std::fs::read(folder.path().join("journal")).unwrap();
        assert!(text.starts_with(b"{\"forebay-journal\":"));
    }

    /// A kind of record that is missing from the table would not be repaired.
    #[test]
    fn every_record_has_its_start_in_the_table() {
        let file = || "f".to_owned();
        for record in [
            Record::Begun {
                place: file(),
                state: file(),
            },
            Record::Known {
                file: file(),
                known: forebay_assets::journal::Known::Put {
                    asset_id: file(),
                    sha256: file(),
                    size: 1,
                },
            },
            Record::Abandoned {
                file: file(),
                asset_id: None,
            },
            Record::Deleted {
                file: file(),
                asset_id: file(),
            },
            Record::Done {
                job: file(),
                report: Box::new(Report::new("p")),
            },
        ] {
            // A new kind of record does not compile here until it is listed above.
            match record {
                Record::Begun { .. }
                | Record::Known { .. }
                | Record::Abandoned { .. }
                | Record::Deleted { .. }
                | Record::Done { .. } => {}
            }
            let line = serde_json::to_vec(&record).unwrap();
            let starts = |start: &&[u8]| line.starts_with(start);
            assert!(RECORD_STARTS.iter().any(starts));
        }
    }
}
