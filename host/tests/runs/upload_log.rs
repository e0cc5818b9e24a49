//! What a log of an upload has on disk before which request.

use std::sync::{Arc, Mutex};
use std::{fmt, io};

use forebay::assets::journal::{Known, Recorded, UploadJournal, UploadLog};
use forebay::assets::{AssetsError, MULTIPART_MAX, Watch};
use forebay::{Assets, FileInfo};
use forebay_core::replay::ReplayableFile;
use forebay_emulator::{Emulator, Fault, FaultKind, Route};

use crate::{client, pdf, service};

/// A log in memory. It notes which requests the service had got when a record came to disk.
struct Log {
    emulator: Arc<Emulator>,
    on_disk: Mutex<Vec<(String, Vec<String>)>>,
    /// Whether the disk is full.
    fails: bool,
}

impl Log {
    fn new(emulator: &Arc<Emulator>, fails: bool) -> Arc<Self> {
        Arc::new(Self {
            emulator: emulator.clone(),
            on_disk: Mutex::default(),
            fails,
        })
    }
}

/// The log as the client has it.
struct Shared(Arc<Log>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn record(&self, record: impl Into<String>) -> Recorded {
        let (log, record) = (self.0.clone(), record.into());
        Box::pin(async move {
            if log.fails {
                return Err(io::Error::other("the disk is full"));
            }
            // Whoever does not wait goes on here.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let requests = requests(&log.emulator);
            log.on_disk.lock().unwrap().push((record, requests));
            Ok(())
        })
    }
}

impl UploadLog for Shared {
    fn known(&self) -> Option<Known> {
        None
    }

    fn know(&self, known: Known) -> Recorded {
        self.record(match known {
            Known::Put { .. } => "put",
            Known::Delivered { .. } => "delivered",
        })
    }

    fn abandon(&self, asset_id: Option<&str>) -> Recorded {
        self.record(if asset_id.is_some() {
            "abandoned"
        } else {
            "refused"
        })
    }

    fn deleted(&self, _: &str) -> Recorded {
        self.record("deleted")
    }

    fn doomed(&self) -> Vec<String> {
        Vec::new()
    }

    fn idempotency_key(&self, size: u64, _: &str) -> String {
        format!("key-{size}")
    }
}

/// The requests that the service has got.
fn requests(emulator: &Emulator) -> Vec<String> {
    let seen = emulator.requests().into_iter();
    seen.map(|request| {
        let step = request.path.rsplit('/').next().unwrap_or_default();
        match (request.method.as_str(), step) {
            ("POST", "direct-uploads") => "create".to_owned(),
            ("POST", "complete") => "complete".to_owned(),
            ("POST", "assets") => "upload".to_owned(),
            (method, _) => method.to_lowercase(),
        }
    })
    .collect()
}

async fn send(assets: &Assets, log: &Arc<Log>, size: usize) -> Result<String, AssetsError> {
    let info = FileInfo {
        name: "a.pdf".into(),
        media_type: "application/pdf".into(),
        size: Some(size as u64),
    };
    let file = Arc::new(ReplayableFile::memory(info, vec![pdf(size)]));
    let journal = UploadJournal::new(Arc::new(Shared(log.clone())));
    let uploaded = assets.send(&file, &journal, &Watch::none()).await?;
    uploaded.claim.keep();
    Ok(uploaded.asset.asset_id)
}

const LARGE: usize = MULTIPART_MAX as usize + 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_put_is_on_disk_before_the_asset_is_completed() {
    let emulator = Arc::new(service().await);
    let log = Log::new(&emulator, false);
    send(&client(&emulator, "k"), &log, LARGE).await.unwrap();
    let expected = [(
        "put".to_owned(),
        vec!["create".to_owned(), "put".to_owned()],
    )];
    assert_eq!(*log.on_disk.lock().unwrap(), expected);
    assert_eq!(requests(&emulator), ["create", "put", "complete"]);
}

/// Fails each completion for good.
fn no_completion(emulator: &Emulator) {
    let refused = FaultKind::Status { status: 400 };
    emulator.inject(Fault::new(Route::Complete, refused).times(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_key_is_on_disk_before_its_asset_is_deleted() {
    let emulator = Arc::new(service().await);
    no_completion(&emulator);
    let log = Log::new(&emulator, false);
    let assets = client(&emulator, "k");
    send(&assets, &log, LARGE).await.unwrap_err();
    assets.settle().await;
    let seen = log.on_disk.lock().unwrap().clone();
    let (record, before) = seen.last().unwrap();
    assert_eq!(record, "abandoned");
    assert!(!before.contains(&"delete".to_owned()), "{before:?}");
    assert_eq!(requests(&emulator).last().unwrap(), "delete");
    assert!(assets.unfinished().is_empty() && emulator.assets().is_empty());
}

/// The service would answer the next run, which uses the same key, with an asset that it does not have any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_asset_stays_if_its_key_cannot_be_abandoned() {
    let emulator = Arc::new(service().await);
    no_completion(&emulator);
    let assets = client(&emulator, "k");
    let full = Log::new(&emulator, true);
    send(&assets, &full, LARGE).await.unwrap_err();
    assets.settle().await;
    assert!(!requests(&emulator).contains(&"delete".to_owned()));
    assert!(assets.unfinished().is_empty());
    // The next run gets the same asset, and completes it.
    emulator.clear_faults();
    let reserved = emulator.assets();
    let log = Log::new(&emulator, false);
    let asset_id = send(&assets, &log, LARGE).await.unwrap();
    let assets = emulator.assets();
    assert_eq!(assets.len(), 1);
    assert_eq!((&assets[0].id, reserved.len()), (&asset_id, 1));
    assert_eq!(reserved[0].id, asset_id);
}
