//! `upload`: whole files, by whichever flow their size calls for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use forebay::assets::MULTIPART_MAX;
use forebay::{Event, Grants, Source};
use forebay_emulator::Flow;
use serde_json::json;

use crate::{Service, assert_told, client, drill, host, large, pdf, sha256, small, upload};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_uploads_at_once_run_side_by_side_and_bounded() {
    let service = Service::start().await;
    let content = pdf(100_000);
    let workflow = drill(upload(100), Grants::all()).await;
    let (under_way, most) = (AtomicI64::new(0), Arc::new(AtomicI64::new(0)));
    let seen = most.clone();
    let report = service
        .job(&workflow, [Source::bytes("a.pdf", content.clone())])
        .await
        .observe(move |event| match event {
            Event::Delivering { .. } => {
                let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                seen.fetch_max(now, Ordering::SeqCst);
            }
            Event::Delivered { .. } => {
                under_way.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        })
        .run()
        .await
        .unwrap();
    let most = most.load(Ordering::SeqCst);
    assert!(
        (20..=32).contains(&most),
        "{most} uploads were under way at once"
    );
    assert_eq!(report.files.len(), 100);
    assert_eq!(service.emulator.assets().len(), 100);
    let sha256 = sha256(&content);
    for asset in report.result.as_array().unwrap() {
        let stored = service.stored(&asset["asset_id"]);
        assert_eq!(stored.sha256.as_ref(), Some(&sha256));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_says_what_went_wrong() {
    let service = Service::start().await;
    let result = async |grants: Grants, sources: Vec<Source>| {
        service.exercise_within(grants, upload(1), sources).await
    };
    let denied = result(Grants::none().direct_upload().file_inputs(), vec![small()]).await;
    assert!(denied[0]["denied"].is_string(), "{denied}");
    let too_large = result(Grants::none().upload().file_inputs(), vec![large()]).await;
    assert_eq!(too_large, json!([{ "too-large": MULTIPART_MAX }]));
    let few = result(Grants::all().max_assets(1), vec![small(), small()]).await;
    let each = few.as_array().unwrap().iter();
    let denied = each.filter(|one| one["denied"].is_string());
    assert_eq!(denied.count(), 1, "{few}");
    let few = result(Grants::all().max_bytes(999), vec![small()]).await;
    assert_told(&few[0], "denied", "999");
    let text = result(Grants::all(), vec![Source::bytes("a.txt", "words")]).await;
    assert_eq!(text, json!([{ "unsupported-type": "text/plain" }]));

    let workflow = drill(upload(1), Grants::all()).await;
    let wrong_key = client(service.emulator.base_url(), "another-key");
    let run = host().await.run_workflow(&workflow, [small()], &wrong_key);
    let refused = run.await.unwrap().result;
    assert_eq!(
        (&refused[0]["service"], &refused[0]["code"]),
        (&json!(401), &json!("unauthorized"))
    );
    assert!(refused[0]["request_id"].is_string());

    let both = service.exercise(upload(1), [small(), large()]).await;
    assert_eq!(both[0]["size_bytes"], 1000);
    assert_eq!(both[1]["size_bytes"], MULTIPART_MAX + 1);
    let stored = service.emulator.assets();
    let flows: Vec<Flow> = stored.iter().map(|asset| asset.flow).collect();
    assert!(flows.contains(&Flow::DirectUpload) && flows.contains(&Flow::Upload));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_a_value_too() {
    let service = Service::start().await;
    // A port that nobody listens on.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let away = client(&nobody, "k");
    let workflow = drill(upload(1), Grants::all()).await;
    let run = host().await.run_workflow(&workflow, [small()], &away);
    let report = run.await.unwrap();
    assert_told(&report.result[0], "transport", "no connection");
    service.is_empty().await;
}
