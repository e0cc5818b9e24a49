//! A disk for tests: it records what is done to a file, can stop within a sync, can fail, and can lose what was not synced.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use super::log::Medium;
use forebay_core::mutex::lock;

/// Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<(Mutex<Content>, Condvar)>);

/// What was done to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Write(String),
    /// A sync has ended, with or without success.
    Sync,
}

#[derive(Default)]
struct Content {
    steps: Vec<Step>,
    text: Vec<u8>,
    /// How many bytes were there when the last successful sync began.
    synced: usize,
    begun: usize,
    /// How many syncs may end. `None`: as many as there are.
    may_end: Option<usize>,
    ended: usize,
    fails: bool,
    /// How many bytes of a write succeed.
    room: Option<usize>,
}

impl Disk {
    fn change(&self, change: impl FnOnce(&mut Content)) {
        change(&mut lock(&self.0.0));
        self.0.1.notify_all();
    }

    /// The file begins with these bytes, which are on disk.
    pub(crate) fn begin_with(&self, text: &[u8]) {
        self.change(|content| {
            content.text = text.to_vec();
            content.synced = text.len();
        });
    }

    /// From now on each sync waits for a call of [`let_sync`](Self::let_sync).
    pub(crate) fn hold_syncs(&self) {
        self.change(|content| content.may_end = Some(content.ended));
    }

    /// One more sync may end.
    pub(crate) fn let_sync(&self) {
        self.change(|content| content.may_end = content.may_end.map(|number| number + 1));
    }

    /// All syncs may end.
    pub(crate) fn let_all_sync(&self) {
        self.change(|content| content.may_end = None);
    }

    /// Syncs that end from now on fail.
    pub(crate) fn fail_syncs(&self) {
        self.change(|content| content.fails = true);
    }

    /// Writes fail after so many bytes.
    pub(crate) fn fail_writes_after(&self, bytes: usize) {
        self.change(|content| content.room = Some(bytes));
    }

    /// Blocks until so many syncs have begun.
    pub(crate) fn wait_for_syncs(&self, number: usize) {
        let content = lock(&self.0.0);
        let begun = self.0.1.wait_while(content, |disk| disk.begun < number);
        drop(begun);
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        lock(&self.0.0).steps.clone()
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        lock(&self.0.0).text.clone()
    }

    /// How many bytes are on disk for certain.
    pub(crate) fn synced(&self) -> usize {
        lock(&self.0.0).synced
    }
}

impl Medium for Disk {
    fn append(&self, text: &[u8]) -> io::Result<()> {
        let mut content = lock(&self.0.0);
        let room = content.room.unwrap_or(usize::MAX);
        if let Some((part, _)) = text.split_at_checked(room) {
            content.text.extend_from_slice(part);
            return Err(io::Error::other("the disk is full"));
        }
        content.text.extend_from_slice(text);
        let written = String::from_utf8_lossy(text).into_owned();
        content.steps.push(Step::Write(written));
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        lock(&self.0.0).text.truncate(length);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (content, changed) = &*self.0;
        let mut content = lock(content);
        let covered = content.text.len();
        content.begun += 1;
        changed.notify_all();
        let waited = changed.wait_while(content, |disk| {
            disk.may_end.is_some_and(|number| disk.ended >= number)
        });
        content = waited.map_err(|_| io::Error::other("a test panicked"))?;
        content.ended += 1;
        content.steps.push(Step::Sync);
        if content.fails {
            return Err(io::Error::other("the disk fails"));
        }
        content.synced = covered;
        Ok(())
    }
}
