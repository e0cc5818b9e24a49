//! Direct uploads by hand: `create`, a put of a file or of a stream, and `complete`.

use forebay::{Grants, Source};
use forebay_emulator::AssetStatus;
use serde_json::{Value, json};

use crate::{Service, assert_told, pdf, sha256, small};

fn direct(put: &str, complete: usize) -> Value {
    json!({ "exercise": "direct", "put": put, "complete": complete })
}

/// The same, with one field announced that is not the input's own.
fn announced(put: &str, field: &str, value: Value) -> Value {
    let mut exercise = direct(put, 1);
    exercise[field] = value;
    exercise
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_upload_goes_step_by_step() {
    let service = Service::start().await;
    let content = pdf(3_000_000);
    for put in ["file", "stream"] {
        let source = Source::bytes("a.pdf", content.clone());
        let result = service.exercise(direct(put, 2), [source]).await;
        assert_eq!(result["put"], "ok");
        assert_eq!(result["max_bytes"], 200 << 20);
        assert_eq!(result["expires_in_seconds"], 3600);
        let (first, second) = (&result["complete"][0], &result["complete"][1]);
        assert_eq!(first, second, "complete may be called again");
        assert_eq!(first["asset_id"], result["asset_id"]);
        assert_eq!(first["size_bytes"], 3_000_000);
        let stored = service.stored(&result["asset_id"]);
        assert_eq!(stored.status, AssetStatus::Completed);
        assert_eq!(stored.sha256, Some(sha256(&content)));
    }
    assert_eq!(service.emulator.assets().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_upload_that_is_not_completed_leaves_nothing() {
    let service = Service::start().await;
    let source = || Source::bytes("a.pdf", pdf(3_000_000));
    let wrong_size = |size: u64| json!({ "wrong-size": size });
    let not_uploaded = json!(["not-uploaded"]);
    for (exercise, put, complete) in [
        (direct("nothing", 0), json!(null), &json!([])),
        (direct("nothing", 1), json!(null), &not_uploaded),
        (direct("stream", 0), json!("ok"), &json!([])),
        (direct("file", 0), json!("ok"), &json!([])),
        (direct("short", 1), wrong_size(2_999_999), &not_uploaded),
        (direct("long", 1), wrong_size(3_000_001), &not_uploaded),
    ] {
        let result = service.exercise(exercise.clone(), [source()]).await;
        assert_eq!(result["put"], put, "{exercise}");
        assert_eq!(result["complete"], *complete, "{exercise}");
        service.is_empty().await;
    }
    // It would go on for ever. What it writes after the first chunk too many is never taken.
    let result = service.exercise(direct("endless", 1), [source()]).await;
    let taken = result["put"]["wrong-size"].as_u64().unwrap();
    assert!((3_000_001..5_000_000).contains(&taken), "{taken}");
    assert_eq!(result["complete"], not_uploaded);
    service.is_empty().await;
    // The input is another file than was announced.
    for put in ["file", "stream"] {
        let video = announced(put, "media_type", json!("video/mp4"));
        let result = service.exercise(video, [source()]).await;
        assert_told(&result["put"], "unsupported-type", "application/pdf");
        assert_told(&result["put"], "unsupported-type", "video/mp4");
        let less = announced(put, "size", json!(1_000_000));
        let result = service.exercise(less, [source()]).await;
        assert!(
            result["put"]["wrong-size"].as_u64().unwrap() > 1_000_000,
            "{result}"
        );
        service.is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_says_what_went_wrong() {
    let service = Service::start().await;
    let grants = Grants::none().upload().file_inputs();
    let denied = service
        .exercise_within(grants, direct("file", 1), [small()])
        .await;
    assert!(denied["create"]["denied"].is_string(), "{denied}");
    let text = announced("file", "media_type", json!("text/plain"));
    let refused = service.exercise(text, [small()]).await;
    assert_eq!(
        refused,
        json!({ "create": { "unsupported-type": "text/plain" } })
    );
    let vast = announced("file", "size", json!(1_u64 << 30));
    let refused = service.exercise(vast, [small()]).await;
    assert_eq!(refused["create"]["service"], 400, "{refused}");
    service.is_empty().await;
}
