//! Emulators without a key, and malformed bodies.

use forebay_emulator::{Config, Emulator};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::common::{Answer, Fixture};

#[tokio::test]
async fn without_a_configured_key_any_will_do() {
    let emulator = Emulator::builder().start().await.unwrap();
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let url = format!("{}/v3/assets/ast_none", emulator.base_url());
    for (key, status) in [
        ("any", StatusCode::NOT_FOUND),
        ("", StatusCode::UNAUTHORIZED),
    ] {
        let response = client
            .get(&url)
            .header("x-api-key", key)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn malformed_json_is_refused() {
    let f = Fixture::start().await;
    let post = || f.request(Method::POST, "/v3/assets/direct-uploads");
    for request in [
        post(),
        post().body("{}"),
        post().header("content-type", "application/json"),
        post().header("content-type", "application/json").body("{"),
        post()
            .header("content-type", "application/json")
            .body("{} {}"),
        post()
            .header("content-type", "application/json")
            .body(vec![0xff; 8]),
        post()
            .header("content-type", "application/json")
            .body("[".repeat(100_000)),
    ] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", None));
    }
}

#[tokio::test]
async fn a_json_body_has_a_limit() {
    let f = Fixture::with(Config {
        json_limit: 100,
        ..Config::default()
    })
    .await;
    let answer = f
        .post("/v3/video-agents", &json!({"prompt": "x".repeat(200)}))
        .await;
    assert_eq!(answer.error(), (413, "payload_too_large", None));
}
