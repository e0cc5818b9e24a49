//! `--include`, `--exclude` and `--files-from`.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::{assert_failed, assert_refused, assert_success, folder_with, forebay, text};

fn run(folder: &Path, args: &[&str], stdin: &str) -> Output {
    fs::write(folder.join("stdin"), stdin).unwrap();
    forebay(folder)
        .args(["run", "-fs", "identity", "-o", "out"])
        .args(args)
        .stdin(Stdio::from(fs::File::open(folder.join("stdin")).unwrap()))
        .output()
        .unwrap()
}

/// The results of a run that succeeds, without the output folder.
#[track_caller]
fn results(folder: &Path, args: &[&str], stdin: &str) -> Vec<String> {
    let output = run(folder, args, stdin);
    assert_success(&output);
    let stdout = text(&output.stdout);
    let mut results: Vec<String> = stdout
        .lines()
        .map(|line| line.strip_prefix("out/").unwrap().to_owned())
        .collect();
    results.sort();
    results
}

#[test]
fn patterns_say_which_files_of_a_folder_are_taken() {
    let folder = folder_with(&[
        "in/a.txt",
        "in/b.csv",
        "in/C.TXT",
        "in/x/a.txt",
        "in/x/y/d.txt",
        "in/old/a.txt",
    ]);
    for (args, expected) in [
        (
            ["--include", "*.txt"].as_slice(),
            ["a.txt", "old/a.txt", "x/a.txt", "x/y/d.txt"].as_slice(),
        ),
        (
            &["--include", "*.txt", "--ignore-case", "--exclude", "old"],
            &["C.TXT", "a.txt", "x/a.txt", "x/y/d.txt"],
        ),
        (&["--include", "x/*"], &["x/a.txt", "x/y/d.txt"]),
        (&["--include", "x/*.txt"], &["x/a.txt"]),
        (&["--include", "/*.{txt,csv}"], &["a.txt", "b.csv"]),
        (
            &["--exclude", "a.*", "--exclude=*.TXT"],
            &["b.csv", "x/y/d.txt"],
        ),
        (
            &["--include", "x", "--include", "old", "--exclude", "y/"],
            &["old/a.txt", "x/a.txt"],
        ),
    ] {
        assert_eq!(
            results(folder.path(), &[args, &["in"]].concat(), ""),
            expected,
            "{args:?}"
        );
    }
    // Files that are named themselves are matched by their names.
    let named = ["--exclude", "b.*", "in/a.txt", "in/b.csv"];
    assert_eq!(results(folder.path(), &named, ""), ["a.txt"]);
    let told = text(
        &run(
            folder.path(),
            &["--exclude", "x", "--include", "*.csv", "in"],
            "",
        )
        .stderr,
    );
    assert!(
        told.contains("--include and --exclude left out 3 files and 1 folder\n"),
        "{told}"
    );
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_left_out_is_not_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder_with(&["in/a.txt", "in/locked/b.txt"]);
    let locked = folder.path().join("in/locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let taken = results(folder.path(), &["--exclude", "locked", "in"], "");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(taken, ["a.txt"]);
}

#[test]
fn a_pattern_that_is_wrong_or_leaves_nothing_is_told() {
    let folder = folder_with(&["in/a.txt"]);
    assert_refused(
        &run(folder.path(), &["--include", "a[", "in"], ""),
        2,
        "forebay: --include `a[`: unclosed character class; missing ']'",
    );
    assert_refused(
        &run(folder.path(), &["--exclude", "", "in"], ""),
        2,
        "forebay: --exclude ``: the pattern is empty",
    );
    assert_refused(
        &run(folder.path(), &["--include", "*.jpg", "in"], ""),
        2,
        "forebay: there are no files left to take: --include left out 1 file",
    );
    assert_refused(
        &run(folder.path(), &["--exclude", "*", "in"], ""),
        2,
        "forebay: there are no files left to take: --exclude left out 1 file",
    );
}

#[test]
fn a_list_names_files() {
    let folder = folder_with(&["a b.txt", "-", "'q'.txt", "in/c.txt", "in/d.csv", "#e.txt"]);
    let list = "a b.txt\n'q'.txt\n\n-\nin\n#e.txt";
    let all = ["#e.txt", "'q'.txt", "-", "a b.txt", "c.txt", "d.csv"];
    assert_eq!(results(folder.path(), &["--files-from", "-"], list), all);
    fs::write(folder.path().join("list"), list).unwrap();
    assert_eq!(results(folder.path(), &["--files-from", "list"], ""), all);
    let windows = list.replace('\n', "\r\n");
    assert_eq!(
        results(folder.path(), &["--files-from", "-"], &windows),
        all
    );
    let nul = list.replace("\n\n", "\n").replace('\n', "\0");
    assert_eq!(
        results(folder.path(), &["-0", "--files-from", "-"], &nul),
        all
    );
    let some = ["--files-from", "list", "--include", "c.txt", "a b.txt"];
    assert_eq!(results(folder.path(), &some, ""), ["c.txt"]);
    // `find` lists a folder and then what is in it.
    assert_eq!(
        results(
            folder.path(),
            &["--files-from", "-"],
            "in\nin/c.txt\n./in/d.csv\n"
        ),
        ["c.txt", "d.csv"]
    );

    assert_refused(
        &run(folder.path(), &["--files-from", "-"], &nul),
        2,
        "forebay: --files-from -: there are NUL characters in the list; --null reads such a list",
    );
    assert_refused(
        &run(folder.path(), &["--files-from", "-", "-"], list),
        2,
        "forebay: --files-from - and the input - both read standard input",
    );
    assert_refused(
        &run(folder.path(), &["--files-from", "none"], list),
        2,
        "forebay: --files-from none: No such file or directory (os error 2)",
    );
    assert_failed(
        &run(
            folder.path(),
            &["--files-from", "-"],
            "in/c.txt\nnone.txt\n",
        ),
        1,
        "forebay: none.txt: No such file or directory (os error 2)",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_list_names_files_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"a\xff\n.txt")), "odd").unwrap();
    fs::write(folder.path().join("list"), b"a\xff\n.txt\0").unwrap();
    let output = run(folder.path(), &["-0", "--files-from", "list"], "");
    assert_success(&output);
}
