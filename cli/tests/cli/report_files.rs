//! `--report FILE`: a report replaces nothing but an older report, and goes to whatever else FILE names.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Emulator, assert_refused, assert_success, demo, forebay, forebay_with, json, names, text,
};

const REFUSED: &str = "there is a file that is no report; it stays";

/// `forebay run -s identity -o out --report REPORT`, over a photo.
fn command(folder: &Path, report: &str) -> Command {
    let mut command = forebay(folder);
    command.args(["run", "-s", "identity", "-o", "out", "--force", "--report"]);
    command.arg(report).arg(demo("photo.jpg"));
    command
}

fn run(folder: &Path, report: &str) -> Output {
    command(folder, report).output().unwrap()
}

/// This is the report of one job that was done.
#[track_caller]
fn assert_report(content: &[u8]) {
    let report: Value = serde_json::from_slice(content).unwrap();
    assert!(report["forebay"].is_string() && report["version"] == 1);
    assert_eq!(report["jobs"][0]["files"][0]["name"], "photo.jpg");
}

#[cfg(target_os = "linux")]
fn make(path: &Path, kind: rustix::fs::FileType, device: u64) -> std::io::Result<()> {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    Ok(rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        kind,
        mode,
        device,
    )?)
}

/// A device of these numbers, or nothing where that is not permitted.
#[cfg(target_os = "linux")]
fn device(path: &Path, minor: u32) -> Option<()> {
    let kind = rustix::fs::FileType::CharacterDevice;
    let made = make(path, kind, rustix::fs::makedev(1, minor));
    // In some sandboxes a device can be made and not be opened.
    let usable = made.is_ok() && File::options().write(true).open(path).is_ok();
    if !usable {
        println!("skipped: this user may not make devices");
    }
    usable.then_some(())
}

#[test]
fn an_older_report_is_replaced_and_keeps_its_permissions() {
    let folder = TempDir::new().unwrap();
    let report = folder.path().join("report.json");
    assert_success(&run(folder.path(), "report.json"));
    assert_report(&fs::read(&report).unwrap());
    let mut older = fs::read(&report).unwrap();
    older.extend([b' '; 10_000]);
    fs::write(&report, older).unwrap();
    fs::set_permissions(&report, fs::Permissions::from_mode(0o640)).unwrap();
    assert_success(&run(folder.path(), "report.json"));
    let written = fs::read(&report).unwrap();
    assert_report(&written);
    assert!(!written.ends_with(b" "));
    let mode = fs::metadata(&report).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // An empty file holds nothing that could be lost.
    fs::write(&report, "").unwrap();
    assert_success(&run(folder.path(), "report.json"));
    assert_report(&fs::read(&report).unwrap());
    assert_eq!(names(folder.path()), ["out", "report.json"]);
}

#[test]
fn a_link_stays_and_its_target_is_written() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("reports")).unwrap();
    fs::write(at("reports/today.json"), "").unwrap();
    symlink("reports/today.json", at("link.json")).unwrap();
    // A link to a link, to a file that is not there yet.
    symlink("reports/new-link.json", at("new.json")).unwrap();
    symlink("new.json", at("reports/new-link.json")).unwrap();
    for (link, target) in [
        ("link.json", "reports/today.json"),
        ("new.json", "reports/new.json"),
    ] {
        for _ in 0..2 {
            assert_success(&run(folder.path(), link));
            assert!(at(link).is_symlink());
            let metadata = fs::symlink_metadata(at(target)).unwrap();
            assert!(metadata.is_file());
            assert_report(&fs::read(at(target)).unwrap());
        }
    }
    assert!(at("reports/new-link.json").is_symlink());

    fs::remove_dir_all(at("out")).unwrap();
    fs::write(at("words.txt"), "words").unwrap();
    symlink("words.txt", at("words.json")).unwrap();
    symlink("none/new.json", at("nowhere.json")).unwrap();
    symlink("circle.json", at("circle.json")).unwrap();
    for (link, reason) in [
        ("words.json", REFUSED),
        ("nowhere.json", "there is no folder ./none"),
    ] {
        let line = format!("forebay: --report {link}: {reason}");
        assert_refused(&run(folder.path(), link), 2, &line);
        assert!(at(link).is_symlink());
    }
    assert_eq!(run(folder.path(), "circle.json").status.code(), Some(2));
    assert_eq!(fs::read(at("words.txt")).unwrap(), b"words");
    assert!(!at("out").exists());
}

#[test]
fn what_cannot_take_a_report_is_refused_before_anything_runs() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(demo("photo.jpg"), at("photo.jpg")).unwrap();
    fs::write(at("words.txt"), "words without an end").unwrap();
    fs::write(at("open.json"), "{\"forebay\":\"0.1.0\",\"version\":1").unwrap();
    fs::write(at("package.json"), "{\"name\":\"x\",\"version\":\"1.0.0\"}").unwrap();
    fs::write(
        at("settings.json"),
        "{\"forebay\":{\"jobs\":2},\"version\":1}",
    )
    .unwrap();
    crate::write_sparse(&at("video.mp4"), b"{\0\0\x20ftypisom", 5 << 30);
    fs::create_dir(at("folder")).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let kept = ["photo.jpg", "words.txt", "open.json", "package.json"];
    let read = || kept.map(|name| fs::read(at(name)).unwrap());
    let before = read();
    for (report, reason) in [
        ("photo.jpg", REFUSED),
        ("words.txt", REFUSED),
        ("open.json", REFUSED),
        ("package.json", REFUSED),
        ("settings.json", REFUSED),
        ("video.mp4", REFUSED),
        ("folder", "this is a folder"),
        (".", "this is a folder"),
        ("new/", "this is the name of a folder"),
        (
            "socket",
            "this is a socket; it cannot be opened for writing",
        ),
        ("none/report.json", "there is no folder none"),
        ("words.txt/report.json", "Not a directory (os error 20)"),
    ] {
        let line = format!("forebay: --report {report}: {reason}");
        assert_refused(&run(folder.path(), report), 2, &line);
    }
    // Nobody can make a file there.
    #[cfg(target_os = "linux")]
    {
        let output = run(folder.path(), "/proc/report.json");
        assert_eq!(output.status.code(), Some(2));
        let error = text(&output.stderr);
        assert!(
            error.starts_with(
                "forebay: --report /proc/report.json: folder /proc cannot be written to"
            ),
            "{error}"
        );
    }
    assert!(read() == before, "they were changed");
    assert!(!at("out").exists());

    let output = forebay_with(folder.path(), "http://127.0.0.1:9", "any")
        .args(["upload", "--report", "both", "--journal", "both"])
        .arg("photo.jpg")
        .output()
        .unwrap();
    assert_refused(
        &output,
        2,
        "forebay: --report both: the journal is to be in the same file; give each a file of its own",
    );
}

#[test]
fn a_result_of_the_run_is_not_replaced_by_its_report() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    let output = run(folder.path(), "out/photo.jpg");
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    let line = format!("forebay: report out/photo.jpg: {REFUSED}\n");
    assert!(error.ends_with(&line), "{error}");
    assert_eq!(
        fs::read(folder.path().join("out/photo.jpg")).unwrap(),
        fs::read(demo("photo.jpg")).unwrap()
    );
    assert_eq!(names(&folder.path().join("out")), ["photo.jpg"]);
}

#[test]
fn a_pipe_is_written_to() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    // Nobody reads.
    let line = "forebay: --report pipe: this is a pipe that nobody reads; start its reader first";
    assert_refused(&run(folder.path(), "pipe"), 2, line);
    assert!(!folder.path().join("out").exists());

    // Open for reading and writing, a pipe does not wait for its other end.
    let keeps_open = File::options().read(true).write(true).open(&path).unwrap();
    let mut reader = File::open(&path).unwrap();
    let reader = std::thread::spawn(move || {
        let mut report = Vec::new();
        reader.read_to_end(&mut report).unwrap();
        report
    });
    let output = run(folder.path(), "pipe");
    drop(keeps_open);
    assert_success(&output);
    assert_eq!(text(&output.stdout), "out/photo.jpg\n");
    assert_report(&reader.join().unwrap());
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
}

#[test]
fn a_dash_is_standard_output_which_then_holds_nothing_else() {
    let folder = TempDir::new().unwrap();
    for report in ["-", "/dev/stdout"] {
        let output = run(folder.path(), report);
        assert_success(&output);
        assert_report(&output.stdout);
        let output = command(folder.path(), report)
            .arg("--json")
            .output()
            .unwrap();
        let line = format!(
            "forebay: `--report {report}` and `--json` both write to standard output; give --report a file"
        );
        assert_refused(&output, 2, &line);
    }
    let output = forebay(folder.path())
        .args(["run", "-s", "identity", "-o", "-", "--report", "-"])
        .arg(demo("photo.jpg"))
        .output()
        .unwrap();
    assert_refused(
        &output,
        2,
        "forebay: `--report -` and `-o -` both write to standard output; give --report a file",
    );
    assert_eq!(names(folder.path()), ["out"]);

    // Whoever reads has gone: the report is lost, and that is an error.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(folder.path(), "-")
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("forebay: report -: Broken pipe"), "{error}");
}

#[test]
fn a_file_that_is_open_already_keeps_what_was_printed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("printed.txt");
    // Each name of the file that standard output goes to.
    for report in ["/dev/stdout", "/dev/fd/1", "printed.txt"] {
        let mut printed = File::create(&path).unwrap();
        printed.write_all(b"before\n").unwrap();
        let status = command(folder.path(), report)
            .stdout(printed.try_clone().unwrap())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{report}");
        printed.write_all(b"after\n").unwrap();
        let content = fs::read(&path).unwrap();
        let report = content.strip_prefix(b"before\n").unwrap();
        assert_report(report.strip_suffix(b"after\n").unwrap());
    }
    // Any other descriptor.
    let inner = command(folder.path(), "/dev/fd/3");
    let status = Command::new("sh")
        .args(["-c", "exec 3>other.txt; echo before >&3; \"$@\"", "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let content = fs::read(folder.path().join("other.txt")).unwrap();
    assert_report(content.strip_prefix(b"before\n").unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_stays_a_device() {
    let folder = TempDir::new().unwrap();
    let is_device = |name: &str| {
        let metadata = fs::symlink_metadata(folder.path().join(name)).unwrap();
        metadata.file_type().is_char_device()
    };
    let Some(()) = device(&folder.path().join("null"), 3) else {
        return;
    };
    symlink("null", folder.path().join("link")).unwrap();
    for report in ["null", "link"] {
        let output = run(folder.path(), report);
        assert_success(&output);
        assert_eq!(text(&output.stdout), "out/photo.jpg\n");
        assert!(is_device("null"));
    }
    assert!(folder.path().join("link").is_symlink());
    // A disk is not even opened: there is none behind this one.
    let disk = folder.path().join("disk");
    make(&disk, rustix::fs::FileType::BlockDevice, 0).unwrap();
    let line = "forebay: --report disk: this is a disk; a report would overwrite what it holds";
    assert_refused(&run(folder.path(), "disk"), 2, line);

    // A device that is always full: the report is lost, and that is an error.
    let Some(()) = device(&folder.path().join("full"), 7) else {
        return;
    };
    let output = run(folder.path(), "full");
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.contains("forebay: report full: No space left on device"),
        "{error}"
    );
    assert!(is_device("full"));
}

#[test]
fn the_report_of_a_workflow_goes_to_standard_output_too() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let output = forebay_with(folder.path(), &emulator.url, "any")
        .args(["run", "--workflow", "media-kit:prompt='One, two'", "-u"])
        .args(["--report", "-"])
        .arg(demo("photo.jpg"))
        .output()
        .unwrap();
    assert_success(&output);
    let report = json(&output.stdout);
    assert!(report["forebay"].is_string());
    assert!(report["workflow"]["result"]["files"].is_array());
}
