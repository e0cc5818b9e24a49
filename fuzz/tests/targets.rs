//! The targets are complete.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use forebay_fuzz::TARGETS;

#[test]
fn every_target_has_its_file() {
    let files: BTreeSet<String> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("targets"))
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
    let names = TARGETS.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(files, names.collect());
}
