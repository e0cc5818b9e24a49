//! Files become assets: the client and the sink against the emulator.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use bytes::Bytes;
use forebay::assets::{Flow, NewUpload};
use forebay::{Assets, AssetsError, Error, Host, Pipeline, Place, SinkError, Source, Stage};
use forebay_emulator::{AssetStatus, Emulator};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

async fn service() -> (Emulator, Assets) {
    let emulator = Emulator::builder()
        .api_key("the-key")
        .start()
        .await
        .unwrap();
    let assets = Assets::builder()
        .api_key("the-key")
        .base_url(emulator.base_url())
        .build()
        .unwrap();
    (emulator, assets)
}

fn pdf(size: usize) -> Bytes {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    bytes[..8].copy_from_slice(b"%PDF-1.7");
    bytes.into()
}

async fn pipeline(host: &Host, stages: &[(&[u8], Value)]) -> Pipeline {
    let mut pipeline = Pipeline::builder("test");
    for (component, config) in stages {
        let plugin = host.load("a test's plugin", *component).await.unwrap();
        pipeline = pipeline.stage(Stage::new(&plugin).config(config.clone()));
    }
    pipeline.build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn size_chooses_the_flow_and_the_bytes_arrive() {
    let (emulator, assets) = service().await;
    let host = Host::builder().build().unwrap();
    let keeps_size = pipeline(&host, &[(forebay_bundled::IDENTITY, json!({}))]).await;
    let hides_size = pipeline(
        &host,
        &[(
            forebay_bundled::HOSTILE,
            json!({ "behaviour": "copies", "count": 1 }),
        )],
    )
    .await;
    for (size, pipeline, flow) in [
        (8, &keeps_size, Flow::Upload),
        (32_000_000, &keeps_size, Flow::Upload),
        (32_000_001, &keeps_size, Flow::DirectUpload),
        (1_000_000, &hides_size, Flow::Upload),
        (33_000_000, &hides_size, Flow::DirectUpload),
    ] {
        let content = pdf(size);
        let report = host
            .run(
                pipeline,
                Source::bytes("a.pdf", content.clone()),
                assets.sink(),
            )
            .await
            .unwrap();
        let file = &report.files[0];
        let Place::Asset { asset, flow: taken } = &file.place else {
            panic!("{:?}", file.place)
        };
        assert_eq!(
            (*taken, asset.size_bytes, asset.mime_type.as_str()),
            (flow, size as u64, "application/pdf")
        );
        let sha256 = hex::encode(Sha256::digest(&content));
        assert_eq!(file.sha256.as_deref(), Some(sha256.as_str()));
        let stored = emulator.assets();
        let stored = stored
            .iter()
            .find(|stored| stored.id == asset.asset_id)
            .unwrap();
        assert_eq!(stored.sha256.as_deref(), Some(sha256.as_str()));
        let served = reqwest::get(&asset.url)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        assert!(served == content);
    }
    assert!(emulator.requests().iter().all(|request| request.carried_key
        == request.path.starts_with("/v3/")
        || request.path.starts_with("/files/")));
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_fails_completes_nothing() {
    let (emulator, assets) = service().await;
    let host = Host::builder().build().unwrap();
    for (size, behaviour) in [
        (1_000_000, json!({ "behaviour": "fail-late" })),
        (40_000_000, json!({ "behaviour": "fail-late" })),
        (
            40_000_000,
            json!({ "behaviour": "panic", "after": 39_000_000 }),
        ),
    ] {
        let failing = pipeline(
            &host,
            &[
                (forebay_bundled::HOSTILE, behaviour),
                (forebay_bundled::IDENTITY, json!({})),
            ],
        )
        .await;
        let error = host
            .run(&failing, Source::bytes("a.pdf", pdf(size)), assets.sink())
            .await
            .unwrap_err();
        assert!(
            matches!(error.errors.as_slice(), [Error::Stage(_)]),
            "{error:?}"
        );
        assert!(error.report.files.is_empty());
    }
    // A source that breaks off in the middle of a direct upload whose size was announced.
    let broken = Source::reader("a.pdf", std::io::Cursor::new(pdf(35_000_000))).size(40_000_000);
    let same = pipeline(&host, &[(forebay_bundled::IDENTITY, json!({}))]).await;
    let error = host.run(&same, broken, assets.sink()).await.unwrap_err();
    assert!(
        matches!(error.errors.as_slice(), [Error::Source { .. }]),
        "{error:?}"
    );
    assert_eq!(emulator.assets().len(), 0, "{:?}", emulator.assets());
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_says_is_told() {
    let (emulator, assets) = service().await;
    let wrong = Assets::builder()
        .api_key("wrong-key")
        .base_url(emulator.base_url())
        .build()
        .unwrap();
    let error = wrong
        .upload("a.pdf", "application/pdf", pdf(100))
        .await
        .unwrap_err();
    let AssetsError::Service(service) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (service.status, service.code.as_str()),
        (401, "unauthorized")
    );
    assert!(service.request_id.is_some());
    assert!(!format!("{error} {error:?} {wrong:?}").contains("wrong-key"));

    let host = Host::builder().build().unwrap();
    let none = pipeline(&host, &[]).await;
    let error = host
        .run(&none, Source::bytes("a.txt", "words"), assets.sink())
        .await
        .unwrap_err();
    let [
        Error::Sink {
            file,
            reason: SinkError::Assets(AssetsError::UnsupportedType(kind)),
        },
    ] = error.errors.as_slice()
    else {
        panic!("{error:?}")
    };
    assert_eq!((file.as_str(), kind.as_str()), ("a.txt", "text/plain"));
    emulator.shutdown().await;

    // No service at all: told after the retries, without its address's path.
    let gone = assets
        .upload("a.pdf", "application/pdf", pdf(100))
        .await
        .unwrap_err();
    assert!(
        matches!(
            gone,
            AssetsError::Transport {
                operation: "upload",
                ..
            }
        ),
        "{gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_steps_by_hand() {
    let (emulator, assets) = service().await;
    let new = NewUpload {
        name: "a.pdf",
        media_type: "application/pdf",
        size: 1000,
        sha256: None,
    };
    let upload = assets.direct_upload(new).await.unwrap();
    assert!(upload.max_bytes() >= 1000 && upload.expires_in().as_secs() > 0);
    let early = upload.complete(None).await.unwrap_err();
    assert!(
        matches!(&early, AssetsError::Service(error) if error.status == 409),
        "{early}"
    );
    upload.put_bytes(pdf(1000)).await.unwrap();
    let asset = upload.complete(None).await.unwrap();
    assert_eq!(upload.complete(None).await.unwrap(), asset);
    assert_eq!(
        serde_json::to_value(asset.file_input()).unwrap(),
        json!({ "type": "asset_id", "asset_id": asset.asset_id })
    );
    let debug = format!("{upload:?}");
    assert!(
        !debug.contains("http") && !debug.contains("the-key"),
        "{debug}"
    );
    assert!(
        emulator
            .assets()
            .iter()
            .all(|stored| stored.status == AssetStatus::Completed)
    );
    emulator.shutdown().await;
}
