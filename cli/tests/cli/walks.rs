//! What is taken of a folder and what is passed over.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::{assert_refused, assert_success, forebay, json, names, text};

/// A folder `d` with these files in it.
fn folder_with(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        let path = folder.path().join("d").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    forebay(folder)
        .args(["run", "-s", "identity", "-f", "-j1", "-o", "out"])
        .args(args)
        .output()
        .unwrap()
}

/// The first line on standard error.
fn first_line(output: &Output) -> String {
    let error = text(&output.stderr);
    error.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn files_of_the_system_and_hidden_ones_are_passed_over() {
    let folder = folder_with(&[
        "a.txt",
        ".DS_Store",
        "._a.txt",
        "Thumbs.db",
        "Desktop.ini",
        ".git/config",
        "__MACOSX/a.txt",
        "deep/thumbs.db",
        "deep/b.txt",
    ]);
    let output = run(folder.path(), &["--report", "r.json", "d"]);
    assert_success(&output);
    assert_eq!(text(&output.stdout), "out/a.txt\nout/deep/b.txt\n");
    assert_eq!(
        first_line(&output),
        "skipped 7 hidden files (--hidden takes them)"
    );
    let report = json(&fs::read(folder.path().join("r.json")).unwrap());
    assert_eq!(report["passed_over"]["hidden"], 7);

    let output = run(folder.path(), &["--hidden", "d"]);
    assert_success(&output);
    assert_eq!(text(&output.stdout).lines().count(), 9);
    // What is named is taken.
    let named = ["d/.DS_Store", "d/Thumbs.db", "d/.git", "d/__MACOSX"];
    let output = run(folder.path(), &named);
    assert_success(&output);
    assert_eq!(text(&output.stdout).lines().count(), 4);
}

#[test]
fn a_folder_with_nothing_to_take_is_an_error_that_says_why() {
    let folder = folder_with(&[".DS_Store"]);
    assert_refused(
        &run(folder.path(), &["d"]),
        2,
        "forebay: there are no files left to take: skipped 1 hidden file (--hidden takes it)",
    );
    fs::create_dir(folder.path().join("empty")).unwrap();
    let line = "forebay: there are no files in what was named";
    assert_refused(&run(folder.path(), &["empty"]), 2, line);
}

#[test]
fn what_the_run_itself_writes_is_no_input() {
    let folder = folder_with(&["a.txt", "out/old.txt"]);
    let d = folder.path().join("d");
    let args = ["--report", "report.json", "."];
    assert_success(&run(&d, &args));
    let output = run(&d, &args);
    assert_success(&output);
    assert_eq!(text(&output.stdout), "out/a.txt\n");
    let told = first_line(&output);
    assert_eq!(
        told,
        "skipped 2 own files (./out, ./report.json; this run writes there)"
    );
    assert_eq!(names(&d.join("out")), ["a.txt", "old.txt"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_only_on_request_and_never_passed_over_in_silence() {
    use std::os::unix::fs::symlink;
    let folder = folder_with(&["a.txt", "b/c.txt"]);
    let d = folder.path().join("d");
    fs::write(folder.path().join("real.txt"), "real").unwrap();
    symlink("../real.txt", d.join("link.txt")).unwrap();
    symlink("b", d.join("e")).unwrap();
    symlink("..", d.join("b/up")).unwrap();
    let output = run(folder.path(), &["--report", "r.json", "d"]);
    assert_success(&output);
    assert_eq!(text(&output.stdout), "out/a.txt\nout/b/c.txt\n");
    assert_eq!(
        first_line(&output),
        "skipped 3 symbolic links (d/b/up, d/e, d/link.txt; -L follows links)"
    );
    let report = json(&fs::read(folder.path().join("r.json")).unwrap());
    assert_eq!(report["passed_over"]["links"].as_array().unwrap().len(), 3);

    let output = run(folder.path(), &["-L", "d"]);
    assert_success(&output);
    let stdout = text(&output.stdout);
    let expected = ["out/a.txt", "out/b/c.txt", "out/e/c.txt", "out/link.txt"];
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
    assert!(
        first_line(&output).contains("d/b/up leads back to d"),
        "{output:?}"
    );
    // A link that is named is followed.
    let output = run(folder.path(), &["d/link.txt", "d/e"]);
    assert_eq!(text(&output.stdout), "out/link.txt\nout/c.txt\n");
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_sockets_in_a_folder_are_passed_over_and_told() {
    let folder = folder_with(&["a.txt"]);
    let d = folder.path().join("d");
    let made = std::process::Command::new("mkfifo")
        .arg(d.join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(d.join("socket")).unwrap();
    let output = run(folder.path(), &["d"]);
    assert_success(&output);
    assert_eq!(text(&output.stdout), "out/a.txt\n");
    let told = first_line(&output);
    assert!(told.contains("d/pipe, d/socket"), "{told}");
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_in_the_report() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder_with(&["a.txt", "secret/b.txt"]);
    let secret = folder.path().join("d/secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&secret).is_ok() {
        // This user may read everything.
        return;
    }
    let output = run(folder.path(), &["--report", "r.json", "d"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&fs::read(folder.path().join("r.json")).unwrap());
    let inputs: Vec<&Value> = report["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["input"])
        .collect();
    assert_eq!(inputs, ["d/secret", "d/a.txt"]);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o700)).unwrap();
}
