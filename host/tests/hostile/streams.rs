//! The table of stream plugins.

use std::time::Duration;

use forebay::Limits;
use serde_json::{Value, json};

use crate::common::alone;
use crate::{Arena, behaviour, impatient, tight};

const MEMORY: &str = "`memory` of 64.0 MiB";
const CPU: &str = "`cpu_time`";
const WALL: &str = "`wall_clock`";
const TRAP: &str = "the plugin crashed";

#[tokio::test(flavor = "multi_thread")]
async fn stream_plugins() {
    alone!();
    let arena = Arena::new().await;
    let hostile = arena.load(forebay_test_plugins::HOSTILE).await;
    let few = tight().output_files(100);
    let one = |name| behaviour(name);
    let rows: Vec<(Limits, Value, &str)> = vec![
        // Time.
        (tight(), one("spin"), CPU),
        (tight(), one("spin-yielding"), CPU),
        (tight(), one("spin-after-output"), CPU),
        (tight(), one("empty-reads"), CPU),
        (tight(), one("empty-writes"), CPU),
        (tight(), one("return-and-spin"), CPU),
        (impatient(), one("spin-polling"), "reached its limit"),
        (impatient(), one("sleep"), WALL),
        (impatient(), one("hang"), WALL),
        (
            impatient(),
            json!({ "behaviour": "trickle", "every": 50 }),
            WALL,
        ),
        (
            impatient(),
            json!({ "behaviour": "hold-open", "count": 1 }),
            WALL,
        ),
        (impatient(), one("emit-first"), WALL),
        (impatient(), one("write-to-self"), WALL),
        // Memory.
        (tight(), one("grow"), MEMORY),
        (tight(), one("grow-by-page"), MEMORY),
        (
            tight(),
            json!({ "behaviour": "grow-at-once", "pages": 60_000 }),
            MEMORY,
        ),
        (tight(), one("recurse"), "used up its stack of 512.0 KiB"),
        (
            tight(),
            json!({ "behaviour": "realloc", "answer": "spin" }),
            CPU,
        ),
        (
            tight(),
            json!({ "behaviour": "realloc", "answer": "trap" }),
            TRAP,
        ),
        (
            tight(),
            json!({ "behaviour": "realloc", "answer": "out-of-bounds" }),
            TRAP,
        ),
        (
            tight(),
            json!({ "behaviour": "realloc", "answer": "reenter" }),
            TRAP,
        ),
        // Output.
        (tight(), one("flood"), "`output_bytes`"),
        (
            tight(),
            json!({ "behaviour": "inflate", "ratio": 1_000_000 }),
            "`output_bytes`",
        ),
        (
            tight().output_bytes(1 << 40),
            json!({ "behaviour": "inflate", "ratio": 1_000_000 }),
            "`expansion` of 1000 times its input",
        ),
        (
            few.clone(),
            json!({ "behaviour": "copies", "count": 101 }),
            "`output_files` of 100",
        ),
        (
            few.clone(),
            json!({ "behaviour": "hold-open", "count": 5000 }),
            "`output_files` of 100",
        ),
        (
            few.clone(),
            json!({ "behaviour": "interleave", "count": 50 }),
            "ok, 50 files",
        ),
        (tight(), one("byte-by-byte"), "ok, 1 files"),
        (
            tight(),
            json!({ "behaviour": "wrong-size", "size": 3 }),
            "was announced with 3 bytes",
        ),
        (tight(), one("unfinished"), "1 output(s) unfinished"),
        (tight(), one("return-and-write"), "unfinished"),
        (tight(), one("cancel-emit"), "unfinished"),
        (
            tight(),
            json!({ "behaviour": "cancel-many", "count": 500 }),
            "unfinished",
        ),
        (tight(), one("ignore"), "ok, 0 files"),
        (tight(), one("pass-on"), "ok, 1 files"),
        (tight(), one("pass-on-rest"), "ok, 1 files"),
        // Names and types.
        (
            tight(),
            json!({ "behaviour": "name", "name": "../a" }),
            "holds a directory separator",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "/etc/passwd" }),
            "holds a directory separator",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "a\0b" }),
            "holds a control character",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "\u{202e}gpj.exe" }),
            "turns the text around",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "" }),
            "is empty",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": ".." }),
            "is reserved",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "nul.txt" }),
            "ok, 1 files",
        ),
        (
            tight(),
            json!({ "behaviour": "long-name", "bytes": 10_000_000 }),
            "is longer than 255 bytes",
        ),
        (
            tight().call_bytes(1 << 20),
            json!({ "behaviour": "long-name", "bytes": 10_000_000 }),
            "`call_bytes` of 1.0 MiB",
        ),
        (
            tight(),
            json!({ "behaviour": "long-type", "bytes": 10_000_000 }),
            "a media type of 10000000 bytes",
        ),
        (
            tight(),
            json!({ "behaviour": "claim", "media_type": "text/\u{1b}[31mred", "text": "words" }),
            "ok, 1 files",
        ),
        (
            tight(),
            json!({ "behaviour": "claim", "media_type": "text/plain", "text": "%PDF-1.4" }),
            "is application/pdf",
        ),
        // Ends.
        (tight(), json!({ "behaviour": "trap", "at": "start" }), TRAP),
        (
            tight(),
            json!({ "behaviour": "trap", "at": "middle" }),
            TRAP,
        ),
        (tight(), json!({ "behaviour": "trap", "at": "end" }), TRAP),
        (tight(), one("return-twice"), TRAP),
        (tight(), one("exit"), TRAP),
        (
            tight(),
            json!({ "behaviour": "fail", "kind": "failed", "at": "start", "bytes": 10_000_000 }),
            "failed: ",
        ),
        (
            tight(),
            json!({ "behaviour": "fail", "kind": "invalid-input", "at": "middle", "bytes": 10 }),
            "damaged",
        ),
        (
            tight(),
            json!({ "behaviour": "fail", "kind": "unsupported", "at": "end", "bytes": 10 }),
            "not this plugin's",
        ),
        (
            tight(),
            json!({ "behaviour": "say", "text": "\u{1b}[2J\u{202e}done" }),
            "failed: [2J done",
        ),
        // Messages.
        (
            tight(),
            json!({ "behaviour": "chatter", "bytes": 1_000_000 }),
            TRAP,
        ),
        (
            tight(),
            json!({ "behaviour": "log", "to": "stderr", "bytes": 5_000_000 }),
            "ok",
        ),
        (
            tight(),
            json!({ "behaviour": "log", "to": "stdout", "bytes": 5_000_000 }),
            "ok",
        ),
        // Handles.
        (
            tight().handles(1000),
            json!({ "behaviour": "leak-streams", "count": 100_000 }),
            "`handles` of 1000",
        ),
        (
            tight().handles(1000),
            json!({ "behaviour": "leak-pollables", "count": 100_000 }),
            "`handles` of 1000",
        ),
        (
            tight().handles(1000),
            json!({ "behaviour": "poll-many", "count": 100_000 }),
            "`handles` of 1000",
        ),
        (
            tight(),
            json!({ "behaviour": "random", "bytes": 1_u64 << 40 }),
            TRAP,
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": ".profile" }),
            "begins with `.`",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "-rf" }),
            "begins with `-`",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "~" }),
            "begins with `~`",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "Desktop.ini" }),
            "desktops read",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "\u{200b}" }),
            "control character",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "a\u{9b}1m" }),
            "control character",
        ),
        (
            tight(),
            json!({ "behaviour": "name", "name": "\u{200d}" }),
            "that can be seen",
        ),
        // What the host holds for it.
        (
            tight(),
            json!({ "behaviour": "long-type", "bytes": 15 << 20 }),
            "a media type of 15728640 bytes",
        ),
        (
            impatient()
                .cpu_time(Duration::from_secs(20))
                .wall_clock(Duration::from_secs(5))
                .output_bytes(20 << 30)
                .output_files(10_000)
                .expansion(u64::MAX),
            json!({ "behaviour": "fill-open", "count": 2000, "bytes": 1 << 20 }),
            "reached its limit",
        ),
        (
            tight().output_files(10_000),
            json!({ "behaviour": "hold-open", "count": 10_000 }),
            "`host_memory` of 64.0 MiB",
        ),
        (
            tight().host_memory(1 << 20),
            json!({ "behaviour": "hold-open", "count": 1000 }),
            "`host_memory` of 1.0 MiB",
        ),
        (
            tight()
                .cpu_time(Duration::from_secs(60))
                .output_files(10_000)
                .output_bytes(1 << 30),
            json!({ "behaviour": "copies", "count": 5000 }),
            "ok, 5000 files",
        ),
        (
            tight().cpu_time(Duration::from_secs(20)),
            json!({ "behaviour": "small-writes", "count": 100_000 }),
            "ok, 1 files",
        ),
        // What it was not given.
        (tight(), one("look"), "ok, 1 files"),
    ];
    for (limits, config, ends) in rows {
        arena.row(&hostile, limits, config, ends).await;
    }
    let schema = hostile.descriptor().config_schema.clone().unwrap();
    for of in misuses(schema.as_json()) {
        let config = json!({ "behaviour": "misuse", "of": of });
        arena.row(&hostile, tight(), config, TRAP).await;
    }
    arena.is_well().await;
}

/// Every way to break the rules of the canonical ABI that the plugin has.
fn misuses(schema: &Value) -> Vec<String> {
    let names = schema["properties"]["of"]["enum"].as_array().unwrap();
    let names = names.iter().map(|one| one.as_str().unwrap().to_owned());
    let names: Vec<String> = names.collect();
    assert!(names.len() > 20, "{names:?}");
    names
}
