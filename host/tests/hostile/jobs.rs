//! Limits of a whole job: what is in work when one is reached is broken off, and nothing is left.

use std::time::{Duration, Instant};

use forebay::{Error, Exceeded, JobLimits, Memory, Pipeline, Source, Stage};
use serde_json::{Value, json};

use crate::common::alone;
use crate::{Arena, WALL_CLOCK, alive_tasks, behaviour, open_files, tight};

/// What a pipeline of such stages comes to.
async fn run(
    arena: &Arena,
    component: &[u8],
    configs: &[Value],
    limits: JobLimits,
) -> (Vec<Error>, usize) {
    let plugin = arena.load(component).await;
    let (files, tasks) = (open_files(), alive_tasks());
    let stages = configs.iter().map(|config| {
        let limits = tight().output_bytes(1 << 30);
        Stage::new(&plugin).config(config.clone()).limits(limits)
    });
    let pipeline = stages.fold(Pipeline::builder("p").limits(limits), |p, stage| {
        p.stage(stage)
    });
    let pipeline = pipeline.build().unwrap();
    let sink = Memory::new();
    let source = Source::bytes("a.txt", "some words\n".repeat(300_000));
    let ended = arena.host.run(&pipeline, source, sink.clone()).await;
    let errors = ended.map_or_else(|error| error.errors, |_| Vec::new());
    assert_eq!(arena.left(files, tasks).await, "nothing");
    (errors, sink.take().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_held_to_its_files() {
    alone!();
    let arena = Arena::new().await;
    let ten = json!({ "behaviour": "copies", "count": 10 });
    let configs = [ten.clone(), ten];
    let limits = JobLimits::default().output_files(110);
    let (errors, delivered) = run(&arena, forebay_test_plugins::HOSTILE, &configs, limits).await;
    assert!(errors.is_empty() && delivered == 100, "{errors:?}");
    let limits = JobLimits::default().output_files(30);
    let (errors, delivered) = run(&arena, forebay_test_plugins::HOSTILE, &configs, limits).await;
    let limit = |error: &Error| {
        matches!(
            error,
            Error::Job {
                limit: Exceeded::OutputFiles(30),
                ..
            }
        )
    };
    assert!(errors.iter().any(limit) && delivered <= 30, "{errors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_held_to_its_scratch() {
    alone!();
    let arena = Arena::new().await;
    // The input of 3.3 MB itself; then what is written beside it.
    for (most, config) in [
        (1 << 20, behaviour("folder")),
        (8 << 20, behaviour("endless")),
    ] {
        let limits = JobLimits::default().scratch_bytes(most);
        let (errors, _) = run(
            &arena,
            forebay_test_plugins::HOSTILE_FILE,
            &[config],
            limits,
        )
        .await;
        let error = errors.first().unwrap().to_string();
        assert!(
            error.contains("reached its limit `scratch_bytes`"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_held_to_its_time() {
    alone!();
    let arena = Arena::new().await;
    let limit = Duration::from_millis(300);
    let limits = JobLimits::default().wall_clock(limit);
    let started = Instant::now();
    let sleep = [behaviour("sleep")];
    let (errors, _) = run(&arena, forebay_test_plugins::HOSTILE, &sleep, limits).await;
    let error = errors.first().unwrap().to_string();
    assert_eq!(
        error,
        "a.txt: the job reached its limit `wall_clock` of 300ms"
    );
    // The stage's own limit would have ended it later.
    assert!((limit..WALL_CLOCK).contains(&started.elapsed()));
}
