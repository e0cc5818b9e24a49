//! Pipes and standard input as inputs: they are read once, by one reader, and hold no interrupt up.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{assert_refused, assert_success, forebay, hangups_are_ignored, text};

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = forebay(folder);
    command
        .args(["run", "-s", "identity", "-o", "out"])
        .args(args);
    command
}

/// Waits for something that happens soon on any machine.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status();
    assert!(sent.unwrap().success());
}

/// Whether a process has a file open.
fn has_open(child: &Child, path: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .any(|open| open == path)
}

/// Whether a process has a handler for interrupts (signal 2).
fn catches_interrupts(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .map(|mask| u128::from_str_radix(mask.trim(), 16).unwrap());
    mask.is_some_and(|mask| mask & 0b10 != 0)
}

#[track_caller]
fn assert_ended(output: &Output, code: i32, verb: &str) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    let line = format!("forebay: {verb}; nothing partial is left\n");
    assert!(error.ends_with(&line), "{error}");
}

#[test]
fn a_pipe_that_nobody_writes_to_holds_no_signal_up() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap().join("pipe");
    make_pipe(&path);
    for (name, code, verb) in [
        ("INT", 130, "interrupted"),
        ("TERM", 143, "terminated"),
        ("HUP", 129, "ended by a hangup"),
    ] {
        if name == "HUP" && hangups_are_ignored() {
            continue;
        }
        let child = command(folder.path(), &["pipe"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It does not wait in the call that opens it.
        wait_until("it opens the pipe", || has_open(&child, &path));
        signal(&child, name);
        assert_ended(&child.wait_with_output().unwrap(), code, verb);
    }
}

#[test]
fn a_list_that_nobody_writes_holds_no_interrupt_up() {
    let folder = TempDir::new().unwrap();
    make_pipe(&folder.path().join("pipe"));
    for list in ["-", "pipe"] {
        let mut child = command(folder.path(), &["--files-from", list])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // `wait_with_output` would close it.
        let silent = child.stdin.take();
        wait_until("it handles interrupts", || catches_interrupts(&child));
        signal(&child, "INT");
        assert_ended(&child.wait_with_output().unwrap(), 130, "interrupted");
        drop(silent);
    }
}

#[test]
fn pipes_are_read_whole() {
    let folder = TempDir::new().unwrap();
    make_pipe(&folder.path().join("pipe.txt"));
    let content = "a line\n".repeat(50_000);
    let at = folder.path().join("pipe.txt");
    let written = content.clone();
    let writer = std::thread::spawn(move || fs::write(at, written).unwrap());
    let output = command(folder.path(), &["pipe.txt"]).output().unwrap();
    assert_success(&output);
    writer.join().unwrap();
    let made = folder.path().join("out/pipe.txt");
    assert_eq!(fs::read_to_string(made).unwrap(), content);

    // What a shell makes of `<(…)` and of a pipe.
    let forebay = assert_cmd::cargo::cargo_bin!("forebay");
    for (name, script) in [
        ("9", "exec 9<&0; exec \"$0\" \"$@\" /dev/fd/9 < /dev/null"),
        ("stdin", "exec \"$0\" \"$@\" /dev/stdin"),
    ] {
        let shell = command(folder.path(), &["-f"]);
        let args: Vec<_> = shell.get_args().map(ToOwned::to_owned).collect();
        let script = format!("printf words | sh -c '{script}' \"$0\" \"$@\"");
        let mut piped = Command::new("bash");
        piped.current_dir(folder.path()).arg("-c").arg(script);
        piped.arg(forebay).args(args);
        for (name, value) in shell.get_envs() {
            match value {
                Some(value) => piped.env(name, value),
                None => piped.env_remove(name),
            };
        }
        let output = piped.output().unwrap();
        assert_success(&output);
        assert_eq!(text(&output.stdout), format!("out/{name}\n"));
        let made = folder.path().join("out").join(name);
        assert_eq!(fs::read_to_string(made).unwrap(), "words");
    }
}

#[test]
fn standard_input_and_a_pipe_are_named_once() {
    let folder = TempDir::new().unwrap();
    make_pipe(&folder.path().join("pipe"));
    fs::hard_link(folder.path().join("pipe"), folder.path().join("same")).unwrap();
    std::os::unix::fs::symlink("/dev/stdin", folder.path().join("link")).unwrap();
    fs::write(folder.path().join("list"), "/dev/stdin\n").unwrap();
    let both = |first: &str, second: &str| {
        format!("forebay: {first} and {second} both read standard input")
    };
    for (args, line) in [
        (&["-", "-"] as &[_], both("the input -", "the input -")),
        (
            &["-", "/dev/stdin"],
            both("the input -", "the input /dev/stdin"),
        ),
        (
            &["/dev/fd/0", "link"],
            both("the input /dev/fd/0", "the input link"),
        ),
        (
            &["--files-from", "list", "-"],
            both("the input -", "the input /dev/stdin"),
        ),
        (
            &["--files-from", "-", "/dev/stdin"],
            both("--files-from -", "the input /dev/stdin"),
        ),
        (
            &["--files-from", "/dev/stdin", "-"],
            both("--files-from /dev/stdin", "the input -"),
        ),
        (
            &["pipe", "same"],
            "forebay: pipe and same are one pipe, which can be read once; name it once".to_owned(),
        ),
    ] {
        for plan in [&[] as &[_], &["--dry-run"]] {
            let output = command(folder.path(), args)
                .args(plan)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert_refused(&output, 2, &line);
        }
    }
    // The list itself names it.
    let listed = command(folder.path(), &["--files-from", "-"])
        .stdin(fs::File::open(folder.path().join("list")).unwrap())
        .output()
        .unwrap();
    let line = both("--files-from -", "the input /dev/stdin");
    assert_refused(&listed, 2, &line);
}

#[test]
fn a_pipe_is_never_taken_for_done() {
    let folder = TempDir::new().unwrap();
    make_pipe(&folder.path().join("pipe"));
    let mut upload = crate::forebay_with(folder.path(), "http://127.0.0.1:1", "any");
    let output = upload
        .args(["upload", "--journal", "journal", "pipe"])
        .output()
        .unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains(
            "forebay: pipe: cannot be told from what it was before, so no journal can note it\n"
        ),
        "{error}"
    );
}
