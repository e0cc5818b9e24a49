//! `GET /v3/assets` and `GET /v3/assets/statuses`.

use std::time::{Duration, Instant};

use forebay_emulator::Config;
use serde_json::{Value, json};

use crate::common::{Answer, Fixture, PNG, eventually};

/// Uploads so many images and gives their ids, newest first.
async fn upload(f: &Fixture, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.insert(0, f.upload("a.png", PNG).await.text("asset_id"));
    }
    ids
}

fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.data().as_array().unwrap();
    let ids = items.iter().map(|item| item["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

fn next(answer: &Answer) -> String {
    assert_eq!(answer.body["has_more"], true, "{answer:?}");
    answer.body["next_token"].as_str().unwrap().to_owned()
}

fn assert_last(answer: &Answer) {
    assert_eq!(answer.body["has_more"], false, "{answer:?}");
    assert_eq!(answer.body["next_token"], Value::Null);
}

pub(crate) async fn the_newest_come_first_beside_has_more_and_next_token() {
    let f = Fixture::start().await;
    let empty = f.get("/v3/assets").await;
    assert_eq!(
        empty.body,
        json!({"data": [], "has_more": false, "next_token": null})
    );
    let uploaded = upload(&f, 3).await;
    let answer = f.get("/v3/assets").await;
    assert_eq!(ids(&answer), uploaded);
    assert_last(&answer);
    let one = f.get(&format!("/v3/assets/{}", uploaded[0])).await;
    assert_eq!(answer.data()[0], *one.data(), "as GET of one shows it");
}

pub(crate) async fn a_direct_upload_is_as_new_as_its_completion() {
    let f = Fixture::start().await;
    let slot = f.create("image/png", PNG.len()).await;
    let uploaded = upload(&f, 1).await.remove(0);
    f.put(&slot, PNG).send().await.unwrap();
    assert_eq!(ids(&f.get("/v3/assets").await), [uploaded.as_str()]);
    f.complete(&slot.id, &json!({})).await.data();
    assert_eq!(ids(&f.get("/v3/assets").await), [slot.id, uploaded]);
}

pub(crate) async fn a_page_has_20_unless_told() {
    let f = Fixture::start().await;
    let uploaded = upload(&f, 21).await;
    let answer = f.get("/v3/assets").await;
    assert_eq!(ids(&answer), uploaded[..20]);
    let rest = f.get(&format!("/v3/assets?token={}", next(&answer))).await;
    assert_eq!(ids(&rest), uploaded[20..]);
    assert_last(&rest);
}

pub(crate) async fn a_limit_is_from_1_to_100() {
    let f = Fixture::start().await;
    for limit in ["0", "101", "-1", "x", ""] {
        let answer = f.get(&format!("/v3/assets?limit={limit}")).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_parameter", Some("limit")),
            "{limit}"
        );
    }
    for limit in ["1", "100"] {
        f.get(&format!("/v3/assets?limit={limit}")).await.data();
    }
}

pub(crate) async fn pages_stay_as_they_are_while_assets_come_and_go() {
    let f = Fixture::start().await;
    let uploaded = upload(&f, 5).await;
    let first = f.get("/v3/assets?limit=2").await;
    assert_eq!(ids(&first), uploaded[..2]);

    upload(&f, 3).await;
    let gone = format!("/v3/assets/{}", uploaded[1]);
    let request = f.request(reqwest::Method::DELETE, &gone);
    request.send().await.unwrap();

    let second = f
        .get(&format!("/v3/assets?limit=2&token={}", next(&first)))
        .await;
    assert_eq!(ids(&second), uploaded[2..4]);
    let third = f
        .get(&format!("/v3/assets?limit=2&token={}", next(&second)))
        .await;
    assert_eq!(ids(&third), uploaded[4..]);
    assert_last(&third);
}

pub(crate) async fn a_full_last_page_has_no_more() {
    let f = Fixture::start().await;
    upload(&f, 4).await;
    let first = f.get("/v3/assets?limit=2").await;
    let second = f
        .get(&format!("/v3/assets?limit=2&token={}", next(&first)))
        .await;
    assert_eq!(ids(&second).len(), 2);
    assert_last(&second);
}

pub(crate) async fn a_token_is_of_this_list() {
    let f = Fixture::start().await;
    for token in ["x", "1", "00000000000000000000"] {
        let answer = f.get(&format!("/v3/assets?token={token}")).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_parameter", Some("token")),
            "{token}"
        );
    }
}

pub(crate) async fn a_username_may_be_given_and_a_folder_is_empty() {
    let f = Fixture::start().await;
    upload(&f, 1).await;
    let all = f.get("/v3/assets?username=somebody&folder_id=").await;
    assert_eq!(ids(&all).len(), 1);
    let folder = f.get("/v3/assets?folder_id=none").await;
    assert_eq!(ids(&folder), [""; 0]);
    assert_last(&folder);
}

pub(crate) async fn statuses_tell_queued_completed_and_not_found() {
    let f = Fixture::start().await;
    let uploaded = upload(&f, 1).await.remove(0);
    let slot = f.create("image/png", PNG.len()).await;
    let path = format!(
        "/v3/assets/statuses?asset_ids={uploaded},{},ast_none",
        slot.id
    );
    let answer = f.get(&path).await;
    let of = |id: &str, status: &str| json!({"video_id": id, "status": status, "batch_id": null, "item_index": null, "error": null});
    let expected = [
        of(&uploaded, "completed"),
        of(&slot.id, "queued"),
        of("ast_none", "not_found"),
    ];
    assert_eq!(*answer.data(), Value::from(expected.to_vec()));
    assert_last(&answer);
}

pub(crate) async fn statuses_tell_processing_for_a_while() {
    let f = Fixture::with(Config {
        // Long enough for one request, on a busy machine, too.
        processing: Duration::from_secs(3),
        ..Config::default()
    })
    .await;
    let start = Instant::now();
    let id = upload(&f, 1).await.remove(0);
    let status = async || {
        let answer = f.get(&format!("/v3/assets/statuses?asset_ids={id}")).await;
        answer.data()[0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status().await, "processing");
    eventually(async || status().await != "processing").await;
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert_eq!(status().await, "completed");
}

pub(crate) async fn statuses_take_1_to_100_ids() {
    let f = Fixture::start().await;
    let ask = async |count: usize| {
        let ids = vec!["ast_none"; count].join(",");
        f.get(&format!("/v3/assets/statuses?asset_ids={ids}")).await
    };
    assert_eq!(ask(100).await.data().as_array().unwrap().len(), 100);
    for count in [0, 101] {
        let answer = ask(count).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_parameter", Some("asset_ids"))
        );
    }
}
