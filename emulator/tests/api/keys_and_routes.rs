//! Keys, unknown routes, wrong methods and malformed bodies.

use forebay_emulator::{Config, Emulator};
use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use crate::common::{Answer, Fixture, KEY};

#[tokio::test]
async fn a_wrong_or_missing_key_is_unauthorized() {
    let f = Fixture::start().await;
    let get = || f.client.get(f.url("/v3/assets/ast_none"));
    for request in [
        get(),
        get().header("x-api-key", ""),
        get().header("x-api-key", "other"),
        get().header("x-api-key", format!("{KEY}x")),
        get().bearer_auth("other"),
        get().basic_auth(KEY, Some(KEY)),
        f.client.post(f.url("/v3/assets")),
        f.client.get(f.url("/v3/no/such/route")),
    ] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.error(), (401, "unauthorized", None));
    }
    for request in [get().header("x-api-key", KEY), get().bearer_auth(KEY)] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.error(), (404, "asset_not_found", None));
    }
}

#[tokio::test]
async fn without_a_configured_key_any_will_do() {
    let emulator = Emulator::builder().start().await.unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
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
async fn unknown_routes_and_wrong_methods_have_the_envelope() {
    let f = Fixture::start().await;
    for path in [
        "/",
        "/v3",
        "/v3/",
        "/v3/nothing",
        "/v2/assets",
        "/v3/assets/a/b/c",
        "/files",
    ] {
        assert_eq!(
            f.get(path).await.error(),
            (404, "not_found", None),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::PUT, "/v3/assets"),
        (Method::GET, "/v3/assets/direct-uploads"),
        (Method::PATCH, "/v3/assets/ast_a"),
        (Method::GET, "/v3/video-agents"),
        (Method::DELETE, "/files/asset/ast_a.png"),
    ] {
        let answer = Answer::of(f.request(method, path).send().await.unwrap()).await;
        assert_eq!(answer.error(), (405, "method_not_allowed", None), "{path}");
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
