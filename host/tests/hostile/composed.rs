//! Plugins that consist of many instances, each with a call that waits and holds a stack of the host's.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use forebay::{Event, Host, Limits, Memory, Pipeline, Source, Stage};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

use crate::by_hand::{CLOCK, EMIT, OUTPUTS, PASS_ON, WAIT_FOR, composed, times, transform};
use crate::common::alone;
use crate::{Arena, PATIENCE, impatient};

/// A component whose function waits for an hour. An instance can be entered once only.
const SLEEPER: &str = r#"
    (component $sleeper
        (import "wait" (func $wait async (param "how-long" u64)))
        (core func $wait (canon lower (func $wait)))
        (core module $code
            (import "host" "wait" (func $wait (param i64)))
            (func (export "sleep") (call $wait (i64.const 3600000000000))))
        (core instance $code (instantiate $code (with "host" (instance (export "wait" (func $wait))))))
        (func (export "sleep") async (canon lift (core func $code "sleep"))))
    (alias export $clock "wait-for" (func $wait))"#;

/// A plugin of so many sleepers, each of which is called so often. Then it does what `then` says.
fn sleepers(instances: usize, calls: u32, then: &str) -> Vec<u8> {
    let (mut beside, mut with) = (SLEEPER.to_owned(), String::new());
    let (mut before, mut body) = (format!("{CLOCK}{OUTPUTS}"), "(local $turns i32)".to_owned());
    let names: Vec<_> = (0..instances)
        .map(|at| {
            let definition = format!("(canon lower (func $sleeper{at}) async)");
            (format!("sleep{at}"), definition)
        })
        .collect();
    let mut functions = vec![EMIT, WAIT_FOR];
    for (at, (name, definition)) in names.iter().enumerate() {
        beside += &format!(
            r#"(instance $sleeper{at} (instantiate $sleeper (with "wait" (func $wait))))"#
        );
        with += &format!(r#"(with "{name}" (func $sleeper{at} "sleep"))"#);
        before += &format!(r#"(import "{name}" (func $sleeper{at} async))"#);
        functions.push((name, definition, "(result i32)"));
        body += &times(calls, &format!("(drop (call ${name}))"))
            .replace("$again", &format!("$again{at}"));
    }
    composed(
        &beside,
        &with,
        &before,
        &functions,
        &format!("{body} {then}"),
    )
}

const WAIT: &str = "(call $wait-for (i64.const 3600000000000))";

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_many_instances() {
    alone!();
    let arena = Arena::new().await;
    let limits = || Limits::default().cpu_time(Duration::from_secs(20));
    for (instances, calls, then, limits, ends) in [
        (24, 1, PASS_ON, limits(), "ok, 1 files"),
        (24, 1, WAIT, impatient(), "`wall_clock`"),
        (40, 1, PASS_ON, limits(), "ok, 1 files"),
        // More calls than the host has stacks: all but the first wait to enter.
        (1, 5000, PASS_ON, limits(), "ok, 1 files"),
        (
            24,
            100_000,
            PASS_ON,
            limits().handles(10_000),
            "`handles` of 10000",
        ),
    ] {
        let plugin = arena.load(sleepers(instances, calls, then)).await;
        let what = format!("sleepers instances={instances} calls={calls}");
        arena
            .row_of(&what, Stage::new(&plugin).limits(limits), ends)
            .await;
    }
    arena.is_well().await;
}

/// Two jobs, each of which holds more than half of the stacks that there are while its source has not ended. The second one
/// waits for the first, and honest jobs end well.
#[tokio::test(flavor = "multi_thread")]
async fn honest_stages_wait_for_stacks() {
    /// The first job goes on for so long after it has all its stacks.
    const HELD: Duration = Duration::from_secs(3);

    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(sleepers(40, 1, PASS_ON)).await;
    let stages = (0..42).map(|_| Stage::new(&plugin));
    let pipeline = stages
        .fold(Pipeline::builder("p"), |p, stage| p.stage(stage))
        .build()
        .unwrap();
    let text = "some words\n".repeat(10_000);
    // Runs a job. Once its sink gets the file, all of its stages are at work: that is told, and its source ends some time later.
    let large = async |at_work: &Notify, held: Duration| {
        let (mut writer, reader) = tokio::io::duplex(1 << 20);
        writer.write_all(text.as_bytes()).await.unwrap();
        let (sink, delivering) = (Memory::new(), Arc::new(Notify::new()));
        let source = Source::reader("a.txt", reader);
        let (job, told) = (
            arena.host.job(&pipeline, source, sink.clone()),
            delivering.clone(),
        );
        let job = job.observe(move |event| {
            if matches!(event, Event::Delivering { .. }) {
                told.notify_one();
            }
        });
        let end = async {
            delivering.notified().await;
            at_work.notify_waiters();
            tokio::time::sleep(held).await;
            drop(writer);
        };
        let run = async {
            let ended = tokio::time::timeout(PATIENCE, job.run()).await;
            ended
                .map_err(|_| "does not end".to_owned())?
                .map_err(|error| error.to_string())
        };
        // A job that fails delivers nothing.
        let ended = tokio::select! {
            ended = run => ended,
            ended = async { end.await; std::future::pending().await } => ended,
        };
        ended.map(|_| sink.take())
    };
    let (first_at_work, second_at_work) = (Notify::new(), Notify::new());
    let began = first_at_work.notified();
    let second = async {
        began.await;
        let honest = AtomicBool::new(true);
        tokio::join!(
            large(&second_at_work, Duration::ZERO),
            arena.neighbours(&honest)
        )
    };
    let (first, (second, honest)) = tokio::join!(large(&first_at_work, HELD), second);
    for ended in [first, second] {
        let files = ended.unwrap();
        assert_eq!((files.len(), &files[0].1[..]), (1, text.as_bytes()));
    }
    honest.unwrap();
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_too_small_says_so() {
    alone!();
    let arena = Arena::new().await;
    let component = sleepers(24, 1, PASS_ON);
    let small = Host::builder().instances(3).build().unwrap();
    let plugin = small.load("p", component.clone()).await.unwrap();
    let pipeline = Pipeline::builder("p").stage(Stage::new(&plugin));
    let pipeline = pipeline.build().unwrap();
    let source = Source::bytes("a.txt", "words");
    let ended = small.run(&pipeline, source, Memory::new()).await;
    let error = ended.unwrap_err().to_string();
    assert!(
        error.contains("1 stages take 4 instances, but this host runs at most 3 at a time"),
        "{error}"
    );
    // Each level has two of the level below.
    let mut levels = r#"(component $c0
        (import "wait" (func $wait async (param "how-long" u64)))
        (core func $wait (canon lower (func $wait)))
        (func (export "sleep") async (param "how-long" u64) (canon lift (core func $wait))))"#
        .to_owned();
    for level in 1..8 {
        let below = level - 1;
        levels += &format!(
            r#"(component $c{level}
                (import "wait" (func $wait async (param "how-long" u64)))
                (alias outer 1 $c{below} (component $below))
                (instance $a (instantiate $below (with "wait" (func $wait))))
                (instance $b (instantiate $below (with "wait" (func $wait))))
                (export "sleep" (func $a "sleep")))"#
        );
    }
    let of = |level: u32| {
        let top = format!(
            r#"{CLOCK}{OUTPUTS}{levels}
            (alias export $clock "wait-for" (func $wait))
            (instance $top (instantiate $c{level} (with "wait" (func $wait))))"#
        );
        transform(&top, &[EMIT], PASS_ON)
    };
    arena.load(of(6)).await;
    let error = arena.host.load("p", of(7)).await.unwrap_err().to_string();
    assert!(
        error.contains("consists of more than 100 instances of components"),
        "{error}"
    );
    arena.is_well().await;
}
