//! Handles, events, and errors that a service can act on.

use forebay::{Error, ErrorKind, Event, Memory, Source};
use serde_json::json;

use super::{host, hostile, identity, patiently, pipeline, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_spins_is_cancelled_by_its_handle_and_tells_what_it_used() {
    let host = host();
    let pipeline = hostile(&host, "spin").await;
    let source = Source::bytes("a.txt", "some words");
    let (job, mut events) = host.job(&pipeline, source, Memory::new()).events();
    let job = job.spawn();
    wait_for(&mut events, "started").await;
    assert!(!job.is_finished());
    let error = patiently(job.cancel()).await.unwrap_err();
    assert!(
        matches!(&error.errors[..], [Error::Cancelled { file }] if file == "a.txt"),
        "{error:?}"
    );
    assert_eq!(error.report.stages[0].failure.as_deref(), Some("cancelled"));
    let Event::Ended { report } = wait_for(&mut events, "ended").await else {
        panic!("another event of that name");
    };
    assert_eq!(report.failure.as_deref(), Some("cancelled"));
    assert!(!report.usage.wall_clock.is_zero(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_waits_for_the_report_and_a_dropped_one_drops_the_job() {
    let host = host();
    let pipeline = identity(&host).await;
    let source = Source::bytes("a.txt", "some words");
    let report = host
        .job(&pipeline, source, Memory::new())
        .spawn()
        .await
        .unwrap();
    assert_eq!(report.files.len(), 1);

    let (writer, never_ends) = tokio::io::duplex(64);
    let source = Source::reader("a.txt", never_ends);
    let (job, mut events) = host.job(&pipeline, source, Memory::new()).events();
    let job = job.spawn();
    drop(job);
    // They end when the job's last task has ended.
    patiently(async { while events.next().await.is_some() {} }).await;
    assert_eq!(host.occupancy().jobs, 0);
    drop(writer);
}

#[tokio::test]
async fn a_runtime_of_one_thread_runs_and_cancels_jobs() {
    let host = host();
    let pipeline = identity(&host).await;
    let source = Source::bytes("a.txt", "some words");
    host.run(&pipeline, source, Memory::new()).await.unwrap();
    let pipeline = hostile(&host, "spin").await;
    let source = Source::bytes("a.txt", "some words");
    let (job, mut events) = host.job(&pipeline, source, Memory::new()).events();
    let job = job.spawn();
    wait_for(&mut events, "started").await;
    let error = patiently(job.cancel()).await.unwrap_err();
    assert_eq!(error.errors[0].kind(), ErrorKind::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_signals_cancels_a_job() {
    let host = host();
    let pipeline = hostile(&host, "hang").await;
    let (never, token) = (
        std::future::pending(),
        tokio_util::sync::CancellationToken::new(),
    );
    let job = host.job(
        &pipeline,
        Source::bytes("a.txt", "some words"),
        Memory::new(),
    );
    let job = job
        .cancel_on(token.clone().cancelled_owned())
        .cancel_on(never);
    let (job, mut events) = job.events();
    let job = job.spawn();
    wait_for(&mut events, "started").await;
    token.cancel();
    let error = patiently(job).await.unwrap_err();
    assert_eq!(error.errors[0].kind(), ErrorKind::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_a_job_from_its_start_to_its_end() {
    let host = host();
    let panic = json!({ "behaviour": "panic", "after": 1 });
    let stages: [(&[u8], _); 2] = [
        (forebay_bundled::IDENTITY, json!({})),
        (forebay_test_plugins::HOSTILE, panic),
    ];
    let pipeline = pipeline(&host, &stages).await;
    let source = Source::bytes("a.txt", "some words");
    let (job, mut events) = host.job(&pipeline, source, Memory::new()).events();
    let error = job.run().await.unwrap_err();
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event"], event.name());
        told.push(json);
    }
    let of = |name: &'static str| told.iter().filter(move |event| event["event"] == name);
    let started: Vec<_> = of("started").map(|event| &event["stage"]).collect();
    assert_eq!(started, ["1 identity", "2 hostile"]);
    assert_eq!(of("started").next().unwrap()["plugin"], "identity");
    // The first stage may be interrupted by the second, or may have succeeded before.
    let ended = |stage| of("ended").filter(move |event| event["report"]["stage"] == stage);
    assert_eq!(
        (ended("1 identity").count(), ended("2 hostile").count()),
        (1, 1)
    );
    let crashed = &ended("2 hostile").next().unwrap()["report"];
    assert!(crashed["peak_memory"].as_u64().unwrap() > 0, "{crashed}");
    let failed: Vec<_> = of("failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0]["kind"], &failed[0]["failure"]["code"]),
        (&"plugin".into(), &"crashed".into())
    );
    assert_eq!(of("delivered").count(), 0);

    let Error::Stage(stage) = &error.errors[0] else {
        panic!("{error:?}");
    };
    assert!(stage.usage.peak_memory > 0 && !stage.usage.wall_clock.is_zero());
    assert_eq!(stage.cause.name(), "crashed");
    let cause = std::error::Error::source(stage).unwrap();
    assert!(cause.downcast_ref::<forebay::StageCause>().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_tells_whose_fault_it_is_and_leads_to_its_cause() {
    let host = host();
    let run = async |pipeline, source| {
        let ended = host.run(&pipeline, source, Memory::new()).await;
        ended.unwrap_err().errors.remove(0)
    };
    let words = || Source::bytes("a.txt", "some words");
    let said = async |config| pipeline(&host, &[(forebay_test_plugins::HOSTILE, config)]).await;
    let gives_up =
        |kind: &str| json!({ "behaviour": "fail", "kind": kind, "at": "start", "bytes": 3 });
    let resize: (&[u8], _) = (forebay_bundled::IMAGE_RESIZE, json!({ "max_width": 9 }));
    let cases = [
        (
            run(identity(&host).await, Source::path("/no/such.txt")).await,
            "caller",
            400,
        ),
        (
            run(identity(&host).await, words().size(3)).await,
            "caller",
            400,
        ),
        (
            run(pipeline(&host, &[resize]).await, words()).await,
            "media_type",
            415,
        ),
        (
            run(said(gives_up("unsupported")).await, words()).await,
            "media_type",
            415,
        ),
        (
            run(said(gives_up("invalid-input")).await, words()).await,
            "file",
            422,
        ),
        (
            run(said(gives_up("invalid-config")).await, words()).await,
            "caller",
            400,
        ),
        (
            run(hostile(&host, "grow").await, words()).await,
            "limit",
            413,
        ),
        (
            run(hostile(&host, "exit").await, words()).await,
            "plugin",
            500,
        ),
        (host.load("x", "not wasm").await.unwrap_err(), "plugin", 500),
        (
            host.load_file("/no/such.wasm").await.unwrap_err(),
            "host",
            500,
        ),
    ];
    for (error, name, status) in cases {
        let kind = error.kind();
        assert_eq!((kind.name(), kind.http_status()), (name, status), "{error}");
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
    }
    let error = run(identity(&host).await, Source::path("/no/such.txt")).await;
    let cause = std::error::Error::source(&error).unwrap();
    let cause = cause.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_plugin_is_loaded_only_by_its_own_digest() {
    let host = host();
    let digest = host
        .load("identity", forebay_bundled::IDENTITY)
        .await
        .unwrap()
        .digest()
        .to_owned();
    let pinned = host
        .load_pinned(
            "identity",
            forebay_bundled::IDENTITY,
            &digest.to_uppercase(),
        )
        .await;
    assert_eq!(pinned.unwrap().digest(), digest);
    let other = host
        .load_pinned("identity", forebay_bundled::STRIP_METADATA, &digest)
        .await;
    let error = other.unwrap_err();
    assert!(error.to_string().contains(&digest), "{error}");
    assert!(matches!(
        error,
        Error::Load {
            reason: forebay::LoadError::Digest { .. },
            ..
        }
    ));
}
