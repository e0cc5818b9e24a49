//! Runs that are ended: by a signal, because nobody takes their results, or because their journal cannot be written. What
//! they say afterwards is true, and no id is lost.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Emulator, assert_refused, assert_success, demo, forebay_with, hangups_are_ignored, json, names,
    text,
};

const FULL: &str = "forebay: standard output: No space left on device (os error 28); what is missing there is printed here";

fn full() -> Stdio {
    Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap())
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A folder with these copies of a photo.
fn photos(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        fs::copy(demo("photo.jpg"), folder.path().join(name)).unwrap();
    }
    folder
}

fn command(folder: &Path, emulator: &Emulator, args: &[&str]) -> Command {
    let mut command = forebay_with(folder, &emulator.url, "any");
    command.args(args);
    command
}

/// The ids of all assets of the service.
fn ids(folder: &Path, emulator: &Emulator) -> Vec<String> {
    let listed = command(folder, emulator, &["assets", "list", "--json"]).output();
    let listed = text(&listed.unwrap().stdout);
    let id = |line: &str| json(line.as_bytes())["id"].as_str().unwrap().to_owned();
    listed.lines().map(id).collect()
}

fn report(folder: &Path) -> Value {
    json(&fs::read(folder.join("r.json")).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_loses_no_id() {
    let folder = photos(&["a.jpg", "b.jpg"]);
    let emulator = Emulator::start(folder.path(), &[]);
    for (args, code) in [
        (["upload", "-j1", "a.jpg", "b.jpg"].as_slice(), 1),
        (&["upload", "-j1", "--json", "a.jpg", "b.jpg"], 1),
        (&["run", "-u", "-j1", "-s", "identity", "a.jpg", "b.jpg"], 1),
        (&["upload", "--report", "-", "a.jpg"], 2),
    ] {
        let run = |quiet: &[&str]| {
            let mut run = command(folder.path(), &emulator, args);
            run.args(quiet).stdout(full()).output().unwrap()
        };
        let output = run(&["-q"]);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let error = text(&output.stderr);
        let ids = ids(folder.path(), &emulator);
        assert_eq!(ids.len(), 1, "the run ends: {error}");
        assert!(error.contains(&ids[0]), "{args:?}: {error}");
        assert!(error.contains("No space left on device"), "{error}");
        if code == 1 {
            assert!(error.starts_with(FULL), "{error}");
        }
        let output = command(folder.path(), &emulator, &["assets", "delete", &ids[0]])
            .stdout(full())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            text(&output.stderr),
            format!("{FULL}\n{}\n1 asset deleted\n", ids[0])
        );
    }
    let output = command(folder.path(), &emulator, &["upload", "a.jpg"]).output();
    assert_success(&output.unwrap());
    for args in [
        ["assets", "list"].as_slice(),
        &["file-input", "a.jpg"],
        &["plugins"],
        &["upload", "--dry-run", "a.jpg"],
    ] {
        let mut command = command(folder.path(), &emulator, args);
        let output = command.stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let line = "forebay: standard output: No space left on device (os error 28)\n";
        assert!(text(&output.stderr).ends_with(line), "{args:?}");
    }
}

#[test]
fn a_reader_that_goes_ends_the_run_and_what_was_done_is_told() {
    let folder = photos(&["a.jpg", "b.jpg", "c.jpg"]);
    let emulator = Emulator::start(folder.path(), &[]);
    let args = [
        "upload", "-j1", "--report", "r.json", "a.jpg", "b.jpg", "c.jpg",
    ];
    let output = command(folder.path(), &emulator, &args)
        .stdout(closed())
        .output()
        .unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(141), "{error}");
    let ids = ids(folder.path(), &emulator);
    assert_eq!(ids.len(), 1);
    let expected = format!(
        "forebay: nobody reads standard output any more; what is missing there is printed here\n{}\ta.jpg\n",
        ids[0]
    );
    assert!(error.contains(&expected), "{error}");
    assert!(error.trim_end().ends_with("; 2 not started"), "{error}");
    let report = report(folder.path());
    assert_eq!(report["ended_early"], true);
    assert_eq!(report["totals"]["not_started"], 2);
    assert_eq!(report["jobs"][0]["files"][0]["asset"]["asset_id"], ids[0]);
    assert_eq!(report["jobs"][2]["input"], "c.jpg");
    // A list that nobody reads to its end is no failure.
    let mut list = command(folder.path(), &emulator, &["assets", "list"]);
    let output = list.stdout(closed()).output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_journal_that_cannot_be_written_ends_the_run() {
    let folder = photos(&["a.jpg", "b.jpg", "c.jpg"]);
    let emulator = Emulator::start(folder.path(), &[]);
    let args = ["upload", "-j1", "--journal", "j", "a.jpg", "b.jpg", "c.jpg"];
    let inner = command(folder.path(), &emulator, &args);
    // No file may become longer than 512 bytes: there is room for the first records.
    let mut limited = forebay_with(folder.path(), &emulator.url, "any");
    let program = inner.get_program().to_owned();
    limited = {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"])
            .arg(program)
            .args(args)
            .current_dir(folder.path());
        for (name, value) in limited.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        shell
    };
    let output = limited.output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let told = error
        .lines()
        .filter(|line| line.starts_with("forebay: "))
        .collect::<Vec<_>>();
    assert_eq!(
        told,
        ["forebay: a.jpg: journal j: File too large (os error 27)"],
        "{error}"
    );
    assert!(
        error.trim_end().ends_with("1 failed; 2 not started"),
        "{error}"
    );
    // What was uploaded before is told.
    let ids = ids(folder.path(), &emulator);
    assert_eq!(ids.len(), 1);
    assert_eq!(text(&output.stdout), format!("{}\ta.jpg\n", ids[0]));
    // With more room the run is taken up. The one asset is not made again: the creation has the same key.
    assert_success(&command(folder.path(), &emulator, &args).output().unwrap());
    assert_eq!(names(&folder.path().join("emulator/assets")).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn few_open_files_mean_fewer_at_a_time_and_no_failure() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let many = folder.path().join("many");
    fs::create_dir(&many).unwrap();
    for at in 0..60 {
        fs::copy(demo("photo.jpg"), many.join(format!("{at}.jpg"))).unwrap();
    }
    for args in [
        ["upload", "-j40", "many"].as_slice(),
        &[
            "run", "-s", "identity", "-s", "identity", "-j40", "-o", "out", "many",
        ],
    ] {
        let inner = command(folder.path(), &emulator, args);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "ulimit -n 64; exec \"$@\"", "sh"])
            .arg(inner.get_program())
            .args(args)
            .current_dir(folder.path());
        for (name, value) in inner.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        let output = shell.output().unwrap();
        assert_success(&output);
        assert_eq!(text(&output.stdout).lines().count(), 60);
        assert!(
            text(&output.stderr).contains("this process may have only 64 files open"),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn durable_results_are_as_other_results() {
    let folder = photos(&["a.jpg"]);
    let emulator = Emulator::start(folder.path(), &[]);
    let args = [
        "run",
        "-s",
        "identity",
        "--durable",
        "-o",
        "new/deep",
        "a.jpg",
    ];
    assert_success(&command(folder.path(), &emulator, &args).output().unwrap());
    let made = fs::read(folder.path().join("new/deep/a.jpg")).unwrap();
    assert_eq!(made, fs::read(demo("photo.jpg")).unwrap());
    let line = "forebay: --durable writes files in a folder: give `-o DIR` in place of `-o -`";
    let args = ["run", "-s", "identity", "--durable", "-o", "-", "a.jpg"];
    let output = command(folder.path(), &emulator, &args).output().unwrap();
    assert_refused(&output, 2, line);
}

/// A run that is under way, with the lines that it prints on standard error.
struct Running {
    run: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut run = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(run.stderr.take().unwrap());
        Self {
            run,
            stderr,
            said: String::new(),
        }
    }

    /// Waits until a line with these words is printed.
    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without `{words}`: {}", self.said);
            self.said += &line;
        }
    }

    fn signal(&self, name: &str) {
        let id = self.run.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Its exit code, and all that it printed on standard error.
    fn ended(mut self) -> (Option<i32>, String) {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let code = self.run.wait().unwrap().code();
        (code, self.said)
    }
}

/// A file that goes by direct upload.
fn large(folder: &Path) {
    crate::write_sparse(&folder.join("large.pdf"), b"%PDF-1.7", 40_000_000);
}

const HANGS: [&str; 2] = [
    "--fault",
    r#"{"route":"put","fault":"latency","milliseconds":600000,"times":9}"#,
];

#[test]
fn every_signal_removes_what_is_unfinished_and_a_report_is_written() {
    for (signal, code, word) in [
        ("INT", 130, "interrupted"),
        ("TERM", 143, "terminated"),
        ("HUP", 129, "ended by a hangup"),
    ] {
        if signal == "HUP" && hangups_are_ignored() {
            continue;
        }
        let folder = photos(&["a.jpg"]);
        large(folder.path());
        let emulator = Emulator::start(folder.path(), &HANGS);
        let args = [
            "upload",
            "-v",
            "-j1",
            "--report",
            "r.json",
            "a.jpg",
            "large.pdf",
            "b.jpg",
        ];
        let mut command = command(folder.path(), &emulator, &args);
        let scratch = folder.path().join("scratch");
        fs::create_dir_all(&scratch).unwrap();
        command.env("TMPDIR", &scratch);
        let mut running = Running::start(command);
        running.wait_for("large.pdf: put");
        running.signal(signal);
        let (ended, error) = running.ended();
        assert_eq!(ended, Some(code), "{error}");
        let first =
            format!("forebay: {word}; removing what is unfinished (once more to end at once)\n");
        assert!(error.contains(&first), "{error}");
        let last = format!("forebay: {word}; nothing partial is left\n");
        assert!(error.ends_with(&last), "{error}");
        let ids = ids(folder.path(), &emulator);
        assert_eq!(ids.len(), 1, "the first stays, nothing else");
        assert_eq!(names(&scratch), [""; 0]);
        let report = report(folder.path());
        assert_eq!(report["ended_early"], true);
        assert_eq!(report["totals"]["done"], 1);
        assert_eq!(report["totals"]["cancelled"], 1);
        assert_eq!(report["totals"]["not_started"], 1);
        assert_eq!(report["jobs"][0]["files"][0]["asset"]["asset_id"], ids[0]);
        assert_eq!(report["jobs"][1]["failures"][0], "large.pdf: cancelled");
        assert_eq!(report["jobs"][1]["errors"][0]["code"], "cancelled");
    }
}

#[test]
fn with_a_journal_an_interrupt_says_that_the_same_command_sends_the_rest() {
    let folder = photos(&["a.jpg"]);
    large(folder.path());
    let emulator = Emulator::start(folder.path(), &HANGS);
    let args = [
        "upload",
        "-v",
        "-j1",
        "--journal",
        "journal",
        "a.jpg",
        "large.pdf",
    ];
    let mut running = Running::start(command(folder.path(), &emulator, &args));
    running.wait_for("large.pdf: put");
    running.signal("INT");
    let (ended, error) = running.ended();
    assert_eq!(ended, Some(130), "{error}");
    assert!(
        error.ends_with(
            "forebay: interrupted; what is listed above stays; the same command sends the rest\n"
        ),
        "{error}"
    );
}

#[test]
fn the_second_interrupt_ends_at_once_and_names_what_stays() {
    let folder = TempDir::new().unwrap();
    large(folder.path());
    let hanging = r#"{"route":"delete","fault":"latency","milliseconds":600000,"times":9}"#;
    let faults = [&HANGS[..], &["--fault", hanging]].concat();
    for second in ["INT", "TERM"] {
        let emulator = Emulator::start(folder.path(), &faults);
        let args = ["upload", "-v", "large.pdf"];
        let mut running = Running::start(command(folder.path(), &emulator, &args));
        running.wait_for("large.pdf: put");
        running.signal("INT");
        // The run has ended by itself, and waits for the deletion.
        running.wait_for("1 cancelled");
        running.signal(second);
        let (code, error) = running.ended();
        assert_eq!(
            code,
            Some(if second == "INT" { 130 } else { 143 }),
            "{error}"
        );
        let last = error.lines().last().unwrap();
        assert!(
            last.starts_with(
                "forebay: ended at once; these unfinished assets may stay with the service: "
            ),
            "{error}"
        );
        let (_, id) = last.rsplit_once("assets delete ").unwrap();
        assert!(
            id.starts_with("ast_") && id.ends_with("` deletes them"),
            "{error}"
        );
    }
}

#[test]
fn what_cannot_be_deleted_after_an_interrupt_is_named() {
    let folder = TempDir::new().unwrap();
    large(folder.path());
    let refused = r#"{"route":"delete","fault":"status","status":403,"times":9}"#;
    let faults = [&HANGS[..], &["--fault", refused]].concat();
    let emulator = Emulator::start(folder.path(), &faults);
    let mut running = Running::start(command(
        folder.path(),
        &emulator,
        &["upload", "-v", "large.pdf"],
    ));
    running.wait_for("large.pdf: put");
    running.signal("INT");
    let (code, error) = running.ended();
    assert_eq!(code, Some(130));
    let last = error.lines().last().unwrap();
    assert!(
        last.starts_with(
            "forebay: interrupted; these unfinished assets may stay with the service: "
        ) && last.contains("(403"),
        "{error}"
    );
    assert!(!error.contains("nothing partial is left"), "{error}");
}

#[test]
fn a_closed_standard_error_leaves_nothing_behind() {
    let folder = photos(&["a.jpg"]);
    large(folder.path());
    fs::write(folder.path().join("empty.png"), "").unwrap();
    let once = r#"{"route":"put","fault":"reset-during","after_bytes":1000}"#;
    let emulator = Emulator::start(folder.path(), &["--fault", once]);
    let args = [
        "upload",
        "-v",
        "-j1",
        "empty.png",
        "large.pdf",
        "missing.jpg",
        "a.jpg",
    ];
    let output = command(folder.path(), &emulator, &args)
        .stderr(closed())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stdout = text(&output.stdout);
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    assert_eq!(ids(folder.path(), &emulator).len(), 2);
}

#[test]
fn a_silent_standard_input_holds_no_interrupt_up() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let mut command = command(folder.path(), &emulator, &["upload", "-v", "a.jpg", "-"]);
    fs::copy(demo("photo.jpg"), folder.path().join("a.jpg")).unwrap();
    let mut run = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let silent = run.stdin.take().unwrap();
    let stderr = BufReader::new(run.stderr.take().unwrap());
    let mut running = Running {
        run,
        stderr,
        said: String::new(),
    };
    running.wait_for("asset ");
    running.signal("INT");
    let (code, error) = running.ended();
    assert_eq!(code, Some(130));
    assert!(
        error.ends_with("forebay: interrupted; nothing partial is left\n"),
        "{error}"
    );
    drop(silent);
}
