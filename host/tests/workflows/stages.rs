//! Stages are lent to a workflow, which runs them.

use forebay::{Exceeded, Limits, Source, StageCause};
use serde_json::{Value, json};

use crate::{Service, assert_told, bare_drill, broken, cause, document, photo, stage};

/// The exercise that runs a stage and says what it made.
fn exercise(stage: &str, config: Value) -> Value {
    json!({ "exercise": "apply", "stage": stage, "config": config })
}

fn names(parts: &Value) -> Vec<&str> {
    let parts = parts.as_array().unwrap().iter();
    parts.map(|part| part["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_run_by_the_names_that_they_were_lent_under() {
    let service = Service::start().await;
    let lent = service.exercise(json!({ "exercise": "stages" }), []).await;
    assert_eq!(lent, json!(["as it is", "resize", "split"]));

    let apply = async |stage: &str, config: Value, source: Source| {
        service.exercise(exercise(stage, config), [source]).await
    };
    let parts = apply("split", json!({}), document()).await;
    assert_eq!(
        names(&parts),
        ["document-001-002.pdf", "document-003-004.pdf"]
    );
    let pages = apply("split", json!({ "pages_per_file": 1 }), document()).await;
    assert_eq!(
        names(&pages).len(),
        4,
        "a field of the config takes the place of the stage's own"
    );
    assert!(pages[0]["bytes"].as_u64().unwrap() > 1000);

    let denied = apply("identity", json!({}), document()).await;
    assert_told(&denied, "denied", "as it is, resize, split");
    let config = apply("split", json!({ "pages": 1 }), document()).await;
    assert_told(&config, "invalid-config", "`pages`");
    let config = apply("split", json!([1]), document()).await;
    assert_eq!(config, json!({ "invalid-config": "is not an object" }));
    let kind = apply("resize", json!({}), document()).await;
    assert_told(&kind, "unsupported", "application/pdf");
    let damaged = apply("split", json!({}), broken()).await;
    assert!(damaged["invalid-input"].is_string(), "{damaged}");
    let refused = apply("resize", json!({ "max_pixels": 1000 }), photo()).await;
    assert_told(&refused, "unsupported", "max_pixels");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stages_make_counts_as_the_workflows_output() {
    let service = Service::start().await;
    for (limits, exceeded) in [
        (Limits::default().output_files(3), Exceeded::OutputFiles(3)),
        (
            Limits::default().output_bytes(9_999),
            Exceeded::OutputBytes(9_999),
        ),
    ] {
        let workflow = bare_drill(exercise("split", json!({ "pages_per_file": 1 })))
            .await
            .limits(limits)
            .lend("split", stage(forebay_bundled::PDF_SPLIT).await)
            .build()
            .unwrap();
        let error = service.run(&workflow, [document()]).await.unwrap_err();
        assert_eq!(cause(error), StageCause::Limit(exceeded));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_are_counted_and_names_are_not_repeated_at_length() {
    let service = Service::start().await;
    let at_once =
        |times: u64| json!({ "exercise": "apply-at-once", "stage": "as it is", "times": times });
    let workflow = bare_drill(at_once(300))
        .await
        .lend("as it is", stage(forebay_bundled::IDENTITY).await)
        .build()
        .unwrap();
    let error = service.run(&workflow, [photo()]).await.unwrap_err();
    let StageCause::Host(told) = cause(error) else {
        panic!("another cause");
    };
    assert!(told.contains("at most 256 may"), "{told}");

    let name = "n".repeat(100_000);
    let denied = service
        .exercise(exercise(&name, json!({})), [photo()])
        .await;
    let told = denied["denied"].as_str().unwrap();
    assert!(
        told.len() < 1000 && told.starts_with("no stage `nnn"),
        "{told}"
    );
}
