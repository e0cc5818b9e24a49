//! What is told on standard error: a summary, as much as was asked for, and a log file.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::{assert_refused, assert_success, demo, forebay, names, text};

/// A folder `media` with one photo and two texts.
fn media() -> TempDir {
    let folder = TempDir::new().unwrap();
    let media = folder.path().join("media");
    fs::create_dir(&media).unwrap();
    fs::copy(demo("photo.jpg"), media.join("photo.jpg")).unwrap();
    fs::write(media.join("a.txt"), "hello\n").unwrap();
    fs::write(media.join("b.txt"), "goodbye\n").unwrap();
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = forebay(folder);
    command.args(["run", "-j", "1"]).args(args);
    command.output().unwrap()
}

/// The lines of standard error.
fn lines(output: &Output) -> Vec<String> {
    text(&output.stderr).lines().map(str::to_owned).collect()
}

/// A summary without the time, which differs.
fn without_time(line: &str) -> String {
    let Some((before, rest)) = line.split_once(" in ") else {
        return line.to_owned();
    };
    let (time, after) = rest.split_once(" s").unwrap();
    assert!(time.parse::<f64>().is_ok(), "{line}");
    format!("{before}{after}")
}

#[test]
fn the_last_line_is_a_summary() {
    let folder = media();
    let document = demo("document.pdf");
    for (stage, out, input, summary) in [
        ("identity", "all", "media", "3 files, 798.5 kB"),
        (
            "strip-metadata",
            "photos",
            "media",
            "1 file, 789.8 kB; 2 failed",
        ),
        (
            "strip-metadata",
            "none",
            "media/a.txt",
            "nothing done; 1 failed",
        ),
    ] {
        let output = run(folder.path(), &["-s", stage, "-o", out, input]);
        let lines = lines(&output);
        assert_eq!(without_time(lines.last().unwrap()), summary);
    }
    let stage = "pdf-split:pages_per_file=2";
    let args = ["-s", stage, "-o", "pages", document.to_str().unwrap()];
    let last = lines(&run(folder.path(), &args)).pop().unwrap();
    assert!(last.starts_with("2 files from 1 input, "), "{last}");
}

#[test]
fn quiet_tells_failures_alone() {
    let folder = media();
    let output = run(
        folder.path(),
        &["-q", "-s", "strip-metadata", "-o", "out", "media"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "out/photo.jpg\n");
    let lines = lines(&output);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("forebay: media/a.txt: stage 1 strip-metadata: "),
        "{lines:?}"
    );
    let output = run(folder.path(), &["-qs", "identity", "-o", "all", "media"]);
    assert_success(&output);
    assert_eq!(text(&output.stderr), "");
    let output = run(folder.path(), &["-qvs", "identity", "-o", "all", "media"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn verbose_tells_each_stage() {
    let folder = media();
    let told = |flag: &[&str]| {
        let args = [flag, &["-fs", "identity", "-o", "out", "media/a.txt"]].concat();
        lines(&run(folder.path(), &args))
    };
    let stage = "media/a.txt: stage 1 identity: 6 B -> 6 B, ";
    let is_stage = |line: &String| line.starts_with(stage);
    assert!(told(&["-v"]).iter().any(is_stage));
    assert!(!told(&[]).iter().any(is_stage));
}

#[test]
fn a_log_file_gets_everything_and_grows() {
    let folder = media();
    for runs in 1..=2 {
        let output = run(
            folder.path(),
            &[
                "-q",
                "--log-file",
                "log",
                "-fs",
                "strip-metadata",
                "-o",
                "out",
                "media",
            ],
        );
        assert_eq!(output.status.code(), Some(1));
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        let has = |part: &str| log.lines().filter(|line| line.contains(part)).count();
        assert_eq!(has("# log of forebay"), 1, "{log}");
        assert_eq!(
            has("Z forebay: media/a.txt: stage 1 strip-metadata: "),
            runs
        );
        assert_eq!(
            has("Z media/photo.jpg: stage 1 strip-metadata: 798.5 kB -> "),
            runs
        );
        assert_eq!(has("Z 1 file, 789.8 kB in "), runs);
        let timed = |line: &&str| line.starts_with("20") && line[19..].starts_with("Z ");
        assert_eq!(log.lines().filter(timed).count(), log.lines().count() - 1);
    }
}

#[test]
fn a_log_file_is_never_another_file() {
    let folder = media();
    let photo = fs::read(demo("photo.jpg")).unwrap();
    for (log, problem) in [
        // The name of the log is missing: the shell puts the first photo in its place.
        (
            "media/photo.jpg",
            "there is a file that is no log of forebay; it stays",
        ),
        (
            "media/a.txt",
            "there is a file that is no log of forebay; it stays",
        ),
        ("media", "this is a folder"),
    ] {
        let args = [
            "--log-file",
            log,
            "-s",
            "identity",
            "-o",
            "out",
            "media/b.txt",
        ];
        let line = format!("forebay: --log-file {log}: {problem}");
        assert_refused(&run(folder.path(), &args), 2, &line);
        assert!(fs::read(folder.path().join("media/photo.jpg")).unwrap() == photo);
        assert_eq!(names(folder.path()), ["media"]);
    }
    let a = folder.path().join("media/a.txt");
    assert_eq!(fs::read_to_string(a).unwrap(), "hello\n");
    #[cfg(unix)]
    {
        let args = ["--log-file", "/dev/null", "-s", "identity", "-o", "out"];
        assert_success(&run(folder.path(), &[&args[..], &["media/b.txt"]].concat()));
        let kind = fs::metadata("/dev/null").unwrap().file_type();
        assert!(!kind.is_file());
    }
}
