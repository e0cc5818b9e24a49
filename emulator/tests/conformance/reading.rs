//! Reading assets, their files, and deleting them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::common::{Answer, Fixture, PNG};

pub(crate) async fn an_asset_is_shown_as_the_service_shows_it() {
    let f = Fixture::start().await;
    let uploaded = f.upload("a.png", PNG).await;
    let id = uploaded.text("asset_id");
    let shown = f.get(&format!("/v3/assets/{id}")).await;
    assert_eq!(shown.text("id"), id);
    assert_eq!(shown.text("name"), "a.png");
    assert_eq!(shown.text("type"), "image");
    assert_eq!(shown.text("url"), uploaded.text("url"));
    assert_eq!(shown.data()["folder_id"], Value::Null);
    assert!(shown.data()["uploaded_at"].as_u64().unwrap() > 1_700_000_000);
    for field in ["owner", "space_id"] {
        assert!(!shown.text(field).is_empty());
    }
    assert_eq!(shown.data().get("asset_id"), None);
}

pub(crate) async fn unknown_and_pending_assets_are_not_found() {
    let f = Fixture::start().await;
    let pending = f.create("image/png", 5).await.id;
    for id in ["ast_none", &pending, "..%2f..", "a%2fb", "%ff"] {
        let shown = f.get(&format!("/v3/assets/{id}")).await;
        assert_eq!(shown.error(), (404, "asset_not_found", None), "{id}");
    }
    let file = f.client.get(f.url(&format!("/files/asset/{pending}.png")));
    let answer = Answer::of(file.send().await.unwrap()).await;
    assert_eq!(answer.error(), (404, "asset_not_found", None));
}

pub(crate) async fn a_deleted_asset_and_its_file_are_gone() {
    let f = Fixture::start().await;
    let uploaded = f.upload("a.png", PNG).await;
    let id = uploaded.text("asset_id");
    let path = format!("/v3/assets/{id}");
    let delete = async || Answer::of(f.request(Method::DELETE, &path).send().await.unwrap()).await;

    assert_eq!(delete().await.body, json!({"data": {"id": id}}));
    assert_eq!(delete().await.error(), (404, "asset_not_found", None));
    assert_eq!(f.get(&path).await.error(), (404, "asset_not_found", None));
    let file = f.client.get(uploaded.text("url")).send().await.unwrap();
    assert_eq!(file.status(), StatusCode::NOT_FOUND);
    assert_eq!(f.files("assets"), [""; 0]);
}

pub(crate) async fn a_pending_upload_can_be_deleted() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(f.files("incoming").len(), 1);
    let path = format!("/v3/assets/{}", slot.id);
    let answer = Answer::of(f.request(Method::DELETE, &path).send().await.unwrap()).await;
    assert_eq!(answer.text("id"), slot.id);
    assert_eq!(f.files("incoming"), [""; 0]);

    f.put(&slot, PNG).send().await.unwrap();
    // Nobody asks for these bytes.
    f.eventually(|f| f.files("incoming").is_empty()).await;
    let answer = f.complete(&slot.id, &json!({})).await;
    assert_eq!(answer.error(), (404, "asset_not_found", None));
}
