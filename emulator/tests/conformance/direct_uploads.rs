//! Direct uploads: the first and the third step.

use forebay_emulator::{AssetStatus, Flow};
use reqwest::StatusCode;
use serde_json::json;

use crate::common::{Fixture, PDF, PNG, mp4, sha256};

pub(crate) async fn three_steps_make_an_asset() {
    let f = Fixture::start().await;
    let bytes = mp4(40 << 20);
    let body = json!({
        "filename": "dir/footage.mov", "content_type": "video/mp4", "size_bytes": bytes.len(),
    });
    let slot = f.create_from(&body).await;
    assert_eq!(slot.data["status"], "pending_upload");
    assert_eq!(slot.data["max_bytes"], 200 << 20);
    assert_eq!(slot.data["expires_in_seconds"], 3600);
    assert_eq!(
        slot.data["upload_headers"],
        json!({"Content-Type": "video/mp4"})
    );
    assert!(slot.url.starts_with(f.emulator.base_url()));
    assert_eq!(slot.data.as_object().unwrap().len(), 6);
    let pending = &f.emulator.assets()[0];
    assert_eq!(
        (pending.status, pending.sha256.clone()),
        (AssetStatus::PendingUpload, None)
    );

    let response = f.put(&slot, bytes.clone()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        f.files("assets"),
        [""; 0],
        "not visible before it is complete"
    );

    let answer = f.complete(&slot.id, &json!({})).await;
    assert_eq!(answer.text("asset_id"), slot.id);
    assert_eq!(answer.text("mime_type"), "video/mp4");
    assert_eq!(answer.text("status"), "processing");
    assert_eq!(answer.data()["size_bytes"], bytes.len());
    let url = answer.text("url");
    assert!(
        url.ends_with(&format!("{}.mp4", slot.id)),
        "the extension is the type's"
    );
    assert_eq!(answer.data().as_object().unwrap().len(), 5);

    let asset = &f.emulator.assets()[0];
    assert_eq!(
        (asset.flow, asset.status),
        (Flow::DirectUpload, AssetStatus::Completed)
    );
    assert_eq!(
        (asset.name.as_str(), asset.sha256.clone()),
        ("footage.mov", Some(sha256(&bytes)))
    );
    assert_eq!(f.files("incoming"), [""; 0]);
    let stored = f
        .client
        .get(url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(sha256(&stored), sha256(&bytes));
}

pub(crate) async fn completing_before_the_put_conflicts_and_afterwards_may_be_repeated() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let early = f.complete(&slot.id, &json!({})).await;
    assert_eq!(early.error(), (409, "conflict", None));

    f.put(&slot, PNG).send().await.unwrap();
    let first = f.complete(&slot.id, &json!({})).await;
    let again = f
        .complete(&slot.id, &json!({"checksum_sha256": sha256(PNG)}))
        .await;
    assert_eq!(first.data(), again.data());
    assert_eq!(f.emulator.assets().len(), 1);
}

pub(crate) async fn a_put_after_completion_does_not_change_the_asset() {
    let f = Fixture::start().await;
    let slot = f.create("video/mp4", 1000).await;
    f.put(&slot, mp4(1000)).send().await.unwrap();
    f.complete(&slot.id, &json!({})).await.data();

    let mut other = mp4(1000);
    other[999] ^= 1;
    let response = f.put(&slot, other).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "the URL is still good");
    assert_eq!(f.emulator.assets()[0].sha256, Some(sha256(&mp4(1000))));
    f.eventually(|f| f.files("incoming").is_empty()).await;
}

pub(crate) async fn the_bytes_must_be_of_the_declared_type() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PDF.len()).await;
    f.put(&slot, PDF).send().await.unwrap();
    let answer = f.complete(&slot.id, &json!({})).await;
    assert_eq!(
        answer.error(),
        (400, "invalid_parameter", Some("content_type"))
    );
    assert_eq!(f.emulator.assets()[0].status, AssetStatus::PendingUpload);
}

pub(crate) async fn the_bytes_must_have_the_given_checksum() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    f.put(&slot, PNG).send().await.unwrap();
    for sum in [sha256(PDF), "abc".to_owned(), "z".repeat(64)] {
        let answer = f.complete(&slot.id, &json!({"checksum_sha256": sum})).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_parameter", Some("checksum_sha256"))
        );
    }
    let sum = sha256(PNG).to_uppercase();
    let answer = f.complete(&slot.id, &json!({"checksum_sha256": sum})).await;
    assert_eq!(answer.text("status"), "processing");
    let answer = f
        .complete(&slot.id, &json!({"checksum_sha256": sha256(PDF)}))
        .await;
    assert_eq!(
        answer.error(),
        (400, "invalid_parameter", Some("checksum_sha256"))
    );
}

pub(crate) async fn an_unknown_asset_cannot_be_completed() {
    let f = Fixture::start().await;
    let answer = f.complete("ast_none", &json!({})).await;
    assert_eq!(answer.error(), (404, "asset_not_found", None));
}

pub(crate) async fn a_size_is_from_1_to_max_bytes() {
    let f = Fixture::start().await;
    let ask = async |size: i64| {
        let body = json!({"filename": "a.mp4", "content_type": "video/mp4", "size_bytes": size});
        f.post("/v3/assets/direct-uploads", &body).await
    };
    for size in [0, -1, i64::MIN, (200 << 20) + 1, i64::MAX] {
        let answer = ask(size).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_parameter", Some("size_bytes")),
            "{size}"
        );
    }
    for size in [1, 200 << 20] {
        assert_eq!(ask(size).await.text("status"), "pending_upload");
    }
}

pub(crate) async fn what_is_declared_is_checked() {
    let f = Fixture::start().await;
    let cases = [
        (
            json!({"filename": "a.gif", "content_type": "image/gif", "size_bytes": 1}),
            Some("content_type"),
        ),
        (
            json!({"filename": "a", "content_type": "", "size_bytes": 1}),
            Some("content_type"),
        ),
        (
            json!({"filename": "a", "content_type": "image/png; a=\"\r\n\"", "size_bytes": 1}),
            Some("content_type"),
        ),
        (
            json!({"filename": " ", "content_type": "image/png", "size_bytes": 1}),
            Some("filename"),
        ),
        (
            json!({"filename": "a", "content_type": "image/png", "size_bytes": 1, "checksum_sha256": "00"}),
            Some("checksum_sha256"),
        ),
        (json!({"filename": "a", "content_type": "image/png"}), None),
        (
            json!({"filename": "a", "content_type": "image/png", "size_bytes": "1"}),
            None,
        ),
        (json!([]), None),
    ];
    for (body, param) in cases {
        let answer = f.post("/v3/assets/direct-uploads", &body).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", param), "{body}");
    }
    assert!(f.emulator.assets().is_empty());
}
