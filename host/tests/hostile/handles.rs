//! Handles: what the host holds for each of them, for as many as there may be by default.

use std::time::Duration;

use forebay::{Limits, Stage};

use crate::Arena;
use crate::by_hand::{CLI, CLOCK, EMIT, Function, OUTPUTS, PASS_ON, composed, times, transform};
use crate::common::alone;

/// More than a plugin may have.
const MANY: u32 = 10_000_000;

const STREAM: &str = "(type $stream (stream u8))";
const FUTURE: &str = "(type $future (future))";
const RESOURCE: &str = "(type $thing (resource (rep i32)))";

/// A component whose function returns at once and stays: it waits for what never comes.
const LINGERER: &str = r#"
    (component $lingerer
        (core func $return (canon task.return))
        (core func $new (canon waitable-set.new))
        (core module $code
            (import "host" "return" (func $return))
            (import "host" "new" (func $new (result i32)))
            (global $set (mut i32) (i32.const 0))
            (func (export "linger") (result i32)
                (if (i32.eqz (global.get $set)) (then (global.set $set (call $new))))
                (call $return)
                (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
            (func (export "go-on") (param i32 i32 i32) (result i32) i32.const 0))
        (core instance $code (instantiate $code (with "host" (instance
            (export "return" (func $return)) (export "new" (func $new))))))
        (func (export "linger") async
            (canon lift (core func $code "linger") async (callback (core func $code "go-on")))))
    (instance $lingerer (instantiate $lingerer))"#;

/// A component that takes no calls any more, and so keeps all that are made waiting.
const BUSY: &str = r#"
    (component $busy
        (import "wait" (func $wait async (param "how-long" u64)))
        (core func $wait (canon lower (func $wait)))
        (core module $code
            (import "host" "wait" (func $wait (param i64)))
            (func (export "sleep") (param i64 i64 i64 i64) (call $wait (i64.const 3600000000000))))
        (core instance $code (instantiate $code (with "host" (instance (export "wait" (func $wait))))))
        (func (export "sleep") async (param "a" u64) (param "b" u64) (param "c" u64) (param "d" u64)
            (canon lift (core func $code "sleep"))))
    (alias export $clock "wait-for" (func $wait))
    (instance $busy (instantiate $busy (with "wait" (func $wait))))"#;

/// Standard input of WASI 0.3, which the host feeds.
const STDIN: &str = r#"
    (import "wasi:cli/stdin@0.3.0" (instance $stdin
        (export "error-code" (type $error (eq $cli-error)))
        (export "read-via-stream" (func (result (tuple (stream u8) (future (result (error $error)))))))))"#;

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_are_made_and_kept() {
    alone!();
    let arena = Arena::new().await;
    let new_stream: Function = ("new", "(canon stream.new $stream)", "(result i64)");
    let rows: Vec<(&str, String, Vec<Function>, String)> = vec![
        (
            "streams",
            STREAM.into(),
            vec![new_stream],
            times(MANY, "(drop (call $new))"),
        ),
        (
            "futures",
            FUTURE.into(),
            vec![("new", "(canon future.new $future)", "(result i64)")],
            times(MANY, "(drop (call $new))"),
        ),
        (
            "waitable sets",
            String::new(),
            vec![("new", "(canon waitable-set.new)", "(result i32)")],
            times(MANY, "(drop (call $new))"),
        ),
        (
            "resources of its own",
            RESOURCE.into(),
            vec![(
                "new",
                "(canon resource.new $thing)",
                "(param i32) (result i32)",
            )],
            times(MANY, "(drop (call $new (i32.const 7)))"),
        ),
        (
            "streams that are written to",
            STREAM.into(),
            vec![
                new_stream,
                (
                    "write",
                    r#"(canon stream.write $stream async (memory (core memory $memory "memory")))"#,
                    "(param i32 i32 i32) (result i32)",
                ),
            ],
            times(
                MANY,
                "(drop (call $write (i32.wrap_i64 (i64.shr_u (call $new) (i64.const 32)))
                    (i32.const 0) (i32.const 65536)))",
            ),
        ),
        (
            "streams in a set",
            STREAM.into(),
            vec![
                new_stream,
                ("set", "(canon waitable-set.new)", "(result i32)"),
                ("join", "(canon waitable.join)", "(param i32 i32)"),
            ],
            times(MANY, "(call $join (i32.wrap_i64 (call $new)) (call $set))"),
        ),
        (
            "calls of the host that wait",
            CLOCK.into(),
            vec![(
                "sleep",
                r#"(canon lower (func $clock "wait-for") async)"#,
                "(param i64) (result i32)",
            )],
            times(MANY, "(drop (call $sleep (i64.const 3600000000000)))"),
        ),
        (
            "streams that the host feeds",
            format!("{CLI}{STDIN}"),
            vec![(
                "read",
                r#"(canon lower (func $stdin "read-via-stream") (memory (core memory $memory "memory")))"#,
                "(param i32)",
            )],
            times(MANY, "(call $read (i32.const 1024))"),
        ),
    ];
    let limits = || Limits::default().memory(64 << 20);
    for (what, before, functions, body) in rows {
        let before = format!("{OUTPUTS}{before}");
        let functions = [vec![EMIT], functions].concat();
        let body = format!("(local $turns i32) {body} {PASS_ON}");
        let plugin = arena.load(transform(&before, &functions, &body)).await;
        let stage = Stage::new(&plugin).limits(limits());
        arena.row_of(what, stage, "`handles` of ").await;
    }
    for (what, beside, with, import, call, signature) in [
        (
            "calls of its own that wait to begin",
            BUSY,
            r#"(with "call" (func $busy "sleep"))"#,
            r#"(import "call" (func $call async (param "a" u64) (param "b" u64) (param "c" u64) (param "d" u64)))"#,
            "(call $call (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))",
            "(param i64 i64 i64 i64) (result i32)",
        ),
        (
            "calls of its own that returned and stay",
            LINGERER,
            r#"(with "call" (func $lingerer "linger"))"#,
            r#"(import "call" (func $call async))"#,
            "(call $call)",
            "(result i32)",
        ),
    ] {
        let lower = r#"(canon lower (func $call) async (memory (core memory $memory "memory")))"#;
        let component = composed(
            beside,
            with,
            &format!("{CLOCK}{OUTPUTS}{import}"),
            &[EMIT, ("call", lower, signature)],
            &format!(
                "(local $turns i32) {} {PASS_ON}",
                times(MANY, &format!("(drop {call})"))
            ),
        );
        let plugin = arena.load(component).await;
        let stage = Stage::new(&plugin).limits(limits());
        arena.row_of(what, stage, "`handles` of ").await;
    }
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_are_made_and_closed_add_up_to_nothing() {
    alone!();
    let arena = Arena::new().await;
    let set: Function = ("new", "(canon waitable-set.new)", "(result i32)");
    let rows: Vec<(&str, String, Vec<Function>, String)> = vec![
        (
            "streams, closed",
            STREAM.into(),
            vec![
                ("new", "(canon stream.new $stream)", "(result i64)"),
                (
                    "left",
                    "(canon stream.drop-writable $stream)",
                    "(param i32)",
                ),
                (
                    "right",
                    "(canon stream.drop-readable $stream)",
                    "(param i32)",
                ),
            ],
            "(local.set $both (call $new))
            (call $left (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
            (call $right (i32.wrap_i64 (local.get $both)))"
                .into(),
        ),
        (
            "waitable sets, closed",
            String::new(),
            vec![set, ("close", "(canon waitable-set.drop)", "(param i32)")],
            "(call $close (call $new))".into(),
        ),
        (
            "calls, cancelled",
            CLOCK.into(),
            vec![
                (
                    "sleep",
                    r#"(canon lower (func $clock "wait-for") async)"#,
                    "(param i64) (result i32)",
                ),
                (
                    "cancel",
                    "(canon subtask.cancel)",
                    "(param i32) (result i32)",
                ),
                ("close", "(canon subtask.drop)", "(param i32)"),
            ],
            "(local.set $one (i32.shr_u (call $sleep (i64.const 3600000000000)) (i32.const 4)))
            (drop (call $cancel (local.get $one)))
            (call $close (local.get $one))"
                .into(),
        ),
        (
            "streams that the host feeds, closed",
            format!("{CLI}{STDIN}{STREAM}(type $ended (future (result (error $cli-error))))"),
            vec![
                (
                    "read",
                    r#"(canon lower (func $stdin "read-via-stream") (memory (core memory $memory "memory")))"#,
                    "(param i32)",
                ),
                (
                    "left",
                    "(canon stream.drop-readable $stream)",
                    "(param i32)",
                ),
                (
                    "right",
                    "(canon future.drop-readable $ended)",
                    "(param i32)",
                ),
            ],
            "(call $read (i32.const 1024))
            (call $left (i32.load (i32.const 1024)))
            (call $right (i32.load (i32.const 1028)))"
                .into(),
        ),
    ];
    for (what, before, functions, body) in rows {
        let before = format!("{OUTPUTS}{before}");
        let functions = [vec![EMIT], functions].concat();
        let body = times(200_000, &body);
        let body =
            format!("(local $turns i32) (local $both i64) (local $one i32) {body} {PASS_ON}");
        let plugin = arena.load(transform(&before, &functions, &body)).await;
        let limits = Limits::default()
            .memory(64 << 20)
            .handles(100)
            .cpu_time(Duration::from_secs(60));
        let stage = Stage::new(&plugin).limits(limits);
        arena.row_of(what, stage, "ok, 1 files").await;
    }
    arena.is_well().await;
}
