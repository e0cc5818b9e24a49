//! `run -o`: what is in a folder after a run, however the run ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{assert_failed, assert_refused, assert_success, folder_with, forebay, names, text};

/// Runs `identity` with these arguments.
fn run(folder: &Path, args: &[&str]) -> Output {
    identity(folder).args(args).output().unwrap()
}

fn identity(folder: &Path) -> Command {
    let mut command = forebay(folder);
    command.args(["run", "-s", "identity"]);
    command
}

/// The names and contents of the files in a folder.
fn contents(folder: &Path) -> Vec<(String, String)> {
    let content = |name: String| {
        let content = fs::read_to_string(folder.join(&name)).unwrap();
        (name, content)
    };
    names(folder).into_iter().map(content).collect()
}

#[test]
fn force_replaces_older_files_and_none_of_this_run() {
    let folder = folder_with(&["a/x.txt", "b/x.txt", "out/x.txt"]);
    let out = folder.path().join("out");
    for inputs in [["a/x.txt", "b/x.txt"], ["a", "b"]] {
        fs::write(out.join("x.txt"), "older").unwrap();
        let args = [&["-f", "-j", "1", "-o", "out"], &inputs[..]].concat();
        let output = run(folder.path(), &args);
        assert_failed(
            &output,
            1,
            "forebay: b/x.txt: out/x.txt: another file of this run has this name; \
             --name '{stem}-{n}.{ext}' gives each a name of its own",
        );
        assert_eq!(text(&output.stdout), "out/x.txt\n");
        assert_eq!(contents(&out), [("x.txt".into(), "a/x.txt".into())]);
    }
}

#[test]
fn without_force_a_failure_tells_older_files_from_those_of_this_run() {
    let folder = folder_with(&["a/x.txt", "b/x.txt", "out/x.txt"]);
    let output = run(folder.path(), &["-o", "out", "a/x.txt"]);
    let line = "forebay: a/x.txt: out/x.txt exists already; --force replaces it";
    assert_refused(&output, 1, line);
    let output = run(folder.path(), &["-j", "1", "-o", "new", "a", "b"]);
    let line = "forebay: b/x.txt: new/x.txt: another file of this run has this name; \
                --name '{stem}-{n}.{ext}' gives each a name of its own";
    assert_failed(&output, 1, line);
}

#[test]
fn two_inputs_of_one_name_at_the_same_time_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let inputs: Vec<String> = (0..8).map(|at| format!("{at}/x.txt")).collect();
    for input in &inputs {
        fs::create_dir(folder.path().join(&input[..1])).unwrap();
        fs::write(folder.path().join(input), input).unwrap();
    }
    let output = identity(folder.path())
        .args(["-f", "-j", "8", "-o", "out"])
        .args(&inputs)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "out/x.txt\n");
    let error = text(&output.stderr);
    let refused = |input: &&String| {
        error.contains(&format!(
            "forebay: {input}: out/x.txt: another file of this run"
        ))
    };
    let told: Vec<&String> = inputs.iter().filter(|input| !refused(input)).collect();
    assert_eq!(told.len(), 1, "{error}");
    let kept = told[0];
    assert_eq!(
        contents(&folder.path().join("out")),
        [("x.txt".into(), kept.clone())]
    );
}

#[test]
fn an_input_is_never_replaced() {
    let folder = folder_with(&["a/x.txt", "x.txt", "a/sub/y.txt"]);
    let is_kept = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap() == file;
    let out = "is an input of this run, and stays; give -o another folder";
    let output = run(
        folder.path(),
        &["-f", "-j", "1", "-o", ".", "a/x.txt", "x.txt"],
    );
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.starts_with(&format!(
            "forebay: a/x.txt: ./x.txt: {out}\nforebay: x.txt: ./x.txt: {out}\n"
        )),
        "{told}"
    );
    assert!(is_kept("x.txt"));
    // Nor by what is made of itself, under whatever path.
    for (to, line) in [
        (".", format!("forebay: x.txt: ./x.txt: {out}")),
        (
            "a/sub/../..",
            format!("forebay: x.txt: a/sub/../../x.txt: {out}"),
        ),
    ] {
        assert_failed(&run(folder.path(), &["-f", "-o", to, "x.txt"]), 1, &line);
        assert!(is_kept("x.txt"));
    }
    let line = "forebay: x.txt: ./x.txt exists already and is an input of this run; give -o another folder";
    assert_failed(&run(folder.path(), &["-o", ".", "x.txt"]), 1, line);
    assert!(!run(folder.path(), &["-f", "-o", "a", "a"]).status.success());
    assert!(is_kept("a/x.txt") && is_kept("a/sub/y.txt"));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_differ_in_case_are_two_where_the_file_system_has_two() {
    let folder = folder_with(&["a/photo.txt", "b/Photo.TXT"]);
    for args in [["-o", "out"].as_slice(), &["-f", "-o", "out"]] {
        let output = run(folder.path(), &[args, &["a", "b"]].concat());
        assert_success(&output);
        let expected = [
            ("Photo.TXT".into(), "b/Photo.TXT".into()),
            ("photo.txt".into(), "a/photo.txt".into()),
        ];
        let out = folder.path().join("out");
        assert_eq!(contents(&out), expected);
        for name in ["Photo.TXT", "photo.txt"] {
            fs::write(out.join(name), "older").unwrap();
        }
    }
}

#[test]
fn a_template_gives_each_result_a_name_of_its_own() {
    let folder = folder_with(&["a/x.txt", "b/x.txt", "b/deep/y"]);
    let named = |template: &str, inputs: &[&str]| {
        let args = [&["--name", template, "-f", "-o", "out"], inputs].concat();
        let output = run(folder.path(), &args);
        assert_success(&output);
        let out = folder.path().join("out");
        let given = contents(&out);
        fs::remove_dir_all(out).unwrap();
        given
    };
    for inputs in [["a/x.txt", "b/x.txt"], ["a", "b/x.txt"]] {
        assert_eq!(
            named("{stem}-{n}.{ext}", &inputs),
            [
                ("x-1.txt".into(), "a/x.txt".into()),
                ("x-2.txt".into(), "b/x.txt".into())
            ]
        );
    }
    assert_eq!(
        named("{input}-{n}-{m}", &["b/x.txt", "a/x.txt"]),
        [
            ("x-1-1.txt".into(), "b/x.txt".into()),
            ("x-2-1.txt".into(), "a/x.txt".into())
        ]
    );
    let args = ["--name", "{n}-{name}", "-o", "out", "b"];
    let output = run(folder.path(), &args);
    assert_success(&output);
    let out = folder.path().join("out");
    assert_eq!(names(&out), ["2-x.txt", "deep"]);
    assert_eq!(names(&out.join("deep")), ["1-y"]);

    let output = run(
        folder.path(),
        &["--name", "all", "-j", "1", "-o", "all", "a", "b/x.txt"],
    );
    let line = "forebay: b/x.txt: all/all.txt: another file of this run has this name; \
                {n} in --name tells the inputs apart";
    assert_failed(&output, 1, line);
}

#[test]
fn two_outputs_of_one_name_are_told_and_can_be_named() {
    let folder = folder_with(&["x.txt"]);
    fs::write(
        folder.path().join("odd.wasm"),
        forebay_test_plugins::HOSTILE,
    )
    .unwrap();
    let stages = [
        "run",
        "-s",
        "./odd.wasm:behaviour=copies,count=2",
        "-s",
        "./odd.wasm:behaviour=name,name=same.txt",
    ];
    let run = |args: &[&str]| {
        let mut command = forebay(folder.path());
        command.args(stages).args(args).arg("x.txt");
        command.output().unwrap()
    };
    for force in [[].as_slice(), &["-f"]] {
        let output = run(&[force, &["-o", "out"]].concat());
        let line = "forebay: x.txt: same.txt: out/same.txt: another file of this run has this name; \
                    --name '{stem}-{n}-{m}.{ext}' gives each a name of its own";
        assert_failed(&output, 1, line);
        let out = folder.path().join("out");
        assert_eq!(contents(&out), [("same.txt".into(), "x.txt".into())]);
        fs::remove_dir_all(out).unwrap();
    }
    let output = run(&["--name", "{n}", "-o", "out"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    let hint = "; {m} in --name tells the outputs of an input apart\n";
    assert!(error.contains(hint), "{error}");
    let output = run(&["--name", "{stem}-{n}-{m}.{ext}", "-o", "named"]);
    assert_success(&output);
    let named = names(&folder.path().join("named"));
    assert_eq!(named, ["same-1-1-1.txt", "same-1-2-1.txt"]);
}

#[test]
fn a_wrong_template_is_told_before_anything_runs() {
    let folder = folder_with(&["x.txt"]);
    for (template, problem) in [
        (
            "{nr}-{name}",
            "there is no {nr}; there are {name}, {stem}, {ext}, {n}, {m}, {input}",
        ),
        ("../{name}", "it names files, not folders"),
        ("", "it is empty"),
        (".{name}", "it would begin each name with a dot or a dash"),
    ] {
        let output = run(
            folder.path(),
            &[&format!("--name={template}"), "-o", "out", "x.txt"],
        );
        assert_eq!(output.status.code(), Some(2), "{template}");
        let error = text(&output.stderr);
        assert!(error.contains(problem), "{template}: {error}");
        assert_eq!(names(folder.path()), ["x.txt"]);
    }
    let output = run(folder.path(), &["--name={n}", "-o", "-", "x.txt"]);
    let line = "forebay: --name names files in a folder: give `-o DIR` in place of `-o -`";
    assert_refused(&output, 2, line);
}

#[cfg(unix)]
mod killed {
    use std::io::Write as _;
    use std::path::Path;
    use std::process::{Child, Stdio};
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use crate::{Emulator, demo, forebay_with, hangups_are_ignored};

    /// A run whose input does not end. Its scratch folder is `tmp`, its output folder `out`.
    struct Endless {
        run: Child,
        /// Which has no name, so that a folder listing shows only what the run makes.
        _folder: TempDir,
        path: std::path::PathBuf,
    }

    impl Endless {
        /// Starts it by `command`, and waits until it has begun to write.
        fn start(folder: TempDir, mut command: Command) -> Self {
            let path = folder.path().to_owned();
            fs::create_dir(path.join("tmp")).unwrap();
            let mut run = command
                .args(["-o", "out", "-"])
                .env("TMPDIR", path.join("tmp"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            run.stdin
                .as_mut()
                .unwrap()
                .write_all(&vec![b'x'; 2_000_000])
                .unwrap();
            let begun = Instant::now();
            while !is_writing(&path.join("out"), run.id()) {
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "it never began to write"
                );
                std::thread::sleep(Duration::from_millis(10));
            }
            Self {
                run,
                _folder: folder,
                path,
            }
        }

        fn signal(&self, name: &str) {
            let id = self.run.id().to_string();
            assert!(shell(&format!("kill -s {name} {id}")));
        }

        /// Its exit code, if it ended itself, and what it said. Its standard input stays open until then.
        fn ended(mut self) -> (Option<i32>, String, Self) {
            let stdin = self.run.stdin.take();
            let code = self.run.wait().unwrap().code();
            drop(stdin);
            let mut error = String::new();
            let mut stderr = self.run.stderr.take().unwrap();
            std::io::Read::read_to_string(&mut stderr, &mut error).unwrap();
            (code, error, self)
        }
    }

    /// Whether a shell command succeeds.
    fn shell(command: &str) -> bool {
        Command::new("sh")
            .args(["-c", command])
            .status()
            .unwrap()
            .success()
    }

    /// Whether a process has written something into this folder.
    fn is_writing(out: &Path, process: u32) -> bool {
        let Ok(entries) = out.read_dir() else {
            return false;
        };
        let named = entries
            .filter_map(Result::ok)
            .any(|entry| entry.metadata().is_ok_and(|file| file.len() > 0));
        // Without a name it is seen only among the open files.
        let open = fs::read_dir(format!("/proc/{process}/fd"));
        named
            || open
                .into_iter()
                .flatten()
                .filter_map(Result::ok)
                .any(|entry| {
                    let is_there = fs::read_link(entry.path())
                        .is_ok_and(|path| path.starts_with(out.canonicalize().unwrap()));
                    is_there
                        && fs::metadata(entry.path())
                            .is_ok_and(|file| file.is_file() && file.len() > 0)
                })
    }

    #[test]
    fn a_signal_ends_a_run_and_nothing_of_it_is_left() {
        for (signal, code, word) in [
            ("INT", 130, "interrupted"),
            ("TERM", 143, "terminated"),
            ("HUP", 129, "ended by a hangup"),
        ] {
            if signal == "HUP" && hangups_are_ignored() {
                continue;
            }
            let folder = TempDir::new().unwrap();
            let command = identity(folder.path());
            let run = Endless::start(folder, command);
            run.signal(signal);
            let (ended, error, run) = run.ended();
            assert_eq!(ended, Some(code), "{signal}: {error}");
            let lines: Vec<&str> = error.lines().collect();
            let first =
                format!("forebay: {word}; removing what is unfinished (once more to end at once)");
            assert_eq!(lines.first(), Some(&first.as_str()), "{error}");
            assert!(
                lines[1].starts_with("nothing done; ") && lines[1].ends_with("; 1 cancelled"),
                "{error}"
            );
            let last = format!("forebay: {word}; nothing partial is left");
            assert_eq!(lines[2..], [last], "{error}");
            assert_eq!(names(&run.path.join("out")), [""; 0], "{signal}");
            assert_eq!(names(&run.path.join("tmp")), [""; 0], "{signal}");
        }
    }

    #[test]
    fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
        let folder = TempDir::new().unwrap();
        let binary = identity(folder.path());
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
            .arg(binary.get_program())
            .args(binary.get_args())
            .current_dir(folder.path());
        for (name, value) in binary.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut run = Endless::start(folder, command);
        run.signal("HUP");
        drop(run.run.stdin.take());
        let (ended, error, run) = run.ended();
        assert_eq!(ended, Some(0), "{error}");
        assert_eq!(names(&run.path.join("out")), ["stdin"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_killed_run_leaves_nothing_in_its_folder() {
        let folder = TempDir::new().unwrap();
        let command = identity(folder.path());
        let run = Endless::start(folder, command);
        run.signal("KILL");
        let (ended, _, run) = run.ended();
        assert_eq!(ended, None);
        assert_eq!(names(&run.path.join("out")), [""; 0]);
    }

    /// A file that a run which was killed an hour ago did not complete.
    fn leave_part(path: &Path) {
        fs::write(path, "half of a fi").unwrap();
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600))
            .unwrap();
    }

    #[test]
    fn what_a_killed_run_left_is_no_input_and_goes_with_the_next_run() {
        let folder = folder_with(&["out/forebay-job-abc/.lock", "out/forebay-job-abc/x"]);
        fs::copy(demo("photo.jpg"), folder.path().join("out/photo.jpg")).unwrap();
        let emulator = Emulator::start(folder.path(), &[]);
        let part = folder.path().join("out/.forebay-aB3dE6.part");
        leave_part(&part);
        fs::write(folder.path().join("out/.forebay-x.part"), "half").unwrap();
        let output = forebay_with(folder.path(), &emulator.url, "any")
            .args(["run", "-s", "identity", "-u", "out"])
            .output()
            .unwrap();
        assert_success(&output);
        let stdout = text(&output.stdout);
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        assert!(stdout.ends_with("\tphoto.jpg\n"), "{stdout}");
        assert!(part.exists(), "an upload changes nothing in its inputs");
        fs::write(folder.path().join("more.txt"), "more").unwrap();
        assert_success(&run(folder.path(), &["-o", "out", "more.txt"]));
        assert!(!part.exists());
        // Not quite a name of ours, and not an old file.
        assert!(folder.path().join("out/.forebay-x.part").exists());
    }

    #[test]
    fn nobody_listening_on_standard_error_ends_nothing() {
        let folder = folder_with(&["good.txt", "last.txt"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = identity(folder.path())
            .args([
                "-j",
                "1",
                "-o",
                "out",
                "missing.txt",
                "good.txt",
                "missing-too.txt",
                "last.txt",
            ])
            .env("FOREBAY_LOG", "trace")
            .stderr(writer)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout), "out/good.txt\nout/last.txt\n");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = forebay(folder.path())
            .args(["lock", "none"])
            .stderr(writer)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(2));
    }
}
