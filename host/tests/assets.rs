//! Files become assets: the client and the sink against the emulator.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use bytes::Bytes;
use std::time::Duration;

use forebay::assets::{AssetInfo, Flow, ListQuery, NewUpload, Request, Status};
use forebay::{
    Asset, Assets, AssetsError, AssetsExt as _, Error, FileInput, Host, Pipeline, Place, SinkError,
    Source, Stage,
};
use forebay_emulator::{AssetStatus, Config, Emulator, RateLimit};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

async fn service() -> (Emulator, Assets) {
    let emulator = Emulator::builder()
        .api_key("the-key")
        .start()
        .await
        .unwrap();
    let assets = client(&emulator, "the-key");
    (emulator, assets)
}

fn client(emulator: &Emulator, key: &str) -> Assets {
    Assets::builder()
        .api_key(key)
        .base_url(emulator.base_url())
        .build()
        .unwrap()
}

fn pdf(size: usize) -> Bytes {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    bytes[..8].copy_from_slice(b"%PDF-1.7");
    bytes.into()
}

async fn upload(assets: &Assets) -> Result<Asset, AssetsError> {
    assets.upload("a.pdf", "application/pdf", pdf(100)).await
}

fn announced(size: usize) -> NewUpload<'static> {
    NewUpload {
        name: "a.pdf",
        media_type: "application/pdf",
        size: size as u64,
        sha256: None,
    }
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
            forebay_test_plugins::HOSTILE,
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
        let client = forebay_emulator::client().unwrap().build().unwrap();
        let served = client
            .get(&asset.url)
            .send()
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
                (forebay_test_plugins::HOSTILE, behaviour),
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
    let wrong = client(&emulator, "wrong-key");
    let error = upload(&wrong).await.unwrap_err();
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
    let gone = upload(&assets).await.unwrap_err();
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
    let upload = assets.direct_upload(announced(1000)).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_may_come_from_a_file() {
    let (emulator, assets) = service().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pdf");
    std::fs::write(&path, pdf(1000)).unwrap();
    emulator.inject(
        serde_json::from_str(r#"{"route":"put","fault":"status","status":503,"times":1}"#).unwrap(),
    );
    let upload = assets.direct_upload(announced(1000)).await.unwrap();
    let sha256 = upload.put_file(&path).await.unwrap();
    upload.complete(Some(&sha256)).await.unwrap();
    assert_eq!(emulator.assets()[0].sha256.as_ref(), Some(&sha256));

    let upload = assets.direct_upload(announced(999)).await.unwrap();
    let error = upload.put_file(&path).await.unwrap_err();
    assert!(
        matches!(error, AssetsError::WrongSize { announced: 999, .. }),
        "{error}"
    );
    let missing = upload
        .put_file(folder.path().join("b.pdf"))
        .await
        .unwrap_err();
    assert!(matches!(missing, AssetsError::Source(_)), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_listed_shown_and_deleted() {
    let (emulator, assets) = service().await;
    let mut ids = Vec::new();
    for at in 0..45 {
        let name = format!("{at}.pdf");
        let asset = assets
            .upload(&name, "application/pdf", pdf(100 + at))
            .await
            .unwrap();
        ids.push(asset.asset_id);
    }
    let query = ListQuery {
        limit: Some(10),
        ..ListQuery::default()
    };
    let listed: Vec<AssetInfo> = assets.list(query.clone()).try_collect().await.unwrap();
    let newest_first: Vec<&String> = ids.iter().rev().collect();
    assert_eq!(
        listed.iter().map(|asset| &asset.id).collect::<Vec<_>>(),
        newest_first
    );
    assert_eq!(listed[0].name.as_deref(), Some("44.pdf"));
    let page = assets.list_page(&query).await.unwrap();
    assert!(page.assets.len() == 10 && page.has_more);

    let shown = assets.get(&ids[3]).await.unwrap();
    assert_eq!(shown.name.as_deref(), Some("3.pdf"));
    let statuses = assets.statuses(&[&ids[3], "ast_none"]).await.unwrap();
    assert_eq!(statuses["ast_none"], Status::NotFound);
    assert!(matches!(
        statuses[&ids[3]],
        Status::Completed | Status::Processing
    ));

    assets.delete(&ids[3]).await.unwrap();
    for gone in [
        assets.get(&ids[3]).await.map(drop),
        assets.delete(&ids[3]).await,
    ] {
        assert!(
            matches!(gone, Err(AssetsError::Service(error)) if error.code == "asset_not_found")
        );
    }
    assert_eq!(emulator.assets().len(), 44);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_created_filled_and_completed() {
    let (emulator, assets) = service().await;
    let sizes = [1000, 2000, 3000];
    let files = sizes.map(announced);
    let batch = assets.create_batch(Some("three"), &files).await.unwrap();
    assert_eq!(batch.uploads.len(), 3);
    for (upload, size) in batch.uploads.iter().zip(sizes).take(2) {
        upload.put_bytes(pdf(size)).await.unwrap();
    }
    let looked = assets.batch(batch.id()).await.unwrap();
    assert_eq!((looked.total_items, looked.items.len()), (3, 3));
    let ended = batch.complete(Duration::from_millis(50)).await.unwrap();
    assert_eq!(
        ended.status,
        Status::Failed,
        "the bytes of one have not come"
    );
    let completed = ended
        .items
        .iter()
        .filter(|item| item.status == Status::Completed);
    assert_eq!(completed.count(), 2);
    assets.settle().await;
    let stored = emulator.assets();
    assert_eq!(stored.len(), 2, "the third is deleted: {stored:?}");
    assert!(
        stored
            .iter()
            .all(|asset| asset.status == AssetStatus::Completed)
    );

    let many = vec![announced(1); 101];
    for files in [&many[..], &[]] {
        let refused = assets.create_batch(None, files).await.unwrap_err();
        assert!(matches!(refused, AssetsError::Request { .. }), "{refused}");
    }
    drop(assets.create_batch(None, &files).await.unwrap());
    assets.settle().await;
    assert_eq!(
        emulator.assets().len(),
        2,
        "a batch that is dropped leaves nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_names_files_is_taken() {
    let (_emulator, assets) = service().await;
    let asset = upload(&assets).await.unwrap();
    let file = || asset.file_input();
    let video = || FileInput::bytes(b"\0\0\0\x20ftypisom\0\0\0\0").unwrap();
    let sent = async |request: Request| assets.send_request(request).await.unwrap();
    let session = sent(Request::video_agent("p").file(file()).file(video())).await;
    let id = session["session_id"].as_str().unwrap().to_owned();
    let run = sent(Request::video_agent_message(&id, "more").file(file())).await;
    assert_eq!(run["session_id"], id.as_str());
    let avatar = sent(Request::photo_avatar("n", file())).await;
    assert!(avatar["avatar_item"].is_object() && avatar["avatar_group"].is_object());
    sent(Request::digital_twin("n", video())).await;
    sent(Request::prompt_avatar("n", "p").reference_image(file())).await;
    let made = sent(
        Request::video()
            .image(file())
            .scene_source(video())
            .scene_image(file()),
    )
    .await;
    assert!(made["video_id"].is_string());
    let translated = sent(Request::video_translation(video()).audio(video())).await;
    assert!(translated["video_translation_ids"].is_array());
    let lips = sent(Request::lipsync(video(), video())).await;
    assert!(lips["lipsync_id"].is_string());

    let unknown = Request::video_agent("p").file(FileInput::asset_id("ast_none"));
    let refused = assets.send_request(unknown).await.unwrap_err();
    assert!(matches!(refused, AssetsError::Service(error) if error.code == "asset_not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_in_place_of_a_key_and_neither_shows() {
    let (emulator, _) = service().await;
    let builder = Assets::builder()
        .bearer_token("the-key")
        .base_url(emulator.base_url());
    let shown = format!("{builder:?}");
    let assets = builder.build().unwrap();
    upload(&assets).await.unwrap();
    let wrong = Assets::builder()
        .bearer_token("s3cr3t")
        .base_url(emulator.base_url())
        .build()
        .unwrap();
    let error = upload(&wrong).await.unwrap_err();
    for text in [shown, format!("{assets:?} {wrong:?} {error:?} {error}")] {
        assert!(
            !text.contains("the-key") && !text.contains("s3cr3t"),
            "{text}"
        );
    }
    assert!(Assets::builder().build().is_err());
    assert!(
        Assets::builder()
            .api_key("k")
            .proxy("not a url")
            .build()
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_says_too_many_gets_fewer() {
    let config = Config {
        rate_limit: RateLimit::new(10, 5),
        ..Config::default()
    };
    let emulator = Emulator::builder()
        .api_key("k")
        .config(config)
        .start()
        .await
        .unwrap();
    let assets = client(&emulator, "k");
    let uploads = (0..60).map(|_| upload(&assets));
    let uploaded: Vec<_> = futures::future::join_all(uploads).await;
    assert!(uploaded.iter().all(Result::is_ok), "{uploaded:?}");
    assert_eq!(emulator.assets().len(), 60);
    let refused = emulator
        .requests()
        .iter()
        .filter(|request| request.status == Some(429))
        .count();
    assert!(refused > 0, "there was something to give way to");
    println!("60 uploads at 10 a second: {refused} answers of 429");
    assert!(
        refused < 180,
        "{refused} of them, though the service said how long to wait"
    );
}
