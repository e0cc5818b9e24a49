//! A second emulator over the folder of the first, also as a kill would have left it.

use std::fs;
use std::path::Path;

use forebay_emulator::{AssetStatus, Emulator, StartError, StoredAsset};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::common::{Answer, Fixture, PDF, PNG, Slot, form, names, sha256};

/// The slot's URL at the emulator of now.
fn moved(f: &Fixture, slot: &Slot) -> Slot {
    Slot {
        id: slot.id.clone(),
        url: f.url(&slot.target()),
        data: slot.data.clone(),
    }
}

async fn direct_upload(f: &Fixture) -> Slot {
    let slot = f.create("image/png", PNG.len()).await;
    f.put(&slot, PNG).send().await.unwrap();
    slot
}

fn find(f: &Fixture, id: &str) -> Option<StoredAsset> {
    f.emulator.assets().into_iter().find(|asset| asset.id == id)
}

fn asset_file(root: &Path, id: &str) -> std::path::PathBuf {
    root.join("assets").join(format!("{id}.png"))
}

#[tokio::test]
async fn assets_and_uploads_are_as_they_were() {
    let f = Fixture::start().await;
    let uploaded = f.upload("a.png", PNG).await.text("asset_id");
    let completed = direct_upload(&f).await;
    f.complete(&completed.id, &json!({})).await.data();
    let arrived = direct_upload(&f).await;
    let declared = f.create("image/png", PNG.len()).await;
    let deleted = f.upload("b.pdf", PDF).await.text("asset_id");
    let path = format!("/v3/assets/{deleted}");
    f.request(Method::DELETE, &path).send().await.unwrap();
    let before = f.emulator.assets();
    let list = f.get("/v3/assets").await;

    let f = f.restart(|_| {}).await;
    assert_eq!(f.emulator.assets(), before);
    let again = f.get("/v3/assets").await;
    let ids = |answer: &Answer| {
        let items = answer.data().as_array().unwrap().iter();
        items.map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&again), ids(&list), "in the same order");
    let url = again.data()[0]["url"].as_str().unwrap();
    let bytes = f.client.get(url).send().await.unwrap().bytes().await;
    assert_eq!(bytes.unwrap(), PNG);

    f.complete(&arrived.id, &json!({})).await.data();
    let response = f.put(&moved(&f, &declared), PNG).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "its URL is still good");
    f.complete(&declared.id, &json!({})).await.data();
    let newest = f.upload("c.png", PNG).await.text("asset_id");
    let listed = ids(&f.get("/v3/assets").await);
    let expected = [&newest, &declared.id, &arrived.id, &completed.id, &uploaded];
    assert_eq!(listed, expected.map(|id| Value::from(id.as_str())));
}

#[tokio::test]
async fn idempotency_keys_hold() {
    let f = Fixture::start().await;
    let upload = async |f: &Fixture| {
        let request = f
            .request(Method::POST, "/v3/assets")
            .header("idempotency-key", "k")
            .multipart(form("a.png", PNG.to_vec()));
        Answer::of(request.send().await.unwrap()).await
    };
    let first = upload(&f).await;
    let f = f.restart(|_| {}).await;
    assert_eq!(upload(&f).await.body, first.body);
    assert_eq!(f.emulator.assets().len(), 1);
}

#[tokio::test]
async fn batches_go_on() {
    let f = Fixture::start().await;
    let file = json!({"filename": "a", "content_type": "image/png", "size_bytes": PNG.len()});
    let body = json!({"files": [file, file]});
    let batch = f.post("/v3/assets/direct-uploads/batches", &body).await;
    let slot = Slot {
        id: batch.data()["items"][0]["asset_id"]
            .as_str()
            .unwrap()
            .into(),
        url: batch.data()["items"][0]["upload_url"]
            .as_str()
            .unwrap()
            .into(),
        data: batch.data()["items"][0].clone(),
    };
    let body = json!({"batch_id": batch.text("batch_id")});
    let f = f.restart(|_| {}).await;
    f.put(&moved(&f, &slot), PNG).send().await.unwrap();
    f.post("/v3/assets/complete/batches", &body).await;

    let f = f.restart(|_| {}).await;
    let path = format!("/v3/assets/batches/{}", batch.text("batch_id"));
    let answer = f.get(&path).await;
    let counts = &answer.data()["counts_by_status"];
    assert_eq!(*counts, json!({"completed": 1, "failed": 1}));
}

#[tokio::test]
async fn a_completed_upload_whose_file_had_not_moved_is_completed() {
    let f = Fixture::start().await;
    let slot = direct_upload(&f).await;
    let waiting = f.files("incoming").remove(0);
    f.complete(&slot.id, &json!({})).await.data();
    let f = f
        .restart(|root| {
            let incoming = root.join("incoming").join(waiting);
            fs::rename(asset_file(root, &slot.id), incoming).unwrap();
        })
        .await;
    let asset = find(&f, &slot.id).unwrap();
    assert_eq!(asset.status, AssetStatus::Completed);
    assert_eq!(fs::read(asset.path.unwrap()).unwrap(), PNG);
    assert_eq!(f.files("incoming"), [""; 0]);
}

#[tokio::test]
async fn an_asset_without_its_whole_file_is_dropped() {
    let f = Fixture::start().await;
    let gone = f.upload("a.png", PNG).await.text("asset_id");
    let short = f.upload("b.png", PNG).await.text("asset_id");
    let whole = f.upload("c.png", PNG).await.text("asset_id");
    let f = f
        .restart(|root| {
            fs::remove_file(asset_file(root, &gone)).unwrap();
            fs::write(asset_file(root, &short), &PNG[1..]).unwrap();
        })
        .await;
    let left: Vec<_> = f.emulator.assets().into_iter().map(|a| a.id).collect();
    assert_eq!(left, [whole.as_str()]);
    assert_eq!(f.files("assets"), [format!("{whole}.png")]);

    let f = f.restart(|_| {}).await;
    assert_eq!(f.emulator.assets().len(), 1, "and stays so");
}

#[tokio::test]
async fn a_pending_upload_without_its_bytes_waits_for_them_again() {
    let f = Fixture::start().await;
    let slot = direct_upload(&f).await;
    let f = f
        .restart(|root| {
            for name in names(&root.join("incoming")) {
                fs::remove_file(root.join("incoming").join(name)).unwrap();
            }
        })
        .await;
    assert_eq!(find(&f, &slot.id).unwrap().sha256, None);
    let early = f.complete(&slot.id, &json!({})).await;
    assert_eq!(early.error(), (409, "conflict", None));
    f.put(&moved(&f, &slot), PNG).send().await.unwrap();
    f.complete(&slot.id, &json!({})).await.data();
}

#[tokio::test]
async fn files_that_no_record_speaks_of_are_removed() {
    let f = Fixture::start().await;
    let id = f.upload("a.png", PNG).await.text("asset_id");
    let slot = direct_upload(&f).await;
    let other = format!("ast_{}", "0".repeat(32));
    let f = f
        .restart(|root| {
            fs::write(asset_file(root, &other), PNG).unwrap();
            fs::write(root.join("incoming/.part-abc"), "half").unwrap();
            fs::write(root.join(format!("incoming/{}-00", slot.id)), PNG).unwrap();
            fs::write(root.join("assets/notes.txt"), "the user's").unwrap();
        })
        .await;
    let mut assets = f.files("assets");
    assets.sort_unstable();
    assert_eq!(assets, [format!("{id}.png"), "notes.txt".to_owned()]);
    let [incoming] = f.files("incoming").try_into().unwrap();
    assert!(incoming.starts_with(&slot.id), "the one that has a record");
    f.complete(&slot.id, &json!({})).await.data();
}

#[tokio::test]
async fn the_newest_bytes_of_a_put_are_the_ones_that_stay() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let mut other = PNG.to_vec();
    other[60] ^= 1;
    for bytes in [PNG, &other, PNG, &other] {
        f.put(&slot, bytes).send().await.unwrap();
    }
    let f = f.restart(|_| {}).await;
    assert_eq!(f.files("incoming").len(), 1);
    f.complete(&slot.id, &json!({})).await.data();
    let asset = find(&f, &slot.id).unwrap();
    assert_eq!(fs::read(asset.path.unwrap()).unwrap(), other);
    assert_eq!(asset.sha256, Some(sha256(&other)));
}

#[tokio::test]
async fn a_folder_has_one_emulator_at_a_time() {
    let f = Fixture::start().await;
    let second = Emulator::builder().data_dir(f.dir.path()).start().await;
    assert!(matches!(second, Err(StartError::Records(_))));
}

#[tokio::test]
async fn without_a_folder_no_records_are_written() {
    let emulator = Emulator::builder().start().await.unwrap();
    let client = forebay_emulator::client().unwrap().build().unwrap();
    let upload = client
        .post(format!("{}/v3/assets", emulator.base_url()))
        .header("x-api-key", "k")
        .multipart(form("a.png", PNG.to_vec()));
    assert!(upload.send().await.unwrap().status().is_success());
    let path = emulator.assets()[0].path.clone().unwrap();
    let root = path.parent().and_then(Path::parent).unwrap();
    let mut found = names(root);
    found.sort_unstable();
    assert_eq!(found, ["assets", "incoming"]);
    emulator.shutdown().await;
}
