//! Results that the caller reads: what has its last byte is whole.

use std::time::Duration;

use bytes::Bytes;
use forebay::{
    Error, ErrorKind, Host, Job, Limits, Output, Pipeline, SinkError, Source, Stage, ToCaller,
};
use futures::TryStreamExt as _;
use serde_json::json;

use super::{PATIENCE, builder, host, hostile, identity, patiently, pipeline};

/// More than waits anywhere between a plugin and its reader.
const LARGE: usize = 5_000_000;

fn large() -> Bytes {
    (0..LARGE).map(|at| (at % 251) as u8).collect()
}

/// A job of a plugin that emits so many copies of its input.
async fn copies(host: &Host, count: u32, content: Bytes) -> Job<ToCaller> {
    let config = json!({ "behaviour": "copies", "count": count });
    let copies = pipeline(host, &[(forebay_test_plugins::HOSTILE, config)]).await;
    host.pull(&copies, Source::bytes("a.bin", content))
}

/// Reads all that comes, and whether it came to a clean end.
async fn read(file: &mut Output) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    loop {
        match patiently(file.content.next()).await {
            Ok(Some(piece)) => all.extend_from_slice(&piece),
            Ok(None) => return (all, true),
            Err(_) => return (all, false),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_result_is_read_as_a_stream_and_tells_its_report() {
    let host = host();
    let pipeline = identity(&host).await;
    for content in [Bytes::new(), Bytes::from("some words"), large()] {
        let source = Source::bytes("a.bin", content.clone());
        let mut single = patiently(host.pull(&pipeline, source).single())
            .await
            .unwrap();
        assert!(single.info.name.starts_with("a."), "{:?}", single.info);
        let pieces: Vec<Bytes> = patiently((&mut single).try_collect()).await.unwrap();
        assert!(pieces.concat() == content);
        let report = patiently(single.finish()).await.unwrap();
        assert_eq!(report.files[0].size, content.len() as u64);
        assert_eq!(report.files[0].stages.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_after_its_last_byte_does_not_look_whole() {
    let host = host();
    let late = hostile(&host, "fail-late").await;
    let job = |content| host.pull(&late, Source::bytes("a.bin", content));

    let mut single = patiently(job(large()).single()).await.unwrap();
    let mut count = 0;
    let ended = loop {
        match patiently(single.try_next()).await {
            Ok(Some(piece)) => count += piece.len(),
            ended => break ended,
        }
    };
    assert!(ended.is_err() && count < LARGE, "{count} bytes, {ended:?}");
    let error = patiently(single.finish()).await.unwrap_err();
    assert!(matches!(error.errors[..], [Error::Stage(_)]), "{error}");

    // Nothing of a short result was handed out, so the failure is told in its place.
    for content in ["", "some words"] {
        let error = patiently(job(content.into()).single()).await.unwrap_err();
        assert!(matches!(error.errors[..], [Error::Stage(_)]), "{error}");
    }

    let mut outputs = job(large()).outputs();
    let mut file = patiently(outputs.next()).await.unwrap();
    let (bytes, whole) = read(&mut file).await;
    assert!(!whole && bytes.len() < LARGE, "{} bytes", bytes.len());
    assert!(patiently(outputs.next()).await.is_none());
    let error = patiently(outputs.finish()).await.unwrap_err();
    assert!(matches!(error.errors[..], [Error::Stage(_)]), "{error}");
}

/// It writes all of its output and computes on, until its limit. So there is time to read all that is handed out.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_piece_is_held_back_while_the_plugin_runs() {
    let host = host();
    let plugin = host
        .load("hostile", forebay_test_plugins::HOSTILE)
        .await
        .unwrap();
    let stage = Stage::new(&plugin)
        .config(json!({ "behaviour": "spin-after-output" }))
        .limits(Limits::default().cpu_time(Duration::from_secs(1)));
    let pipeline = Pipeline::builder("spins").stage(stage).build().unwrap();
    let job = || host.pull(&pipeline, Source::bytes("a.bin", large()));
    let mut outputs = job().outputs();
    let mut file = patiently(outputs.next()).await.unwrap();
    let (bytes, whole) = read(&mut file).await;
    assert!(!whole && bytes.len() < LARGE, "{} bytes", bytes.len());
    let single = patiently(job().single()).await.unwrap();
    let mut file = Vec::new();
    let pieces = single.try_for_each(|piece| {
        file.extend_from_slice(&piece);
        std::future::ready(Ok(()))
    });
    assert!(patiently(pieces).await.is_err());
    assert!(file.len() < LARGE, "{} bytes", file.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_result_is_refused_if_there_are_none_or_several() {
    let host = host();
    let none = hostile(&host, "ignore").await;
    let none = host.pull(&none, Source::bytes("a.bin", "some words"));
    let (none, mut events) = none.events();
    let error = patiently(none.single()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("a.bin: one result was asked for"),
        "{error}"
    );
    assert_eq!(error.report.failures.len(), 1);
    super::wait_for(&mut events, "failed").await;

    let several = copies(&host, 2, "some words".into()).await;
    let error = patiently(several.single()).await.unwrap_err();
    let [Error::Sink { reason, .. }] = &error.errors[..] else {
        panic!("{error:?}");
    };
    assert!(
        matches!(reason, SinkError::NotSingle("several")),
        "{reason}"
    );

    // The first was handed out before the second came.
    let several = copies(&host, 2, large()).await;
    let single = patiently(several.single()).await.unwrap();
    let pieces: Result<Vec<Bytes>, _> = patiently(single.try_collect()).await;
    assert!(pieces.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_results_are_read_one_after_the_other() {
    let host = host();
    let content = large().slice(..100_000);
    let mut outputs = copies(&host, 20, content.clone()).await.outputs();
    let mut count = 0;
    while let Some(mut file) = patiently(outputs.next()).await {
        let (bytes, whole) = read(&mut file).await;
        assert!(whole && bytes == content);
        count += 1;
    }
    let report = patiently(outputs.finish()).await.unwrap();
    assert_eq!((count, report.files.len()), (20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_dropped_fails_its_job_and_dropping_all_cancels_it() {
    let host = host();
    let mut outputs = copies(&host, 2, large()).await.outputs();
    drop(patiently(outputs.next()).await.unwrap());
    while patiently(outputs.next()).await.is_some() {}
    let error = patiently(outputs.finish())
        .await
        .unwrap_err()
        .errors
        .remove(0);
    assert!(
        matches!(
            error,
            Error::Sink {
                reason: SinkError::Closed,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Cancelled);

    // It writes without end, and has no reader.
    let flood = hostile(&host, "flood").await;
    let job = || host.pull(&flood, Source::bytes("a.bin", "some words"));
    drop(patiently(job().single()).await.unwrap());
    let mut outputs = job().outputs();
    let first = patiently(outputs.next()).await.unwrap();
    let error = patiently(outputs.cancel()).await.unwrap_err();
    assert!(
        matches!(error.errors[..], [Error::Cancelled { .. }]),
        "{error}"
    );
    drop(first);
    assert_eq!(patiently(host.drain(PATIENCE)).await, 0, "both have ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_spooled_holds_no_place_while_it_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let host = builder()
        .instances(1)
        .scratch_dir(scratch.path())
        .build()
        .unwrap();
    let pipeline = identity(&host).await;
    let source = || Source::bytes("a.bin", large());
    let held = patiently(host.pull(&pipeline, source()).single())
        .await
        .unwrap();
    assert_eq!(
        host.occupancy().instances,
        1,
        "the plugin waits for its reader"
    );
    drop(held);

    let slow = patiently(host.pull(&pipeline, source()).spool().single())
        .await
        .unwrap();
    assert_eq!(slow.info.size, Some(LARGE as u64));
    assert_eq!(host.occupancy().instances, 0);
    assert_eq!(host.occupancy().jobs, 1);
    let other = host.pull(&pipeline, source()).queue_timeout(PATIENCE);
    let other: Vec<Bytes> = patiently(other.single())
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let slow: Vec<Bytes> = patiently(slow.try_collect()).await.unwrap();
    assert!(other.concat() == slow.concat() && slow.concat() == large());

    // A stage that fails late is told before anything is handed out.
    let late = hostile(&host, "fail-late").await;
    let error = patiently(host.pull(&late, source()).spool().single())
        .await
        .unwrap_err();
    assert!(matches!(error.errors[..], [Error::Stage(_)]), "{error}");
    patiently(host.drain(PATIENCE)).await;
    assert_eq!(scratch.path().read_dir().unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spooled_counts_against_the_scratch_of_its_job() {
    let host = host();
    let plugin = host
        .load("identity", forebay_bundled::IDENTITY)
        .await
        .unwrap();
    let pipeline = Pipeline::builder("small scratch")
        .stage(Stage::new(&plugin))
        .limits(forebay::JobLimits::default().scratch_bytes(1_000_000))
        .build()
        .unwrap();
    let job = host.pull(&pipeline, Source::bytes("a.bin", large()));
    let error = patiently(job.spool().single()).await.unwrap_err();
    assert!(
        matches!(
            error.errors[0],
            Error::Job {
                limit: forebay::Exceeded::ScratchBytes(_),
                ..
            }
        ),
        "{error:?}"
    );
}
