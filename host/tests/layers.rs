//! Holds the modules of this crate to their layers: `flow` may use `sandbox`, never the other way round, and nothing below
//! uses the facade. The compiler sees to the crates `forebay-core` and `forebay-assets`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

/// All Rust files beneath a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path()),
            false => vec![entry.path()],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Lines of code beneath `layer` that name one of `above`. Links in comments may point anywhere.
fn violations(layer: &str, above: &[&str]) -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files(&source.join(layer));
    assert!(!files.is_empty(), "there is no layer `{layer}`");
    let mut found = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if above.iter().any(|name| code.contains(name)) {
                let path = path.strip_prefix(&source).unwrap();
                found.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_sandbox_knows_neither_jobs_nor_the_service() {
    let above = [
        "crate::flow",
        "crate::host",
        "super::flow",
        "forebay_assets",
    ];
    let found = violations("sandbox", &above);
    assert!(
        found.is_empty(),
        "arrows that run up:\n{}",
        found.join("\n")
    );
}

#[test]
fn flow_does_not_know_the_facade() {
    let found = violations("flow", &["crate::host", "crate::Host", "super::host"]);
    assert!(
        found.is_empty(),
        "arrows that run up:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_check_sees_an_arrow_that_runs_up() {
    // `flow` does use the sandbox, so the check must find that if it is asked for.
    assert!(!violations("flow", &["crate::sandbox"]).is_empty());
}
