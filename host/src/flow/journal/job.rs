//! The part of a journal that concerns one job, and the part that concerns one of its files.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::digest::{PartsHash, digest};
use super::log::{Position, Urgency};
use super::record::Record;
use super::{Journal, JournalError};
use crate::flow::pipeline::Pipeline;
use crate::flow::place::Place;
use crate::flow::report::Report;
use forebay_assets::journal::{Known, Recorded, UploadLog};

/// The part of a journal that concerns one job.
#[derive(Debug, Clone)]
pub(crate) struct JobJournal {
    journal: Journal,
    key: String,
    place: String,
    state: String,
    last: LastRecord,
}

/// Where the last record of a job ends that must be on disk before the job ends.
#[derive(Debug, Clone, Default)]
struct LastRecord(Arc<AtomicU64>);

impl LastRecord {
    fn advance(&self, position: Position) {
        self.0.fetch_max(position.0, Ordering::Relaxed);
    }

    fn position(&self) -> Position {
        Position(self.0.load(Ordering::Relaxed))
    }
}

impl JobJournal {
    /// See [`Journal::job`].
    pub(super) fn new(
        journal: &Journal,
        pipeline: &Pipeline,
        sink: &str,
        place: &[u8],
        state: &[u8],
    ) -> Self {
        let mut hash = PartsHash::default();
        hash.add(sink);
        for (at, stage) in pipeline.stages().iter().enumerate() {
            hash.add_stage(stage);
            if let Some(when) = pipeline.when(at) {
                hash.add(format!("when {when}"));
            }
        }
        let pipeline = hash.finish();
        let place = digest([pipeline.as_bytes(), place]);
        Self {
            journal: journal.clone(),
            key: digest([place.as_bytes(), state]),
            place,
            state: digest([state]),
            last: LastRecord::default(),
        }
    }

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

    /// Records that a delivered file does not exist any more. The job is then not done any more.
    pub(crate) fn gone(&self, file: String) {
        let asset_id = None;
        // If it cannot be written, the job fails with the journal's error.
        let _ = self.record(Record::Abandoned { file, asset_id });
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
        // Nothing relies on this record, so the end of the job does not wait for it. If it cannot be written, the job fails
        // with the journal's error.
        let _ = self.journal.record(Record::Begun {
            place: self.place.clone(),
            state: self.state.clone(),
        });
        before.is_some()
    }

    /// Records that the job is done.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn finish(&self, report: &Report) -> Result<(), JournalError> {
        let record = Record::Done {
            job: self.key.clone(),
            report: Box::new(report.clone()),
        };
        self.record(record)
            .map_err(|reason| self.journal.error(reason))
    }

    /// Resolves when the records of this job that its end stands for are on disk. The sync is asked for at once.
    pub(crate) fn synced(
        &self,
        urgency: Urgency,
    ) -> impl Future<Output = Result<(), JournalError>> + Send + use<> {
        let journal = self.journal.clone();
        let synced = journal.0.log.synced(self.last.position(), urgency);
        async move { synced.await.map_err(|reason| journal.error(reason)) }
    }

    fn record(&self, record: Record) -> io::Result<()> {
        let position = self.journal.record(record)?;
        self.last.advance(position);
        Ok(())
    }

    /// The part for one of its files. `place` is the file's position among the outputs of each stage.
    pub(crate) fn file(&self, place: &[usize]) -> FileJournal {
        let places: Vec<String> = place.iter().map(usize::to_string).collect();
        FileJournal {
            journal: self.journal.clone(),
            key: format!("{}/{}", self.key, places.join("/")),
            last: self.last.clone(),
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
    /// That of its job.
    last: LastRecord,
}

impl FileJournal {
    /// See [`Journal::check`].
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        self.journal.check()
    }

    /// Writes a record now. The returned future waits for its sync, and asks for none before it is polled.
    fn record(&self, record: Record) -> Recorded {
        let written = self.journal.record(record);
        if let Ok(position) = written {
            self.last.advance(position);
        }
        let journal = self.journal.clone();
        Box::pin(async move {
            let synced = journal.0.log.synced(written?, Urgency::HoldsUpWork);
            synced.await
        })
    }
}

impl UploadLog for FileJournal {
    /// What the service has of the file.
    fn known(&self) -> Option<Known> {
        self.journal.state().files.get(&self.key)?.known.clone()
    }

    /// Records what the service has.
    fn know(&self, known: Known) -> Recorded {
        self.record(Record::Known {
            file: self.key.clone(),
            known,
        })
    }

    /// Records that an asset is about to be deleted, or that this attempt created none and will create none.
    fn abandon(&self, asset_id: Option<&str>) -> Recorded {
        self.record(Record::Abandoned {
            file: self.key.clone(),
            asset_id: asset_id.map(str::to_owned),
        })
    }

    /// Records that an asset is deleted.
    fn deleted(&self, asset_id: &str) -> Recorded {
        self.record(Record::Deleted {
            file: self.key.clone(),
            asset_id: asset_id.to_owned(),
        })
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

    use futures::executor::block_on;
    use proptest::prelude::*;

    use super::super::disk::Disk;
    use super::*;

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
        drop(file.know(put("a")));
        let report = Report::new("p");
        job(&journal).finish(&report).unwrap();
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
        drop(file.abandon(Some("a")));
        assert!(file.known().is_none());
        assert_eq!(file.doomed(), ["a"]);
        drop(file.deleted("a"));
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
            (0..4).for_each(|at| drop(file(&journal, at).know(put(&at.to_string()))));
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
            drop(file(&journal, 9).know(put("later")));
            drop(journal);
            let journal = Journal::open(&path).unwrap();
            prop_assert_eq!(file(&journal, 9).known(), Some(put("later")));
        }
    }
    /// What happens to a journal before the power fails.
    #[derive(Debug, Clone)]
    enum Act {
        /// A record of about this size is written.
        Write(usize),
        /// Somebody waits for the last record.
        Wait,
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
        /// If the power fails, each sector of what was not synced may be missing. What somebody has waited for is there, and
        /// no record without those before it.
        #[test]
        fn a_failure_of_the_power_loses_only_the_last_records_that_nothing_relies_on(
            acts in prop::collection::vec(
                prop_oneof![3 => (0_usize..1500).prop_map(Act::Write), 1 => Just(Act::Wait)],
                1..40,
            ),
            lost in prop::collection::vec(any::<bool>(), 150),
            end in any::<prop::sample::Index>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal");
            drop(Journal::open(&path).unwrap());
            let head = std::fs::read(&path).unwrap();

            let disk = Disk::default();
            let journal = Journal::on_after(&disk, &head);
            let file = |journal: &Journal, at: usize| job(journal).file(&[at]);
            let (mut written, mut relied) = (0, 0);
            for act in acts {
                match act {
                    Act::Write(size) => {
                        drop(file(&journal, written).know(put(&"x".repeat(size))));
                        written += 1;
                    }
                    Act::Wait => {
                        block_on(file(&journal, 0).deleted("nothing")).unwrap();
                        relied = written;
                    }
                }
            }
            // What survives for certain, and a part of the rest, sector by sector.
            let (mut content, synced) = (disk.content(), disk.synced());
            drop(journal);
            content.truncate(synced + end.index(content.len() - synced + 1));
            for (at, byte) in content.iter_mut().enumerate().skip(synced) {
                if lost.get(at / 512).copied().unwrap_or_default() {
                    *byte = 0;
                }
            }
            std::fs::write(&path, &content).unwrap();

            let journal = Journal::open(&path).unwrap();
            let found: Vec<bool> = (0..written).map(|at| file(&journal, at).known().is_some()).collect();
            let prefix = found.iter().take_while(|&&found| found).count();
            prop_assert!(prefix >= relied);
            prop_assert!(!found.iter().skip(prefix).any(|&found| found), "{found:?}");
            drop(file(&journal, 99).know(put("later")));
            drop(journal);
            prop_assert!(file(&Journal::open(&path).unwrap(), 99).known().is_some());
        }
    }
}
