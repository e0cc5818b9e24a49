//! The endpoints that take file inputs, and every place in them where one stands.

use serde_json::{Value, json};

use crate::common::{Answer, Fixture, PNG};
use crate::file_inputs::{asset, base64, url};

/// Every place of a file input: the endpoint, what to put before and after the input, and the place's name in errors.
const PLACES: &[(&str, &str, &str, &str)] = &[
    (
        "/v3/video-agents",
        r#"{"prompt":"x","files":["#,
        "]}",
        "files[0]",
    ),
    (
        "/v3/video-agents/session",
        r#"{"message":"x","files":["#,
        "]}",
        "files[0]",
    ),
    (
        "/v3/avatars",
        r#"{"type":"photo","name":"x","file":"#,
        "}",
        "file",
    ),
    (
        "/v3/avatars",
        r#"{"type":"digital_twin","name":"x","file":"#,
        "}",
        "file",
    ),
    (
        "/v3/avatars",
        r#"{"type":"prompt","name":"x","prompt":"x","reference_images":["#,
        "]}",
        "reference_images[0]",
    ),
    ("/v3/videos", r#"{"type":"image","image":"#, "}", "image"),
    (
        "/v3/videos",
        r#"{"type":"cinematic_avatar","references":["#,
        "]}",
        "references[0]",
    ),
    (
        "/v3/videos",
        r#"{"type":"avatar","watermark":{"image":"#,
        "}}",
        "watermark.image",
    ),
    (
        "/v3/videos",
        r#"{"type":"studio","scenes":[{"type":"video","source":"#,
        "}]}",
        "scenes[0].source",
    ),
    (
        "/v3/videos",
        r#"{"type":"studio","scenes":[{"type":"avatar_video","input":{"avatar_id":"a"}},{"type":"image","input":{"image":"#,
        "}}]}",
        "scenes[1].input.image",
    ),
    (
        "/v3/video-translations",
        r#"{"output_languages":["de"],"video":"#,
        "}",
        "video",
    ),
];

async fn at(f: &Fixture, place: &(&str, &str, &str, &str), file: &Value) -> Answer {
    let (path, before, after, _) = place;
    let body: Value = serde_json::from_str(&format!("{before}{file}{after}")).unwrap();
    f.post(path, &body).await
}

/// The places beside a required video: another file, given with a good one.
async fn beside_a_video(f: &Fixture, good: &str, file: &Value) -> Vec<(&'static str, Answer)> {
    let mut answers = Vec::new();
    for (path, place) in [
        ("/v3/video-translations", "audio"),
        ("/v3/video-translations", "srt"),
        ("/v3/lipsyncs", "audio"),
    ] {
        let body = json!({"video": asset(good), place: file});
        answers.push((place, f.post(path, &body).await));
    }
    let body = json!({"video": file, "audio": asset(good)});
    answers.push(("video", f.post("/v3/lipsyncs", &body).await));
    answers
}

pub(crate) async fn every_place_takes_all_three_inputs() {
    let f = Fixture::start().await;
    let uploaded = f.upload("a.png", PNG).await;
    let id = uploaded.text("asset_id");
    for file in [
        asset(&id),
        url(&uploaded.text("url")),
        base64("image/png", PNG),
    ] {
        for place in PLACES {
            at(&f, place, &file).await.data();
        }
        for (_, answer) in beside_a_video(&f, &id, &file).await {
            answer.data();
        }
    }
}

pub(crate) async fn every_place_refuses_a_bad_input_by_its_name() {
    let f = Fixture::start().await;
    let id = f.upload("a.png", PNG).await.text("asset_id");
    let pending = f.create("image/png", PNG.len()).await.id;
    let cases = [
        (asset("ast_none"), (404, "asset_not_found")),
        (asset(&pending), (400, "asset_not_available")),
        (url("https://example.com/a.png"), (400, "download_failed")),
        (base64("image/png", b"text"), (400, "invalid_parameter")),
    ];
    for (file, (status, code)) in &cases {
        for place in PLACES {
            let answer = at(&f, place, file).await;
            assert_eq!(answer.error(), (*status, *code, Some(place.3)), "{place:?}");
        }
        for (place, answer) in beside_a_video(&f, &id, file).await {
            assert_eq!(answer.error(), (*status, *code, Some(place)));
        }
    }
}

pub(crate) async fn every_endpoint_answers_its_fields() {
    let f = Fixture::start().await;
    let file = asset(&f.upload("a.png", PNG).await.text("asset_id"));
    let cases: [(&str, Value, &[&str]); 6] = [
        (
            "/v3/video-agents",
            json!({"prompt": "x"}),
            &["session_id", "status", "video_id", "created_at"],
        ),
        (
            "/v3/video-agents/s1",
            json!({"message": "x"}),
            &["session_id", "run_id", "title"],
        ),
        (
            "/v3/avatars",
            json!({"type": "photo", "name": "x", "file": file}),
            &["avatar_item", "avatar_group"],
        ),
        (
            "/v3/videos",
            json!({"type": "image", "image": file}),
            &["video_id", "status"],
        ),
        (
            "/v3/video-translations",
            json!({"video": file, "output_languages": ["de", "fr"]}),
            &["video_translation_ids"],
        ),
        (
            "/v3/lipsyncs",
            json!({"video": file, "audio": file}),
            &["lipsync_id"],
        ),
    ];
    for (path, body, fields) in cases {
        let answer = f.post(path, &body).await;
        let data = answer.data().as_object().unwrap();
        let mut expected = fields.to_vec();
        expected.sort_unstable();
        assert_eq!(data.keys().collect::<Vec<_>>(), expected, "{path}");
    }
    let body = json!({"video": file, "output_languages": ["de", "fr"]});
    let answer = f.post("/v3/video-translations", &body).await;
    let ids = answer.data()["video_translation_ids"].as_array().unwrap();
    assert_eq!(ids.len(), 2, "one for each language");
    let answer = f
        .post("/v3/video-agents/s1", &json!({"message": "x"}))
        .await;
    assert_eq!(answer.text("session_id"), "s1");
}

pub(crate) async fn required_fields_are_required() {
    let f = Fixture::start().await;
    let file = asset(&f.upload("a.png", PNG).await.text("asset_id"));
    let cases = [
        ("/v3/video-agents/s1", json!({"files": []}), None),
        (
            "/v3/video-agents/s1",
            json!({"message": ""}),
            Some("message"),
        ),
        ("/v3/avatars", json!({"name": "x", "file": file}), None),
        ("/v3/avatars", json!({"type": "photo", "name": "x"}), None),
        (
            "/v3/avatars",
            json!({"type": "digital_twin", "name": "x"}),
            None,
        ),
        ("/v3/avatars", json!({"type": "photo", "file": file}), None),
        (
            "/v3/avatars",
            json!({"type": "photo", "name": " ", "file": file}),
            Some("name"),
        ),
        ("/v3/avatars", json!({"type": "prompt", "name": "x"}), None),
        (
            "/v3/avatars",
            json!({"type": "other", "name": "x", "file": file}),
            None,
        ),
        ("/v3/videos", json!({"type": "image"}), Some("image")),
        ("/v3/videos", json!({"type": "studio"}), Some("scenes")),
        (
            "/v3/videos",
            json!({"type": "studio", "scenes": []}),
            Some("scenes"),
        ),
        ("/v3/video-translations", json!({"audio": file}), None),
        (
            "/v3/video-translations",
            json!({"video": file, "output_languages": []}),
            Some("output_languages"),
        ),
        ("/v3/lipsyncs", json!({"video": file}), None),
        ("/v3/lipsyncs", json!({"audio": file}), None),
    ];
    for (path, body, param) in cases {
        let answer = f.post(path, &body).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_parameter", param),
            "{path} {body}"
        );
    }
}

pub(crate) async fn a_prompted_avatar_has_at_most_3_references() {
    let f = Fixture::start().await;
    let file = asset(&f.upload("a.png", PNG).await.text("asset_id"));
    let ask = async |count: usize| {
        let images = vec![&file; count];
        let body =
            json!({"type": "prompt", "name": "x", "prompt": "x", "reference_images": images});
        f.post("/v3/avatars", &body).await
    };
    ask(3).await.data();
    let refusal = (400, "invalid_parameter", Some("reference_images"));
    assert_eq!(ask(4).await.error(), refusal);
}

pub(crate) async fn a_follow_up_has_at_most_20_files() {
    let f = Fixture::start().await;
    let file = asset(&f.upload("a.png", PNG).await.text("asset_id"));
    let ask = async |count: usize| {
        let body = json!({"message": "x", "files": vec![&file; count]});
        f.post("/v3/video-agents/s1", &body).await
    };
    ask(20).await.data();
    assert_eq!(
        ask(21).await.error(),
        (400, "invalid_parameter", Some("files"))
    );
}

pub(crate) async fn absent_lists_may_be_null() {
    let f = Fixture::start().await;
    let body = json!({"prompt": "x", "files": null});
    f.post("/v3/video-agents", &body).await.data();
}
