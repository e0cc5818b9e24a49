//! The error envelope, keys, routes and rate limits.

use std::time::{Duration, Instant};

use forebay_emulator::{Config, RateLimit};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::common::{Answer, Fixture, KEY};

pub(crate) async fn a_wrong_or_missing_key_is_unauthorized() {
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

pub(crate) async fn unknown_routes_and_wrong_methods_have_the_envelope() {
    let f = Fixture::start().await;
    for path in [
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

pub(crate) async fn an_error_has_a_code_a_message_and_no_doc_url() {
    let f = Fixture::start().await;
    let answer = f.get("/v3/assets?limit=0").await;
    assert_eq!(answer.body.as_object().unwrap().len(), 1);
    let error = answer.body["error"].as_object().unwrap();
    let fields: Vec<_> = error.keys().collect();
    assert_eq!(fields, ["code", "message", "param"]);
    let answer = f.get("/v3/assets/ast_none").await;
    assert_eq!(
        answer.body["error"].as_object().unwrap().len(),
        2,
        "{answer:?}"
    );
}

pub(crate) async fn too_many_requests_are_told_when_to_come_back() {
    let f = Fixture::with(Config {
        rate_limit: RateLimit::new(2, 3),
        ..Config::default()
    })
    .await;
    // Three at once, and two more for each second that this takes on a busy machine.
    let start = Instant::now();
    let mut passed = 0;
    let response = loop {
        let response = f.request(Method::GET, "/v3/assets").send().await.unwrap();
        if response.status() != StatusCode::OK {
            break response;
        }
        passed += 1;
    };
    let most = 3.0 + 2.0 * start.elapsed().as_secs_f64();
    assert!(passed >= 3 && f64::from(passed) <= most, "{passed}");
    let wait = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(wait, "1", "whole seconds, rounded up");
    let answer = Answer::of(response).await;
    assert_eq!(answer.error(), (429, "rate_limit_exceeded", None));

    let stranger = f.client.get(f.url("/v3/assets")).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "costs nothing");
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        f.get("/v3/assets").await.data();
    }
}

pub(crate) async fn an_answer_to_a_wait_is_not_replayed() {
    let f = Fixture::with(Config {
        rate_limit: RateLimit::new(1, 1),
        ..Config::default()
    })
    .await;
    let ask = async |key: u32| {
        let request = f.request(Method::POST, "/v3/video-agents");
        let request = request.header("idempotency-key", key);
        Answer::of(request.json(&json!({"prompt": "x"})).send().await.unwrap()).await
    };
    // The second of two that come within a second; on a busy machine that may take more than one try.
    let mut key = 0;
    let refused = loop {
        key += 1;
        let answer = ask(key).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
    };
    assert_eq!(refused.error(), (429, "rate_limit_exceeded", None));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    ask(key).await.data();
}
