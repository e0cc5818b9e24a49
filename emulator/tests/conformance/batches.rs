//! Batches of direct uploads.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::{Answer, Fixture, PDF, PNG, Slot};

/// Creates a batch of files of these sizes, all said to be PNGs.
async fn create(f: &Fixture, sizes: &[usize]) -> (String, Vec<Slot>) {
    let file = |size: &usize| json!({"filename": "a.png", "content_type": "image/png", "size_bytes": size});
    let files: Vec<Value> = sizes.iter().map(file).collect();
    let body = json!({"title": "Pictures", "files": files});
    let answer = f.post("/v3/assets/direct-uploads/batches", &body).await;
    let slots = answer.data()["items"].as_array().unwrap().iter();
    let slots = slots.map(|slot| Slot {
        id: slot["asset_id"].as_str().unwrap().to_owned(),
        url: slot["upload_url"].as_str().unwrap().to_owned(),
        data: slot.clone(),
    });
    (answer.text("batch_id"), slots.collect())
}

async fn complete(f: &Fixture, batch: &str) -> Answer {
    f.post("/v3/assets/complete/batches", &json!({"batch_id": batch}))
        .await
}

async fn look(f: &Fixture, batch: &str) -> Value {
    let answer = f.get(&format!("/v3/assets/batches/{batch}")).await;
    answer.data().clone()
}

pub(crate) async fn a_batch_goes_from_slots_to_assets() {
    let f = Fixture::start().await;
    let (batch, slots) = create(&f, &[PNG.len(), PNG.len()]).await;
    for slot in &slots {
        assert_eq!(slot.data["status"], "pending_upload");
        assert_eq!(slot.data.as_object().unwrap().len(), 6, "as one upload's");
        f.put(slot, PNG).send().await.unwrap();
    }
    let before = look(&f, &batch).await;
    assert_eq!(before["status"], "processing");
    assert_eq!(before["counts_by_status"], json!({"queued": 2}));

    let answer = complete(&f, &batch).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.body, json!({"data": {"batch_id": batch}}));

    let after = look(&f, &batch).await;
    assert_eq!(after["batch_id"], batch);
    assert_eq!(after["title"], "Pictures");
    assert_eq!(after["status"], "completed");
    assert_eq!(after["total_items"], 2);
    assert_eq!(after["counts_by_status"], json!({"completed": 2}));
    assert!(after["created_at"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(
        (&after["has_more"], &after["next_token"]),
        (&json!(false), &Value::Null)
    );
    for (index, slot) in slots.iter().enumerate() {
        let item =
            json!({"item_index": index, "video_id": slot.id, "status": "completed", "error": null});
        assert_eq!(after["items"][index], item);
        f.get(&format!("/v3/assets/{}", slot.id)).await.data();
    }
}

pub(crate) async fn a_bad_file_fails_alone_and_may_be_tried_again() {
    let f = Fixture::start().await;
    let (batch, slots) = create(&f, &[PNG.len(), PDF.len(), PNG.len()]).await;
    f.put(&slots[0], PNG).send().await.unwrap();
    f.put(&slots[1], PDF).send().await.unwrap();
    assert_eq!(complete(&f, &batch).await.status, StatusCode::ACCEPTED);
    let batch_now = look(&f, &batch).await;
    assert_eq!(batch_now["status"], "failed");
    assert_eq!(
        batch_now["counts_by_status"],
        json!({"completed": 1, "failed": 2})
    );
    let errors: Vec<_> = (0..3)
        .map(|index| batch_now["items"][index]["error"]["code"].as_str())
        .collect();
    assert_eq!(errors, [None, Some("invalid_parameter"), Some("conflict")]);

    f.put(&slots[2], PNG).send().await.unwrap();
    complete(&f, &batch).await;
    let counts = &look(&f, &batch).await["counts_by_status"];
    assert_eq!(*counts, json!({"completed": 2, "failed": 1}));
}

pub(crate) async fn items_come_in_pages() {
    let f = Fixture::start().await;
    let (batch, _) = create(&f, &[1; 5]).await;
    let mut path = format!("/v3/assets/batches/{batch}?limit=2");
    let mut pages = Vec::new();
    loop {
        let answer = f.get(&path).await;
        let items = answer.data()["items"].as_array().unwrap();
        let indices = items
            .iter()
            .map(|item| item["item_index"].as_u64().unwrap());
        pages.push(indices.collect::<Vec<_>>());
        let Some(token) = answer.data()["next_token"].as_str() else {
            assert_eq!(answer.data()["has_more"], false);
            break;
        };
        path = format!("/v3/assets/batches/{batch}?limit=2&token={token}");
    }
    assert_eq!(pages, [vec![0, 1], vec![2, 3], vec![4]]);
}

pub(crate) async fn a_batch_has_1_to_100_files() {
    let f = Fixture::start().await;
    let (_, slots) = create(&f, &[1; 100]).await;
    assert_eq!(slots.len(), 100);
    let file = json!({"filename": "a", "content_type": "image/png", "size_bytes": 1});
    for count in [0, 101] {
        let body = json!({"files": vec![&file; count]});
        let answer = f.post("/v3/assets/direct-uploads/batches", &body).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some("files")));
    }
}

pub(crate) async fn a_wrong_file_refuses_the_batch() {
    let f = Fixture::start().await;
    let file =
        |size: u64| json!({"filename": "a", "content_type": "image/png", "size_bytes": size});
    let body = json!({"files": [file(1), file(0)]});
    let answer = f.post("/v3/assets/direct-uploads/batches", &body).await;
    let param = Some("files[1].size_bytes");
    assert_eq!(answer.error(), (400, "invalid_parameter", param));
    assert!(f.emulator.assets().is_empty(), "none was declared");
}

pub(crate) async fn an_unknown_batch_is_not_found() {
    let f = Fixture::start().await;
    let answer = complete(&f, "btch_none").await;
    assert_eq!(answer.error(), (404, "batch_not_found", None));
    let answer = f.get("/v3/assets/batches/btch_none").await;
    assert_eq!(answer.error(), (404, "batch_not_found", None));
}

pub(crate) async fn statuses_take_batches_too() {
    let f = Fixture::start().await;
    let (batch, slots) = create(&f, &[PNG.len(), PNG.len()]).await;
    f.put(&slots[0], PNG).send().await.unwrap();
    complete(&f, &batch).await;
    let answer = f
        .get(&format!("/v3/assets/statuses?batch_ids={batch},btch_none"))
        .await;
    let seen: Vec<_> = answer.data().as_array().unwrap().iter().collect();
    assert_eq!(seen.len(), 3);
    for (index, status) in ["completed", "failed"].into_iter().enumerate() {
        assert_eq!(seen[index]["video_id"], slots[index].id);
        assert_eq!(seen[index]["status"], status);
        assert_eq!(seen[index]["batch_id"], batch);
        assert_eq!(seen[index]["item_index"], index);
    }
    assert_eq!(seen[2]["status"], "not_found");
}

pub(crate) async fn a_deleted_asset_fails_its_item() {
    let f = Fixture::start().await;
    let (batch, slots) = create(&f, &[PNG.len()]).await;
    f.put(&slots[0], PNG).send().await.unwrap();
    complete(&f, &batch).await;
    let path = format!("/v3/assets/{}", slots[0].id);
    f.request(reqwest::Method::DELETE, &path)
        .send()
        .await
        .unwrap();
    let item = &look(&f, &batch).await["items"][0];
    assert_eq!(item["status"], "failed");
    assert_eq!(item["error"]["code"], "asset_not_found");
}
