//! The page at `/`, and what it lives on.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::common::{Answer, Fixture, PATIENCE, PDF, PNG, form};

async fn events(f: &Fixture) -> Response {
    let response = f.client.get(f.url("/_emulator/events")).send().await;
    let response = response.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response
}

/// The next event's name and data.
async fn next(events: &mut Response) -> (String, Value) {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let piece = events.chunk();
        let piece = tokio::time::timeout(PATIENCE, piece).await;
        let piece = piece.expect("an event in time").unwrap().unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
    };
    let data = serde_json::from_str(field("data: ")).unwrap();
    (field("event: ").to_owned(), data)
}

#[tokio::test]
async fn the_page_is_one_file_that_fetches_nothing_from_elsewhere() {
    let f = Fixture::start().await;
    let response = f.client.get(f.url("/")).send().await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    let policy = response.headers()["content-security-policy"].to_str();
    assert!(policy.unwrap().starts_with("default-src 'none'"));
    let html = response.text().await.unwrap();
    assert!(html.contains("new EventSource(\"/_emulator/events\")"));
    for foreign in [
        "http://",
        "https://",
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
    ] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

#[tokio::test]
async fn assets_are_listed_at_a_glance() {
    let f = Fixture::start().await;
    let name = "<img src=x onerror=alert(1)>.png";
    let id = f.upload(name, PNG).await.text("asset_id");
    let slot = f.create("application/pdf", PDF.len()).await;
    let list = f.client.get(f.url("/_emulator/assets")).send().await;
    let list = Answer::of(list.unwrap()).await.body;
    let at = list[0]["uploaded_at"].as_u64().unwrap();
    let uploaded = json!({
        "serial": list[0]["serial"], "id": id, "name": name, "mime_type": "image/png",
        "size_bytes": PNG.len(), "flow": "upload", "made_by": null, "status": "completed", "uploaded_at": at,
        "file": format!("/files/asset/{id}.png"),
    });
    let pending = json!({
        "serial": list[1]["serial"], "id": slot.id, "name": "a", "mime_type": "application/pdf",
        "size_bytes": PDF.len(), "flow": "direct_upload", "made_by": null,
        "status": "pending_upload", "uploaded_at": null, "file": null,
    });
    assert_eq!(list, json!([uploaded, pending]));
}

#[tokio::test]
async fn each_asset_has_its_maker_in_all_flows_and_after_a_restart() {
    let f = Fixture::start().await;
    let named = |path: &str, pipeline: &str| {
        let request = f.request(Method::POST, path);
        request.header("user-agent", format!("forebay/0.1.0 (pipeline {pipeline})"))
    };
    let upload = named("/v3/assets", "one").multipart(form("a.png", PNG.to_vec()));
    let upload = Answer::of(upload.send().await.unwrap()).await;
    let file = json!({"filename": "a", "content_type": "image/png", "size_bytes": PNG.len()});
    let create = named("/v3/assets/direct-uploads", "two").json(&file);
    let slot = Answer::of(create.send().await.unwrap()).await;
    let batch = named("/v3/assets/direct-uploads/batches", "three");
    let batch = batch.json(&json!({"files": [file, file]})).send().await;
    Answer::of(batch.unwrap()).await.data();

    // Who puts and completes did not make it.
    let put = f.client.put(slot.text("upload_url")).body(PNG);
    let put = put.header("content-type", "image/png");
    put.header("user-agent", "curl/8.5.0").send().await.unwrap();
    f.complete(&slot.text("asset_id"), &json!({})).await.data();
    // The API says nothing of it.
    let shown = f
        .get(&format!("/v3/assets/{}", upload.text("asset_id")))
        .await;
    let answers = [&upload.body, &slot.body, &shown.body];
    assert!(
        answers
            .iter()
            .all(|answer| !answer.to_string().contains("pipeline"))
    );

    let f = f.restart(|_| {}).await;
    let list = f.client.get(f.url("/_emulator/assets")).send().await;
    let list = Answer::of(list.unwrap()).await.body;
    let list = list.as_array().unwrap().iter();
    let makers: Vec<_> = list
        .map(|asset| asset["made_by"].as_str().unwrap())
        .collect();
    let pipelines = ["one", "two", "three", "three"];
    assert_eq!(makers, pipelines.map(|name| format!("pipeline {name}")));
    let agent = f.emulator.assets()[0].user_agent.clone();
    assert_eq!(agent.as_deref(), Some("forebay/0.1.0 (pipeline one)"));
}

#[tokio::test]
async fn events_tell_of_each_step() {
    let f = Fixture::start().await;
    let before = f.upload("a.png", PNG).await.text("asset_id");
    let mut events = events(&f).await;
    let (name, list) = next(&mut events).await;
    assert_eq!((name.as_str(), &list[0]["id"]), ("assets", &json!(before)));

    let slot = f.create("image/png", PNG.len()).await;
    let mut came = async |status: &str| {
        let (name, asset) = next(&mut events).await;
        assert_eq!(name, "came");
        assert_eq!(
            (&asset["id"], &asset["status"]),
            (&json!(slot.id), &json!(status))
        );
    };
    came("pending_upload").await;
    f.put(&slot, PNG).send().await.unwrap();
    came("arrived").await;
    f.complete(&slot.id, &json!({})).await.data();
    came("completed").await;

    let path = format!("/v3/assets/{before}");
    f.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(next(&mut events).await, ("went".to_owned(), json!(before)));
}

#[tokio::test]
async fn who_is_too_far_behind_gets_the_list_anew() {
    let f = Fixture::start().await;
    let mut events = events(&f).await;
    next(&mut events).await;
    let files = vec![json!({"filename": "a", "content_type": "image/png", "size_bytes": 1}); 100];
    for _ in 0..4 {
        let body = json!({"files": files});
        f.post("/v3/assets/direct-uploads/batches", &body).await;
    }
    // Whatever was missed, in the end the watcher knows all.
    let mut known = std::collections::BTreeSet::new();
    while known.len() < 400 {
        match next(&mut events).await {
            (name, list) if name == "assets" => {
                let list = list.as_array().unwrap().iter();
                known.extend(list.map(|asset| asset["id"].to_string()));
            }
            (_, asset) => drop(known.insert(asset["id"].to_string())),
        }
    }
}

#[tokio::test]
async fn watching_does_not_hold_up_the_end() {
    let f = Fixture::start().await;
    let mut events = events(&f).await;
    next(&mut events).await;
    // The watcher stays for as long as the emulator does.
    tokio::time::timeout(PATIENCE, f.emulator.shutdown())
        .await
        .unwrap();
}
