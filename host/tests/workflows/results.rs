//! What a workflow may name in its result, and how often it may use the service.

use forebay::{Exceeded, Grants, InputProblem, PipelineError, StageCause};
use forebay_emulator::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use crate::{Service, assert_told, bare_drill, cause, drill, pdf, small};

/// The exercise that uploads the inputs and returns this. `ID` stands for the first asset's id, `URL` for its address.
fn returning(result: &Value) -> Value {
    json!({ "exercise": "return", "json": result.to_string() })
}

fn url(url: &str) -> Value {
    json!({ "type": "url", "url": url })
}

fn asset(id: &str) -> Value {
    json!({ "type": "asset_id", "asset_id": id })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_names_what_the_run_made_and_what_was_granted() {
    let service = Service::start().await;
    let result = json!({
        "prompt": "Introduce https://example.com to us",
        "files": [asset("ID"), { "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ=" }],
        "asset": { "asset_id": "ID", "url": "URL" },
    });
    let workflow = drill(returning(&result), Grants::all()).await;
    let report = service.run(&workflow, [small()]).await.unwrap();
    let made = &service.emulator.assets()[0].id;
    assert_eq!(report.result["files"][0]["asset_id"], **made);
    assert!(!report.raw_result);

    let lent = json!([asset("ast_lent"), url("https://cdn.example/a.png"), { "callback": "http://CDN.example:1/" }]);
    let grants = Grants::all().url_host("CDN.example").asset("ast_lent");
    let result = service.exercise_within(grants, returning(&lent), []).await;
    assert_eq!(result, lent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_names_anything_else_ends_the_workflow() {
    let service = Service::start().await;
    // An asset of the account that this workflow does not know of.
    let other = service.assets.upload("b.pdf", "application/pdf", pdf(10));
    let other = other.await.unwrap().asset_id;
    let host = |host: &str| InputProblem::Host(host.into());
    let wrong = |problem: &str| InputProblem::Invalid(problem.into());
    for (result, path, problem) in [
        (
            url("https://evil.example/?d=secret"),
            "$.url",
            host("evil.example"),
        ),
        (
            json!({ "prompt": "p", "files": [asset("ID"), url("https://evil.example")] }),
            "$.files[1].url",
            host("evil.example"),
        ),
        (
            json!({ "scenes": [{ "source": { "a b": url("https://cdn.example.evil.example/") } }] }),
            "$.scenes[0].source[\"a b\"].url",
            host("cdn.example.evil.example"),
        ),
        (
            url(r"https://cdn.example\@evil.example/"),
            "$.url",
            InputProblem::UnclearHost,
        ),
        (
            json!({ "callback_url": "http://evil.example/" }),
            "$.callback_url",
            host("evil.example"),
        ),
        (
            asset(&other),
            "$.asset_id",
            InputProblem::Asset(other.clone()),
        ),
        (
            json!({ "image_asset_id": other }),
            "$.image_asset_id",
            InputProblem::Asset(other.clone()),
        ),
        (
            json!([url("http://cdn.example/")]),
            "$[0]",
            wrong("url: file input: the URL is not an https one"),
        ),
        (
            json!([{ "type": "asset_id", "asset_id": "ID", "url": "https://cdn.example/" }]),
            "$[0]",
            wrong("type: a file input of type asset_id has no field `url`"),
        ),
        (
            json!([{ "type": "base64", "media_type": "text/plain", "data": "d29yZHM=" }]),
            "$[0]",
            wrong(
                "data: the service does not take text/plain; it takes PNG, JPEG, MP4, WebM, MP3, WAV, PDF and SRT",
            ),
        ),
    ] {
        let grants = Grants::all().url_host("cdn.example");
        let workflow = drill(returning(&result), grants).await;
        let error = service.run(&workflow, [small()]).await.unwrap_err();
        let text = error.to_string();
        let told = format!("workflow drill: its result at {path}: ");
        assert!(text.starts_with(&told), "{text}");
        let path = path.to_owned();
        assert_eq!(
            cause(error),
            StageCause::ResultInput { path, problem },
            "{result}"
        );
        let left = service.emulator.assets();
        assert_eq!(left.len(), 1, "its upload is deleted: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_result_is_taken_as_it_is_and_said_to_be_so() {
    let service = Service::start().await;
    let result = json!([url("https://evil.example/"), asset("ast_other")]);
    let workflow = bare_drill(returning(&result)).await.raw_result();
    let workflow = workflow.build().unwrap();
    assert!(workflow.is_raw());
    let report = service.run(&workflow, []).await.unwrap();
    assert_eq!(report.result, result);
    let report = serde_json::to_value(report).unwrap();
    assert_eq!(report["raw_result"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_granted_by_their_names() {
    for host in ["https://cdn.example", "cdn.example:443", "*.example", ""] {
        let workflow = bare_drill(returning(&Value::Null)).await;
        let workflow = workflow.grants(Grants::all().url_host(host)).build();
        let Err(error @ PipelineError::Grants { .. }) = workflow else {
            panic!("{host}: {workflow:?}");
        };
        let told = format!("`url_hosts`: `{host}` is no host; give its name");
        assert!(error.to_string().contains(&told), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn using_the_service_over_and_over_ends_by_a_limit() {
    let refuse = |route| Fault::new(route, FaultKind::Status { status: 400 }).times(10_000);
    let churn = |step: &str| json!({ "exercise": "churn", "step": step, "times": 10_000 });
    let assets = |most: u64| Grants::all().max_assets(most);
    let max_assets = Exceeded::MaxAssets(20);
    for (step, fault, grants, limit, method, path, requests) in [
        (
            "create",
            None,
            assets(20),
            max_assets,
            "POST",
            "/direct-uploads",
            20,
        ),
        (
            "upload",
            Some(Route::Upload),
            assets(20),
            max_assets,
            "POST",
            "/v3/assets",
            20,
        ),
        // The asset itself is the first, and its first bytes are part of it.
        ("put", None, assets(20), max_assets, "PUT", "", 20),
        (
            "complete",
            Some(Route::Complete),
            assets(20),
            max_assets,
            "POST",
            "/complete",
            20,
        ),
        (
            "put",
            None,
            Grants::all().max_bytes(10_500),
            Exceeded::MaxBytes(10_500),
            "PUT",
            "",
            10,
        ),
    ] {
        let service = Service::start().await;
        if let Some(route) = fault {
            service.emulator.inject(refuse(route));
        }
        let workflow = drill(churn(step), grants).await;
        let error = service.run(&workflow, [small()]).await.unwrap_err();
        assert_eq!(cause(error), StageCause::Limit(limit), "{step}");
        service.is_empty().await;
        let made = service.emulator.requests();
        let made = made
            .iter()
            .filter(|request| request.method == method && request.path.ends_with(path));
        assert_eq!(made.count(), requests, "{step}");
    }

    // Calls that wait for an answer count, too.
    let service = Service::start().await;
    let at_once = json!({ "exercise": "reserve-at-once", "times": 50 });
    let result = service
        .exercise_within(assets(20), at_once, [small()])
        .await;
    assert_eq!(result["reserved"], 20);
    assert_told(&result["last"], "denied", "at most 20 assets");
    let made = service.emulator.requests();
    let made = made
        .iter()
        .filter(|request| request.path.ends_with("/direct-uploads"));
    assert_eq!(made.count(), 20);
    service.is_empty().await;

    // What stays is told to the workflow, and it can go on.
    let service = Service::start().await;
    let workflow = drill(churn("upload"), assets(20)).await;
    let report = service.run(&workflow, [small()]).await.unwrap();
    assert_told(&report.result, "denied", "at most 20 assets");
    assert_eq!(report.files.len(), 20);
    // A file of a type that the service does not take makes no request.
    let text = forebay::Source::bytes("a.txt", "words");
    let workflow = drill(churn("upload"), assets(1)).await;
    let report = service.run(&workflow, [text]).await.unwrap();
    assert_eq!(report.result, json!({ "unsupported-type": "text/plain" }));
}
