//! A source that another program changes while it is read never becomes a file of two halves.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use forebay::assets::MULTIPART_MAX;
use forebay::{
    AssetsError, AssetsExt as _, Error, Event, Folder, JobError, Report, SinkError, Source,
};
use forebay_emulator::{AssetStatus, Fault, FaultKind, Route};
use serde_json::json;
use tempfile::TempDir;

use crate::{client, host, pdf, pipeline, service, stage};

/// What the other program does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// Writes other bytes, and the length stays the same.
    InPlace,
    /// The same, and the modification time is set back.
    #[cfg(unix)]
    InPlaceWithItsTime,
    Appends,
    Cuts,
}

const CHANGES: &[Change] = &[
    Change::InPlace,
    #[cfg(unix)]
    Change::InPlaceWithItsTime,
    Change::Appends,
    Change::Cuts,
];

impl Change {
    fn apply(self, path: &Path) {
        let mut file = File::options().write(true).open(path).unwrap();
        let before = path.metadata().unwrap();
        match self {
            Self::InPlace => write_last_byte(&mut file),
            #[cfg(unix)]
            Self::InPlaceWithItsTime => {
                use std::os::unix::fs::MetadataExt as _;
                let changed = |now: &fs::Metadata| (now.ctime(), now.ctime_nsec());
                // Until the clock of the file system has moved on.
                while changed(&path.metadata().unwrap()) == changed(&before) {
                    write_last_byte(&mut file);
                    file.set_modified(before.modified().unwrap()).unwrap();
                }
            }
            Self::Appends => {
                file.seek(SeekFrom::End(0)).unwrap();
                file.write_all(b"more").unwrap();
            }
            Self::Cuts => file.set_len(before.len() - 1).unwrap(),
        }
    }
}

fn write_last_byte(file: &mut File) {
    file.seek(SeekFrom::End(-1)).unwrap();
    file.write_all(b"X").unwrap();
}

/// A PDF file that was last written an hour ago.
fn old_file(folder: &TempDir, size: usize) -> PathBuf {
    let path = folder.path().join("a.pdf");
    fs::write(&path, pdf(size)).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    file.set_modified(hour_ago).unwrap();
    path
}

/// Calls `change` when the first bytes of the source were read.
fn at_first_read(change: impl Fn() + Send + Sync) -> impl Fn(&Event) + Send + Sync {
    let once = Once::new();
    move |event| {
        if matches!(event, Event::Read { .. }) {
            once.call_once(&change);
        }
    }
}

#[track_caller]
fn assert_changed(ended: Result<Report, JobError>, what: &str) {
    let error = ended.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error.errors[..], [Error::Source { .. }]),
        "{what}: {error:?}"
    );
    assert!(
        text.starts_with("a.pdf: ") && text.contains("change"),
        "{what}: {text}"
    );
    assert_eq!(error.report.files.len(), 0, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_changed_in_place_leaves_no_asset() {
    let (host, emulator) = (host(), service().await);
    let assets = client(&emulator, "k");
    let as_it_is = pipeline([]);
    let staged = pipeline([stage(&host, forebay_bundled::IDENTITY, json!({})).await]);
    for (flow, size, pipeline) in [
        ("in one request", 600_000, &as_it_is),
        ("by direct upload", MULTIPART_MAX as usize + 1, &as_it_is),
        ("out of a stage", 600_000, &staged),
    ] {
        for &change in CHANGES {
            let what = format!("{flow}, {change:?}");
            let folder = TempDir::new().unwrap();
            let path = old_file(&folder, size);
            let changed = path.clone();
            let ended = host
                .job(pipeline, Source::path(&path), assets.sink())
                .observe(at_first_read(move || change.apply(&changed)))
                .run()
                .await;
            assert_changed(ended, &what);
            assets.settle().await;
            assert_eq!(emulator.assets().len(), 0, "{what}");
            assert!(assets.unfinished().is_empty(), "{what}");
            // The next run takes the file as it is now.
            let report = host
                .run(pipeline, Source::path(&path), assets.sink())
                .await
                .unwrap();
            let asset = report.assets().next().unwrap();
            assert_eq!(asset.size_bytes, path.metadata().unwrap().len(), "{what}");
            assets.delete(&asset.asset_id).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_changed_in_place_leaves_no_file() {
    let host = host();
    let staged = pipeline([stage(&host, forebay_bundled::IDENTITY, json!({})).await]);
    for &change in CHANGES {
        let folder = TempDir::new().unwrap();
        let path = old_file(&folder, 3_000_000);
        let changed = path.clone();
        let out = folder.path().join("out");
        let ended = host
            .job(&staged, Source::path(&path), Folder::new(&out).unwrap())
            .observe(at_first_read(move || change.apply(&changed)))
            .run()
            .await;
        assert_changed(ended, &format!("{change:?}"));
        assert_eq!(out.read_dir().unwrap().count(), 0, "{change:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_sends_the_bytes_of_the_first_or_nothing() {
    let (host, emulator) = (host(), service().await);
    let assets = client(&emulator, "k");
    let folder = TempDir::new().unwrap();
    let path = old_file(&folder, MULTIPART_MAX as usize + 1);
    emulator.inject(Fault::new(
        Route::Put,
        FaultKind::ResetDuring { after_bytes: 100 },
    ));
    let replaced = path.clone();
    let ended = host
        .job(&pipeline([]), Source::path(&path), assets.sink())
        .observe(move |event| {
            if matches!(event, Event::Retry { .. }) {
                // A whole new version of the same length, as editors write it.
                let new = replaced.with_extension("new");
                fs::copy(&replaced, &new).unwrap();
                Change::InPlace.apply(&new);
                fs::rename(&new, &replaced).unwrap();
            }
        })
        .run()
        .await;
    let error = ended.unwrap_err();
    assert!(
        matches!(
            &error.errors[..],
            [Error::Sink {
                reason: SinkError::Assets(AssetsError::Source(_)),
                ..
            }]
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("was changed"), "{error}");
    assets.settle().await;
    assert_eq!(emulator.assets().len(), 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_link_or_a_removal_is_no_change() {
    let (host, emulator) = (host(), service().await);
    let assets = client(&emulator, "k");
    let folder = TempDir::new().unwrap();
    let path = old_file(&folder, 600_000);
    let (linked, link) = (path.clone(), folder.path().join("link"));
    let report = host
        .job(&pipeline([]), Source::path(&path), assets.sink())
        .observe(at_first_read(move || {
            fs::hard_link(&linked, &link).unwrap();
        }))
        .run()
        .await
        .unwrap();
    assert_eq!(report.assets().count(), 1);
    let stored = emulator.assets();
    assert_eq!(stored[0].status, AssetStatus::Completed);
}
