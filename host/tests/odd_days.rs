//! The client on days that no single fault describes: other sides' words, waits, limits, hosts that are not there, and
//! peers that take or answer nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay::assets::{AssetsBuilder, MULTIPART_MAX, TransportKind};
use forebay::{
    Assets, AssetsError, AssetsExt as _, Event, Host, JobError, Pipeline, Report, Source,
};
use forebay_emulator::{Emulator, Fault, FaultKind, RequestRecord, Route};
use serde_json::{Value, json};

fn pdf(size: usize) -> Bytes {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    bytes[..8].copy_from_slice(b"%PDF-1.7");
    bytes.into()
}

const LARGE: usize = MULTIPART_MAX as usize + 1;

fn client(base_url: &str) -> AssetsBuilder {
    Assets::builder()
        .api_key("k")
        .base_url(base_url)
        .retries(3, Duration::from_millis(10))
        .no_proxy()
}

async fn service() -> (Emulator, Assets) {
    let emulator = Emulator::builder().start().await.unwrap();
    let assets = client(emulator.base_url()).build().unwrap();
    (emulator, assets)
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> FaultKind {
    let headers = headers
        .iter()
        .map(|&(name, value)| (name.into(), value.into()));
    FaultKind::Answer {
        status,
        headers: BTreeMap::from_iter(headers),
        body: body.to_owned(),
    }
}

fn changed(data: Value) -> FaultKind {
    let Value::Object(data) = data else {
        panic!("an object")
    };
    FaultKind::ChangedAnswer { data }
}

/// Uploads `a.pdf` of this size as a job does.
async fn run(assets: &Assets, size: usize) -> Result<Report, JobError> {
    let host = Host::builder().build().unwrap();
    let pipeline = Pipeline::builder("upload").build().unwrap();
    let source = Source::bytes("a.pdf", pdf(size));
    host.run(&pipeline, source, assets.sink()).await
}

/// The first error of an upload through a job, as text.
async fn refused(assets: &Assets, size: usize) -> String {
    let error = run(assets, size).await.unwrap_err();
    assets.settle().await;
    error.errors[0].to_string()
}

/// How often each path was asked for, by its last part.
fn count(emulator: &Emulator, what: impl Fn(&RequestRecord) -> bool) -> usize {
    emulator
        .requests()
        .iter()
        .filter(|request| what(request))
        .count()
}

fn is_put(request: &RequestRecord) -> bool {
    request.method == "PUT"
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_id_and_a_url_are_needed_and_what_was_made_is_deleted() {
    let (emulator, assets) = service().await;
    let odd = [
        json!({ "size_bytes": null }),
        json!({ "mime_type": null, "url": null }),
        json!({ "size_bytes": 1000.0, "status": 1 }),
    ];
    for data in odd {
        emulator.inject(Fault::new(Route::Upload, changed(data.clone())));
        let report = run(&assets, 1000).await.unwrap();
        let asset = report.assets().next().unwrap().clone();
        assert_eq!(
            (asset.size_bytes, asset.mime_type.as_str()),
            (1000, "application/pdf"),
            "{data}"
        );
        assert_eq!(emulator.assets().len(), 1, "{data}");
        assets.delete(&asset.asset_id).await.unwrap();
    }
    for data in [
        json!({ "upload_headers": null }),
        json!({ "upload_headers": { "content-type": ["application/pdf"], "content-length": LARGE } }),
        json!({ "max_bytes": null, "expires_in_seconds": 3600.0 }),
    ] {
        emulator.inject(Fault::new(Route::Create, changed(data.clone())));
        let made = run(&assets, LARGE).await;
        // Without its signed headers the storage refuses the bytes, and the reservation goes.
        if data["upload_headers"].is_null() && data.get("upload_headers").is_some() {
            assert!(made.is_err());
            assets.settle().await;
            assert!(emulator.assets().is_empty(), "{data}");
            continue;
        }
        let id = made.unwrap().assets().next().unwrap().asset_id.clone();
        assert_eq!(emulator.assets().len(), 1, "{data}");
        assets.delete(&id).await.unwrap();
    }
    // What cannot be used is not tried again, and the asset that it names is deleted.
    for (route, size, data) in [
        (Route::Create, LARGE, json!({ "upload_url": "/bucket/x" })),
        (Route::Create, LARGE, json!({ "upload_url": null })),
        (
            Route::Create,
            LARGE,
            json!({ "upload_headers": { "a b": "c" } }),
        ),
        (Route::Create, LARGE, json!({ "max_bytes": 5 })),
        (Route::Upload, 1000, json!({ "size_bytes": 12345 })),
    ] {
        emulator.inject(Fault::new(route, changed(data.clone())));
        let before = emulator.requests().len();
        let error = refused(&assets, size).await;
        assert!(emulator.assets().is_empty(), "{data}: {error}");
        assert_eq!(
            emulator.requests().len() - before,
            2,
            "one attempt and its deletion: {error}"
        );
    }
    // The same for an answer that is cut off within, behind the id.
    let id = assets
        .upload("a.pdf", "application/pdf", pdf(10))
        .await
        .unwrap()
        .asset_id;
    let torn = format!(r#"{{"data": {{"asset_id": "{id}", "url"#);
    emulator.inject(Fault::new(Route::Upload, answer(200, &[], &torn)));
    let error = refused(&assets, 1000).await;
    assert!(emulator.assets().is_empty(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_side_says_is_told() {
    let (emulator, assets) = service().await;
    let html = [("content-type", "text/html")];
    let moved = [("location", "https://other.example/v3/assets?secret=1")];
    for (fault, size, expected) in [
        (
            answer(
                400,
                &[],
                r#"{"code":400112,"message":"Unauthorized","data":null}"#,
            ),
            10,
            "upload: Unauthorized (400 400112,",
        ),
        (
            answer(
                422,
                &[],
                r#"{"detail":[{"loc":["body","file"],"msg":"field required"}]}"#,
            ),
            10,
            "upload: body.file: field required (422,",
        ),
        (
            answer(
                403,
                &html,
                "<html><title>Blocked by the proxy</title></html>",
            ),
            10,
            "upload: Blocked by the proxy (403,",
        ),
        (
            answer(
                400,
                &[],
                "{\"error\":{\"code\":\"c\\u001b[31m\",\"message\":\"m\\nforebay: all is well\"}}",
            ),
            10,
            "upload: m forebay: all is well (400 c [31m,",
        ),
        (
            answer(301, &moved, ""),
            10,
            "redirects to https://other.example,",
        ),
        (
            answer(
                200,
                &html,
                "<html><body>Please log in to the hotel wifi</body></html>",
            ),
            10,
            "the answer is not the service's (text/html: Please log in to the hotel wifi)",
        ),
    ] {
        emulator.inject(Fault::new(Route::Upload, fault));
        let before = emulator.requests().len();
        let error = refused(&assets, size).await;
        assert!(error.contains(expected), "{error}");
        assert!(
            !error.contains("secret") && !error.contains('\u{1b}'),
            "{error}"
        );
        assert_eq!(
            emulator.requests().len() - before,
            1,
            "not tried again: {error}"
        );
    }
    let denied = "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature does not match</Message></Error>";
    for (fault, expected) in [
        (
            answer(403, &[], denied),
            "answered 403 SignatureDoesNotMatch: The request signature does not match",
        ),
        (
            answer(307, &moved, ""),
            "answered 307: it redirects to https://other.example,",
        ),
    ] {
        emulator.inject(Fault::new(Route::Put, fault));
        let before = count(&emulator, is_put);
        let error = refused(&assets, LARGE).await;
        assert!(
            error.contains(expected) && error.contains("127.0.0.1"),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(count(&emulator, is_put) - before, 1, "tried once: {error}");
        assert!(emulator.assets().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_that_are_asked_for_are_kept() {
    let (emulator, assets) = service().await;
    let slow_down = r#"{"error":{"code":"rate_limit_exceeded","message":"slow down"}}"#;
    emulator.inject(Fault::new(
        Route::Upload,
        answer(429, &[("retry-after", "0.4")], slow_down),
    ));
    let start = Instant::now();
    run(&assets, 1000).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(400));
    let busy = "<Error><Code>SlowDown</Code></Error>";
    emulator.inject(Fault::new(
        Route::Put,
        answer(503, &[("retry-after", "0.4")], busy),
    ));
    let start = Instant::now();
    run(&assets, LARGE).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(400));
    // Longer than anybody waits.
    emulator.inject(Fault::new(
        Route::Upload,
        answer(429, &[("retry-after", "7200")], slow_down),
    ));
    let error = refused(&assets, 1000).await;
    assert!(
        error.contains("(429 rate_limit_exceeded,") && error.ends_with("; try again in 2h)"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_for_one_request_goes_the_other_way() {
    let (emulator, assets) = service().await;
    emulator.inject(Fault::new(Route::Upload, FaultKind::Status { status: 413 }));
    run(&assets, 1000).await.unwrap();
    run(&assets, 2000).await.unwrap();
    run(&assets, 10).await.unwrap();
    let uploads = count(&emulator, |request| {
        request.method == "POST" && request.path == "/v3/assets"
    });
    assert_eq!(uploads, 2, "the limit that was met holds for larger files");
    assert_eq!(emulator.assets().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_there_for_any_file() {
    // Bound and closed: nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let assets = client(&format!("http://127.0.0.1:{port}")).build().unwrap();
    let retries = Arc::new(Mutex::new(0));
    let host = Host::builder().build().unwrap();
    let pipeline = Pipeline::builder("upload").build().unwrap();
    let mut errors = Vec::new();
    for _ in 0..10 {
        let counted = retries.clone();
        let job = host
            .job(&pipeline, Source::bytes("a.pdf", pdf(100)), assets.sink())
            .observe(move |event| {
                if let Event::Retry { retry, .. } = event {
                    assert_eq!(retry.file, "a.pdf");
                    *counted.lock().unwrap() += 1;
                }
            });
        errors.push(job.run().await.unwrap_err().errors[0].to_string());
    }
    assert_eq!(*retries.lock().unwrap(), 3, "only the first is tried again");
    let first = format!("upload: no connection to 127.0.0.1:{port}: ");
    assert!(errors[0].contains(&first), "{}", errors[0]);
    for error in &errors[1..] {
        assert!(
            error.contains("not tried") && error.contains(&first),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_every_file_ends_the_run() {
    for (status, code) in [(401, "unauthorized"), (402, "insufficient_credit")] {
        let (emulator, assets) = service().await;
        run(&assets, 100).await.unwrap();
        let body = json!({ "error": { "code": code, "message": "no" } }).to_string();
        emulator.inject(Fault::new(Route::Upload, answer(status, &[], &body)).times(100));
        let before = emulator.requests().len();
        for size in [100, 200, LARGE] {
            let error = refused(&assets, size).await;
            assert!(
                error.contains(&format!("upload: no ({status} {code}")),
                "{error}"
            );
        }
        assert_eq!(emulator.requests().len() - before, 1);
        // What is not an upload is still done.
        let asset = emulator.assets().remove(0);
        assets.delete(&asset.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_tls_is_named_and_not_tried_again() {
    let (emulator, _) = service().await;
    let https = emulator.base_url().replace("http://", "https://");
    let assets = client(&https).build().unwrap();
    let error = assets
        .upload("a.pdf", "application/pdf", pdf(100))
        .await
        .unwrap_err();
    let AssetsError::Transport { kind, reason, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*kind, TransportKind::Tls, "{error}");
    assert!(
        reason.starts_with("no TLS connection to 127.0.0.1:"),
        "{error}"
    );
    assert!(
        error.concerns_every_upload() && !error.to_string().contains("/v3"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let assets = Assets::builder()
        .api_key("k")
        .base_url("http://api.example")
        .allow_http("api.example")
        .retries(0, Duration::ZERO)
        .proxy(format!("http://user:password@127.0.0.1:{port}"))
        .build()
        .unwrap();
    let error = assets
        .upload("a.pdf", "application/pdf", pdf(100))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("the proxy 127.0.0.1:{port}")) && error.contains("api.example"),
        "{error}"
    );
    assert!(!error.contains("password"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_nothing_or_answers_nothing_is_left_after_its_time() {
    let emulator = Emulator::builder().start().await.unwrap();
    let impatient = |builder: AssetsBuilder| {
        let short = Duration::from_millis(300);
        builder.stall_timeout(short).slowest_line(u64::MAX)
    };
    // Takes nothing: the bytes do not fit into the buffers.
    emulator.inject(Fault::new(
        Route::Put,
        FaultKind::SlowReader {
            bytes_per_second: 0,
        },
    ));
    let assets = impatient(client(emulator.base_url())).build().unwrap();
    run(&assets, LARGE).await.unwrap();
    assert_eq!(emulator.assets().len(), 1);
    // Takes all and says nothing. The body is sent once more, with the same key.
    let hour = FaultKind::Latency {
        milliseconds: 3_600_000,
    };
    emulator.inject(Fault::new(Route::Upload, hour.clone()).times(100));
    let assets = client(emulator.base_url())
        .processing_timeout(Duration::from_millis(300))
        .slowest_line(u64::MAX)
        .build()
        .unwrap();
    let before = count(&emulator, |request| request.path == "/v3/assets");
    let error = refused(&assets, 1000).await;
    assert!(
        error.contains("all bytes were sent, and no answer came"),
        "{error}"
    );
    assert!(
        count(&emulator, |request| request.path == "/v3/assets") - before <= 2,
        "{error}"
    );
    emulator.clear_faults();
    assert_eq!(emulator.assets().len(), 1, "nothing else is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_take_longer_than_a_stall() {
    let emulator = Emulator::builder().start().await.unwrap();
    emulator.inject(Fault::new(
        Route::Upload,
        FaultKind::Latency { milliseconds: 800 },
    ));
    emulator.inject(Fault::new(
        Route::Complete,
        FaultKind::Latency { milliseconds: 800 },
    ));
    let assets = client(emulator.base_url())
        .stall_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    run(&assets, 1000).await.unwrap();
    run(&assets, LARGE).await.unwrap();
    let posts = count(&emulator, |request| request.method == "POST");
    assert_eq!(posts, 3, "nothing was sent again");
}
