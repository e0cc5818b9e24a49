//! File inputs: what stands for a file in a request to the service, checked by the host whoever made it.

use bytes::Bytes;
use forebay::assets::MULTIPART_MAX;
use forebay::{Grants, Source};
use serde_json::json;

use crate::{Service, assert_told, pdf};

const PDF: Bytes = Bytes::from_static(b"%PDF-1.4");

#[tokio::test(flavor = "multi_thread")]
async fn file_inputs_come_in_three_forms() {
    let service = Service::start().await;
    let inputs = async |grants: Grants, url: &str, content: Bytes| {
        let exercise = json!({ "exercise": "file-inputs", "url": url });
        let source = Source::bytes("a", content);
        service.exercise_within(grants, exercise, [source]).await
    };
    let granted = || Grants::all().url_host("example.com").asset("ast_1");
    let made = inputs(granted(), "https://example.com/a.png", PDF).await;
    let inline =
        json!({ "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ=" });
    assert_eq!(
        made,
        json!({
            "asset": { "type": "asset_id", "asset_id": "ast_1" },
            "url": { "type": "url", "url": "https://example.com/a.png" },
            "bytes": inline,
            "made-up": inline,
        })
    );

    let words = Bytes::from_static(b"words");
    let wrong = inputs(granted(), "http://example.com/a.png", words).await;
    assert!(wrong["url"]["invalid-url"].is_string());
    assert_eq!(wrong["bytes"], json!({ "unsupported-type": "text/plain" }));
    assert_eq!(
        wrong["made-up"], wrong["bytes"],
        "what a guest makes up is checked as well"
    );

    let large = pdf(MULTIPART_MAX as usize + 1);
    let large = inputs(granted(), "https://a.b/", large).await;
    assert_eq!(large["bytes"], json!({ "too-large": MULTIPART_MAX }));

    // What a result may not name is told when it is made.
    let denied = inputs(Grants::all(), "https://example.com/a.png", PDF).await;
    assert_told(&denied["asset"], "denied", "`ast_1` is neither of this run");
    assert_told(&denied["url"], "denied", "from `example.com`");
    assert_eq!(denied["bytes"], inline);
}
