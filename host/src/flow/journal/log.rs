//! Appends records to the file of a journal, and syncs them in groups.
//!
//! Promise: a record is in the file when [`append`](Log::append) returns, so a process that is killed loses none. It is on
//! disk when [`synced`](Log::synced) resolves. One thread syncs for all that wait: a sync covers every record that was
//! written before it began, and the records that are written meanwhile are covered by the next one. A record that nobody
//! waits for is synced with the others, and at the latest after [`LATEST`].
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

/// A record that nobody waits for is synced after this time at the latest. If the power fails, a run loses no older one.
const LATEST: Duration = Duration::from_secs(1);

XX
/// records in a second, ten then share a sync. Nobody notices it at the end of a run.
const GATHERING: Duration = Duration::from_millis(100);

/// Begins a line that was written when everything before it was on disk. JSON allows it.
pub(super) const ALL_ON_DISK: u8 = b' ';

/// What a log writes to. Tests have one that fails.
pub(super) trait Medium: Send + Sync + 'static {
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
        let shared = Arc::new(Shared {
            medium: Box::new(medium),
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
        self.shared.sync_by(&mut state, Instant::now() + LATEST);
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
                Urgency::HoldsUpAResult => GATHERING,
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
