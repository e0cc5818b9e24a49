//! A record of what was done, so that a run that was killed can be resumed.
//!
//! Promise: with a journal, a run that ends at any point and is started again does each remaining step once. A job that
//! was done is not run again. An asset that was complete is not sent again. Bytes that had arrived are only completed.
//! If the response to a creation was lost, the creation is retried with the same Idempotency-Key, so that the service
//! does not create a second asset (it remembers a key for 24 hours). What a run cannot record, it does not continue: the
//! first record that cannot be written fails its job and every later one.
//!
//! # What is on disk before what
//!
//! A record is in the file when the method that records it returns. So a killed process loses no record. A failure of the
//! power loses what was not synced yet. Syncs are slow, so a run waits for one only where something relies on the record.
//! All that wait at the same time share a sync, and a record that nothing waits for is synced with others, within a second
//! (see [`log`]). Records reach the disk in the order in which they were written, so a run never finds a record without
//! those before it.
//!
//! | record | on disk before | if the power fails earlier, the next run |
//! |---|---|---|
//! | the first line, and the file's name in its folder | the journal is open | (nothing was sent) |
//! | `begun` | | does not say that the source has changed, if it has. The keys of a changed source differ anyway |
//! | `put` | the request that completes the asset | creates the asset with the same key, gets the same asset, and sends the bytes once more |
//! | `delivered` | the end of the job | sends the file once more, with the same key, and gets the same asset |
//! | `abandoned`, with an asset | the request that deletes the asset | finds the asset: it still exists |
//! | `abandoned`, without one | the end of the job | asks again, and gets the same answer: refused, or not found |
//! | `deleted` | | deletes the asset once more, which is no error |
//! | `done` | the end of the job | runs the job once more. Its files are known as delivered, or as above |
//!
//! No record is needed before a creation: its key follows from the first line, the job, and the file.
//!
//! "The end of the job" is when [`Job::run`](crate::Job::run) returns. Until then, nothing was promised to anybody. So a job
//! without failures waits for one sync, or two per file that is uploaded directly, and shares it with the jobs that run
//! at the same time. What is lost in between is not more than what a lost response loses: a response is in no record yet,
//! either, and the Idempotency-Key serves both.

mod digest;
#[cfg(test)]
pub(crate) mod disk;
mod file;
mod job;
mod log;
mod record;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

pub(crate) use job::{Active, FileJournal, JobJournal};
pub(crate) use log::Urgency;

use crate::flow::pipeline::Pipeline;
use forebay_core::mutex::lock;
use log::{Log, Position};
use record::{Record, State};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file could not be opened, read or written.
    #[error("journal {}: {reason}", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Another run has it open.
    #[error("journal {}: another run is using it", .0.display())]
    InUse(PathBuf),
    /// The file is something else. It was not changed.
    #[error("{}: this is not a journal, and is left as it is: {reason}", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// How that is known.
        reason: &'static str,
    },
    /// It is a journal of another version, or damaged. It was not changed.
    #[error("journal {}: line {line}: {problem}", path.display())]
    Unreadable {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// A record of what was done, so that a killed run can be resumed. Clones share the file.
///
/// Pass it to each [`Job`](crate::Job::journal) of a run. Only one run can have it open at a time.
///
/// # Format
/// JSON Lines, version 2: one document per line. Each line is synced to disk before anything relies on it. A line that was
/// written when all lines before it were on disk begins with a space.
///
/// If the last record is cut off, nothing relies on it yet, and it is removed. After a failure of the power, blocks of the
/// lines that were not on disk yet may be missing (zeros), with later lines behind them. Everything from there on is
/// removed, unless a space says that it had been on disk. Any other line that cannot be read is an error. A file that does
/// not begin with the first line of a journal is never changed.
///
/// | line | meaning |
/// |---|---|
/// | `{"forebay-journal":{"version":2,"id":…}}` | the first line; the id makes this journal's Idempotency-Keys unique |
/// | `{"begun":{"place":…,"state":…}}` | a job began over a source in this state; both are digests |
/// | `{"known":{"file":…,"known":{"put":{…}}}}` | the storage has the bytes of a file: asset id, SHA-256, size |
/// | `{"known":{"file":…,"known":{"delivered":{…}}}}` | the service has the asset |
/// | `{"abandoned":{"file":…,"asset_id":…}}` | asset about to be deleted or gone, or its creation refused: its key is used up |
/// | `{"deleted":{"file":…,"asset_id":…}}` | that asset is deleted |
/// | `{"done":{"job":…,"report":…}}` | a job is done |
///
/// A file is identified by its job's digest and by its position among the outputs of each stage. The job's digest covers
/// what decides its result: the service and the account (a digest of the key, not the key), the plugins, configs and
/// grants, and the place and state of the source. The place of a source is the path by which it is named, so two links to
/// one file are two sources.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    path: PathBuf,
    id: String,
    log: Log,
    state: Mutex<State>,
    /// Notified when a job ends.
    ended: Notify,
}
impl Journal {
    /// Opens a journal. Starts a new one if the file does not exist or is empty.
    ///
    /// # Errors
    /// If the file cannot be used, another run has it open, or it is not a journal. Such a file is not changed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let path = path.into();
        let opened = file::open(&path)?;
        let mut state = State::default();
        for record in opened.records {
            state.take_in(record);
        }
        let log = match Log::new(opened.file, opened.length) {
            Ok(log) => log,
            Err(reason) => return Err(JournalError::Io { path, reason }),
        };
        Ok(Self(Arc::new(Shared {
            path,
            id: opened.id,
            log,
            state: Mutex::new(state),
            ended: Notify::new(),
        })))
    }

    /// A new journal on a disk of a test.
    #[cfg(test)]
    pub(crate) fn on(disk: &disk::Disk) -> Self {
        Self::on_after(disk, &[])
    }

    /// A journal on a disk of a test, behind a head line that is on disk.
    #[cfg(test)]
    #[allow(clippy::expect_used, reason = "tests")]
    pub(crate) fn on_after(disk: &disk::Disk, head: &[u8]) -> Self {
        disk.begin_with(head);
        let log = Log::new(disk.clone(), head.len() as u64);
        Self(Arc::new(Shared {
            path: "journal".into(),
            id: "0123456789abcdef0123456789abcdef".into(),
            log: log.expect("a thread starts"),
            state: Mutex::default(),
            ended: Notify::new(),
        }))
    }

    /// Returns the first error that occurred when a record was written or synced. Jobs fail with it, so that nothing is
    /// uploaded that no later run would know about.
    ///
    /// # Errors
    /// If a record could not be written or synced.
    pub fn check(&self) -> Result<(), JournalError> {
        self.0.log.check().map_err(|reason| self.error(reason))
    }

    /// The part for a job that runs `pipeline` into this sink, over the source at `place` in this `state`. The state is
    /// a file's size and modification time, or a digest of bytes.
    pub(crate) fn job(
        &self,
        pipeline: &Pipeline,
        sink: &str,
        place: &[u8],
        state: &[u8],
    ) -> JobJournal {
        JobJournal::new(self, pipeline, sink, place, state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// Writes a record, and applies it even if it could not be written. Does not wait for the disk.
    fn record(&self, record: Record) -> io::Result<Position> {
        let written = self.0.log.append(&record);
        if let Err(error) = &written {
            tracing::debug!("journal {}: {error}", self.0.path.display());
        }
        self.state().take_in(record);
        written
    }

    fn error(&self, reason: io::Error) -> JournalError {
        JournalError::Io {
            path: self.0.path.clone(),
            reason,
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Journal").field(&self.0.path).finish()
    }
}
