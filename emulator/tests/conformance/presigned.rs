//! The presigned `PUT`: the rows of S3's conventions.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay_emulator::Config;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::common::{Fixture, KEY, PNG, Slot, mp4, sha256};

/// Sends a `PUT` that must be refused, and gives its status and XML.
async fn refused(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/xml");
    let id = response.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let status = response.status().as_u16();
    let xml = response.text().await.unwrap();
    assert!(
        xml.contains(&format!("<RequestId>{id}</RequestId>")),
        "{xml}"
    );
    (status, xml)
}

fn code(code: &str) -> String {
    format!("<Code>{code}</Code>")
}

/// A raw `PUT` to the slot with these further header lines and this body.
fn raw(slot: &Slot, headers: &str, body: &[u8]) -> Vec<u8> {
    let target = slot.target();
    let head =
        format!("PUT {target} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

pub(crate) async fn a_put_answers_an_etag_and_may_be_repeated() {
    let f = Fixture::start().await;
    let slot = f.create("video/mp4", 1000).await;
    let mut etags = Vec::new();
    for fill in [1, 2] {
        let mut bytes = mp4(1000);
        bytes[999] = fill;
        let response = f.put(&slot, bytes.clone()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        etags.push(response.headers()["etag"].to_str().unwrap().to_owned());
        assert_eq!(
            f.emulator.assets()[0].sha256,
            Some(sha256(&bytes)),
            "the newest counts"
        );
    }
    assert_ne!(etags[0], etags[1]);
    assert!(etags[0].starts_with('"') && etags[0].ends_with('"'));
}

pub(crate) async fn an_expired_url_is_denied() {
    let f = Fixture::with(Config {
        upload_expiry: Duration::ZERO,
        ..Config::default()
    })
    .await;
    let slot = f.create("image/png", PNG.len()).await;
    assert_eq!(slot.data["expires_in_seconds"], 0);
    let (status, xml) = refused(f.put(&slot, PNG)).await;
    assert_eq!(status, 403);
    assert!(
        xml.contains(&code("AccessDenied")) && xml.contains("Request has expired"),
        "{xml}"
    );
}

pub(crate) async fn what_was_signed_must_be_sent() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let longer = [PNG, b"x"].concat();
    for request in [
        f.client.put(&slot.url).body(PNG),
        f.client
            .put(&slot.url)
            .header("content-type", "image/jpeg")
            .body(PNG),
        f.put(&slot, longer),
        f.put(&slot, &PNG[1..]),
        f.client
            .put(slot.url.replace(&slot.id, "ast_other"))
            .header("content-type", "image/png")
            .body(PNG),
    ] {
        let (status, xml) = refused(request).await;
        assert_eq!(status, 403);
        assert!(xml.contains(&code("SignatureDoesNotMatch")), "{xml}");
    }
    assert_eq!(f.files("incoming"), [""; 0]);
}

pub(crate) async fn a_url_without_a_signature_is_denied() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let bare = slot.url.split('?').next().unwrap();
    let (status, xml) = refused(f.client.put(bare).body(PNG)).await;
    assert_eq!(status, 403);
    assert!(xml.contains(&code("AccessDenied")), "{xml}");
}

pub(crate) async fn unsigned_amazon_headers_are_denied() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let request = f.put(&slot, PNG).header("x-amz-acl", "public-read");
    let (status, xml) = refused(request).await;
    assert_eq!(status, 403);
    assert!(xml.contains(&code("AccessDenied")), "{xml}");
    assert!(
        xml.contains("<HeadersNotSigned>x-amz-acl</HeadersNotSigned>"),
        "{xml}"
    );
}

pub(crate) async fn an_api_key_is_seen_and_a_bearer_token_is_refused() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let response = f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!f.emulator.requests().last().unwrap().carried_key);

    let request = f.put(&slot, PNG).header("x-api-key", KEY);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert!(f.emulator.requests().last().unwrap().carried_key);

    let (status, xml) = refused(f.put(&slot, PNG).bearer_auth(KEY)).await;
    assert_eq!(status, 400);
    assert!(xml.contains(&code("InvalidArgument")), "{xml}");
}

pub(crate) async fn a_chunked_body_is_not_implemented() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", 5).await;
    let request = raw(
        &slot,
        "transfer-encoding: chunked\r\n",
        b"5\r\nabcde\r\n0\r\n\r\n",
    );
    let answer = f.raw(&request, true).await;
    assert!(
        answer.starts_with("HTTP/1.1 501 Not Implemented\r\n"),
        "{answer}"
    );
    assert!(answer.contains(&code("NotImplemented")), "{answer}");
}

pub(crate) async fn a_body_without_a_length_does_not_match() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", 5).await;
    let answer = f.raw(&raw(&slot, "", b""), true).await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.contains(&code("SignatureDoesNotMatch")), "{answer}");
}

pub(crate) async fn a_short_body_is_incomplete() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let headers = format!("content-length: {}\r\n", PNG.len());
    let answer = f.raw(&raw(&slot, &headers, &PNG[..20]), true).await;
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains(&code("IncompleteBody")), "{answer}");
    assert_eq!(f.files("incoming"), [""; 0]);
    assert_eq!(f.emulator.assets()[0].sha256, None);
}

pub(crate) async fn a_body_that_stands_still_times_out() {
    let f = Fixture::with(Config {
        body_timeout: Duration::from_millis(100),
        ..Config::default()
    })
    .await;
    let slot = f.create("image/png", PNG.len()).await;
    let headers = format!("content-length: {}\r\n", PNG.len());
    let answer = f.raw(&raw(&slot, &headers, &PNG[..20]), false).await;
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains(&code("RequestTimeout")), "{answer}");
    assert_eq!(f.files("incoming"), [""; 0]);
}

pub(crate) async fn a_broken_connection_leaves_nothing() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", 100_000).await;
    let request = raw(&slot, "content-length: 100000\r\n", PNG);
    let stream = f.connect(&request).await;
    f.eventually(|f| f.files("incoming").len() == 1).await;
    drop(stream);
    f.eventually(|f| f.files("incoming").is_empty()).await;
    assert_eq!(f.emulator.assets()[0].sha256, None);
}

pub(crate) async fn a_given_checksum_must_fit_the_bytes() {
    let f = Fixture::start().await;
    let body = json!({
        "filename": "a.png", "content_type": "image/png", "size_bytes": PNG.len(),
        "checksum_sha256": sha256(PNG),
    });
    let slot = f.create_from(&body).await;
    let wire = STANDARD.encode(Sha256::digest(PNG));
    assert_eq!(slot.data["upload_headers"]["x-amz-checksum-sha256"], wire);

    let mut other = PNG.to_vec();
    other[60] ^= 1;
    let (status, xml) = refused(f.put(&slot, other)).await;
    assert_eq!(status, 400);
    assert!(xml.contains(&code("BadDigest")), "{xml}");
    assert_eq!(f.files("incoming"), [""; 0]);

    let response = f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let (_, xml) = refused(
        f.client
            .put(&slot.url)
            .header("content-type", "image/png")
            .body(PNG),
    )
    .await;
    assert!(
        xml.contains(&code("SignatureDoesNotMatch")),
        "a signed header is missing: {xml}"
    );
}

pub(crate) async fn other_methods_are_refused_in_xml() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let (status, xml) = refused(f.client.get(&slot.url)).await;
    assert_eq!(status, 405);
    assert!(xml.contains(&code("MethodNotAllowed")), "{xml}");
}
