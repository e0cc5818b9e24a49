//! However a workflow ends, if it does not succeed, nothing that it uploaded is left.

use std::sync::Mutex;
use std::time::Duration;

use forebay::assets::MULTIPART_MAX;
use forebay::{Error, Event, Exceeded, Grants, Limits, Source, StageCause};
use serde_json::{Value, json};

use crate::{Service, bare_drill, cause, drill, large, pdf, small};

/// The exercise that uploads the inputs, and then does not succeed.
fn then(end: &str) -> Value {
    json!({ "exercise": "then", "end": end })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_workflow_uploaded_is_deleted() {
    let service = Service::start().await;
    for (end, expected) in [
        ("fail", "failed: on second thoughts"),
        ("panic", "the plugin crashed: "),
    ] {
        let workflow = drill(then(end), Grants::all()).await;
        let run = service.run(&workflow, [small(), large()]);
        let error = run.await.unwrap_err();
        assert_eq!(
            service.emulator.assets(),
            [],
            "deleted before the error is told"
        );
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("workflow drill: {expected}")),
            "{text}"
        );
    }
    let uploads = service
        .emulator
        .requests()
        .iter()
        .filter(|request| request.path.ends_with("/complete") && request.status == Some(200))
        .count();
    assert_eq!(uploads, 2, "there was something to delete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_is_cancelled_leaves_nothing() {
    let service = Service::start().await;
    let workflow = drill(then("sleep"), Grants::all()).await;
    // At each number of deliveries: some are done, one is under way.
    for cancel_at in 1..=4 {
        let sources = (0..4).map(|at| {
            let size = if at % 2 == 0 {
                500_000
            } else {
                MULTIPART_MAX as usize + 1
            };
            Source::bytes(format!("{at}.pdf"), pdf(size))
        });
        let (reached, cancel) = tokio::sync::oneshot::channel();
        let reached = Mutex::new(Some(reached));
        let job = service.job(&workflow, sources).await;
        let job = job.observe(move |event| {
            if matches!(event, Event::Sent { delivery, .. } if *delivery == cancel_at)
                && let Some(reached) = reached.lock().unwrap().take()
            {
                reached.send(()).unwrap();
            }
        });
        tokio::select! {
            ended = job.run() => panic!("{ended:?}"),
            reached = cancel => reached.unwrap(),
        }
        service.is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_is_cancelled_by_its_handle_tells_what_it_did_and_leaves_nothing() {
    let service = Service::start().await;
    let workflow = drill(then("sleep"), Grants::all()).await;
    let (job, mut events) = service.job(&workflow, [small()]).await.events();
    let job = job.spawn();
    while !matches!(events.next().await.unwrap(), Event::Delivered { .. }) {}
    let error = job.cancel().await.unwrap_err();
    assert!(
        matches!(&error.errors[..], [Error::Cancelled { file }] if file == workflow.name()),
        "{error:?}"
    );
    let report = error.report.unwrap();
    assert!(report.usage.peak_memory > 0, "{report:?}");
    assert_eq!(report.inputs.len(), 1);
    assert_eq!(
        service.emulator.assets(),
        [],
        "deleted before the error is told"
    );
    service.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_workflows() {
    let service = Service::start().await;
    let slow = bare_drill(then("sleep"))
        .await
        .grants(Grants::all())
        .limits(Limits::default().wall_clock(Duration::from_millis(500)))
        .build()
        .unwrap();
    let error = service.run(&slow, [small()]).await.unwrap_err();
    assert!(matches!(
        cause(error),
        StageCause::Limit(Exceeded::WallClock(_))
    ));
    service.is_empty().await;

    // Its text is short, and what is read from it is not.
    let objects = drill(then("objects"), Grants::all()).await;
    let error = service.run(&objects, [small()]).await.unwrap_err();
    assert_eq!(
        cause(error),
        StageCause::Limit(Exceeded::HostMemory(64 << 20))
    );
    service.is_empty().await;

    // Handles without end are the guest's own problem.
    let hoard = json!({ "exercise": "hoard", "times": 10_000_000 });
    let greedy = drill(hoard.clone(), Grants::all()).await;
    let error = service.run(&greedy, [small()]).await.unwrap_err();
    assert_eq!(cause(error), StageCause::Limit(Exceeded::Handles(20_000)));
    // With a folder there are fewer: each may be an open file.
    let folder = tempfile::tempdir().unwrap();
    let within = Grants::all().read("/folder", folder.path());
    let greedy = drill(hoard, within).await;
    let error = service.run(&greedy, [small()]).await.unwrap_err();
    assert_eq!(cause(error), StageCause::Limit(Exceeded::Handles(128)));
}
