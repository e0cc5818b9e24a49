//! Uploads on a bad day: every fault of the emulator, on every step, for files of either flow, once and for good.
//!
//! In each cell of the table the asset is there exactly once with the right SHA-256, or a typed error came and nothing is
//! left with the service; and then, with the fault gone, the same journal brings the asset there exactly once. One thing
//! nobody can do: delete what the service made but never got to name, when every answer to a creation is lost. Those cells
//! say so; the journal's Idempotency-Key finds it again. `cargo test --workspace --test faults -- --nocapture` prints the table.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use forebay::assets::MULTIPART_MAX;
use forebay::{
    Assets, AssetsError, AssetsExt as _, Error, Event, Host, Journal, Pipeline, Report, SinkError,
    Source, Stage,
};
use forebay_emulator::{AssetStatus, Config, Emulator, Fault, FaultKind, Route};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

/// How long nothing may move on a busy machine. No fault here ends by it: each breaks off by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a file comes to its upload.
#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    /// In one request.
    Small,
    /// By direct upload, from bytes that can be read again.
    Large,
    /// By direct upload, out of a stage.
    Staged,
}

fn pdf(size: usize) -> Bytes {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    bytes[..8].copy_from_slice(b"%PDF-1.7");
    bytes.into()
}

struct Cell {
    from: From,
    route: Route,
    kind: FaultKind,
    times: u32,
}

/// What a cell came to: how often the client tried again, and its error.
struct Outcome {
    retries: u32,
    error: Option<String>,
    /// Assets that are left after an error.
    left: usize,
}

async fn run(host: &Host, cell: &Cell) -> Outcome {
    let emulator = Emulator::builder()
        .api_key("k")
        .config(Config {
            body_timeout: PATIENCE,
            ..Config::default()
        })
        .start()
        .await
        .unwrap();
    let assets = Assets::builder()
        .api_key("k")
        .base_url(emulator.base_url())
        .retries(3, Duration::from_millis(20))
        .stall_timeout(PATIENCE)
        .no_proxy()
        .build()
        .unwrap();
    let content = pdf(match cell.from {
        From::Small => 300_000,
        From::Large | From::Staged => MULTIPART_MAX as usize + 1,
    });
    let mut pipeline = Pipeline::builder("faults");
    if cell.from == From::Staged {
        let identity = host
            .load("identity", forebay_bundled::IDENTITY)
            .await
            .unwrap();
        pipeline = pipeline.stage(Stage::new(&identity));
    }
    emulator.inject(Fault::new(cell.route, cell.kind.clone()).times(cell.times));
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path().join("journal")).unwrap();
    let pipeline = pipeline.build().unwrap();
    let retries = Arc::new(AtomicU32::new(0));
    let job = || {
        let seen = retries.clone();
        let source = Source::bytes("a.pdf", content.clone());
        let job = host
            .job(&pipeline, source, assets.sink())
            .journal(&journal)
            .observe(move |event| {
                if matches!(event, Event::Retry { .. }) {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        tokio::time::timeout(5 * PATIENCE, job.run())
    };
    let is_there_once = |report: &Report| {
        let stored = emulator.assets();
        let asset = report.assets().next().unwrap();
        assert_eq!(stored.len(), 1, "{cell:?}: exactly once: {stored:?}");
        assert_eq!(stored[0].id, asset.asset_id, "{cell:?}");
        assert_eq!(stored[0].status, AssetStatus::Completed, "{cell:?}");
        let sha256 = hex::encode(Sha256::digest(&content));
        assert_eq!(stored[0].sha256.as_ref(), Some(&sha256), "{cell:?}");
        assert_eq!(report.files[0].sha256.as_ref(), Some(&sha256), "{cell:?}");
    };
    let ended = job().await.unwrap_or_else(|_| panic!("{cell:?} hangs"));
    assets.settle().await;
    let mut outcome = Outcome {
        retries: retries.load(Ordering::Relaxed),
        error: None,
        left: 0,
    };
    match ended {
        Ok(report) => is_there_once(&report),
        Err(error) => {
            outcome.left = emulator.assets().len();
            if !cell.is_never_answered() {
                assert_eq!(outcome.left, 0, "{cell:?}: {error}");
            }
            outcome.error = Some(match error.errors.into_iter().next() {
                Some(Error::Sink {
                    reason: SinkError::Assets(error),
                    ..
                }) => describe(&error),
                other => panic!("{cell:?}: not a typed error: {other:?}"),
            });
            emulator.clear_faults();
            let again = job().await.unwrap_or_else(|_| panic!("{cell:?} hangs"));
            is_there_once(&again.unwrap_or_else(|error| panic!("{cell:?}: {error}")));
        }
    }
    emulator.shutdown().await;
    outcome
}

impl Cell {
    /// Whether the service does as it is asked and nobody ever hears of it.
    fn is_never_answered(&self) -> bool {
        matches!(self.kind, FaultKind::LostAnswer | FaultKind::CutShort)
            && matches!(self.route, Route::Upload | Route::Create)
            && self.times > 1
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?}, {:?}: {:?} x {}",
            self.from, self.route, self.kind, self.times
        )
    }
}

fn describe(error: &AssetsError) -> String {
    match error {
        AssetsError::Service(error) => format!("service {} {}", error.status, error.code),
        AssetsError::Storage(error) => {
            let code = error.code.as_deref().unwrap_or_default();
            format!("storage {} {code}", error.status)
        }
        AssetsError::Transport {
            operation, kind, ..
        } => format!("{kind:?}, {operation}"),
        other => panic!("{other:?}"),
    }
}

fn answer(status: u16, media_type: &str, body: &str) -> FaultKind {
    FaultKind::Answer {
        status,
        headers: [("content-type".to_owned(), media_type.to_owned())].into(),
        body: body.to_owned(),
    }
}

/// Everything but the id and the URL is missing or of another type.
fn changed() -> FaultKind {
    let data = serde_json::json!({
        "mime_type": null, "size_bytes": null, "url": null, "status": 7,
        "expires_in_seconds": 3600.0, "max_bytes": null,
    });
    let serde_json::Value::Object(data) = data else {
        unreachable!()
    };
    FaultKind::ChangedAnswer { data }
}

fn cells() -> Vec<Cell> {
    let kinds = || {
        [
            FaultKind::Latency { milliseconds: 200 },
            FaultKind::RateLimited { retry_after: 0 },
            FaultKind::Status { status: 500 },
            FaultKind::Status { status: 503 },
            FaultKind::ResetBefore,
            FaultKind::ResetDuring { after_bytes: 100 },
            FaultKind::ResetDuring {
                after_bytes: 200_000,
            },
            FaultKind::ResetAfter,
            FaultKind::CutShort,
            FaultKind::ExpiredUrl,
            FaultKind::SlowReader {
                bytes_per_second: 40_000_000,
            },
            // A relay that needs a while, and storage that takes nothing for a while.
            FaultKind::SlowReader {
                bytes_per_second: 1_000_000,
            },
            FaultKind::Pause {
                after_bytes: 100_000,
                milliseconds: 500,
            },
            // Answers of something in between, and of a service that leaves out what is not needed.
            answer(
                502,
                "text/html",
                "<html><title>502 Bad Gateway</title></html>",
            ),
            answer(200, "text/html", "<html><body>Please log in</body></html>"),
            answer(
                413,
                "text/html",
                "<html><h1>413 Request Entity Too Large</h1></html>",
            ),
            changed(),
            FaultKind::LostAnswer,
            FaultKind::ChecksumMismatch,
            FaultKind::SettlesLate { milliseconds: 100 },
        ]
    };
    let mut cells = Vec::new();
    for (from, routes) in [
        (From::Small, &[Route::Upload][..]),
        (From::Large, &[Route::Create, Route::Put, Route::Complete]),
        (From::Staged, &[Route::Put, Route::Complete]),
    ] {
        for &route in routes {
            for kind in kinds() {
                let times: &[u32] = match kind {
                    // What the emulator knows only on other steps.
                    FaultKind::ExpiredUrl if !matches!(route, Route::Create | Route::Put) => &[],
                    FaultKind::ChecksumMismatch if route == Route::Create => &[],
                    FaultKind::SettlesLate { .. } if route != Route::Put => &[],
                    // A file of 32 MB would take half a minute.
                    FaultKind::SlowReader {
                        bytes_per_second: 1_000_000,
                    } if route == Route::Put => &[],
                    FaultKind::ChangedAnswer { .. } if route == Route::Put => &[],
                    // S3 answers without a body, and nobody reads one.
                    FaultKind::Answer { status: 200, .. } if route == Route::Put => &[],
                    // What only takes longer, or differs.
                    FaultKind::Latency { .. }
                    | FaultKind::SlowReader { .. }
                    | FaultKind::Pause { .. } => &[1],
                    FaultKind::ChangedAnswer { .. } => &[100],
                    _ => &[1, 100],
                };
                for &times in times {
                    let kind = kind.clone();
                    cells.push(Cell {
                        from,
                        route,
                        kind,
                        times,
                    });
                }
            }
        }
    }
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_on_every_step() {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    let host = Host::builder().cache_dir(cache).build().unwrap();
    let cells = cells();
    let outcomes: Vec<Outcome> = futures::stream::iter(&cells)
        .map(|cell| run(&host, cell))
        .buffered(4)
        .collect()
        .await;
    println!(
        "{:7} {:9} {:48} {:>5}  came to",
        "file", "step", "fault", "times"
    );
    for (cell, outcome) in cells.iter().zip(&outcomes) {
        let Cell {
            from,
            route,
            kind,
            times,
        } = cell;
        let came_to = match &outcome.error {
            None => "the asset, once".to_owned(),
            Some(error) if outcome.left > 0 => format!("left for the journal: {error}"),
            Some(error) => format!("nothing left: {error}"),
        };
        let (from, route, kind) = (
            format!("{from:?}"),
            format!("{route:?}"),
            format!("{kind:?}"),
        );
        let retries = outcome.retries;
        println!("{from:7} {route:9} {kind:48} {times:>5}  {came_to} ({retries} retries)");
        // What passes after one time must not be the user's business.
        let for_good = match &cell.kind {
            FaultKind::ChecksumMismatch => cell.route != Route::Put,
            // Whether something else answers the next time, nobody knows.
            FaultKind::Answer { status: 200, .. } => true,
            // Only an upload in one request has another flow to fall back to.
            FaultKind::Answer { status: 413, .. } => cell.route != Route::Upload,
            _ => false,
        };
        // These never fail: the other flow is used, or the answer says enough.
        let never = match &cell.kind {
            FaultKind::Answer { status: 413, .. } => cell.route == Route::Upload,
            FaultKind::ChangedAnswer { .. } => true,
            _ => false,
        };
        assert!(!never || outcome.error.is_none(), "{cell:?}: {came_to}");
        assert!(
            *times > 1 || outcome.error.is_none() || for_good,
            "{cell:?}: {came_to}"
        );
    }
}
