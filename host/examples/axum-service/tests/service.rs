//! The service over HTTP, with clients that go away, plugins that misbehave, and an end that comes while it is busy.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use axum_service::{Service, serve};
use bytes::Bytes;
use forebay::{Assets, Host};
use forebay_emulator::Emulator;
use futures::StreamExt as _;
use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long nothing may move on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than waits anywhere between a plugin and a client, sockets included.
const LARGE: usize = 30_000_000;

/// A pipeline with one stage.
fn pipeline(name: &str, plugin: &str, config: &str) -> String {
    format!("[[pipelines.{name}.stages]]\nplugin = \"./{plugin}.wasm\"\nconfig = {{ {config} }}\n")
}

fn write_pipelines(folder: &Path) {
    let mut text =
        pipeline("same", "identity", "") + &pipeline("resized", "image-resize", "max_width = 9");
    for behaviour in ["spin", "sleep", "flood", "fail-late", "spin-after-output"] {
        text += &pipeline(
            behaviour,
            "hostile",
            &format!("behaviour = \"{behaviour}\""),
        );
    }
    text += "limits = { cpu_time = \"1s\" }\n";
    let components = [
        ("identity", forebay_bundled::IDENTITY),
        ("image-resize", forebay_bundled::IMAGE_RESIZE),
        ("hostile", forebay_test_plugins::HOSTILE),
    ];
    for (name, component) in components {
        std::fs::write(folder.join(format!("{name}.wasm")), component).unwrap();
    }
    std::fs::write(folder.join("pipelines.toml"), text).unwrap();
}

struct Running {
    address: String,
    client: Client,
    folder: TempDir,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    /// Starts a service on a host with so many places. Jobs have no time to end when it stops.
    async fn start(instances: u32, assets: Option<Assets>) -> Self {
        let folder = TempDir::new().unwrap();
        write_pipelines(folder.path());
        let host = Host::builder()
            .cache_dir(concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
            .instances(instances)
            .build()
            .unwrap();
        let service = Service::start(host, folder.path().to_owned(), assets)
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            let stop = async { drop(stopped.await) };
            serve(service, listener, stop, Duration::ZERO)
                .await
                .unwrap();
        });
        Self {
            address,
            client: forebay_emulator::client().unwrap().build().unwrap(),
            folder,
            stop,
            served,
        }
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let url = format!("http://{}{path}", self.address);
        let answer = self.client.post(url).body(body).send();
        patiently(answer).await.unwrap()
    }

    async fn get(&self, path: &str) -> String {
        let answer = self
            .client
            .get(format!("http://{}{path}", self.address))
            .send();
        patiently(answer).await.unwrap().text().await.unwrap()
    }

    /// Waits until `/metrics` has this line.
    async fn until(&self, line: &str) {
        patiently(async {
            while !self
                .get("/metrics")
                .await
                .lines()
                .any(|there| there == line)
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// A connection with a request of which so many bytes of the body are sent.
    async fn request(&self, pipeline: &str, announced: usize, sent: usize) -> TcpStream {
        let mut connection = TcpStream::connect(&self.address).await.unwrap();
        let head = format!(
            "POST /pipelines/{pipeline}?name=a.bin HTTP/1.1\r\nHost: {}\r\nContent-Length: {announced}\r\n\r\n",
            self.address
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&vec![7; sent]).await.unwrap();
        connection
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        patiently(self.served).await.unwrap();
    }
}

/// Waits as long as something may take on a busy machine.
async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_at_once_get_each_its_own_result() {
    let service = Running::start(4, None).await;
    let requests = (0..50_u32).map(|at| {
        let service = &service;
        async move {
            let content: Bytes = (0..200_000 + at).map(|byte| (byte ^ at) as u8).collect();
            let answer = service
                .post("/pipelines/same?name=a.bin", content.clone())
                .await;
            assert_eq!(answer.status(), 200);
            assert_eq!(
                answer.headers()["content-length"],
                content.len().to_string()
            );
            assert!(answer.bytes().await.unwrap() == content);
        }
    });
    patiently(futures::future::join_all(requests)).await;
    service.until("forebay_jobs 0").await;
    let metrics = service.get("/metrics").await;
    assert!(!metrics.contains("failures_total"), "{metrics}");
    assert!(
        metrics.contains("cpu_seconds_total{plugin=\"identity\"}"),
        "{metrics}"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_its_job() {
    let service = Running::start(4, None).await;
    for (pipeline, announced, sent) in [
        ("same", LARGE, 500_000),
        ("spin", 10, 10),
        ("sleep", 10, 10),
    ] {
        let connection = service.request(pipeline, announced, sent).await;
        service.until("forebay_jobs 1").await;
        drop(connection);
        service.until("forebay_jobs 0").await;
        service.until("forebay_instances 0").await;
    }
    let mut connection = service.request("flood", 10, 10).await;
    let mut head = [0; 15];
    patiently(connection.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    drop(connection);
    service.until("forebay_jobs 0").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_is_visibly_cut() {
    let service = Running::start(4, None).await;
    // One gives up after its last byte. The other has then a second, in which all that is handed out can be read.
    let cut = [
        ("fail-late", "file", "failed"),
        ("spin-after-output", "limit", "limit"),
    ];
    for (pipeline, kind, code) in cut {
        let path = format!("/pipelines/{pipeline}?name=a.bin");
        let answer = service.post(&path, vec![7; LARGE]).await;
        assert_eq!(answer.status(), 200, "it had begun");
        let (mut pieces, mut count) = (answer.bytes_stream(), 0);
        let failed = loop {
            match patiently(pieces.next()).await {
                Some(Ok(piece)) => count += piece.len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(failed && count < LARGE, "{count} bytes, failed: {failed}");
        let counted = format!("forebay_failures_total{{kind=\"{kind}\",code=\"{code}\"}} 1");
        service.until(&counted).await;
    }
    // A short one is a status.
    let answer = service
        .post("/pipelines/fail-late?name=a.bin", "some words")
        .await;
    assert_eq!(answer.status(), 422);
    let failure: Value = answer.json().await.unwrap();
    assert_eq!(
        (&failure["stage"], &failure["code"]),
        (&"1 hostile".into(), &"failed".into())
    );
    service
        .until("forebay_failures_total{kind=\"file\",code=\"failed\"} 2")
        .await;
    let answer = service
        .post("/pipelines/resized?name=a.jpg", "some words")
        .await;
    assert_eq!(answer.status(), 415);
    let answer = service
        .post("/pipelines/none?name=a.jpg", "some words")
        .await;
    assert_eq!(answer.status(), 404);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_within_its_deadline_whatever_runs() {
    let service = Running::start(3, None).await;
    let mut sleeping = service.request("sleep", 10, 10).await;
    let unread = service.request("flood", 10, 10).await;
    let unsent = service.request("same", LARGE, 0).await;
    service.until("forebay_jobs 3").await;
    let mut waiting = service.request("same", 10, 10).await;
    service.until("forebay_waiting 1").await;
    let mut events = TcpStream::connect(&service.address).await.unwrap();
    events
        .write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 15];
    patiently(events.read_exact(&mut head)).await.unwrap();
    let started = Instant::now();
    service.stop().await;
    eprintln!("stopped within {:?}", started.elapsed());
    for connection in [&mut sleeping, &mut waiting] {
        let mut answer = String::new();
        patiently(connection.read_to_string(&mut answer))
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\"code\":\"cancelled\""), "{answer}");
    }
    drop((unread, unsent));
}

/// The component of `identity` as no cache has it: with a custom section of its own.
fn changed() -> Vec<u8> {
    let unlike = format!("\u{7}version{:?}", std::time::SystemTime::now());
    let mut component = forebay_bundled::IDENTITY.to_vec();
    component.extend([0, unlike.len() as u8]);
    component.extend(unlike.bytes());
    component
}

#[tokio::test(flavor = "multi_thread")]
async fn it_loads_plugins_anew_while_all_places_are_taken() {
    let service = Running::start(1, None).await;
    let _spinning = service.request("spin", 10, 10).await;
    service.until("forebay_instances 1").await;
    let file = service.folder.path().join("pipelines.toml");
    let old = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, old.clone() + &pipeline("new", "no-such", "")).unwrap();
    let answer = service.post("/reload", "").await;
    assert_eq!(answer.status(), 422);
    let none = service.post("/pipelines/new?name=a", "").await;
    assert_eq!(none.status(), 404, "all or nothing");
    std::fs::write(&file, old + &pipeline("new", "changed", "")).unwrap();
    std::fs::write(service.folder.path().join("changed.wasm"), changed()).unwrap();
    let started = Instant::now();
    let answer = service.post("/reload", "").await;
    eprintln!("loaded within {:?}", started.elapsed());
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "8 pipelines\n");
    let _waits = service.request("new", 10, 10).await;
    service.until("forebay_waiting 1").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_become_assets_and_events_tell_how() {
    let emulator = Emulator::builder().start().await.unwrap();
    let assets = Assets::builder()
        .api_key("a-key")
        .base_url(emulator.base_url())
        .no_proxy()
        .build()
        .unwrap();
    let service = Running::start(4, Some(assets)).await;
    let url = format!("http://{}/events", service.address);
    let mut events = service.client.get(url).send().await.unwrap().bytes_stream();
    let answer = service
        .post("/pipelines/same?name=a.pdf&to=assets", "%PDF-1.7 words")
        .await;
    assert_eq!(answer.status(), 201);
    let report: Value = answer.json().await.unwrap();
    let id = report["files"][0]["asset"]["asset_id"].as_str().unwrap();
    assert_eq!(emulator.assets()[0].id, id);
    let mut told = String::new();
    patiently(async {
        while !told.contains("\"event\":\"delivered\"") {
            told += std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap();
        }
    })
    .await;
    for name in ["opened", "started", "ended", "delivering"] {
        assert!(
            told.contains(&format!("data: {{\"event\":\"{name}\"")),
            "{name}: {told}"
        );
    }
    service.stop().await;
    assert_eq!(emulator.assets().len(), 1);
}
