//! A journal skips a job only if everything that decides its result is the same and the service still has its assets.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use forebay::{
    Assets, AssetsExt as _, Event, Grants, Host, JobError, Journal, Pipeline, Report, Source,
};
use forebay_emulator::{Emulator, Fault, FaultKind, Route};
use serde_json::json;
use tempfile::TempDir;

use crate::{client, host, pdf, pipeline, service, stage};

/// A service, a journal, and a file to upload.
struct Setup {
    host: Host,
    emulator: Emulator,
    assets: Assets,
    journal: Journal,
    folder: TempDir,
}

/// How a job ended.
struct Ended {
    result: Result<Report, JobError>,
    /// Whether the journal knew it as done.
    known: bool,
    /// Whether an asset that the journal knew was gone.
    gone: bool,
}

impl Ended {
    fn ids(&self) -> Vec<String> {
        let report = self.result.as_ref().unwrap();
        report
            .assets()
            .map(|asset| asset.asset_id.clone())
            .collect()
    }
}

impl Setup {
    async fn new() -> Self {
        let (host, emulator) = (host(), service().await);
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("a.pdf"), pdf(1000)).unwrap();
        Self {
            assets: client(&emulator, "k"),
            journal: Journal::open(folder.path().join("journal")).unwrap(),
            host,
            emulator,
            folder,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn run(&self, assets: &Assets, pipeline: &Pipeline, file: &str) -> Ended {
        let events = Arc::new((AtomicBool::new(false), AtomicBool::new(false)));
        let seen = events.clone();
        let result = self
            .host
            .job(pipeline, Source::path(self.file(file)), assets.sink())
            .journal(&self.journal)
            .observe(move |event| match event {
                Event::Known { .. } => seen.0.store(true, Ordering::Relaxed),
                Event::Gone { .. } => seen.1.store(true, Ordering::Relaxed),
                _ => {}
            })
            .run()
            .await;
        Ended {
            result,
            known: events.0.load(Ordering::Relaxed),
            gone: events.1.load(Ordering::Relaxed),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_has_its_own_assets() {
    let setup = Setup::new().await;
    let as_it_is = pipeline([]);
    let first = setup.run(&setup.assets, &as_it_is, "a.pdf").await;
    let other = client(&setup.emulator, "of-another-account");
    let second = setup.run(&other, &as_it_is, "a.pdf").await;
    assert!(!first.known && !second.known);
    assert_ne!(first.ids(), second.ids());
    for (assets, ids) in [(&setup.assets, first.ids()), (&other, second.ids())] {
        let again = setup.run(assets, &as_it_is, "a.pdf").await;
        assert!(again.known && again.ids() == ids);
    }
    let written = fs::read_to_string(setup.file("journal")).unwrap();
    assert!(!written.contains("of-another-account"), "{written}");
    assert!(!written.contains(&other.account()), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_that_is_gone_is_sent_anew() {
    let setup = Setup::new().await;
    let as_it_is = pipeline([]);
    let first = setup.run(&setup.assets, &as_it_is, "a.pdf").await.ids();
    setup.assets.delete(&first[0]).await.unwrap();
    let second = setup.run(&setup.assets, &as_it_is, "a.pdf").await;
    assert!(second.gone && !second.known);
    assert_ne!(second.ids(), first);
    setup.assets.get(&second.ids()[0]).await.unwrap();
    let third = setup.run(&setup.assets, &as_it_is, "a.pdf").await;
    assert!(third.known && third.ids() == second.ids());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_assets_only_the_one_that_is_gone_is_sent_anew() {
    let setup = Setup::new().await;
    let copies = json!({ "behaviour": "copies", "count": 3 });
    let copies = pipeline([stage(&setup.host, forebay_test_plugins::HOSTILE, copies).await]);
    let first = setup.run(&setup.assets, &copies, "a.pdf").await.ids();
    assert_eq!(first.len(), 3);
    setup.assets.delete(&first[1]).await.unwrap();
    let second = setup.run(&setup.assets, &copies, "a.pdf").await;
    assert!(second.gone);
    let second = second.ids();
    assert_eq!((&second[0], &second[2]), (&first[0], &first[2]));
    assert_ne!(second[1], first[1]);
    assert_eq!(setup.emulator.assets().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_not_skipped_if_the_service_cannot_be_asked() {
    let setup = Setup::new().await;
    let as_it_is = pipeline([]);
    let first = setup.run(&setup.assets, &as_it_is, "a.pdf").await.ids();
    let unavailable = FaultKind::Status { status: 503 };
    setup
        .emulator
        .inject(Fault::new(Route::Get, unavailable).times(100));
    let second = setup.run(&setup.assets, &as_it_is, "a.pdf").await;
    assert!(!second.known);
    let error = second.result.unwrap_err();
    assert!(error.to_string().starts_with("a.pdf: get: "), "{error}");
    setup.emulator.clear_faults();
    let third = setup.run(&setup.assets, &as_it_is, "a.pdf").await;
    assert!(third.known && third.ids() == first);
    assert_eq!(setup.emulator.assets().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_decide_the_result_and_so_they_count() {
    let setup = Setup::new().await;
    let identity = stage(&setup.host, forebay_bundled::IDENTITY, json!({})).await;
    let mut ids = Vec::new();
    let grants = [
        Grants::none(),
        Grants::none().deterministic(),
        Grants::none().env("LANG", "C"),
        Grants::none().env("LANG", "de"),
        Grants::none().read("/fonts", setup.folder.path()),
        Grants::none().read("/other", setup.folder.path()),
    ];
    for grants in &grants {
        let pipeline = pipeline([identity.clone().grants(grants.clone())]);
        let ended = setup.run(&setup.assets, &pipeline, "a.pdf").await;
        assert!(!ended.known, "{grants:?}");
        ids.extend(ended.ids());
    }
    for (grants, id) in grants.iter().zip(&ids) {
        let pipeline = pipeline([identity.clone().grants(grants.clone())]);
        let again = setup.run(&setup.assets, &pipeline, "a.pdf").await;
        assert!(again.known && again.ids() == [id.as_str()], "{grants:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_name_of_a_file_becomes_an_asset() {
    let setup = Setup::new().await;
    let as_it_is = pipeline([]);
    std::os::unix::fs::symlink("a.pdf", setup.file("soft.pdf")).unwrap();
    fs::hard_link(setup.file("a.pdf"), setup.file("hard.pdf")).unwrap();
    let names = Mutex::new(Vec::new());
    for _ in 0..2 {
        for name in ["a.pdf", "soft.pdf", "hard.pdf"] {
            let ended = setup.run(&setup.assets, &as_it_is, name).await;
            let report = ended.result.unwrap();
            names
                .lock()
                .unwrap()
                .push((ended.known, report.files[0].name.clone()));
        }
    }
    let expected = [false, true]
        .into_iter()
        .flat_map(|known| ["a.pdf", "soft.pdf", "hard.pdf"].map(|name| (known, name.to_owned())));
    assert_eq!(*names.lock().unwrap(), expected.collect::<Vec<_>>());
    assert_eq!(setup.emulator.assets().len(), 3);
}
