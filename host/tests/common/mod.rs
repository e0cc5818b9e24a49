//! What several suites share.

use std::process::Command;

/// Holds the name of the test that this process was started for.
const CHILD: &str = "FOREBAY_TEST_ALONE";

/// As the first line of a test: runs the test in a process of its own, where nothing but this test runs.
///
/// Tests that count open files, tasks, memory or CPU time count those of the whole process. Beside other tests they
/// count what those open and close at the same time: each runtime alone has four open files.
macro_rules! alone {
    () => {{
        fn here() {}
        if $crate::common::ran_alone(std::any::type_name_of_val(&here)) {
            return;
        }
    }};
}
pub(crate) use alone;

/// Runs the test that holds the function of this name in a process of its own, and fails as it fails. False in that
/// process: the test goes on there.
pub(crate) fn ran_alone(here: &str) -> bool {
    let path = here.trim_end_matches("::here").replace("::{{closure}}", "");
    // The first part is the crate, which the test's name does not have.
    let (_, name) = path.split_once("::").unwrap();
    if std::env::var_os(CHILD).is_some_and(|child| child == name) {
        return false;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--include-ignored", "--nocapture"])
        .env(CHILD, name)
        .output()
        .unwrap();
    let (said, errors) = (&output.stdout, &output.stderr);
    let (said, errors) = (
        String::from_utf8_lossy(said),
        String::from_utf8_lossy(errors),
    );
    print!("{said}");
    eprint!("{errors}");
    assert!(output.status.success(), "{name}: {}", output.status);
    assert!(said.contains("1 passed"), "no test is called {name}");
    true
}

/// Whether this process runs one test only.
pub(crate) fn is_alone() -> bool {
    std::env::var_os(CHILD).is_some()
}
