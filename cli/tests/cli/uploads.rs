//! `forebay upload` and `run -u`: the flow of each file, and a journal that survives being killed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{Emulator, assert_refused, assert_success, demo, forebay_with, json, names, text};

#[test]
fn uploads_go_by_the_flow_that_their_size_calls_for() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let mut large = vec![0; 40_000_000];
    large[..8].copy_from_slice(b"%PDF-1.7");
    fs::write(folder.path().join("large.pdf"), &large).unwrap();
    let upload = |key: &str, args: &[&str]| {
        forebay_with(folder.path(), &emulator.url, key)
            .args(args)
            .arg(demo("photo.jpg"))
            .arg("large.pdf")
            .output()
            .unwrap()
    };
    for args in [
        ["upload", "--json", "--jobs", "1"].as_slice(),
        &["run", "-s", "identity", "-u", "--json", "--jobs", "1"],
    ] {
        let output = upload("right", args);
        assert_success(&output);
        let lines = text(&output.stdout);
        let objects = lines.lines().map(|line| json(line.as_bytes()));
        let flows: Vec<Value> = objects
            .map(|object| object["files"][0]["flow"].clone())
            .collect();
        // The last object has the totals.
        assert_eq!(
            flows,
            [Value::from("upload"), "direct-upload".into(), Value::Null]
        );
    }
    let output = upload("sesame", &["upload", "--jobs", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    let failed: Vec<&str> = error
        .lines()
        .filter(|line| line.starts_with("forebay: "))
        .collect();
    assert!(!error.contains("sesame"), "{error}");
    let [refused] = failed.as_slice() else {
        panic!("once for all files: {error}");
    };
    assert!(
        refused.starts_with(
            "forebay: the service refuses the API key (HEYGEN_API_KEY or the config): upload: "
        ) && refused.contains("(401 unauthorized, ")
            && refused.ends_with("; 2 files not tried"),
        "{error}"
    );
    assert!(error.ends_with("\nnothing done; 2 not tried\n"), "{error}");
}

/// Numbers that look random, from a seed that is told.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        println!("seed {}", now.subsec_nanos());
        Self(u64::from(now.subsec_nanos()) | 1)
    }

    /// One of `0..sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Writes forty files into a new folder, each tenth of a size that goes by direct upload; gives their total.
fn write_media(media: &Path, dice: &mut Dice) -> u64 {
    fs::create_dir(media).unwrap();
    let mut total = 0;
    for at in 0..40 {
        let size = if at % 10 == 0 {
            33 << 20
        } else {
            1000 + dice.roll(3_000_000)
        };
        let mut content = format!("%PDF-1.7 {at}").into_bytes();
        content.resize(usize::try_from(size).unwrap(), 7);
        fs::write(media.join(format!("{at}.pdf")), content).unwrap();
        total += size;
    }
    total
}

/// The digests of the files in a folder, sorted.
fn digests(folder: &Path) -> Vec<String> {
    let mut digests: Vec<String> = names(folder)
        .into_iter()
        .map(|name| hex::encode(Sha256::digest(fs::read(folder.join(name)).unwrap())))
        .collect();
    digests.sort();
    digests
}

/// How much a process has written, in bytes, where the system tells.
fn written(process: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{process}/io")).ok()?;
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    Some(written.unwrap().parse().unwrap())
}

#[test]
fn a_run_that_is_killed_again_and_again_uploads_every_file_once() {
    const KILLS: usize = 30;
    let mut dice = Dice::new();
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let media = folder.path().join("media");
    let total = write_media(&media, &mut dice);
    let upload = || {
        let mut command = forebay_with(folder.path(), &emulator.url, "any");
        command
            .args(["upload", "--journal", "journal", "--json", "media"])
            // A process that is killed leaves its scratch behind: here, to go with the folder.
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let mut kills = 0;
    for _ in 0..KILLS {
        let mut run = upload().spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + dice.roll(500)));
        kills += usize::from(run.try_wait().unwrap().is_none());
        run.kill().unwrap();
        run.wait().unwrap();
    }
    assert!(upload().status().unwrap().success());
    // Run once more, it finds nothing to do.
    let noted = || {
        let journal = fs::read_to_string(folder.path().join("journal")).unwrap_or_default();
        journal.lines().count()
    };
    let before = noted();
    assert!(upload().status().unwrap().success());
    assert_eq!(noted(), before);

    assert_eq!(
        digests(&folder.path().join("emulator/assets")),
        digests(&media),
        "every file is one asset, none twice"
    );
    // What the emulator wrote to disk is what it was sent.
    if let Some(written) = written(emulator.child.id()) {
        let over = written.saturating_sub(total);
        println!("{kills} kills hit a run; {total} bytes to send, {over} sent again");
    }
}

#[test]
fn a_file_that_is_no_journal_is_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    let mut photo = fs::read(demo("photo.jpg")).unwrap();
    for at in 0..3_u8 {
        // A last line without an end, as in most photos.
        photo.extend([b'\n', at]);
        fs::write(photos.join(format!("{at}.jpg")), &photo).unwrap();
    }
    fs::write(photos.join("letter.txt"), "a letter without a newline").unwrap();
    let before = digests(&photos);
    let upload = |journal: &[&str]| {
        forebay_with(&photos, &emulator.url, "any")
            .args(["upload", "--journal"])
            .args(journal)
            .output()
            .unwrap()
    };
    for (files, reason) in [
        // The journal's name is missing: the shell puts the first photo in its place.
        (
            ["0.jpg", "1.jpg", "2.jpg"],
            "it does not begin as a journal does",
        ),
        (
            ["letter.txt", "1.jpg", "2.jpg"],
            "it does not begin as a journal does",
        ),
        ([".", "1.jpg", "2.jpg"], "it is a folder"),
    ] {
        let line = format!(
            "forebay: {}: this is not a journal, and is left as it is: {reason}. --journal takes the name of a file that \
             forebay itself writes, before the files to upload; was it left out?",
            files[0]
        );
        assert_refused(&upload(&files), 2, &line);
        assert_eq!(digests(&photos), before);
    }
    assert_eq!(names(&photos).len(), 4);
    assert_success(&upload(&["../journal", "0.jpg", "1.jpg"]));
    assert_eq!(names(&folder.path().join("emulator/assets")).len(), 2);
}
