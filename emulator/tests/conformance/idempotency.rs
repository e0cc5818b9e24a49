//! `Idempotency-Key`.

use std::time::Duration;

use forebay_emulator::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::common::{Answer, Fixture, KEY, PNG, eventually, form, sha256};

async fn upload(f: &Fixture, key: &str, bytes: &[u8]) -> Answer {
    let request = f
        .request(Method::POST, "/v3/assets")
        .header("idempotency-key", key)
        .multipart(form("a", bytes.to_vec()));
    Answer::of(request.send().await.unwrap()).await
}

async fn post(f: &Fixture, path: &str, key: &str, body: &Value) -> Answer {
    let request = f
        .request(Method::POST, path)
        .header("idempotency-key", key)
        .json(body);
    Answer::of(request.send().await.unwrap()).await
}

pub(crate) async fn the_first_answer_is_replayed_whatever_the_body() {
    let f = Fixture::start().await;
    let first = upload(&f, "k-1:a_b.C", PNG).await;
    let again = upload(&f, "k-1:a_b.C", b"something else").await;
    assert_eq!(first.data(), again.data());
    assert_eq!(f.emulator.assets().len(), 1);

    let other = upload(&f, "k-2", PNG).await;
    assert_ne!(first.data(), other.data());
}

pub(crate) async fn refusals_are_replayed_too() {
    let f = Fixture::start().await;
    let refusal = (400, "invalid_parameter", Some("file"));
    assert_eq!(upload(&f, "k", b"text").await.error(), refusal);
    assert_eq!(upload(&f, "k", PNG).await.error(), refusal);
}

pub(crate) async fn a_key_counts_per_endpoint_and_resource() {
    let f = Fixture::start().await;
    upload(&f, "k", PNG).await.data();
    let session = post(&f, "/v3/video-agents", "k", &json!({"prompt": "x"})).await;
    assert!(!session.text("session_id").is_empty());

    for _ in 0..2 {
        let slot = f.create("image/png", PNG.len()).await;
        f.put(&slot, PNG).send().await.unwrap();
        let path = format!("/v3/assets/{}/complete", slot.id);
        assert_eq!(
            post(&f, &path, "k", &json!({})).await.text("asset_id"),
            slot.id
        );
    }
}

pub(crate) async fn an_answer_that_asks_to_come_back_is_not_kept() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let path = format!("/v3/assets/{}/complete", slot.id);
    assert_eq!(
        post(&f, &path, "k", &json!({})).await.error(),
        (409, "conflict", None)
    );
    f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(
        post(&f, &path, "k", &json!({})).await.text("asset_id"),
        slot.id
    );
}

pub(crate) async fn a_key_in_flight_conflicts_until_its_request_ends() {
    let f = Fixture::start().await;
    let head = format!(
        "POST /v3/video-agents HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\nidempotency-key: k\r\n\
         content-type: application/json\r\ncontent-length: 14\r\n\r\n{{\"prompt\":"
    );
    let stream = f.connect(head.as_bytes()).await;
    f.eventually(|f| f.emulator.request_count() == 1).await;
    let busy = post(&f, "/v3/video-agents", "k", &json!({"prompt": "x"})).await;
    assert_eq!(busy.error(), (409, "request_in_progress", None));

    // The first client leaves without an answer: the key is free again.
    drop(stream);
    let ask = async || post(&f, "/v3/video-agents", "k", &json!({"prompt": "x"})).await;
    eventually(async || ask().await.status != StatusCode::CONFLICT).await;
    assert!(!ask().await.text("session_id").is_empty());
}

pub(crate) async fn a_body_that_broke_off_may_be_sent_again_with_its_key() {
    let f = Fixture::start().await;
    let request = format!(
        "POST /v3/assets HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\nidempotency-key: k\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: 1000\r\n\r\n\
         --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n%PDF-"
    );
    let answer = f.raw(request.as_bytes(), true).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(upload(&f, "k", PNG).await.text("mime_type"), "image/png");
}

pub(crate) async fn a_malformed_key_is_refused() {
    let f = Fixture::start().await;
    for key in ["", "a b", "a/b", "ü", &"k".repeat(256)] {
        let answer = upload(&f, key, PNG).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_parameter", Some("Idempotency-Key")),
            "{key}"
        );
    }
    upload(&f, &"k".repeat(255), PNG).await.data();
}

pub(crate) async fn an_answer_is_forgotten_in_the_end() {
    let f = Fixture::with(Config {
        idempotency_retention: Duration::from_millis(50),
        ..Config::default()
    })
    .await;
    let first = upload(&f, "k", PNG).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let second = upload(&f, "k", PNG).await;
    assert_ne!(first.data(), second.data());
    assert_eq!(f.emulator.assets()[1].sha256, Some(sha256(PNG)));
}

pub(crate) async fn every_post_has_keys() {
    let f = Fixture::start().await;
    let id = upload(&f, "upload", PNG).await.text("asset_id");
    let file = json!({"type": "asset_id", "asset_id": id});
    let declared = json!({"filename": "a", "content_type": "image/png", "size_bytes": PNG.len()});
    let batch = json!({"files": [declared]});
    let created = post(&f, "/v3/assets/direct-uploads/batches", "b", &batch).await;
    let batch_id = created.text("batch_id");
    for (path, body) in [
        ("/v3/assets/direct-uploads", declared),
        ("/v3/assets/direct-uploads/batches", batch),
        ("/v3/video-agents", json!({"prompt": "x"})),
        ("/v3/video-agents/s1", json!({"message": "x"})),
        (
            "/v3/avatars",
            json!({"type": "photo", "name": "x", "file": file}),
        ),
        ("/v3/videos", json!({"image": file})),
        ("/v3/video-translations", json!({"video": file})),
        ("/v3/lipsyncs", json!({"video": file, "audio": file})),
    ] {
        let first = post(&f, path, "k", &body).await;
        first.data();
        let again = post(&f, path, "k", &json!({})).await;
        assert_eq!(first.body, again.body, "{path}");
        let other = post(&f, path, "other", &body).await;
        assert_ne!(
            first.body, other.body,
            "{path}: each answer has ids of its own"
        );
    }
    let complete = "/v3/assets/complete/batches";
    let body = json!({"batch_id": batch_id});
    assert_eq!(
        post(&f, complete, "k", &body).await.status,
        StatusCode::ACCEPTED
    );
    let again = post(&f, complete, "k", &json!({})).await;
    assert_eq!(
        (again.status, &again.body["data"]),
        (StatusCode::ACCEPTED, &body)
    );
}
