//! Plugins written from `wit/` alone by someone who wants to hurt the host, and not only to break a rule.

use std::time::Duration;

use forebay::{Limits, Stage};

use crate::by_hand::{
    CLI, CLOCK, EMIT, Function, OUTPUTS, PASS_ON, TRANSFORM, WAIT_FOR, composed, forever, times,
    transform, transform_with,
};
use crate::common::alone;
use crate::{Arena, impatient, tight};

const STREAM: &str = "(type $stream (stream u8))";
/// A stream of nothing: its items have no bytes.
const UNITS: &str = "(type $stream (stream))";
const NEW: Function<'static> = ("new", "(canon stream.new $stream)", "(result i64)");
const MEMORY: &str = r#"(memory (core memory $memory "memory"))"#;

/// Standard output of WASI 0.3.
const STDOUT: &str = r#"
    (import "wasi:cli/stdout@0.3.0" (instance $stdout
        (export "error-code" (type $stdout-error (eq $cli-error)))
        (export "write-via-stream" (func
            (param "data" (stream u8)) (result (future (result (error $stdout-error))))))))"#;

/// Splits what `new` gives into the ends of a stream.
const ENDS: &str = "(local $both i64) (local $writer i32) (local $reader i32) (local $turns i32)
    (local.set $both (call $new))
    (local.set $writer (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
    (local.set $reader (i32.wrap_i64 (local.get $both)))";

/// Prints without end, so many bytes at a time.
fn printer(bytes: u32) -> Vec<u8> {
    let write = format!("(canon stream.write $stream async {MEMORY})");
    let wait = format!("(canon waitable-set.wait {MEMORY})");
    let functions = [
        NEW,
        (
            "print",
            r#"(canon lower (func $stdout "write-via-stream"))"#,
            "(param i32) (result i32)",
        ),
        ("write", &write, "(param i32 i32 i32) (result i32)"),
        ("set", "(canon waitable-set.new)", "(result i32)"),
        ("join", "(canon waitable.join)", "(param i32 i32)"),
        ("wait", &wait, "(param i32 i32) (result i32)"),
    ];
    // A call that gives -1 goes on.
    let write = forever(&format!(
        "(if (i32.eq (call $write (local.get $writer) (i32.const 256) (i32.const {bytes})) (i32.const -1))
            (then (drop (call $wait (local.get $set) (i32.const 1024)))))"
    ));
    let body = format!(
        "(local $set i32) {ENDS}
        (local.set $set (call $set))
        (call $join (local.get $writer) (local.get $set))
        (drop (call $print (local.get $reader)))
        {write}"
    );
    transform(
        &format!("{OUTPUTS}{CLI}{STDOUT}{STREAM}"),
        &functions,
        &body,
    )
}

/// Writes to itself without end, so many items at a time.
fn to_itself(ty: &str, items: u32) -> Vec<u8> {
    let write = format!("(canon stream.write $stream async {MEMORY})");
    let read = format!("(canon stream.read $stream async {MEMORY})");
    let finish = "(canon stream.cancel-write $stream)";
    let functions = [
        NEW,
        ("write", &write, "(param i32 i32 i32) (result i32)"),
        ("read", &read, "(param i32 i32 i32) (result i32)"),
        ("finish", finish, "(param i32) (result i32)"),
    ];
    let turn = format!(
        "(drop (call $write (local.get $writer) (i32.const 4096) (i32.const {items})))
        (drop (call $read (local.get $reader) (i32.const 8192) (i32.const {items})))
        ;; It is done: the event that says so is taken back with it.
        (drop (call $finish (local.get $writer)))"
    );
    let body = format!("{ENDS} {}", forever(&turn));
    transform(&format!("{OUTPUTS}{ty}"), &functions, &body)
}

/// Calls itself without end, under a name of so many bytes. A trap's backtrace would hold the name once for each call.
fn long_name(bytes: usize) -> Vec<u8> {
    // Behind `describe` and `transform` it is the third function.
    let more = format!("(func ${} (call 2) (call 2))", "x".repeat(bytes));
    transform_with(OUTPUTS, &[], "(call 2)", &more, TRANSFORM)
}

/// Sleeps until the end of time, side by side, and then at last.
fn long_sleeps() -> Vec<u8> {
    let functions = [
        WAIT_FOR,
        (
            "sleep",
            r#"(canon lower (func $clock "wait-for") async)"#,
            "(param i64) (result i32)",
        ),
    ];
    let body = times(1000, "(drop (call $sleep (i64.const -1)))");
    let body = format!("(local $turns i32) {body} (call $wait-for (i64.const -1))");
    transform(&format!("{OUTPUTS}{CLOCK}"), &functions, &body)
}

/// Takes table elements without end.
fn table() -> Vec<u8> {
    let more = "(table $table 1 funcref)";
    let body = forever("(drop (table.grow $table (ref.null func) (i32.const 1000)))");
    transform_with(OUTPUTS, &[], &body, more, TRANSFORM)
}

/// Passes its content on, and computes without end when its result has been taken.
fn afterwards() -> Vec<u8> {
    let more = format!(r#"(func (export "after") (param i32) {})"#, forever(""));
    let exports = TRANSFORM.replacen(
        "(realloc ",
        r#"(post-return (core func $plugin "after")) (realloc "#,
        1,
    );
    transform_with(OUTPUTS, &[EMIT], PASS_ON, &more, &exports)
}

/// Asks for all random bytes that there are.
fn random() -> Vec<u8> {
    let before = r#"
    (import "wasi:random/random@0.3.0" (instance $random
        (export "get-random-bytes" (func (param "max-len" u64) (result (list u8))))))"#;
    let lower = r#"(canon lower (func $random "get-random-bytes")
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))"#;
    let functions = [("random", lower, "(param i64 i32)")];
    let body = forever("(call $random (i64.const -1) (i32.const 1024))");
    transform(&format!("{OUTPUTS}{before}"), &functions, &body)
}

/// Begins, takes back and closes in odd orders, and passes on what is left of its content.
fn odd_ends() -> Vec<u8> {
    let write = format!("(canon stream.write $stream async {MEMORY})");
    let read = format!("(canon stream.read $stream async {MEMORY})");
    let functions = [
        EMIT,
        NEW,
        ("write", &write, "(param i32 i32 i32) (result i32)"),
        ("read", &read, "(param i32 i32 i32) (result i32)"),
        (
            "cancel-write",
            "(canon stream.cancel-write $stream)",
            "(param i32) (result i32)",
        ),
        (
            "cancel-read",
            "(canon stream.cancel-read $stream)",
            "(param i32) (result i32)",
        ),
        (
            "drop-writer",
            "(canon stream.drop-writable $stream)",
            "(param i32)",
        ),
        (
            "drop-reader",
            "(canon stream.drop-readable $stream)",
            "(param i32)",
        ),
    ];
    // A call that gives -1 goes on, and can be taken back.
    let turns = times(
        10_000,
        "(local.set $both (call $new))
        (local.set $writer (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
        (local.set $reader (i32.wrap_i64 (local.get $both)))
        (drop (call $write (local.get $writer) (i32.const 256) (i32.const 10)))
        (drop (call $cancel-write (local.get $writer)))
        (drop (call $read (local.get $reader) (i32.const 256) (i32.const 0)))
        (drop (call $write (local.get $writer) (i32.const 256) (i32.const 0)))
        (drop (call $cancel-read (local.get $reader)))
        (drop (call $read (local.get $reader) (i32.const 256) (i32.const 10)))
        (drop (call $cancel-read (local.get $reader)))
        (call $drop-reader (local.get $reader))
        (call $drop-writer (local.get $writer))
        (if (i32.eq (call $read (local.get $content) (i32.const 256) (i32.const 0)) (i32.const -1))
            (then (drop (call $cancel-read (local.get $content)))))",
    );
    let body = format!(
        "(local $both i64) (local $writer i32) (local $reader i32) (local $turns i32) {turns} {PASS_ON}"
    );
    transform(&format!("{OUTPUTS}{STREAM}"), &functions, &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outsiders_try() {
    alone!();
    let arena = Arena::new().await;
    let patient = || tight().cpu_time(Duration::from_secs(20));
    let cpu = "`cpu_time` of 400ms";
    let rows: Vec<(&str, Vec<u8>, Limits, &str)> = vec![
        ("prints single bytes without end", printer(1), tight(), cpu),
        ("prints nothing without end", printer(0), tight(), cpu),
        (
            "writes 2^28 units to itself",
            to_itself(UNITS, (1 << 28) - 1),
            tight(),
            cpu,
        ),
        (
            "writes 64 KiB to itself",
            to_itself(STREAM, 1 << 16),
            tight(),
            cpu,
        ),
        (
            "calls itself under a name of 15 MiB",
            long_name(15 << 20),
            tight(),
            "used up its stack",
        ),
        (
            "sleeps until the end of time",
            long_sleeps(),
            impatient(),
            "`wall_clock`",
        ),
        (
            "takes table elements",
            table(),
            tight(),
            "`table_elements` of 200000",
        ),
        ("spins when it has returned", afterwards(), tight(), cpu),
        (
            "asks for 2^64-1 random bytes",
            random(),
            patient(),
            "the plugin crashed",
        ),
        ("ends in odd orders", odd_ends(), patient(), "ok, 1 files"),
    ];
    for (what, component, limits, ends) in rows {
        let plugin = arena.load(component).await;
        let stage = Stage::new(&plugin).limits(limits);
        arena.row_of(what, stage, ends).await;
    }
    arena.is_well().await;
}

/// A component with a memory of its own that takes lists. All room that it makes for them is the same.
fn taker(code: &str, functions: &str) -> String {
    format!(
        r#"(component $taker
            (core module $memory
                (memory (export "memory") 2)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536))
            (core instance $memory (instantiate $memory))
            {functions}
            {code})
        (instance $taker (instantiate $taker))"#
    )
}

const TAKE: &str = r#"(with "take" (func $taker "take"))"#;

/// Gives a component beside it a list of 1,000 lists of 8,000 lists of 64 KiB, all of which are the same.
fn lists() -> Vec<u8> {
    let code = r#"
        (core module $code (func (export "take") (param i32 i32)))
        (core instance $code (instantiate $code))
        (func (export "take") (param "lists" (list (list (list u8))))
            (canon lift (core func $code "take")
                (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))"#;
    let lower = format!("(canon lower (func $take) {MEMORY})");
    let body = format!(
        "(local $turns i32) {} {} (call $take (i32.const 8192) (i32.const 1000)) {PASS_ON}",
        times(
            8000,
            "(i32.store offset=65532 (i32.shl (local.get $turns) (i32.const 3)) (i32.const 65536))"
        ),
        times(
            1000,
            "(i32.store offset=8184 (i32.shl (local.get $turns) (i32.const 3)) (i32.const 65536))
            (i32.store offset=8188 (i32.shl (local.get $turns) (i32.const 3)) (i32.const 8000))"
        )
        .replace("$again", "$more"),
    );
    composed(
        &taker(code, ""),
        TAKE,
        &format!(
            r#"{CLOCK}{OUTPUTS}(import "take" (func $take (param "lists" (list (list (list u8))))))"#
        ),
        &[EMIT, ("take", &lower, "(param i32 i32)")],
        &body,
    )
}

/// Gives a component beside it a stream of 1,000 lists of 64 KiB at once, all of which are the same.
fn list_stream() -> Vec<u8> {
    let functions = r#"
        (type $stream (stream (list u8)))
        (core func $read (canon stream.read $stream async
            (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))"#;
    let code = r#"
        (core module $code
            (import "host" "read" (func $read (param i32 i32 i32) (result i32)))
            (func (export "take") (param i32) (drop (call $read (local.get 0) (i32.const 0) (i32.const 1000)))))
        (core instance $code (instantiate $code (with "host" (instance (export "read" (func $read))))))
        (func (export "take") (param "lists" $stream) (canon lift (core func $code "take")))"#;
    let write = format!("(canon stream.write $stream async {MEMORY})");
    let body = format!(
        "{ENDS} {}
        (drop (call $write (local.get $writer) (i32.const 8192) (i32.const 1000)))
        (call $take (local.get $reader))
        {PASS_ON}",
        times(
            1000,
            "(i32.store offset=8188 (i32.shl (local.get $turns) (i32.const 3)) (i32.const 65536))"
        )
    );
    composed(
        &taker(code, functions),
        TAKE,
        &format!(
            r#"{CLOCK}{OUTPUTS}(type $stream (stream (list u8))) (import "take" (func $take (param "lists" $stream)))"#
        ),
        &[
            EMIT,
            NEW,
            ("write", &write, "(param i32 i32 i32) (result i32)"),
            ("take", "(canon lower (func $take))", "(param i32)"),
        ],
        &body,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_components_try_together() {
    alone!();
    let arena = Arena::new().await;
    for (what, component, ends) in [
        (
            "hands 500 GB to its neighbour",
            lists(),
            "`cpu_time` of 400ms",
        ),
        (
            "hands 64 MB to its neighbour in a stream",
            list_stream(),
            "`call_bytes` of 16.0 MiB",
        ),
    ] {
        let plugin = arena.load(component).await;
        let stage = Stage::new(&plugin).limits(tight());
        arena.row_of(what, stage, ends).await;
    }
    arena.is_well().await;
}
