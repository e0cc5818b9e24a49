//! A record of what was done, so that a killed run can be resumed.
//!
//! Promise: with a journal, a run that ends at any point and is started again does each remaining step once. A job that
//! was done is not run again. An asset that was complete is not sent again. Bytes that had arrived are only completed.
//! If the response to a creation was lost, the creation is retried with the same Idempotency-Key, so that the service
//! does not create a second asset (it remembers a key for 24 hours). What a run cannot record, it does not continue: the
//! first record that cannot be written fails its job and every later one.

mod file;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use crate::flow::pipeline::Pipeline;
use crate::flow::place::Place;
use crate::flow::report::Report;
use crate::sandbox::stage::Stage;
use forebay_assets::journal::{Known, UploadLog, WriteRecord};
use forebay_core::mutex::lock;

const VERSION: u32 = 2;

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
/// JSON Lines, version 2: one document per line. Each line is synced to disk before anything relies on it. If the last
/// record is cut off, nothing relies on it yet, and it is removed. Any other line that cannot be read is an error. A
/// file that does not begin with the first line of a journal is never changed.
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
    /// Locked while a record is written. Separate from the state, so that nobody who reads the state waits for the disk.
    writer: Mutex<Writer>,
    state: Mutex<State>,
    /// Notified when a job ends.
    ended: Notify,
}

struct Writer {
    file: File,
    /// Whether the file ends with an incomplete line that could not be removed. Then nothing more is written.
    torn: bool,
}

#[derive(Default)]
struct State {
    /// The state of a source when its job last began. The key is a digest of the pipeline and the source's place.
    sources: HashMap<String, String>,
    /// By job and position: `JOB/0/2`.
    files: BTreeMap<String, FileState>,
    done: HashMap<String, Report>,
    /// Jobs that are running.
    active: HashSet<String>,
    /// Why a record could not be written.
    fault: Option<Arc<io::Error>>,
}

/// What is known about one file of a job.
#[derive(Debug, Clone, Default)]
struct FileState {
    /// Attempts whose asset was deleted or refused. Each used up an Idempotency-Key.
    abandoned: u32,
    /// Assets that are to be deleted and are not deleted yet.
    doomed: Vec<String>,
    known: Option<Known>,
}

/// The first line.
#[derive(Serialize, Deserialize)]
enum Head {
    #[serde(rename = "forebay-journal")]
    Journal { version: u32, id: String },
}

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    /// A job began, over a source in this state.
    Begun { place: String, state: String },
    /// The storage has a file's bytes, or the service has the asset.
    Known { file: String, known: Known },
    /// The asset of a file is about to be deleted, or its creation was refused.
    Abandoned {
        file: String,
        asset_id: Option<String>,
    },
    /// That asset is deleted.
    Deleted { file: String, asset_id: String },
    /// A job is done.
    Done { job: String, report: Box<Report> },
}

impl Journal {
    /// Opens a journal. Starts a new one if the file does not exist or is empty.
    ///
    /// # Errors
    /// If the file cannot be used, another run has it open, or it is not a journal. Such a file is not changed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let path = path.into();
        let file::Opened { file, id, records } = file::open(&path)?;
        let mut state = State::default();
        for record in records {
            state.take_in(record);
        }
        Ok(Self(Arc::new(Shared {
            path,
            id,
            writer: Mutex::new(Writer { file, torn: false }),
            state: Mutex::new(state),
            ended: Notify::new(),
        })))
    }

    /// Returns the first error that occurred when a record was written. Jobs fail with it, so that nothing is uploaded
    /// that no later run would know about.
    ///
    /// # Errors
    /// If a record could not be written.
    pub fn check(&self) -> Result<(), JournalError> {
        match &self.state().fault {
            None => Ok(()),
            Some(fault) => Err(JournalError::Io {
                path: self.0.path.clone(),
                reason: io::Error::new(fault.kind(), fault.clone()),
            }),
        }
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
        let mut hash = PartsHash::default();
        hash.add(sink);
        for stage in pipeline.stages() {
            hash.add_stage(stage);
        }
        let pipeline = hash.finish();
        let place = digest([pipeline.as_bytes(), place]);
        JobJournal {
            journal: self.clone(),
            key: digest([place.as_bytes(), state]),
            place,
            state: digest([state]),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// Writes a record, syncs it, and applies it.
    fn record(&self, record: Record) {
        self.write(&record);
        self.state().take_in(record);
    }

    /// Writes a record and syncs it.
    fn write(&self, record: &Record) {
        let written = lock(&self.0.writer).append(record);
        if let Err(error) = written {
            tracing::debug!("journal {}: {error}", self.0.path.display());
            self.state().fault.get_or_insert_with(|| Arc::new(error));
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Journal").field(&self.0.path).finish()
    }
}

impl Writer {
    fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        if self.torn {
            return Err(io::Error::other("its last record is incomplete"));
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let before = self.file.metadata()?.len();
        let written = self
            .file
            .write_all(&text)
            .and_then(|()| self.file.sync_data());
        if written.is_err() {
            // An incomplete line would corrupt the next one.
            self.torn = self.file.set_len(before).is_err();
        }
        written
    }
}

impl State {
    fn take_in(&mut self, record: Record) {
        match record {
            Record::Begun { place, state } => {
                self.sources.insert(place, state);
            }
            Record::Known { file, known } => {
                self.files.entry(file).or_default().known = Some(known);
            }
            Record::Abandoned { file, asset_id } => {
                if let Some((job, _)) = file.split_once('/') {
                    self.done.remove(job);
                }
                let file = self.files.entry(file).or_default();
                file.abandoned += 1;
                file.doomed.extend(asset_id);
                file.known = None;
            }
            Record::Deleted { file, asset_id } => {
                let file = self.files.entry(file).or_default();
                file.doomed.retain(|doomed| *doomed != asset_id);
            }
            Record::Done { job, report } => {
                self.done.insert(job, *report);
            }
        }
    }
}

/// A digest of parts. Each part is preceded by its length, so that no two lists of parts give the same digest.
#[derive(Default)]
struct PartsHash(Sha256);

impl PartsHash {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Adds everything about a stage that decides what it makes of a file.
    fn add_stage(&mut self, stage: &Stage) {
        self.add(stage.plugin.digest());
        self.add(stage.config.to_string());
        let grants = &stage.grants;
        for folders in [&grants.read, &grants.write] {
            self.add(folders.len().to_string());
            for (path, folder) in folders {
                self.add(path);
                self.add(folder.as_os_str().as_encoded_bytes());
            }
        }
        self.add(grants.env.len().to_string());
        for (name, value) in &grants.env {
            self.add(name);
            self.add(value);
        }
        self.add(format!("{:?} {:?}", grants.clock, grants.random));
    }

    /// The first 128 bits, in hex.
    fn finish(self) -> String {
        let mut hex = hex::encode(self.0.finalize());
        hex.truncate(32);
        hex
    }
}

fn digest<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hash = PartsHash::default();
    parts.into_iter().for_each(|part| hash.add(part));
    hash.finish()
}

/// The part of a journal that concerns one job.
#[derive(Debug, Clone)]
pub(crate) struct JobJournal {
    journal: Journal,
    key: String,
    place: String,
    state: String,
}

impl JobJournal {
    /// Waits while the same job is running elsewhere in this run, which happens if the same file is named twice.
    pub(crate) async fn enter(&self) -> Active {
        loop {
            let mut ended = std::pin::pin!(self.journal.0.ended.notified());
            // From here on, no notification is missed.
            ended.as_mut().enable();
            if self.journal.state().active.insert(self.key.clone()) {
                return Active(self.clone());
            }
            ended.await;
        }
    }

    /// The report of the job, if it was done.
    pub(crate) fn done(&self) -> Option<Report> {
        self.journal.state().done.get(&self.key).cloned()
    }

    /// The job's files that the sink has accepted in this run or an earlier one. Each is given by its key and its place.
    pub(crate) fn delivered(&self) -> Vec<(String, Place)> {
        let prefix = format!("{}/", self.key);
        let state = self.journal.state();
        let files = state.files.range(prefix.clone()..);
        files
            .take_while(|(key, _)| key.starts_with(&prefix))
            .filter_map(|(key, file)| match &file.known {
                Some(Known::Delivered { asset, flow, .. }) => {
                    let (asset, flow) = (asset.clone(), *flow);
                    Some((key.clone(), Place::Asset { asset, flow }))
                }
                _ => None,
            })
            .collect()
    }

    /// Records that a delivered file does not exist any more. The job is then not done any more. May block.
    pub(crate) fn gone(&self, file: String) {
        self.journal.record(Record::Abandoned {
            file,
            asset_id: None,
        });
    }

    /// See [`Journal::check`].
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        self.journal.check()
    }

    /// Records that the job begins. Returns whether the source has changed since it was processed before.
    pub(crate) fn begin(&self) -> bool {
        let before = self.journal.state().sources.get(&self.place).cloned();
        if before.as_ref() == Some(&self.state) {
            return false;
        }
        self.journal.record(Record::Begun {
            place: self.place.clone(),
            state: self.state.clone(),
        });
        before.is_some()
    }

    /// Records that the job is done.
    pub(crate) fn finish(&self, report: &Report) {
        self.journal.record(Record::Done {
            job: self.key.clone(),
            report: Box::new(report.clone()),
        });
    }

    /// The part for one of its files. `place` is the file's position among the outputs of each stage.
    pub(crate) fn file(&self, place: &[usize]) -> FileJournal {
        let places: Vec<String> = place.iter().map(usize::to_string).collect();
        FileJournal {
            journal: self.journal.clone(),
            key: format!("{}/{}", self.key, places.join("/")),
        }
    }
}

/// A job that is running. Dropping this marks it as ended.
pub(crate) struct Active(JobJournal);

impl Drop for Active {
    fn drop(&mut self) {
        let Self(job) = self;
        job.journal.state().active.remove(&job.key);
        job.journal.0.ended.notify_waiters();
    }
}

/// The part of a journal that concerns one file.
#[derive(Debug, Clone)]
pub(crate) struct FileJournal {
    journal: Journal,
    key: String,
}

impl FileJournal {
    /// See [`Journal::check`].
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        self.journal.check()
    }
}

impl UploadLog for FileJournal {
    /// What the service has of the file.
    fn known(&self) -> Option<Known> {
        self.journal.state().files.get(&self.key)?.known.clone()
    }

    /// Records what the service has.
    fn know(&self, known: Known) {
        self.journal.record(Record::Known {
            file: self.key.clone(),
            known,
        });
    }

    /// Records that an asset is about to be deleted, or that this attempt created none and will create none.
    fn abandon(&self, asset_id: Option<&str>) -> WriteRecord {
        let record = || Record::Abandoned {
            file: self.key.clone(),
            asset_id: asset_id.map(str::to_owned),
        };
        self.journal.state().take_in(record());
        let (journal, record) = (self.journal.clone(), record());
        Box::new(move || journal.write(&record))
    }

    /// Records that an asset is deleted.
    fn deleted(&self, asset_id: &str) {
        self.journal.record(Record::Deleted {
            file: self.key.clone(),
            asset_id: asset_id.to_owned(),
        });
    }

    /// Assets that are to be deleted.
    fn doomed(&self) -> Vec<String> {
        let state = self.journal.state();
        let file = state.files.get(&self.key);
        file.map_or_else(Vec::new, |file| file.doomed.clone())
    }

    /// The Idempotency-Key of the current attempt, for a file of this size and content. It is the same in every run,
    /// until an attempt is abandoned.
    fn idempotency_key(&self, size: u64, content: &str) -> String {
        let state = self.journal.state();
        let abandoned = state.files.get(&self.key).map_or(0, |file| file.abandoned);
        let attempt = digest([
            self.key.as_bytes(),
            &abandoned.to_le_bytes(),
            &size.to_le_bytes(),
            content.as_bytes(),
        ]);
        format!("forebay-{}-{attempt}", self.journal.0.id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    fn job(journal: &Journal) -> JobJournal {
        let pipeline = Pipeline::builder("p").build().unwrap();
        journal.job(&pipeline, "sink", b"/photos/a.jpg", b"100 1")
    }

    fn put(asset_id: &str) -> Known {
        Known::Put {
            asset_id: asset_id.into(),
            sha256: "00".into(),
            size: 7,
        }
    }

    #[test]
    fn what_was_done_is_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(&path).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse(_))));
        let file = job(&journal).file(&[0, 2]);
        assert!(!job(&journal).begin() && file.known().is_none());
        let key = file.idempotency_key(7, "");
        file.know(put("a"));
        let report = Report::new("p");
        job(&journal).finish(&report);
        drop((file, journal));

        let journal = Journal::open(&path).unwrap();
        let file = job(&journal).file(&[0, 2]);
        assert_eq!(file.known(), Some(put("a")));
        assert_eq!(file.idempotency_key(7, ""), key);
        assert_ne!(file.idempotency_key(8, ""), key);
        assert_eq!(job(&journal).done().unwrap().pipeline, "p");
        assert!(!job(&journal).begin(), "it is what it was");
        let pipeline = Pipeline::builder("p").build().unwrap();
        let changed = journal.job(&pipeline, "sink", b"/photos/a.jpg", b"100 2");
        assert!(
            changed.done().is_none() && changed.begin(),
            "the change is noticed"
        );
        file.abandon(Some("a"))();
        assert!(file.known().is_none());
        assert_eq!(file.doomed(), ["a"]);
        file.deleted("a");
        assert!(file.doomed().is_empty());
        assert_ne!(
            file.idempotency_key(7, ""),
            key,
            "a key whose asset is gone is not used again"
        );
    }

    proptest! {
        // A quarter of the cases of other tests, because each case waits for the disk.
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
        /// A kill may cut the file off at any place after the first bytes of its head line. The earlier records can be
        /// read, and new ones can be added.
        #[test]
        fn a_torn_journal_is_repaired(cut in prop_oneof![Just(0_usize), 20_usize..600]) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal");
            let journal = Journal::open(&path).unwrap();
            let file = |journal: &Journal, at: usize| job(journal).file(&[at]);
            (0..4).for_each(|at| file(&journal, at).know(put(&at.to_string())));
            drop(journal);
            let text = std::fs::read(&path).unwrap();
            let kept = text.get(..cut).unwrap_or(&text);
            // A line that lacks only its newline is complete, too.
            let ends = kept.iter().chain(text.get(kept.len()));
            let whole = ends.filter(|&&byte| byte == b'\n').count();
            std::fs::write(&path, kept).unwrap();
            let journal = Journal::open(&path).unwrap();
            for at in 0..4 {
                let known = file(&journal, at).known();
                prop_assert_eq!(known, (at + 1 < whole).then(|| put(&at.to_string())));
            }
            file(&journal, 9).know(put("later"));
            drop(journal);
            let journal = Journal::open(&path).unwrap();
            prop_assert_eq!(file(&journal, 9).known(), Some(put("later")));
        }
    }
}
