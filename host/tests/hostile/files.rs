//! The table of file plugins.

use std::time::Duration;

use forebay::Limits;
use serde_json::{Value, json};

use crate::common::alone;
use crate::{Arena, behaviour, impatient, tight};

#[tokio::test(flavor = "multi_thread")]
async fn file_plugins() {
    alone!();
    let arena = Arena::new().await;
    let hostile = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let one = |name| behaviour(name);
    let link = "is reached through a link";
    let long = tight().cpu_time(Duration::from_secs(20));
    let rows: Vec<(Limits, Value, &str)> = vec![
        (tight(), one("spin"), "`cpu_time`"),
        (impatient(), one("sleep"), "`wall_clock`"),
        (tight(), one("panic"), "the plugin crashed"),
        (tight(), one("recurse"), "used up its stack"),
        (tight(), one("grow"), "`memory`"),
        // Links.
        (
            tight(),
            json!({ "behaviour": "link", "target": "/etc/passwd" }),
            "failed: ",
        ),
        (
            tight(),
            json!({ "behaviour": "link", "target": "../in/input.txt" }),
            link,
        ),
        (
            tight(),
            json!({ "behaviour": "link-chain", "count": 5 }),
            link,
        ),
        (tight(), one("link-loop"), link),
        (
            tight(),
            json!({ "behaviour": "link-folder", "target": "..", "file": "in" }),
            link,
        ),
        (
            tight(),
            json!({ "behaviour": "link-write", "target": "../in/input.txt" }),
            "failed: ",
        ),
        (tight(), one("hard-link-input"), "failed: "),
        (tight(), one("hard-link-output"), "ok, 2 files"),
        // Paths and names.
        (
            tight(),
            json!({ "behaviour": "path", "path": "../in/input.txt" }),
            "not a plain path",
        ),
        (
            tight(),
            json!({ "behaviour": "path", "path": "/etc/passwd" }),
            "not a plain path",
        ),
        (
            tight(),
            json!({ "behaviour": "path", "path": "no\u{1b}[31mwhere" }),
            "output no [31mwhere: ",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "../a" }),
            "holds a directory separator",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "-rf" }),
            "begins with `-`",
        ),
        (
            tight(),
            json!({ "behaviour": "file-name", "path": "a\nb\u{1b}" }),
            "ok, 1 files",
        ),
        (tight(), one("folder"), "is not a regular file"),
        (tight(), one("twice"), "is named twice"),
        (tight(), one("removed"), "No such file"),
        (tight(), one("renamed"), "No such file"),
        (
            long.clone(),
            json!({ "behaviour": "claims", "count": 100_000, "bytes": 8 }),
            "output",
        ),
        // What the disk takes.
        (long.clone(), one("endless"), "`output_bytes`"),
        (
            long.clone(),
            one("endless-files"),
            "reached its limit `output_",
        ),
        (
            long.clone(),
            json!({ "behaviour": "endless-below", "levels": 20, "bytes": 250 }),
            "`output_bytes`",
        ),
        (long.clone(), one("endless-removed"), "`output_bytes`"),
        (long.clone(), one("endless-renamed"), "`output_bytes`"),
        (
            tight(),
            json!({ "behaviour": "sparse", "bytes": 1_u64 << 40 }),
            "`output_bytes`",
        ),
        (
            long.clone(),
            json!({ "behaviour": "files", "count": 900, "named": true }),
            "ok, 900 files",
        ),
        (
            long.clone(),
            json!({ "behaviour": "files", "count": 1100, "named": true }),
            "`output_files` of 1000",
        ),
        (
            long.clone(),
            json!({ "behaviour": "empty-files", "count": 100_000 }),
            "reached its limit `output_",
        ),
        (
            long.clone(),
            json!({ "behaviour": "through-link", "count": 100_000 }),
            "`output_files` of 1000",
        ),
        (
            long.clone(),
            json!({ "behaviour": "wide", "count": 100_000 }),
            "reached its limit `output_",
        ),
        (
            long.clone(),
            json!({ "behaviour": "deep", "levels": 900, "bytes": 1 }),
            "ok, 0 files",
        ),
        (
            long.clone(),
            json!({ "behaviour": "deep", "levels": 5000, "bytes": 1 }),
            "`output_files` of 1000",
        ),
        (
            long.clone(),
            json!({ "behaviour": "deep-outputs", "levels": 60, "count": 500 }),
            "ok, 500 files",
        ),
        (
            long.clone(),
            json!({ "behaviour": "deep-outputs", "levels": 200, "count": 500 }),
            "is deeper than",
        ),
        // What the host holds until the disk has it: all at once far more than `check-write` allows.
        (
            long.clone().output_bytes(2 << 30).expansion(u64::MAX),
            json!({ "behaviour": "leave-writes", "count": 60, "bytes": 15 << 20, "offset": 0, "close": false }),
            "`host_memory` of 64.0 MiB",
        ),
        // Handles.
        (
            tight(),
            json!({ "behaviour": "open-files", "count": 5000 }),
            "`handles` of 128",
        ),
        (
            long.clone(),
            json!({ "behaviour": "open-lists", "files": 900, "count": 5000 }),
            "`handles` of 128",
        ),
        (tight(), one("extremes"), "ok, 1 files"),
        (tight(), one("move-folder"), "failed: "),
        // What it was not given.
        (
            tight(),
            json!({ "behaviour": "write", "path": "/in/input.txt" }),
            "failed: ",
        ),
        (
            tight(),
            json!({ "behaviour": "write", "path": "/etc/forebay" }),
            "failed: ",
        ),
        (
            tight(),
            json!({ "behaviour": "write", "path": "/out/../../escape" }),
            "failed: ",
        ),
    ];
    for (limits, config, ends) in rows {
        arena.row(&hostile, limits, config, ends).await;
    }
    for attack in [
        "overwrite",
        "truncate",
        "remove",
        "move",
        "create",
        "create-folder",
        "create-link",
        "touch",
    ] {
        let config = json!({ "behaviour": "input", "attack": attack });
        arena.row(&hostile, tight(), config, "failed: ").await;
    }
    arena.is_well().await;
}
