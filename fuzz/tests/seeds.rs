//! Every target on its seeds, without libFuzzer. The only test of this process: it counts a panic in any thread.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use forebay_fuzz::TARGETS;

#[test]
fn no_seed_breaks_a_promise() {
    // A runtime catches what panics in a task. libFuzzer's hook ends the process there; this one takes a note.
    static PANICKED: AtomicBool = AtomicBool::new(false);
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::Relaxed);
        report(info);
    }));
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(folder("seeds").join(name)).unwrap() {
            let path = entry.unwrap().path();
            // Shown only if the test fails.
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
            assert!(
                !PANICKED.load(Ordering::Relaxed),
                "{} panics",
                path.display()
            );
            count += 1;
        }
        assert!(count > 0, "{name} has no seed");
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
