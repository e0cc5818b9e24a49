//! Uploads that are odd, broken or hostile, and answers that are configured.

use forebay_emulator::Config;
use reqwest::{Method, StatusCode, multipart};

use crate::common::{Answer, Fixture, KEY, PNG, form, mp4};

#[tokio::test]
async fn other_parts_are_passed_over() {
    let f = Fixture::start().await;
    let part = multipart::Part::bytes(PNG).file_name("a.png");
    let form = multipart::Form::new().text("title", "x").part("file", part);
    let request = f.request(Method::POST, "/v3/assets").multipart(form);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.text("mime_type"), "image/png");
}

#[tokio::test]
async fn two_files_in_one_form_are_refused() {
    let f = Fixture::start().await;
    let part = |name: &'static str| multipart::Part::bytes(PNG).file_name(name);
    let form = multipart::Form::new()
        .part("file", part("a.png"))
        .text("title", "x")
        .part("file", part("b.png"));
    let request = f.request(Method::POST, "/v3/assets").multipart(form);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.error(), (400, "invalid_parameter", Some("file")));
    assert!(f.emulator.assets().is_empty());
    assert_eq!(f.files("incoming"), [""; 0]);
    assert_eq!(f.files("assets"), [""; 0]);
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let f = Fixture::with(Config {
        upload_limit: 1 << 20,
        ..Config::default()
    })
    .await;
    for _ in 0..8 {
        let answer = f.upload("a.mp4", mp4(24 << 20)).await;
        assert_eq!(answer.error(), (413, "payload_too_large", Some("file")));
    }
}

#[tokio::test]
async fn names_are_data_and_never_paths() {
    let f = Fixture::start().await;
    for (given, kept) in [
        ("../../escape.png", "escape.png"),
        ("C:\\x\\b.png", "b.png"),
    ] {
        let id = f.upload(given, PNG).await.text("asset_id");
        let shown = f.get(&format!("/v3/assets/{id}")).await;
        assert_eq!(shown.text("name"), kept);
    }
    let mut beside = f.files("");
    beside.sort_unstable();
    assert_eq!(beside, ["assets", "incoming", "records.redb"]);
    assert_eq!(f.files("assets").len(), 2);
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_nothing() {
    let f = Fixture::start().await;
    let head = format!(
        "POST /v3/assets HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 100000\r\n\
         content-type: multipart/form-data; boundary=b\r\n\r\n\
         --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.extend_from_slice(PNG);
    let stream = f.connect(&request).await;
    f.eventually(|f| f.files("incoming").len() == 1).await;
    drop(stream);
    f.eventually(|f| f.files("incoming").is_empty()).await;
    assert!(f.emulator.assets().is_empty());
    assert_eq!(f.files("assets"), [""; 0]);
}

#[tokio::test]
async fn open_answers_are_configurable() {
    let answer = forebay_emulator::Answer::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported");
    let f = Fixture::with(Config {
        unsupported_type: answer,
        ..Config::default()
    })
    .await;
    let request = f
        .request(Method::POST, "/v3/assets")
        .multipart(form("a", b"x".to_vec()));
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.error(), (415, "unsupported", Some("file")));
}

#[tokio::test]
async fn max_bytes_can_be_raised() {
    let f = Fixture::with(Config {
        max_bytes: 6 << 30,
        ..Config::default()
    })
    .await;
    let slot = f.create("video/mp4", 5 << 30).await;
    assert_eq!(slot.data["max_bytes"], 6u64 << 30);
}
