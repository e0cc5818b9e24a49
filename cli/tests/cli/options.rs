//! Options that cannot work are refused, and the message says what was meant.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::{
    Emulator, assert_failed, assert_refused, assert_success, demo, folder_with, forebay,
    forebay_with, names, text,
};

fn run(folder: &Path, args: &[&str]) -> Output {
    forebay(folder).args(args).output().unwrap()
}

#[test]
fn an_option_that_would_be_ignored_is_refused() {
    let folder = folder_with(&["a.txt"]);
    let uploads = |words: &str| format!("forebay: {words}: give -u in place of -o");
    for (args, line) in [
        (
            ["-u", "--name", "{n}-{name}"].as_slice(),
            "forebay: --name names files in a folder: give -o DIR in place of -u".to_owned(),
        ),
        (
            &["-u", "--force"],
            "forebay: --force replaces files in a folder: give -o DIR in place of -u".to_owned(),
        ),
        (
            &["-u", "--durable"],
            "forebay: --durable writes files in a folder: give -o DIR in place of -u".to_owned(),
        ),
        (
            &["-o", "-", "-f"],
            "forebay: --force replaces files in a folder: give `-o DIR` in place of `-o -`"
                .to_owned(),
        ),
        (
            &["-o", "out", "--journal", "j"],
            uploads("--journal notes uploads"),
        ),
        (
            &["-o", "out", "--retries", "2"],
            uploads("--retries is for uploads"),
        ),
        (
            &["-o", "out", "--timeout", "9s"],
            uploads("--timeout is for uploads"),
        ),
        (
            &["-o", "out", "--bwlimit", "9MB"],
            uploads("--bwlimit is for uploads"),
        ),
        (
            &["-o", "out", "--base-url", "https://x"],
            uploads("--base-url is where uploads go"),
        ),
        (
            &["-o", "out", "--allow-http", "x"],
            uploads("--allow-http is for uploads"),
        ),
        (
            &["-o", "out", "--raw"],
            uploads("--raw is for the result of a workflow, which uploads"),
        ),
        (
            &["-o", "out", "--lend", "a=identity"],
            "forebay: --lend lends a stage to a workflow, and this run has none: give one with -w PLUGIN and -u"
                .to_owned(),
        ),
        (
            &["-o", "out", "-w", "media-kit:prompt=x"],
            uploads("a workflow uploads what it makes itself"),
        ),
        (
            &["-o", "out", "--stdin-name", "b.txt"],
            "forebay: --stdin-name names what comes from standard input: give `-` as an input"
                .to_owned(),
        ),
        (
            &["-o", "out", "--ignore-case"],
            "forebay: --ignore-case is for the patterns of --include and --exclude, and there are none"
                .to_owned(),
        ),
        (
            &["-o", "a.txt"],
            "forebay: -o a.txt: this is a file, not a folder; it stays".to_owned(),
        ),
    ] {
        for plan in [&[] as &[_], &["--dry-run"]] {
            let args = [&["run", "-s", "identity"], args, plan, &["a.txt"]].concat();
            assert_refused(&run(folder.path(), &args), 2, &line);
        }
    }
    assert_eq!(names(folder.path()), ["a.txt"]);
    // The environment is for many commands, and so is no option of this one.
    let mut command = forebay_with(folder.path(), "http://127.0.0.1:1", "k");
    command.args(["run", "-s", "identity", "-o", "out", "a.txt"]);
    assert_success(&command.output().unwrap());
}

#[test]
fn one_result_is_asked_of_one_input() {
    let folder = folder_with(&["x/3", "x/4"]);
    for (inputs, number) in [(["x/3", "x/4"].as_slice(), 2), (&["x", "none"], 3)] {
        for plan in [&[] as &[_], &["--dry-run"]] {
            let args = [&["run", "-s", "identity", "-o", "-"], plan, inputs].concat();
            let line = format!(
                "forebay: `-o -` writes a single result to standard output, and there are {number} inputs: give `-o DIR`"
            );
            assert_refused(&run(folder.path(), &args), 2, &line);
        }
    }
    assert_success(&run(
        folder.path(),
        &["run", "-s", "identity", "-o", "-", "x/3"],
    ));
}

#[test]
fn a_file_that_is_named_twice_is_taken_once() {
    let folder = folder_with(&["p/a.txt", "p/sub/b.txt", "p/sub/c.txt"]);
    let absolute = folder.path().join("p/a.txt");
    let once = |inputs: &[&str], result: &str, told: &str| {
        let args = [&["run", "-fs", "identity", "-o", "out"], inputs].concat();
        let output = run(folder.path(), &args);
        assert_success(&output);
        assert_eq!(text(&output.stdout), result, "{inputs:?}");
        let error = text(&output.stderr);
        assert_eq!(error.lines().next(), Some(told), "{error}");
    };
    let one = "out/a.txt\n";
    let twice = "p/a.txt is named several times and taken once";
    once(&["p/a.txt", "p/a.txt"], one, twice);
    once(
        &["p/a.txt", "p/sub/.././a.txt"],
        one,
        "p/sub/.././a.txt is named several times and taken once",
    );
    let shown = absolute.to_str().unwrap();
    once(
        &["p/a.txt", shown],
        one,
        &format!("{shown} is named several times and taken once"),
    );
    once(
        &["-j1", "p", "p/sub", "p/a.txt"],
        "out/a.txt\nout/sub/b.txt\nout/sub/c.txt\n",
        "these files are named several times and taken once: p/sub/b.txt, p/sub/c.txt, p/a.txt",
    );
    // One name in two folders is two files.
    let other = folder_with(&["p/a.txt", "q/a.txt"]);
    let args = ["upload", "-n", "p", "q"];
    assert!(text(&run(other.path(), &args).stdout).contains("\n2 files, "));
}

#[test]
fn a_pattern_that_only_misses_the_case_is_told() {
    let folder = folder_with(&["p/a.txt", "p/D.TXT", "p/e.csv"]);
    let args = [
        "run",
        "-s",
        "identity",
        "-o",
        "out",
        "--include",
        "*.txt",
        "p",
    ];
    let output = run(folder.path(), &args);
    let error = text(&output.stderr);
    assert!(
        error
            .starts_with("--include left out 2 files (1 of them would match with --ignore-case)\n"),
        "{error}"
    );
}

#[test]
fn a_value_is_refused_in_plain_words() {
    let folder = TempDir::new().unwrap();
    for (args, words) in [
        (
            ["upload", "a", "--bwlimit", "abc"].as_slice(),
            "'--bwlimit <SIZE>': a size is a number with a unit, such as `500kB` or `2MiB`",
        ),
        (
            &["emulator", "--max-bytes", "5X"],
            "'--max-bytes <SIZE>': a size is a number with a unit, such as `500kB` or `2MiB`",
        ),
        (
            &["upload", "a", "--timeout", "5"],
            "'--timeout <TIME>': a time is a number with a unit, such as `90s` or `5m`",
        ),
        (
            &["assets", "delete", "--older-than", "1"],
            "'--older-than <TIME>': a time is a number with a unit, such as `30d` or `12h`",
        ),
    ] {
        let output = run(folder.path(), args);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.starts_with("forebay: invalid value ") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_option_is_told_where_it_exists() {
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), &["upload", "--durable", "a"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.starts_with("forebay: unexpected argument '--durable' found\n")
            && error.contains("--durable is an option of `forebay run`\n")
            && !error.contains("as a value"),
        "{error}"
    );
    // An environment variable is no option that is needed.
    let mut command = forebay_with(folder.path(), "http://127.0.0.1:1", "k");
    let error = text(&command.arg("upload").output().unwrap().stderr);
    assert!(
        error.contains("Usage: ") && !error.contains("--base-url"),
        "{error}"
    );
    // Neither a failure nor a warning: what was asked for.
    let output = run(folder.path(), &["--version"]);
    assert_success(&output);
    assert!(text(&output.stdout).starts_with("forebay "));
}

#[test]
fn a_name_without_a_file_or_a_pipeline_is_told() {
    let folder = folder_with(&["a.txt"]);
    let output = run(folder.path(), &["run", "-p", "small", "-o", "out", "a.txt"]);
    let line = "forebay: -p small: there is neither a file nor a pipeline of this name; neither forebay.toml here nor your \
                config.toml has any";
    assert_refused(&output, 2, line);
}

#[test]
fn the_page_of_a_report_is_no_report_to_verify() {
    let folder = folder_with(&["a.txt"]);
    let args = [
        "run", "-s", "identity", "-o", "out", "--report", "r.html", "a.txt",
    ];
    assert_success(&run(folder.path(), &args));
    let line = "forebay: r.html: this is the page; verify needs the JSON report, which `--report FILE.json` writes";
    assert_refused(
        &run(folder.path(), &["verify", "r.html", "out/a.txt"]),
        2,
        line,
    );
}

#[test]
fn what_nobody_takes_for_a_file_is_told_as_empty_or_unknown() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("empty.png"), "").unwrap();
    fs::write(folder.path().join("odd"), [0x91, 0xfe, 0x00, 0x17]).unwrap();
    for (file, words) in [
        ("empty.png", "the file is empty"),
        (
            "odd",
            "the file is of unknown type; it takes image/jpeg, image/png, image/webp, image/gif, video/mp4, video/quicktime, video/3gpp, video/3gpp2, audio/mp4, \
             video/webm, video/x-matroska, audio/mpeg, audio/wav",
        ),
    ] {
        let args = ["run", "-s", "strip-metadata", "-o", "out", file];
        let line = format!("forebay: {file}: stage 1 strip-metadata: {words}");
        assert_failed(&run(folder.path(), &args), 1, &line);
    }
}

#[test]
fn a_type_that_the_bytes_do_not_show_is_told() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    fs::copy(demo("photo.jpg"), folder.path().join("a.jpg")).unwrap();
    let upload = |kind: &str| {
        let mut command = forebay_with(folder.path(), &emulator.url, "k");
        let output = command.args(["upload", "--type", kind, "a.jpg"]).output();
        text(&output.unwrap().stderr)
    };
    let told = "a.jpg: bytes show image/jpeg; sent as video/mp4\n";
    assert!(upload("video/mp4").contains(told));
    assert!(!upload("image/jpeg").contains("bytes show"));
}

#[test]
fn a_folder_is_enough_to_ask_for_a_download() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    fs::copy(demo("photo.jpg"), folder.path().join("a.jpg")).unwrap();
    let run = |args: &[&str]| {
        let mut command = forebay_with(folder.path(), &emulator.url, "k");
        command.args(args).output().unwrap()
    };
    let uploaded = text(&run(&["upload", "a.jpg"]).stdout);
    let (id, _) = uploaded.split_once('\t').unwrap();
    let output = run(&["assets", "get", "-o", "down", id]);
    assert_success(&output);
    assert_eq!(text(&output.stdout), "down/a.jpg\n");
    let refused = run(&["assets", "get", "--force", id]);
    let line = "forebay: --force replaces files of a download: give --download or -o DIR as well";
    assert_refused(&refused, 2, line);
}
