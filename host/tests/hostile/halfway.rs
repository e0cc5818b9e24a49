//! Plugins that are cancelled half-way, and outputs that nobody reads.

use std::time::Duration;

use forebay::{Limits, Memory, Pipeline, Source, Stage};
use serde_json::json;

use crate::common::alone;
use crate::{Arena, alive_tasks, behaviour, impatient, open_files, resident, tight};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_leaves_nothing() {
    alone!();
    let arena = Arena::new().await;
    let stream = arena.load(forebay_test_plugins::HOSTILE).await;
    let file = arena.load(forebay_test_plugins::HOSTILE_FILE).await;
    let patient = Limits::default();
    for (plugin, config) in [
        (&stream, behaviour("spin")),
        (&stream, behaviour("spin-yielding")),
        (&stream, behaviour("sleep")),
        (&stream, behaviour("flood")),
        (&stream, json!({ "behaviour": "hold-open", "count": 50 })),
        (&file, behaviour("spin")),
        (&file, behaviour("sleep")),
        (&file, behaviour("endless")),
        (
            &file,
            json!({ "behaviour": "open-lists", "files": 100, "count": 100 }),
        ),
    ] {
        for after in [1, 20, 150] {
            let (files, tasks) = (open_files(), alive_tasks());
            let limits = patient.clone();
            let stage = Stage::new(plugin).config(config.clone()).limits(limits);
            let run = arena.run(stage);
            let _ = tokio::time::timeout(Duration::from_millis(after), run).await;
            let left = arena.left(files, tasks).await;
            assert_eq!(left, "nothing", "{config} after {after} ms");
        }
    }
    arena.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_nobody_reads_holds_its_writer_up_and_no_memory() {
    alone!();
    let arena = Arena::new().await;
    let plugin = arena.load(forebay_test_plugins::HOSTILE).await;
    let (files, tasks, memory) = (open_files(), alive_tasks(), resident());
    let flood = Stage::new(&plugin)
        .config(behaviour("flood"))
        .limits(tight().output_bytes(1 << 40).expansion(u64::MAX));
    let sleep = Stage::new(&plugin)
        .config(behaviour("sleep"))
        .limits(impatient());
    let pipeline = Pipeline::builder("p").stage(flood).stage(sleep);
    let pipeline = pipeline.build().unwrap();
    let source = Source::bytes("a.txt", "words");
    let error = arena.host.run(&pipeline, source, Memory::new()).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("stage 2 hostile: reached its limit `wall_clock`"),
        "{error}"
    );
    let grown = resident().saturating_sub(memory) >> 20;
    assert!(grown < 64, "memory has grown by {grown} MiB");
    assert_eq!(arena.left(files, tasks).await, "nothing");
}
