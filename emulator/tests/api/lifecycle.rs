//! Starting, watching and stopping.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use forebay_emulator::{Emulator, StartError};

use crate::common::{Fixture, KEY, PATIENCE, PNG, eventually, form};

/// A free port of an address that no other test listens on: once closed, nothing else answers there.
fn own_address(last: u8) -> SocketAddr {
    // Other systems have one address of loopback.
    let last = if cfg!(target_os = "linux") { last } else { 1 };
    (Ipv4Addr::new(127, 0, 0, last), 0).into()
}

#[tokio::test]
async fn requests_are_recorded_without_secrets() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let response = f.put(&slot, PNG).send().await.unwrap();
    let id = response.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    f.get("/v3/assets/ast_none").await;

    let seen: Vec<_> = f
        .emulator
        .requests()
        .into_iter()
        .map(|r| (r.method, r.path, r.carried_key, r.status))
        .collect();
    let bucket = format!("/bucket/{}", slot.id);
    assert_eq!(
        seen,
        [
            (
                "POST".into(),
                "/v3/assets/direct-uploads".into(),
                true,
                Some(200)
            ),
            ("PUT".into(), bucket, false, Some(200)),
            ("GET".into(), "/v3/assets/ast_none".into(), true, Some(404)),
        ]
    );
    assert_eq!(f.emulator.requests()[1].id, id);
    assert_eq!(f.emulator.request_count(), 3);
}

#[tokio::test]
async fn a_client_that_leaves_has_no_status() {
    let f = Fixture::start().await;
    let head = format!(
        "POST /v3/video-agents HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n\
         content-type: application/json\r\ncontent-length: 14\r\n\r\n"
    );
    let _stream = f.connect(head.as_bytes()).await;
    f.eventually(|f| f.emulator.request_count() == 1).await;
    assert_eq!(f.emulator.requests()[0].status, None);
}

#[tokio::test]
async fn shutdown_cuts_connections_and_removes_a_temporary_folder() {
    let listen = own_address(2);
    let emulator = Emulator::builder().listen(listen).start().await.unwrap();
    let addr = emulator.addr();
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let upload = client
        .post(format!("{}/v3/assets", emulator.base_url()))
        .header("x-api-key", "k")
        .multipart(form("a.png", PNG.to_vec()));
    assert!(upload.send().await.unwrap().status().is_success());
    let path = emulator.assets()[0].path.clone().unwrap();
    assert!(path.exists());

    // A request that will never end does not hold it up.
    let open =
        reqwest::Body::wrap_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let hanging = client
        .post(format!("{}/v3/assets", emulator.base_url()))
        .body(open);
    let hanging = tokio::spawn(hanging.header("x-api-key", "k").send());
    eventually(async || emulator.request_count() == 2).await;

    tokio::time::timeout(PATIENCE, emulator.shutdown())
        .await
        .unwrap();
    let root = path.parent().and_then(Path::parent).unwrap();
    assert!(!root.exists());
    assert!(TcpStream::connect(addr).is_err());
    let answer = tokio::time::timeout(PATIENCE, hanging)
        .await
        .unwrap()
        .unwrap();
    assert!(answer.is_err() || !answer.unwrap().status().is_success());
}

#[tokio::test]
async fn dropping_stops_it_too() {
    let listen = own_address(3);
    let emulator = Emulator::builder().listen(listen).start().await.unwrap();
    let addr = emulator.addr();
    drop(emulator);
    eventually(async || TcpStream::connect(addr).is_err()).await;
}

#[tokio::test]
async fn a_given_folder_is_left_behind() {
    let f = Fixture::start().await;
    let id = f.upload("a.png", PNG).await.text("asset_id");
    f.emulator.shutdown().await;
    let path = f.dir.path().join("assets").join(format!("{id}.png"));
    assert_eq!(std::fs::read(path).unwrap(), PNG);
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let first = Emulator::builder().start().await.unwrap();
    let second = Emulator::builder().listen(first.addr()).start().await;
    assert!(matches!(second, Err(StartError::Listen { addr, .. }) if addr == first.addr()));
}
