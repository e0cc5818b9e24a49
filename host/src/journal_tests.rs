//! Jobs with a journal on a disk that the test controls: a job ends when what it stands for is on disk, and not before.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use forebay_emulator::Emulator;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::flow::journal::disk::Disk;
use crate::{
    Assets, AssetsExt as _, Error, Event, Host, Job, JobError, Journal, Pipeline, Report, Source,
};

struct Setup {
    host: Host,
    emulator: Emulator,
    assets: Assets,
    disk: Disk,
    journal: Journal,
}

impl Setup {
    async fn new() -> Self {
        let emulator = Emulator::builder().start().await.unwrap();
        let assets = Assets::builder()
            .api_key("k")
            .base_url(emulator.base_url())
            .no_proxy()
            .build()
            .unwrap();
        let disk = Disk::default();
        Self {
            host: Host::builder().build().unwrap(),
            assets,
            emulator,
            journal: Journal::on(&disk),
            disk,
        }
    }

    fn job(&self, content: &'static str) -> Job {
        let pipeline = Pipeline::builder("p").build().unwrap();
        let source = Source::bytes("a.pdf", content);
        self.host
            .job(&pipeline, source, self.assets.sink())
            .journal(&self.journal)
    }

    /// Waits until so many jobs are recorded as done. That does not mean that the records are on disk.
    async fn done(&self, jobs: usize) {
        let done = || {
            let content = String::from_utf8(self.disk.content()).unwrap();
            content.matches("{\"done\"").count()
        };
        while done() < jobs {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn start(job: Job) -> JoinHandle<Result<Report, JobError>> {
    tokio::spawn(job.run())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_when_its_record_is_on_disk() {
    let setup = Setup::new().await;
    setup.disk.hold_syncs();
    let job = start(setup.job("%PDF-1.7 one"));
    setup.done(1).await;
    assert_eq!(setup.emulator.assets().len(), 1);
    assert!(!job.is_finished());
    assert_eq!(setup.disk.synced(), 0);
    setup.disk.let_all_sync();
    assert_eq!(job.await.unwrap().unwrap().files.len(), 1);
    assert_eq!(setup.disk.synced(), setup.disk.content().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gives_up_its_slot_before_it_waits_for_the_disk() {
    let setup = Setup::new().await;
    setup.disk.hold_syncs();
    let (slot, is_free) = oneshot::channel::<()>();
    let job = start(setup.job("%PDF-1.7 one").slot(slot));
    // The slot is dropped, and not used.
    is_free.await.unwrap_err();
    assert!(!job.is_finished());
    setup.done(1).await;
    setup.disk.let_all_sync();
    job.await.unwrap().unwrap();
    // A job without a journal holds it until its end.
    let (slot, is_free) = oneshot::channel::<()>();
    let pipeline = Pipeline::builder("p").build().unwrap();
    let source = Source::bytes("a.pdf", "%PDF-1.7 two");
    let (ended, has_ended) = std::sync::mpsc::channel();
    let job = setup.host.job(&pipeline, source, setup.assets.sink());
    let job = job
        .observe(move |event| {
            if let Event::Delivered { .. } = event {
                ended.send(()).unwrap();
            }
        })
        .slot(slot);
    start(job).await.unwrap().unwrap();
    is_free.await.unwrap_err();
    has_ended.try_recv().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_fails_the_jobs_that_wait_and_all_later_ones() {
    let setup = Setup::new().await;
    setup.disk.hold_syncs();
    setup.disk.fail_syncs();
    let first = start(setup.job("%PDF-1.7 one"));
    setup.done(1).await;
    // The same job once more begins when the first one has ended, and must not take it for done.
    let same = start(setup.job("%PDF-1.7 one"));
    let second = start(setup.job("%PDF-1.7 two").slot(()));
    setup.done(2).await;
    setup.disk.let_all_sync();
    for (job, files) in [(first, 1), (second, 1), (same, 0)] {
        let failed = job.await.unwrap().unwrap_err();
        assert!(
            matches!(failed.errors.as_slice(), [Error::Journal(_)]),
            "{failed:?}"
        );
        assert_eq!(
            failed.errors[0].to_string(),
            "journal journal: the disk fails"
        );
        // What was uploaded is told all the same.
        assert_eq!(failed.report.files.len(), files);
    }
    let before = setup.emulator.request_count();
    let later = start(setup.job("%PDF-1.7 three")).await.unwrap();
    assert!(matches!(
        later.unwrap_err().errors.as_slice(),
        [Error::Journal(_)]
    ));
    assert_eq!(setup.emulator.request_count(), before);
}
