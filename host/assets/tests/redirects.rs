//! Where the key goes when the service redirects: nowhere.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay_assets::{Assets, NewUpload, Request};
use tokio::io::AsyncReadExt as _;

const KEY: &str = "canary-key-90d1";

/// The heads of all requests that a server got.
type Heads = Arc<Mutex<Vec<String>>>;

/// A server that gives each request the same answer.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Heads::default();
    let seen = heads.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.parse::<u64>().unwrap())
            });
            // Closing a connection with bytes that were not read would reset it.
            let mut body = Vec::new();
            let _ = reader.take(length.unwrap_or(0)).read_to_end(&mut body);
            let answer = answer(&head);
            seen.lock().unwrap().push(head);
            let _ = write!(stream, "HTTP/1.1 {answer}");
        }
    });
    (url, heads)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_takes_the_key_nowhere() {
    let (other, at_other) = serve(|_| {
        "200 OK\r\nConnection: close\r\nContent-Length: 11\r\n\r\n{\"data\":{}}".to_owned()
    });
    // Another port, and another name of the same machine: neither was named as the base URL.
    let elsewhere = other.replace("127.0.0.1", "localhost");
    for to in [format!("{other}/v3/assets"), format!("{elsewhere}/")] {
        for status in ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"] {
            let location = to.clone();
            let (service, at_service) = serve(move |_| {
                format!(
                    "{status}\r\nConnection: close\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                )
            });
            let assets = Assets::builder()
                .api_key(KEY)
                .base_url(&service)
                .no_proxy()
                .retries(0, Duration::ZERO)
                .build()
                .unwrap();
            let new = NewUpload {
                name: "a.pdf",
                media_type: "application/pdf",
                size: 8,
                sha256: None,
            };
            let errors = [
                assets.get("ast_1").await.unwrap_err(),
                assets.delete("ast_1").await.unwrap_err(),
                assets
                    .send_request(Request::video_agent("p"))
                    .await
                    .unwrap_err(),
                assets.direct_upload(new).await.unwrap_err(),
                assets
                    .upload("a.pdf", "application/pdf", "%PDF-1.7")
                    .await
                    .unwrap_err(),
            ];
            for error in errors {
                let error = error.to_string();
                assert!(error.contains("redirects are not followed"), "{error}");
            }
            let heads = at_service.lock().unwrap();
            assert_eq!(heads.len(), 5, "{heads:?}");
            assert!(heads.iter().all(|head| head.contains(KEY)), "{heads:?}");
        }
    }
    assert_eq!(*at_other.lock().unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_redirected_without_the_key() {
    let (storage, at_storage) =
        serve(|_| "200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfile".to_owned());
    let (service, at_service) = serve(move |_| {
        format!(
            "302 Found\r\nConnection: close\r\nLocation: {storage}/a\r\nContent-Length: 0\r\n\r\n"
        )
    });
    let assets = Assets::builder()
        .api_key(KEY)
        .base_url(&service)
        .no_proxy()
        .build()
        .unwrap();
    let mut download = assets.download(&format!("{service}/file")).await.unwrap();
    let mut content = String::new();
    download.reader.read_to_string(&mut content).await.unwrap();
    assert_eq!(content, "file");
    for heads in [at_service, at_storage] {
        let heads = heads.lock().unwrap();
        assert_eq!(heads.len(), 1);
        assert!(!heads.iter().any(|head| head.contains(KEY)), "{heads:?}");
    }
}
