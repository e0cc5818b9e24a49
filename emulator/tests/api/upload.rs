//! `POST /v3/assets`.

use forebay_emulator::{AssetStatus, Config, Flow};
use reqwest::{Method, StatusCode, multipart};

use crate::common::{Answer, Fixture, KEY, PDF, PNG, form, mp4, sha256};

#[tokio::test]
async fn an_upload_answers_what_was_stored() {
    let f = Fixture::start().await;
    let answer = f.upload("my-photo.png", PNG).await;
    let id = answer.text("asset_id");
    assert_eq!(answer.text("url"), f.url(&format!("/files/asset/{id}.png")));
    assert_eq!(answer.text("mime_type"), "image/png");
    assert_eq!(answer.data()["size_bytes"], PNG.len());
    assert_eq!(answer.data().as_object().unwrap().len(), 4);

    let [asset] = f.emulator.assets().try_into().unwrap();
    assert_eq!(asset.id, id);
    assert_eq!(asset.name, "my-photo.png");
    assert_eq!(
        (asset.flow, asset.status),
        (Flow::Upload, AssetStatus::Completed)
    );
    assert_eq!(asset.sha256, Some(sha256(PNG)));
    assert_eq!(std::fs::read(asset.path.unwrap()).unwrap(), PNG);
    assert_eq!(f.files("assets"), [format!("{id}.png")]);
    assert_eq!(f.files("incoming"), [""; 0]);
}

#[tokio::test]
async fn the_type_comes_from_the_bytes_and_not_from_the_name() {
    let f = Fixture::start().await;
    let srt = "1\n00:00:01,000 --> 00:00:02,000\nHi\n";
    for (name, bytes, mime) in [
        ("a.txt", PNG, "image/png"),
        ("a.png", PDF, "application/pdf"),
        ("a.pdf", srt.as_bytes(), "application/x-subrip"),
        ("a", &mp4(64), "video/mp4"),
    ] {
        assert_eq!(f.upload(name, bytes).await.text("mime_type"), mime);
    }
}

#[tokio::test]
async fn other_types_and_empty_files_are_refused() {
    let f = Fixture::start().await;
    for bytes in ["GIF89a\x01\0\x01\0", "plain text", ""] {
        let answer = f.upload("a.png", bytes).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some("file")));
    }
    assert!(f.emulator.assets().is_empty());
    assert_eq!(f.files("incoming"), [""; 0]);
    assert_eq!(f.files("assets"), [""; 0]);
}

#[tokio::test]
async fn a_form_without_a_file_is_refused() {
    let f = Fixture::start().await;
    let post = || f.request(Method::POST, "/v3/assets");
    let other = multipart::Form::new().text("other", "value");
    for request in [
        post().multipart(other),
        post().body("not a form"),
        post().json(&serde_json::json!({"file": "x"})),
        post()
            .header("content-type", "multipart/form-data; boundary=x")
            .body("--x\r\nbroken"),
    ] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some("file")));
    }
}

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
async fn the_limit_is_32_mib_and_counts_the_file_only() {
    let f = Fixture::start().await;
    let answer = f.upload("a.mp4", mp4(32 << 20)).await;
    assert_eq!(answer.data()["size_bytes"], 32 << 20);
    let answer = f.upload("a.mp4", mp4((32 << 20) + 1)).await;
    assert_eq!(answer.error(), (413, "payload_too_large", Some("file")));
    assert_eq!(f.emulator.assets().len(), 1);
    assert_eq!(f.files("incoming"), [""; 0]);
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
    assert_eq!(f.files("").len(), 2, "nothing beside the two folders");
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
