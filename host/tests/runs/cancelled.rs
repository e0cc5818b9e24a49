//! A job that is cancelled or that fails tells in its report what it did.

use std::sync::Mutex;

use forebay::{Error, Event, Host, Memory, Report, Source};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{PATIENCE, host, pipeline, stage};

fn told(report: &Report) -> Vec<(&str, Option<&str>)> {
    report
        .stages
        .iter()
        .map(|stage| (stage.stage.as_str(), stage.failure.as_deref()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_tells_its_stages_and_removes_its_scratch() {
    let scratch = tempfile::tempdir().unwrap();
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    let host = Host::builder()
        .cache_dir(cache)
        .scratch_dir(scratch.path())
        .build()
        .unwrap();
    // A source that does not end: its writer stays open.
    let (reader, mut writer) = tokio::io::duplex(1 << 20);
    let words = vec![b'x'; 300_000];
    tokio::io::AsyncWriteExt::write_all(&mut writer, &words)
        .await
        .unwrap();
    let (begun, has_begun) = oneshot::channel();
    let begun = Mutex::new(Some(begun));
    let sink = Memory::new();
    let stages = [stage(&host, forebay_bundled::IDENTITY, json!({})).await];
    let job = host
        .job(
            &pipeline(stages),
            Source::reader("a.txt", reader),
            sink.clone(),
        )
        .observe(move |event| {
            // The stage has put out bytes and runs on.
            if matches!(event, Event::Delivering { .. })
                && let Some(begun) = begun.lock().unwrap().take()
            {
                begun.send(()).unwrap();
            }
        })
        .cancel_on(async move { drop(has_begun.await) });
    let ended = tokio::time::timeout(PATIENCE, job.run()).await.unwrap();
    let error = ended.unwrap_err();
    assert!(
        matches!(&error.errors[..], [Error::Cancelled { file }] if file == "a.txt"),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "a.txt: cancelled");
    assert_eq!(told(&error.report), [("1 identity", Some("cancelled"))]);
    assert!(error.report.stages[0].usage.bytes_in > 0);
    assert_eq!(error.report.source.name, "a.txt");
    assert!(sink.take().is_empty());
    assert_eq!(scratch.path().read_dir().unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_tells_its_stages_and_what_they_used() {
    let host = host();
    let panic = json!({ "behaviour": "panic", "after": 1 });
    let stages = [
        stage(&host, forebay_bundled::IDENTITY, json!({})).await,
        stage(&host, forebay_test_plugins::HOSTILE, panic).await,
    ];
    let source = Source::bytes("a.txt", "some words");
    let ended = host.run(&pipeline(stages), source, Memory::new()).await;
    let report = ended.unwrap_err().report;
    let stages = told(&report);
    assert_eq!(stages[0], ("1 identity", None));
    let (stage, failure) = stages[1];
    assert_eq!(stage, "2 hostile");
    assert!(
        failure.unwrap().starts_with("the plugin crashed: "),
        "{failure:?}"
    );
    let usage = &report.stages[1].usage;
    assert!(
        usage.peak_memory > 0 && !usage.wall_clock.is_zero(),
        "{usage:?}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["stages"].as_array().unwrap().len(), 2);
    assert_eq!(json["stages"][0]["failure"], serde_json::Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_signal_never_comes_ends_as_others_do() {
    let host = host();
    let report = host
        .job(
            &pipeline([stage(&host, forebay_bundled::IDENTITY, json!({})).await]),
            Source::bytes("a.txt", "some words"),
            Memory::new(),
        )
        .cancel_on(std::future::pending())
        .run()
        .await
        .unwrap();
    assert!(report.stages.is_empty(), "they are listed with the file");
    assert_eq!(report.files[0].stages.len(), 1);
}
