//! Direct uploads to a real S3-compatible store: `s3s-fs`, written by others, which checks every signature.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay_emulator::{AssetStatus, Emulator, Fault, FaultKind, Route, S3};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use reqwest::{Method, StatusCode};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::common::{Fixture, KEY, PDF, PNG, Slot, form, mp4, names, sha256};

const SECRET: &str = "a-secret-that-nobody-sees";

/// Starts a store with one bucket, and an emulator in front of it; gives the folder of the bucket.
async fn start() -> (Fixture, PathBuf, TempDir) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("assets");
    fs::create_dir(&folder).unwrap();
    let store = s3s_fs::FileSystem::new(root.path()).unwrap();
    let mut service = S3ServiceBuilder::new(store);
    service.set_auth(SimpleAuth::from_single("access", SECRET));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serving =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(serving);
        }
    });

    let dir = tempfile::tempdir().unwrap();
    let emulator = Emulator::builder()
        .data_dir(dir.path())
        .api_key(KEY)
        .s3(s3(endpoint))
        .start()
        .await
        .unwrap();
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let fixture = Fixture {
        emulator,
        client,
        dir,
    };
    (fixture, folder, root)
}

fn s3(endpoint: String) -> S3 {
    S3 {
        endpoint,
        region: "us-east-1".into(),
        bucket: "assets".into(),
        access_key: "access".into(),
        secret_key: SECRET.into(),
    }
}

async fn put(f: &Fixture, slot: &Slot, bytes: impl Into<Vec<u8>>) {
    let response = f.put(slot, bytes).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "{text}");
}

/// The bucket's objects, without what the store notes beside them.
fn objects(folder: &std::path::Path) -> Vec<String> {
    let visible = |name: &String| !name.starts_with('.');
    names(folder).into_iter().filter(visible).collect()
}

#[tokio::test]
async fn three_steps_make_an_asset_in_the_bucket() {
    let (f, folder, _root) = start().await;
    let bytes = mp4(3 << 20);
    let wish = json!({
        "filename": "a.mp4", "content_type": "video/mp4", "size_bytes": bytes.len(),
        "checksum_sha256": sha256(&bytes),
    });
    let slot = f.create_from(&wish).await;
    assert!(!slot.url.starts_with(f.emulator.base_url()));
    assert!(slot.url.contains("X-Amz-Signature="), "{}", slot.url);
    let wire = STANDARD.encode(Sha256::digest(&bytes));
    assert_eq!(slot.data["upload_headers"]["x-amz-checksum-sha256"], wire);
    let early = f.complete(&slot.id, &json!({})).await;
    assert_eq!(early.error(), (409, "conflict", None));

    put(&f, &slot, bytes.clone()).await;
    let object = format!("{}.mp4", slot.id);
    assert_eq!(objects(&folder), [object]);
    assert_eq!(f.files("incoming"), [""; 0], "none of it came here");
    let checked = json!({"checksum_sha256": sha256(&bytes)});
    let done = f.complete(&slot.id, &checked).await;
    assert_eq!(done.data()["size_bytes"], bytes.len());
    let asset = &f.emulator.assets()[0];
    assert_eq!(asset.status, AssetStatus::Completed);
    assert_eq!(asset.sha256, Some(sha256(&bytes)));
    assert_eq!(asset.path, None);

    let url = done.text("url");
    let response = f.client.get(&url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "video/mp4");
    assert_eq!(response.bytes().await.unwrap(), bytes);
    let part = f.client.get(&url).header("range", "bytes=4-7");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), "ftyp");

    let path = format!("/v3/assets/{}", slot.id);
    let deleted = f.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::OK);
    assert_eq!(objects(&folder), [""; 0]);
}

#[tokio::test]
async fn the_store_checks_what_was_signed() {
    let (f, folder, _root) = start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let altered = slot.url.replace(&slot.id, "ast_other");
    for request in [
        f.client.put(&slot.url).body(PNG),
        f.client
            .put(&slot.url)
            .header("content-type", "image/jpeg")
            .body(PNG),
        f.put(&slot, [PNG, b"x"].concat()),
        f.client
            .put(altered)
            .header("content-type", "image/png")
            .body(PNG),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let text = response.text().await.unwrap();
        assert!(
            text.contains("<Code>SignatureDoesNotMatch</Code>"),
            "{text}"
        );
    }
    f.emulator
        .inject(Fault::new(Route::Create, FaultKind::ExpiredUrl));
    let expired = f.create("image/png", PNG.len()).await;
    let response = f.put(&expired, PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.text().await.unwrap().contains("AccessDenied"));
    assert_eq!(objects(&folder), [""; 0]);
}

#[tokio::test]
async fn complete_checks_the_object_and_reads_it_anew_each_time() {
    let (f, folder, _root) = start().await;
    let slot = f.create("image/png", PNG.len()).await;
    put(&f, &slot, PNG).await;
    let wrong = json!({"checksum_sha256": sha256(PDF)});
    let answer = f.complete(&slot.id, &wrong).await;
    let param = Some("checksum_sha256");
    assert_eq!(answer.error(), (400, "invalid_parameter", param));

    // Behind the store's back, as no URL of ours could.
    let object = folder.join(format!("{}.png", slot.id));
    fs::write(&object, [PNG, b"x"].concat()).unwrap();
    let answer = f.complete(&slot.id, &json!({})).await;
    assert_eq!(
        answer.error(),
        (400, "invalid_parameter", Some("size_bytes"))
    );
    let text = "x".repeat(PNG.len());
    fs::write(&object, text).unwrap();
    let answer = f.complete(&slot.id, &json!({})).await;
    assert_eq!(
        answer.error(),
        (400, "invalid_parameter", Some("content_type"))
    );

    put(&f, &slot, PNG).await;
    f.complete(&slot.id, &json!({})).await.data();
}

#[tokio::test]
async fn batches_and_pending_uploads_use_the_bucket_too() {
    let (f, folder, _root) = start().await;
    let file = json!({"filename": "a", "content_type": "image/png", "size_bytes": PNG.len()});
    let body = json!({"files": [file, file]});
    let batch = f.post("/v3/assets/direct-uploads/batches", &body).await;
    let slots: Vec<Slot> = batch.data()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(slot)
        .collect();
    put(&f, &slots[0], PNG).await;
    let id = json!({"batch_id": batch.text("batch_id")});
    f.post("/v3/assets/complete/batches", &id).await;
    let look = format!("/v3/assets/batches/{}", batch.text("batch_id"));
    let answer = f.get(&look).await;
    let counts = &answer.data()["counts_by_status"];
    assert_eq!(*counts, json!({"completed": 1, "failed": 1}));

    put(&f, &slots[1], PNG).await;
    assert_eq!(objects(&folder).len(), 2);
    let path = format!("/v3/assets/{}", slots[1].id);
    f.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(objects(&folder), [format!("{}.png", slots[0].id)]);
}

fn slot(item: &Value) -> Slot {
    Slot {
        id: item["asset_id"].as_str().unwrap().to_owned(),
        url: item["upload_url"].as_str().unwrap().to_owned(),
        data: item.clone(),
    }
}

#[tokio::test]
async fn uploads_through_the_api_stay_here() {
    let (f, folder, _root) = start().await;
    let request = f.request(Method::POST, "/v3/assets");
    let request = request.multipart(form("a.png", PNG.to_vec()));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(f.files("assets").len(), 1);
    assert_eq!(objects(&folder), [""; 0]);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_internal_error() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let dir = tempfile::tempdir().unwrap();
    let builder = Emulator::builder().data_dir(dir.path()).api_key(KEY);
    let emulator = builder.s3(s3(endpoint)).start().await.unwrap();
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let f = Fixture {
        emulator,
        client,
        dir,
    };
    let slot = f.create("image/png", PNG.len()).await;
    let answer = f.complete(&slot.id, &json!({})).await;
    assert_eq!(answer.error(), (500, "internal_error", None));
    assert!(!answer.body.to_string().contains("127.0.0.1"), "{answer:?}");
}

#[tokio::test]
async fn secrets_are_in_no_debug() {
    let builder = Emulator::builder()
        .api_key("an-api-key")
        .s3(s3("http://127.0.0.1:9".into()));
    for text in [format!("{builder:?}"), format!("{:?}", s3("x".into()))] {
        assert!(text.contains("assets"), "{text}");
        assert!(
            !text.contains(SECRET) && !text.contains("an-api-key"),
            "{text}"
        );
    }
    let wrong = Emulator::builder()
        .s3(s3("no address".into()))
        .start()
        .await;
    assert!(wrong.is_err());
}
