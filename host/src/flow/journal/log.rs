//! Appends records to the file of a journal, and syncs them in groups.
//!
//! Promise: a record is in the file when [`append`](Log::append) returns, so a process that is killed loses none. It is on
//! disk when [`synced`](Log::synced) resolves. One thread syncs for all that wait: a sync covers every record that was
//! written before it began, and the records that are written meanwhile are covered by the next one. A record that nobody
//! waits for is synced with the others, and at the latest after a second.
//!
//! Records reach the disk in order: a record that counts as synced has all earlier ones before it. After the first write
//! or sync that fails, no record is written any more. After a sync that fails, nothing that was written since the last
//! successful one counts as synced, and no further sync is tried: a system may report a failed sync once, drop the bytes,
//! and succeed the next time.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::oneshot;

use forebay_core::mutex::lock;

/// When a sync begins that nothing needs at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delays {
    /// A record that nobody waits for is synced after this time at the latest. If the power fails, a run loses no older
    /// one.
    latest: Duration,
    /// How long records are gathered for one sync if only results wait for it.
    gathering: Duration,
}

/// At 100 files in a second, ten share a sync of the second kind. Nobody notices this time at the end of a run.
const DELAYS: Delays = Delays {
    latest: Duration::from_secs(1),
    gathering: Duration::from_millis(100),
};

/// Begins a line that was written when everything before it was on disk. JSON allows it.
pub(super) const ALL_ON_DISK: u8 = b' ';

/// What a log writes to. Tests have one that fails.
pub(crate) trait Medium: Send + Sync + 'static {
    /// Writes all of this at the end.
    fn append(&self, text: &[u8]) -> io::Result<()>;
    /// Removes what is after this many bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Returns when everything that was written before is on disk.
    fn sync(&self) -> io::Result<()>;
}

impl Medium for File {
    fn append(&self, text: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(text)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Where a record ends in the file, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub(super) u64);

/// What waits for a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Work cannot go on before. The sync begins at once, or as soon as the one that is running has ended.
    HoldsUpWork,
    /// Only a result is held back. The sync may wait for the records of others.
    HoldsUpAResult,
}

/// The end of the file of a journal. Dropping it waits for a sync that is running, and syncs what is left.
pub(super) struct Log {
    shared: Arc<Shared>,
    syncer: Option<JoinHandle<()>>,
}

struct Shared {
    medium: Box<dyn Medium>,
    delays: Delays,
    state: Mutex<State>,
    /// Notified when a sync is wanted earlier than before, and when the log is dropped.
    changed: Condvar,
}

struct State {
    /// The end of the last record.
    written: u64,
    /// Up to here, everything is on disk.
    synced: u64,
    /// When the next sync begins. `None` if everything is on disk.
    due: Option<Instant>,
    /// Who waits, in the order in which they came.
    waiting: Vec<Waiting>,
    /// The first error.
    fault: Option<Arc<io::Error>>,
    /// Whether a sync has failed.
    sync_failed: bool,
    closed: bool,
}

struct Waiting {
    position: u64,
    done: oneshot::Sender<io::Result<()>>,
}

impl Log {
    /// Appends to this medium, of which `length` bytes are on disk.
    pub(super) fn new(medium: impl Medium, length: u64) -> io::Result<Self> {
        Self::with_delays(medium, length, DELAYS)
    }

    fn with_delays(medium: impl Medium, length: u64, delays: Delays) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            medium: Box::new(medium),
            delays,
            state: Mutex::new(State {
                written: length,
                synced: length,
                due: None,
                waiting: Vec::new(),
                fault: None,
                sync_failed: false,
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let syncer = std::thread::Builder::new().name("forebay-journal".into());
        let syncer = syncer.spawn({
            let shared = shared.clone();
            move || shared.sync_until_closed()
        })?;
        Ok(Self {
            shared,
            syncer: Some(syncer),
        })
    }

    /// Writes a record as one line, and returns where it ends. Does not wait for the disk: a few hundred bytes go to the
    /// page cache.
    pub(super) fn append(&self, record: &impl Serialize) -> io::Result<Position> {
        let mut line = vec![ALL_ON_DISK];
        let serialized = serde_json::to_writer(&mut line, record);
        line.push(b'\n');
        let mut state = self.shared.lock();
        if let Some(fault) = &state.fault {
            return Err(copy(fault));
        }
        let mut line = line.as_slice();
        if state.synced < state.written {
            line = line.strip_prefix(&[ALL_ON_DISK]).unwrap_or(line);
        }
        let written = serialized
            .map_err(io::Error::from)
            .and_then(|()| self.shared.medium.append(line));
        if let Err(error) = written {
            // An incomplete line is removed when the journal is opened again, if it cannot be removed now.
            let _ = self.shared.medium.truncate(state.written);
            return Err(copy(state.fault.insert(Arc::new(error))));
        }
        state.written += line.len() as u64;
        let position = Position(state.written);
        self.shared
            .sync_by(&mut state, Instant::now() + self.shared.delays.latest);
        Ok(position)
    }

    /// Resolves when everything up to this position is on disk. The sync is asked for at once. Dropping the future changes
    /// nothing about it.
    pub(super) fn synced(
        &self,
        position: Position,
        urgency: Urgency,
    ) -> impl Future<Output = io::Result<()>> + Send + use<> {
        let (done, ended) = oneshot::channel();
        let waiting = Waiting {
            position: position.0,
            done,
        };
        let mut state = self.shared.lock();
        if waiting.position <= state.synced {
            let _ = waiting.done.send(Ok(()));
        } else if let (true, Some(fault)) = (state.sync_failed, &state.fault) {
            let _ = waiting.done.send(Err(copy(fault)));
        } else {
            state.waiting.push(waiting);
            let gathering = match urgency {
                Urgency::HoldsUpWork => Duration::ZERO,
                Urgency::HoldsUpAResult => self.shared.delays.gathering,
            };
            self.shared.sync_by(&mut state, Instant::now() + gathering);
        }
        drop(state);
        async move {
            // The thread that syncs answers everybody before it ends.
            let closed = |_| Err(io::Error::other("the journal was closed"));
            ended.await.unwrap_or_else(closed)
        }
    }

    /// The first error that occurred when a record was written or synced.
    pub(super) fn check(&self) -> io::Result<()> {
        match &self.shared.lock().fault {
            None => Ok(()),
            Some(fault) => Err(copy(fault)),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        // The thread has the file open, and with it the file's lock.
        if let Some(syncer) = self.syncer.take() {
            let _ = syncer.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Makes the next sync begin at this time, if it would begin later.
    fn sync_by(&self, state: &mut State, time: Instant) {
        if state.due.is_none_or(|due| time < due) {
            state.due = Some(time);
            self.changed.notify_all();
        }
    }

    /// Syncs whenever a sync is due.
    fn sync_until_closed(&self) {
        while let Some(written) = self.wait_until_due() {
            let ended = self.medium.sync();
            let mut state = self.lock();
            let fault = match ended {
                Ok(()) => {
                    state.synced = written;
                    None
                }
                Err(error) => {
                    let error = Arc::new(error);
                    state.sync_failed = true;
                    state.fault.get_or_insert_with(|| error.clone());
                    Some(error)
                }
            };
            let covered = |waiting: &mut Waiting| fault.is_some() || waiting.position <= written;
            let ended: Vec<Waiting> = state.waiting.extract_if(.., covered).collect();
            drop(state);
            for waiting in ended {
                // Who does not wait any more needs no answer.
                let _ = waiting.done.send(match &fault {
                    None => Ok(()),
                    Some(fault) => Err(copy(fault)),
                });
            }
        }
    }

    /// Waits for the next sync, and returns up to where it syncs. `None` if there will be none.
    fn wait_until_due(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.sync_failed || (state.closed && state.synced == state.written) {
                return None;
            }
            let now = Instant::now();
            let left = match state.due {
                Some(due) => due.saturating_duration_since(now),
                None => Duration::MAX,
            };
            if left.is_zero() || state.closed {
                state.due = None;
                return Some(state.written);
            }
            state = if state.due.is_some() {
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let waited = self.changed.wait(state);
                waited.unwrap_or_else(PoisonError::into_inner)
            };
        }
    }
}

/// The same error for one more that it concerns.
fn copy(error: &Arc<io::Error>) -> io::Error {
    io::Error::new(error.kind(), error.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::pin::pin;

    use futures::FutureExt as _;
    use futures::executor::block_on;

    use super::super::disk::{Disk, Step};
    use super::Urgency::{HoldsUpAResult, HoldsUpWork};
    use super::*;

    /// Longer than any test runs.
    const NEVER: Duration = Duration::from_secs(100_000);

    fn log(disk: &Disk) -> Log {
        log_with(disk, NEVER, NEVER)
    }

    fn log_with(disk: &Disk, latest: Duration, gathering: Duration) -> Log {
        let delays = Delays { latest, gathering };
        Log::with_delays(disk.clone(), 0, delays).unwrap()
    }

    fn write(text: &str) -> Step {
        Step::Write(format!("{text}\n"))
    }

    #[test]
    fn a_record_is_written_at_once_and_acknowledged_after_its_sync() {
        let disk = Disk::default();
        let log = log(&disk);
        disk.hold_syncs();
        let position = log.append(&1).unwrap();
        assert_eq!(disk.steps(), [write(" 1")]);
        let mut synced = pin!(log.synced(position, HoldsUpWork));
        disk.wait_for_syncs(1);
        assert!(synced.as_mut().now_or_never().is_none(), "not on disk yet");
        disk.let_sync();
        block_on(synced).unwrap();
        assert_eq!(disk.steps(), [write(" 1"), Step::Sync]);
        // It stays on disk: nobody waits for it again.
        block_on(log.synced(position, HoldsUpWork)).unwrap();
        assert_eq!(disk.steps().len(), 2);
    }

    #[test]
    fn a_sync_covers_what_was_written_before_it_began_and_the_next_one_the_rest() {
        let disk = Disk::default();
        let log = log(&disk);
        disk.hold_syncs();
        let first = log.append(&1).unwrap();
        let first = log.synced(first, HoldsUpWork);
        disk.wait_for_syncs(1);
        // Written while a sync runs: without waiting for it, and not covered by it.
        let more: Vec<Position> = (2..50).map(|number| log.append(&number).unwrap()).collect();
        let mut more: Vec<_> = more
            .into_iter()
            .map(|position| Box::pin(log.synced(position, HoldsUpWork)))
            .collect();
        disk.let_sync();
        block_on(first).unwrap();
        disk.wait_for_syncs(2);
        for waiting in &mut more {
            assert!(waiting.now_or_never().is_none());
        }
        disk.let_sync();
        for waiting in more {
            block_on(waiting).unwrap();
        }
        let mut expected: Vec<Step> = (2..50).map(|number| write(&number.to_string())).collect();
        expected.insert(0, write(" 1"));
        expected.extend([Step::Sync, Step::Sync]);
        assert_eq!(disk.steps(), expected);
    }

    #[test]
    fn results_wait_for_others_and_share_their_sync() {
        let disk = Disk::default();
        let log = log(&disk);
        let result = |number: u32| {
            let position = log.append(&number).unwrap();
            Box::pin(log.synced(position, HoldsUpAResult))
        };
        let mut results: Vec<_> = (0..20).map(result).collect();
        for result in &mut results {
            assert!(result.now_or_never().is_none());
        }
        assert!(!disk.steps().contains(&Step::Sync));
        let urgent = log.append(&20).unwrap();
        block_on(log.synced(urgent, HoldsUpWork)).unwrap();
        for result in results {
            block_on(result).unwrap();
        }
        let syncs = disk.steps().into_iter().filter(|step| *step == Step::Sync);
        assert_eq!(syncs.count(), 1);
    }

    #[test]
    fn nothing_stays_unsynced() {
        // Results are on disk after the time for gathering, though nothing else comes.
        let disk = Disk::default();
        let gathers = log_with(&disk, NEVER, Duration::from_millis(1));
        let position = gathers.append(&1).unwrap();
        block_on(gathers.synced(position, HoldsUpAResult)).unwrap();
        // What nobody waits for is synced a while later.
        let disk = Disk::default();
        let waits = log_with(&disk, Duration::from_millis(1), NEVER);
        waits.append(&1).unwrap();
        disk.wait_for_syncs(1);
        // The end syncs it in any case, and only if there is something to sync.
        let disk = Disk::default();
        let ends = log(&disk);
        ends.append(&1).unwrap();
        drop(ends);
        assert_eq!(disk.steps(), [write(" 1"), Step::Sync]);
        let disk = Disk::default();
        drop(log(&disk));
        assert_eq!(disk.steps(), []);
    }

    #[test]
    fn a_sync_that_fails_fails_all_that_wait_and_every_later_record() {
        let disk = Disk::default();
        let log = log(&disk);
        let before = log.append(&1).unwrap();
        block_on(log.synced(before, HoldsUpWork)).unwrap();
        disk.hold_syncs();
        disk.fail_syncs();
        let covered = log.append(&2).unwrap();
        let covered_too = log.synced(covered, HoldsUpAResult);
        let covered = log.synced(covered, HoldsUpWork);
        disk.wait_for_syncs(2);
        let later = log.append(&3).unwrap();
        let waits_for_the_next = log.synced(later, HoldsUpWork);
        disk.let_sync();
        for lost in [
            block_on(covered),
            block_on(covered_too),
            block_on(waits_for_the_next),
            block_on(log.synced(later, HoldsUpWork)),
            log.append(&4).map(drop),
            log.check(),
        ] {
            assert_eq!(lost.unwrap_err().to_string(), "the disk fails");
        }
        // What was on disk is on disk.
        block_on(log.synced(before, HoldsUpWork)).unwrap();
        drop(log);
        // A sync that succeeds after one that failed proves nothing, so none was tried. And nothing was removed: a run that
        // reads the file finds what was done.
        let expected = [write(" 1"), Step::Sync, write(" 2"), write("3"), Step::Sync];
        assert_eq!(disk.steps(), expected);
    }

    #[test]
    fn a_record_that_cannot_be_written_leaves_no_part_and_is_the_last() {
        let disk = Disk::default();
        let log = log(&disk);
        let before = log.append(&"before").unwrap();
        disk.fail_writes_after(3);
        for record in ["torn", "later"] {
            let error = log.append(&record).unwrap_err();
            assert_eq!(error.to_string(), "the disk is full");
        }
        assert!(log.check().is_err());
        // The record before is as good as ever.
        block_on(log.synced(before, HoldsUpWork)).unwrap();
        drop(log);
        assert_eq!(disk.content(), b" \"before\"\n");
    }

    #[test]
    fn a_space_marks_the_records_behind_a_sync() {
        let disk = Disk::default();
        let log = log(&disk);
        for number in 0..6 {
            let position = log.append(&number).unwrap();
            if number % 3 == 2 {
                block_on(log.synced(position, HoldsUpWork)).unwrap();
            }
        }
        assert_eq!(disk.content(), b" 0\n1\n2\n 3\n4\n5\n");
    }
}
