//! Places: who waits, for how long, and what a host does before it goes.

use std::time::Duration;

use forebay::{Error, ErrorKind, Host, JobHandle, Memory, Pipeline, Source};

use super::{builder, host, hostile, identity, patiently, wait_for};

/// A job that has begun and does not end.
async fn endless(host: &Host, pipeline: &Pipeline) -> JobHandle {
    let source = Source::bytes("endless.txt", "some words");
    let (job, mut events) = host.job(pipeline, source, Memory::new()).events();
    let job = job.spawn();
    wait_for(&mut events, "started").await;
    job
}

fn words() -> Source {
    Source::bytes("a.txt", "some words")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_host_says_so_and_a_plugin_is_loaded_all_the_same() {
    let host = builder().instances(1).build().unwrap();
    let pipeline = identity(&host).await;
    let endless = endless(&host, &hostile(&host, "sleep").await).await;
    let job = || host.job(&pipeline, words(), Memory::new());

    let error = job().try_run().await.unwrap_err();
    assert!(matches!(error.errors[0], Error::Busy { .. }), "{error}");
    assert_eq!(error.errors[0].kind(), ErrorKind::Busy);
    let error = job().queue_timeout(Duration::from_millis(1)).run().await;
    let error = error.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("busy: no place was free within 1ms"),
        "{error}"
    );
    assert!(error.report.stages.is_empty());

    // Its own cache is empty, so the plugin is compiled and asked what it is.
    let cold = Host::builder().instances(1).build().unwrap();
    let spin = hostile(&cold, "spin").await;
    let spinning = self::endless(&cold, &spin).await;
    patiently(cold.load("identity", forebay_bundled::IDENTITY))
        .await
        .unwrap();
    drop((spinning, endless));
}

#[tokio::test(flavor = "multi_thread")]
async fn occupancy_counts_what_runs_and_what_waits() {
    let host = builder().instances(1).build().unwrap();
    let counts = || {
        let now = host.occupancy();
        (now.instances, now.max_instances, now.jobs, now.waiting)
    };
    assert_eq!(counts(), (0, 1, 0, 0));
    let endless = endless(&host, &hostile(&host, "sleep").await).await;
    assert_eq!(counts(), (1, 1, 1, 0));
    let (job, mut events) = host
        .job(&identity(&host).await, words(), Memory::new())
        .events();
    let waiting = job.queue_timeout(super::PATIENCE).spawn();
    wait_for(&mut events, "waiting").await;
    patiently(async {
        while counts() != (1, 1, 1, 1) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let _ = patiently(endless.cancel()).await.unwrap_err();
    patiently(waiting).await.unwrap();
    assert_eq!(counts(), (0, 1, 0, 0));
    let json = serde_json::to_value(host.occupancy()).unwrap();
    assert_eq!(json["max_instances"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_drained_lets_jobs_end_and_takes_no_more() {
    let host = host();
    let pipeline = identity(&host).await;
    let (mut writer, reader) = tokio::io::duplex(64);
    let (job, mut events) = host
        .job(&pipeline, Source::reader("a.txt", reader), Memory::new())
        .events();
    let job = job.spawn();
    tokio::io::AsyncWriteExt::write_all(&mut writer, b"some")
        .await
        .unwrap();
    wait_for(&mut events, "read").await;
    let (clone, patience) = (host.clone(), super::PATIENCE);
    let drained = tokio::spawn(async move { clone.drain(patience).await });
    // It is refused once the host is drained; until then it is done.
    let refused = patiently(async {
        loop {
            if let Err(error) = host.run(&pipeline, words(), Memory::new()).await {
                break error;
            }
        }
    })
    .await;
    assert!(
        matches!(refused.errors[0], Error::Draining { .. }),
        "{refused}"
    );
    assert_eq!(refused.errors[0].kind(), ErrorKind::Busy);
    assert!(!drained.is_finished(), "a job is left");
    drop(writer);
    let report = patiently(job).await.unwrap();
    assert_eq!(report.files[0].size, 4);
    assert_eq!(patiently(drained).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_cancels_what_is_left_and_waits_until_it_is_gone() {
    let scratch = tempfile::tempdir().unwrap();
    let host = builder()
        .instances(2)
        .scratch_dir(scratch.path())
        .build()
        .unwrap();
    let spinning = endless(&host, &hostile(&host, "spin").await).await;
    let sleeping = endless(&host, &hostile(&host, "sleep").await).await;
    let (job, mut events) = host
        .job(&identity(&host).await, words(), Memory::new())
        .events();
    let waiting = job.spawn();
    wait_for(&mut events, "waiting").await;
    assert_eq!(patiently(host.drain(Duration::ZERO)).await, 3);
    assert_eq!(scratch.path().read_dir().unwrap().count(), 0);
    for job in [spinning, sleeping, waiting] {
        let error = patiently(job).await.unwrap_err();
        assert!(
            matches!(error.errors[..], [Error::Cancelled { .. }]),
            "{error}"
        );
    }
    assert_eq!(patiently(host.drain(Duration::ZERO)).await, 0, "again");
    let now = host.occupancy();
    assert_eq!((now.instances, now.jobs, now.waiting), (0, 0, 0));
}

/// A job whose future is dropped has nobody who waits for it. The host does.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_the_scratch_of_dropped_jobs() {
    let scratch = tempfile::tempdir().unwrap();
    let host = builder().scratch_dir(scratch.path()).build().unwrap();
    let plugin = host
        .load("hostile-file", forebay_test_plugins::HOSTILE_FILE)
        .await
        .unwrap();
    let stage = forebay::Stage::new(&plugin).config(serde_json::json!({ "behaviour": "spin" }));
    let pipeline = Pipeline::builder("file").stage(stage).build().unwrap();
    for _ in 0..8 {
        let job = endless(&host, &pipeline).await;
        let is_made = || scratch.path().read_dir().unwrap().count() > 0;
        patiently(async {
            while !is_made() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(job);
    }
    patiently(host.drain(super::PATIENCE)).await;
    assert_eq!(scratch.path().read_dir().unwrap().count(), 0);
}
