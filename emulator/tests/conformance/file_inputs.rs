//! The three ways of naming a file.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay_emulator::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Answer, Fixture, PNG, mp4};

async fn ask(f: &Fixture, files: Value) -> Answer {
    f.post(
        "/v3/video-agents",
        &json!({"prompt": "Explain this", "files": files}),
    )
    .await
}

pub(crate) fn base64(media_type: &str, bytes: &[u8]) -> Value {
    json!({"type": "base64", "media_type": media_type, "data": STANDARD.encode(bytes)})
}

pub(crate) fn url(url: &str) -> Value {
    json!({"type": "url", "url": url})
}

pub(crate) fn asset(id: &str) -> Value {
    json!({"type": "asset_id", "asset_id": id})
}

pub(crate) async fn all_three_inputs_make_a_session() {
    let f = Fixture::start().await;
    let uploaded = f.upload("a.png", PNG).await;
    let slot = f.create("image/png", PNG.len()).await;
    f.put(&slot, PNG).send().await.unwrap();
    f.complete(&slot.id, &json!({})).await.data();

    let answer = ask(
        &f,
        json!([
            asset(&uploaded.text("asset_id")),
            asset(&slot.id),
            url(&uploaded.text("url")),
            base64("image/png", PNG),
        ]),
    )
    .await;
    for field in ["session_id", "status", "video_id"] {
        assert!(!answer.text(field).is_empty());
    }
    assert!(answer.data()["created_at"].as_u64().unwrap() > 1_700_000_000);
}

pub(crate) async fn a_prompt_has_1_to_10000_characters() {
    let f = Fixture::start().await;
    let ask = async |prompt: &str| f.post("/v3/video-agents", &json!({"prompt": prompt})).await;
    for prompt in [String::new(), "ü".repeat(10_001)] {
        let answer = ask(&prompt).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some("prompt")));
    }
    for prompt in ["x", &"ü".repeat(10_000)] {
        ask(prompt).await.data();
    }
    let answer = f.post("/v3/video-agents", &json!({"files": []})).await;
    assert_eq!(answer.error(), (400, "invalid_parameter", None));
}

pub(crate) async fn a_request_has_at_most_20_files() {
    let f = Fixture::start().await;
    let id = f.upload("a.png", PNG).await.text("asset_id");
    ask(&f, Value::Array(vec![asset(&id); 20])).await.data();
    let answer = ask(&f, Value::Array(vec![asset(&id); 21])).await;
    assert_eq!(answer.error(), (400, "invalid_parameter", Some("files")));
}

pub(crate) async fn an_asset_must_exist_and_be_complete() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let answer = ask(&f, json!([asset("ast_none")])).await;
    assert_eq!(answer.error(), (404, "asset_not_found", Some("files[0]")));
    f.put(&slot, PNG).send().await.unwrap();
    let answer = ask(&f, json!([base64("image/png", PNG), asset(&slot.id)])).await;
    assert_eq!(
        answer.error(),
        (400, "asset_not_available", Some("files[1]"))
    );
}

pub(crate) async fn urls_that_cannot_be_fetched_fail() {
    let f = Fixture::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for bad in [
        "https://example.com/a.png",
        "http://10.0.0.1/a.png",
        "http://localhost.example.com/a.png",
        "http://127.0.0.1@example.com/a.png",
        "file:///etc/hostname",
        "not a url",
        &format!("http://{closed}/a.png"),
        &f.url("/files/asset/ast_none.png"),
    ] {
        let answer = ask(&f, json!([url(bad)])).await;
        assert_eq!(
            answer.error(),
            (400, "download_failed", Some("files[0]")),
            "{bad}"
        );
    }
}

pub(crate) async fn urls_are_limited_sniffed_and_not_redirected() {
    let f = Fixture::with(Config {
        upload_limit: 1000,
        ..Config::default()
    })
    .await;
    let routes = Router::new()
        .route("/fits", get(|| async { mp4(1000) }))
        .route("/long", get(|| async { mp4(1001) }))
        .route("/text", get(|| async { "text" }))
        .route("/away", get(|| async { Redirect::temporary("/fits") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let fetch = async |path: &str| ask(&f, json!([url(&format!("{base}{path}"))])).await;
    fetch("/fits").await.data();
    let cases = [
        ("/long", (413, "payload_too_large", Some("files[0]"))),
        ("/text", (400, "invalid_parameter", Some("files[0]"))),
        ("/away", (400, "download_failed", Some("files[0]"))),
    ];
    for (path, error) in cases {
        assert_eq!(fetch(path).await.error(), error, "{path}");
    }
}

pub(crate) async fn base64_is_decoded_limited_and_of_its_media_type() {
    let f = Fixture::with(Config {
        upload_limit: 1000,
        ..Config::default()
    })
    .await;
    ask(&f, json!([base64("video/mp4", &mp4(1000))]))
        .await
        .data();
    let broken = json!({"type": "base64", "media_type": "image/png", "data": "?"});
    let cases = [
        (base64("video/mp4", &mp4(1001)), (413, "payload_too_large")),
        (base64("video/mp4", &mp4(1003)), (413, "payload_too_large")),
        (base64("video/mp4", PNG), (400, "invalid_parameter")),
        (base64("text/plain", b"text"), (400, "invalid_parameter")),
        (broken, (400, "invalid_parameter")),
    ];
    for (file, (status, code)) in cases {
        let answer = ask(&f, json!([file])).await;
        assert_eq!(answer.error(), (status, code, Some("files[0]")));
    }
}

pub(crate) async fn the_largest_file_fits_as_base64() {
    let f = Fixture::start().await;
    // Written by hand: serialising this much through `Value` takes an unoptimised build seconds.
    let data = STANDARD.encode(mp4(32 << 20));
    let body = format!(
        r#"{{"prompt":"x","files":[{{"type":"base64","media_type":"video/mp4","data":"{data}"}}]}}"#
    );
    let request = f
        .request(Method::POST, "/v3/video-agents")
        .header("content-type", "application/json")
        .body(body);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert!(!answer.text("session_id").is_empty());
}

pub(crate) async fn an_unknown_kind_of_input_is_refused() {
    let f = Fixture::start().await;
    let answer = ask(&f, json!([{"type": "path", "path": "/etc/hostname"}])).await;
    assert_eq!(answer.error(), (400, "invalid_parameter", None));
}
