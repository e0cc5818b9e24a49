//! Faults on demand: each kind, as a client meets it.

use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};

use forebay_emulator::{AssetStatus, Emulator, Fault, FaultKind, Route};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Answer, Fixture, KEY, PATIENCE, PDF, PNG, Slot, eventually, form, mp4};

/// An upload of a PNG, written by hand.
fn upload() -> Vec<u8> {
    let part = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n";
    let body = [part.as_bytes(), PNG, b"\r\n--b--\r\n"].concat();
    let head = format!(
        "POST /v3/assets HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {}\r\n\
         content-type: multipart/form-data; boundary=b\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// Sends `request` on a connection of its own and gives how reading the answer ends.
async fn outcome(f: &Fixture, request: &[u8]) -> Result<String, Error> {
    let mut stream = f.connect(request).await;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("an end in time")?;
    Ok(String::from_utf8(answer).unwrap())
}

async fn assert_reset(f: &Fixture, request: &[u8]) {
    let error = outcome(f, request).await.expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    assert_eq!(f.emulator.requests().last().unwrap().status, None);
}

async fn put_fails(f: &Fixture, slot: &Slot, status: u16, code: &str) {
    let response = f.put(slot, PNG).send().await.unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/xml");
    let xml = response.text().await.unwrap();
    assert!(xml.contains(&format!("<Code>{code}</Code>")), "{xml}");
}

#[tokio::test]
async fn latency_delays_one_request() {
    let f = Fixture::start().await;
    f.emulator.inject(Fault::new(
        Route::Any,
        FaultKind::Latency { milliseconds: 300 },
    ));
    let start = Instant::now();
    f.upload("a.png", PNG).await.data();
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(f.emulator.faults().is_empty());
}

#[tokio::test]
async fn rate_limits_tell_when_to_come_back() {
    let f = Fixture::start().await;
    let fault = Fault::new(Route::Any, FaultKind::RateLimited { retry_after: 7 });
    f.emulator.inject(fault.times(2));
    let request = f
        .request(Method::POST, "/v3/assets")
        .multipart(form("a", PNG.to_vec()));
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
    let answer = Answer::of(response).await;
    assert_eq!(answer.error(), (429, "rate_limit_exceeded", None));
    assert!(f.emulator.assets().is_empty());

    let url = f.url("/bucket/ast_a");
    let response = f.client.put(url).body(PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "7");
    assert!(response.text().await.unwrap().contains("SlowDown"));
    f.upload("a.png", PNG).await.data();
}

#[tokio::test]
async fn errors_speak_as_their_route_does() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    for (status, api, s3) in [
        (500, "internal_error", "InternalError"),
        (503, "service_unavailable", "ServiceUnavailable"),
        (504, "gateway_timeout", "InternalError"),
        (403, "forbidden", "AccessDenied"),
    ] {
        let fault = Fault::new(Route::Any, FaultKind::Status { status });
        f.emulator.inject(fault.times(2));
        let answer = f.upload("a.png", PNG).await;
        assert_eq!(answer.error(), (status, api, None));
        put_fails(&f, &slot, status, s3).await;
    }
    assert_eq!(f.emulator.assets().len(), 1, "nothing was uploaded");
    assert_eq!(f.emulator.assets()[0].sha256, None, "nothing was put");
}

#[tokio::test]
async fn an_answer_of_a_fault_is_not_replayed() {
    let f = Fixture::start().await;
    f.emulator
        .inject(Fault::new(Route::Upload, FaultKind::Status { status: 402 }));
    let send = async || {
        let request = f.request(Method::POST, "/v3/assets");
        let request = request
            .header("idempotency-key", "k")
            .multipart(form("a", PNG.to_vec()));
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(send().await.error(), (402, "insufficient_credit", None));
    send().await.data();
}

#[tokio::test]
async fn a_reset_before_the_body_leaves_it_unread() {
    let f = Fixture::start().await;
    f.emulator
        .inject(Fault::new(Route::Upload, FaultKind::ResetBefore));
    // The body never comes: only the head can have set it off.
    let head = format!(
        "POST /v3/assets HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 1000\r\n\r\n"
    );
    assert_reset(&f, head.as_bytes()).await;
    assert!(f.emulator.assets().is_empty());
}

#[tokio::test]
async fn a_reset_within_the_body_keeps_nothing() {
    let f = Fixture::start().await;
    let slot = f.create("video/mp4", 8 << 20).await;
    let half = FaultKind::ResetDuring {
        after_bytes: 1 << 20,
    };
    f.emulator.inject(Fault::new(Route::Put, half));
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: x\r\ncontent-type: video/mp4\r\ncontent-length: {}\r\n\r\n",
        slot.target(),
        8 << 20
    );
    let mut stream = f.connect(head.as_bytes()).await;
    let body = mp4(8 << 20);
    stream.write_all(&body[..1 << 19]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        stream.write_all(&body[..1]).await.is_ok(),
        "not yet: only half of what it reads has come"
    );
    let sending = async {
        stream.write_all(&body[..7 << 20]).await?;
        stream.read_u8().await
    };
    let error = sending.await.expect_err("a reset");
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{error}"
    );
    assert_eq!(f.emulator.requests().last().unwrap().status, None);
    f.eventually(|f| f.files("incoming").is_empty()).await;
    assert_eq!(f.emulator.assets()[0].sha256, None);

    // A body that is shorter than that does not get through either.
    let fault = FaultKind::ResetDuring { after_bytes: 1000 };
    f.emulator.inject(Fault::new(Route::Upload, fault));
    assert_reset(&f, &upload()).await;
    assert_eq!(f.emulator.assets().len(), 1);
}

#[tokio::test]
async fn a_reset_after_the_body_does_nothing() {
    let f = Fixture::start().await;
    f.emulator
        .inject(Fault::new(Route::Upload, FaultKind::ResetAfter));
    let request = upload();
    let (most, last) = request.split_at(request.len() - 1);
    let mut stream = f.connect(most).await;
    f.eventually(|f| f.emulator.request_count() == 1).await;
    stream.write_all(last).await.unwrap();
    let error = stream.read_u8().await.expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    assert!(f.emulator.assets().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_of_something_done() {
    let f = Fixture::start().await;
    f.emulator
        .inject(Fault::new(Route::Upload, FaultKind::LostAnswer));
    assert_reset(&f, &upload()).await;
    assert_eq!(f.emulator.assets()[0].status, AssetStatus::Completed);
}

#[tokio::test]
async fn a_lost_answer_is_replayed_to_its_key() {
    let f = Fixture::start().await;
    f.emulator
        .inject(Fault::new(Route::Create, FaultKind::LostAnswer));
    let create = || {
        let body = json!({"filename": "a", "content_type": "image/png", "size_bytes": 5});
        let request = f.request(Method::POST, "/v3/assets/direct-uploads");
        request.header("idempotency-key", "k").json(&body).send()
    };
    create().await.expect_err("no answer");
    let id = Answer::of(create().await.unwrap()).await.text("asset_id");
    assert_eq!(f.emulator.assets()[0].id, id);
    assert_eq!(f.emulator.assets().len(), 1);
}

#[tokio::test]
async fn a_cut_answer_breaks_off_in_its_body() {
    let f = Fixture::start().await;
    f.emulator
        .inject(Fault::new(Route::Upload, FaultKind::CutShort));
    let answer = outcome(&f, &upload()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let announced: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(body.len(), announced / 2);
    assert!(body.starts_with("{\"data\":"), "{body}");
    assert_eq!(f.emulator.assets().len(), 1, "it was done");

    // An answer without a body lacks one byte.
    let slot = f.create("image/png", PNG.len()).await;
    f.emulator
        .inject(Fault::new(Route::Put, FaultKind::CutShort));
    let response = f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.is_err());
    f.complete(&slot.id, &json!({})).await.data();
}

#[tokio::test]
async fn a_cut_file_breaks_off_in_the_middle() {
    let f = Fixture::start().await;
    let url = f.upload("a.mp4", mp4(8 << 20)).await.text("url");
    f.emulator
        .inject(Fault::new(Route::Any, FaultKind::CutShort));
    let mut response = f.client.get(url).send().await.unwrap();
    assert_eq!(response.content_length(), Some(8 << 20));
    let mut count = 0;
    let end = loop {
        match response.chunk().await {
            Ok(Some(piece)) => count += piece.len(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    end.expect_err("it breaks off");
    assert_eq!(count, 4 << 20);
}

#[tokio::test]
async fn an_expired_url_is_expired_from_the_start() {
    let f = Fixture::start().await;
    f.emulator
        .inject(Fault::new(Route::Create, FaultKind::ExpiredUrl));
    let slot = f.create("image/png", PNG.len()).await;
    assert_eq!(slot.data["expires_in_seconds"], 3600);
    put_fails(&f, &slot, 403, "AccessDenied").await;

    let slot = f.create("image/png", PNG.len()).await;
    f.emulator
        .inject(Fault::new(Route::Put, FaultKind::ExpiredUrl));
    put_fails(&f, &slot, 403, "AccessDenied").await;
    let response = f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "this one was good");
}

#[tokio::test]
async fn a_slow_reader_takes_its_time_and_all_the_bytes() {
    let f = Fixture::start().await;
    let slot = f.create("video/mp4", 4 << 20).await;
    let pace = FaultKind::SlowReader {
        bytes_per_second: 8 << 20,
    };
    f.emulator.inject(Fault::new(Route::Put, pace));
    let start = Instant::now();
    let response = f.put(&slot, mp4(4 << 20)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_millis(500));
    f.complete(&slot.id, &json!({})).await.data();
}

#[tokio::test]
async fn a_mismatch_is_told_and_nothing_is_done() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let fault = Fault::new(Route::Any, FaultKind::ChecksumMismatch);
    f.emulator.inject(fault.times(3));
    put_fails(&f, &slot, 400, "BadDigest").await;
    assert_eq!(f.emulator.assets()[0].sha256, None);

    let wrong = (400, "invalid_parameter", Some("checksum_sha256"));
    assert_eq!(f.upload("a.pdf", PDF).await.error(), wrong);
    assert_eq!(f.complete(&slot.id, &json!({})).await.error(), wrong);
    assert_eq!(f.emulator.assets().len(), 1);
    f.put(&slot, PNG).send().await.unwrap();
    f.complete(&slot.id, &json!({})).await.data();
}

#[tokio::test]
async fn bytes_that_settle_late_conflict_for_a_while() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    // Long enough for one request, on a busy machine, too.
    let fault = FaultKind::SettlesLate { milliseconds: 3000 };
    f.emulator.inject(Fault::new(Route::Put, fault));
    let start = Instant::now();
    let response = f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let early = f.complete(&slot.id, &json!({})).await;
    assert_eq!(early.error(), (409, "conflict", None));
    eventually(async || {
        let answer = f.complete(&slot.id, &json!({})).await;
        answer.status == StatusCode::OK || answer.error() != (409, "conflict", None)
    })
    .await;
    assert!(start.elapsed() >= Duration::from_millis(3000));
    f.complete(&slot.id, &json!({})).await.data();
}

#[tokio::test]
async fn faults_may_be_given_by_configuration() {
    let emulator = Emulator::builder()
        .fault(Fault::new(Route::Get, FaultKind::Status { status: 500 }).skip(1))
        .fault(Fault::new(Route::Get, FaultKind::Status { status: 503 }).times(2))
        .start()
        .await
        .unwrap();
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let url = format!("{}/v3/assets/ast_none", emulator.base_url());
    for status in [404, 500, 503, 503, 404] {
        let request = client.get(&url).header("x-api-key", "k");
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn faults_may_be_given_over_http() {
    let f = Fixture::start().await;
    let ask = async |method: Method, body: Option<Value>| {
        let mut request = f.client.request(method, f.url("/_emulator/faults"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    };
    let one = json!({"route": "file-input", "fault": "reset-during", "after_bytes": 5, "skip": 2});
    let list = json!([
        {"route": "any", "fault": "latency", "milliseconds": 1, "times": 3},
        {"route": "put", "fault": "expired-url"},
    ]);
    ask(Method::POST, Some(one)).await;
    let answer = ask(Method::POST, Some(list)).await;
    assert_eq!(answer.status, StatusCode::OK);
    f.get("/v3/assets/ast_none").await;

    let left = json!([
        {"route": "file-input", "fault": "reset-during", "after_bytes": 5, "skip": 2, "times": 1},
        {"route": "any", "fault": "latency", "milliseconds": 1, "skip": 0, "times": 2},
        {"route": "put", "fault": "expired-url", "skip": 0, "times": 1},
    ]);
    assert_eq!(ask(Method::GET, None).await.body, left);
    assert_eq!(f.emulator.faults().len(), 3);
    assert_eq!(f.emulator.request_count(), 1, "only the client's counts");

    assert_eq!(ask(Method::DELETE, None).await.body, json!([]));
    assert!(f.emulator.faults().is_empty());
}

#[tokio::test]
async fn a_fault_that_cannot_be_is_refused_with_all_of_its_list() {
    let f = Fixture::start().await;
    for (wrong, param) in [
        (json!({"route": "put"}), None),
        (json!({"route": "nowhere", "fault": "reset-after"}), None),
        (json!({"route": "put", "fault": "no-such-fault"}), None),
        (json!({"route": "put", "fault": "latency"}), None),
        (
            json!({"route": "put", "fault": "reset-after", "time": 2}),
            Some("time"),
        ),
        (
            json!({"route": "put", "fault": "status", "status": 200}),
            None,
        ),
        (
            json!({"route": "upload", "fault": "settles-late", "milliseconds": 1}),
            None,
        ),
        (json!("reset-after"), None),
    ] {
        let good = json!({"route": "put", "fault": "reset-after"});
        let request = f.client.post(f.url("/_emulator/faults"));
        let request = request.json(&json!([good, wrong]));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", param), "{wrong}");
    }
    assert!(f.emulator.faults().is_empty());
}

#[tokio::test]
async fn a_pause_in_the_body_changes_nothing_but_the_time() {
    let f = Fixture::start().await;
    let pause = FaultKind::Pause {
        after_bytes: 0,
        milliseconds: 300,
    };
    f.emulator.inject(Fault::new(Route::Upload, pause));
    let start = Instant::now();
    f.upload("a.png", PNG).await.data();
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(f.emulator.assets().len(), 1);
}

#[tokio::test]
async fn an_answer_is_given_in_place_of_the_services() {
    let f = Fixture::start().await;
    let fault: Fault = serde_json::from_value(json!({
        "route": "upload", "fault": "answer", "status": 413, "headers": { "retry-after": "3.5", "server": "nginx" },
        "body": "<h1>413</h1>",
    }))
    .unwrap();
    f.emulator.inject(fault);
    let answer = outcome(&f, &upload()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("retry-after: 3.5\r\n") && answer.ends_with("\r\n\r\n<h1>413</h1>"),
        "{answer}"
    );
    assert!(f.emulator.assets().is_empty());
}

#[tokio::test]
async fn fields_of_an_answer_are_replaced() {
    let f = Fixture::start().await;
    let fault: Fault = serde_json::from_value(json!({
        "route": "upload", "fault": "changed-answer", "data": { "size_bytes": null, "more": [1] },
    }))
    .unwrap();
    f.emulator.inject(fault);
    let answer = f.upload("a.png", PNG).await;
    let data = answer.data();
    assert_eq!(
        (&data["size_bytes"], &data["more"]),
        (&Value::Null, &json!([1]))
    );
    assert_eq!(data["asset_id"], f.emulator.assets()[0].id.as_str());
}
