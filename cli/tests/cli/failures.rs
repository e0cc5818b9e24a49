//! Failures in `--json` and in reports, in parts that a program can act on, and the totals.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Emulator, demo, forebay, forebay_with, text};

/// The objects on standard output.
fn objects(stdout: &[u8]) -> Vec<Value> {
    let lines = text(stdout);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The object of this input.
#[track_caller]
fn of<'a>(objects: &'a [Value], input: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["input"] == input);
    found.unwrap_or_else(|| panic!("{input} is not in {objects:?}"))
}

#[test]
fn a_stage_that_fails_is_told_in_parts_and_in_text() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("note.txt"), "hello").unwrap();
    fs::write(
        folder.path().join("half.jpg"),
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    )
    .unwrap();
    fs::copy(demo("photo.jpg"), folder.path().join("photo.jpg")).unwrap();
    let output = forebay(folder.path())
        .args([
            "run",
            "-s",
            "identity",
            "-s",
            "image-resize:max_width=64",
            "-o",
            "out",
        ])
        .args([
            "--json",
            "--report",
            "report.json",
            "note.txt",
            "half.jpg",
            "none.jpg",
            "photo.jpg",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mut objects = objects(&output.stdout);
    let totals = objects.pop().unwrap();
    let note = of(&objects, "note.txt");
    assert_eq!(
        note["errors"],
        json!([{
            "message": note["failures"][0],
            "file": "note.txt",
            "stage": "2 image-resize",
            "plugin": "image-resize",
            "step": "stage",
            "code": "not_accepted",
            "retryable": false,
        }])
    );
    let half = &of(&objects, "half.jpg")["errors"][0];
    assert_eq!(
        (&half["stage"], &half["code"]),
        (&json!("2 image-resize"), &json!("invalid_input"))
    );
    let none = &of(&objects, "none.jpg")["errors"][0];
    assert_eq!(
        (&none["step"], &none["code"]),
        (&json!("read"), &json!("not_found"))
    );
    let photo = of(&objects, "photo.jpg");
    assert_eq!(photo["errors"], json!([]));

    let size = &photo["files"][0]["size"];
    let totals = &totals["totals"];
    let counted = json!([4, 1, 0, 3, 1, size]);
    let names = ["inputs", "done", "done_already", "failed", "files", "bytes"];
    assert_eq!(
        Value::from_iter(names.map(|name| totals[name].clone())),
        counted
    );
    let report = fs::read(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        Value::from_iter(names.map(|name| report["totals"][name].clone())),
        counted
    );
    assert_eq!(
        of(report["jobs"].as_array().unwrap(), "note.txt")["errors"],
        note["errors"]
    );
}

#[test]
fn the_services_refusal_is_told_with_its_status_and_code() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &["--api-key", "right"]);
    let output = forebay_with(folder.path(), &emulator.url, "wrong")
        .args(["upload", "--json"])
        .arg(demo("photo.jpg"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let objects = objects(&output.stdout);
    let error = &objects[0]["errors"][0];
    assert_eq!(error["step"], "upload");
    assert_eq!(error["status"], 401);
    assert_eq!(error["code"], "unauthorized");
    assert_eq!(error["retryable"], false);
    assert!(error["request_id"].is_string(), "{error}");
    assert_eq!(objects[1]["totals"]["failed"], 0);
    assert_eq!(objects[1]["totals"]["not_tried"], 1);
}

#[test]
fn a_journal_tells_what_was_done_already() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let upload = || {
        forebay_with(folder.path(), &emulator.url, "any")
            .args(["upload", "--json", "--journal", "journal"])
            .arg(demo("photo.jpg"))
            .output()
            .unwrap()
    };
    for (done, already) in [(1, 0), (0, 1)] {
        let output = upload();
        let totals = objects(&output.stdout).pop().unwrap();
        assert_eq!(totals["totals"]["done"], done, "{totals}");
        assert_eq!(totals["totals"]["done_already"], already);
        assert_eq!(totals["totals"]["files"], done);
        // One line for the file, and the summary.
        assert_eq!(text(&output.stderr).lines().count(), 2);
        let before = "photo.jpg: uploaded before, asset ast_";
        assert_eq!(text(&output.stderr).contains(before), already == 1);
        let told = text(&output.stderr).ends_with("\nnothing to do; 1 done before\n");
        assert_eq!(told, already == 1, "{}", text(&output.stderr));
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_is_in_the_report() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let locked = folder.path().join("media/locked");
    fs::create_dir_all(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    if fs::read_dir(&locked).is_ok() {
        return;
    }
    let output = forebay(folder.path())
        .args(["run", "-s", "identity", "-o", "out", "--json", "media"])
        .output()
        .unwrap();
    let objects = objects(&output.stdout);
    assert_eq!(objects[0]["errors"][0]["step"], "read");
    assert_eq!(objects[1]["totals"]["failed"], 1);
}
