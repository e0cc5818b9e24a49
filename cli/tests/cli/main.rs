//! The `forebay` command, run as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod assets;
mod bad_days;
mod commands;
mod compiler;
#[cfg(unix)]
mod endings;
mod failures;
mod folders;
mod manuals;
#[cfg(target_os = "linux")]
mod measurements;
mod media_types;
mod messages;
mod options;
mod pipelines;
#[cfg(target_os = "linux")]
mod pipes;
mod plans;
mod refusals;
#[cfg(unix)]
mod report_files;
mod report_pages;
mod secrets;
mod selection;
mod settings;
mod trust;
mod uploads;
mod walks;
mod when;
mod workflows;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("demo")
        .join(name)
}

/// `forebay` with no key and no base URL, in a folder of its own, with the cache that the tests share.
fn forebay(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("forebay"));
    command
        .current_dir(folder)
        .env_remove("HEYGEN_API_KEY")
        .env_remove("HEYGEN_BASE_URL");
    // No settings but those of the test.
    command.env("XDG_CONFIG_HOME", folder.join("config-home"));
    command.env(
        "XDG_CACHE_HOME",
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
    );
    command
}

/// The same, with a service to talk to.
fn forebay_with(folder: &Path, base_url: &str, key: &str) -> Command {
    let mut command = forebay(folder);
    command
        .env("HEYGEN_API_KEY", key)
        .env("HEYGEN_BASE_URL", base_url);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A folder with these files, each with its own path as content.
fn folder_with(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    folder
}

/// Whether the tests were started with hangups ignored, as `nohup` does. Then what they start ignores hangups, too.
#[cfg(unix)]
fn hangups_are_ignored() -> bool {
    let shell = Command::new("sh").args(["-c", "kill -s HUP $$"]).status();
    shell.unwrap().success()
}

/// Writes a file that starts with these bytes and has this length, and takes hardly any room on disk.
fn write_sparse(path: &Path, start: impl AsRef<[u8]>, length: u64) {
    fs::write(path, start).unwrap();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Fails with this exit code and one line of its own on standard error, which says this.
#[track_caller]
fn assert_failed(output: &Output, code: i32, line: &str) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(
        error
            .lines()
            .filter(|l| l.starts_with("forebay: "))
            .collect::<Vec<_>>(),
        [line],
        "{error}"
    );
}

/// Fails so, and gives nothing.
#[track_caller]
fn assert_refused(output: &Output, code: i32, line: &str) {
    assert_failed(output, code, line);
    assert_eq!(text(&output.stdout), "");
}

/// An emulator in a process of its own.
struct Emulator {
    child: Child,
    url: String,
}

impl Emulator {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = forebay(folder)
            .args(["emulator", "--data", "emulator"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
