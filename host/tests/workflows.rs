//! Workflows: each call of each interface from a guest, its errors, and what is left with the service afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use forebay::assets::MULTIPART_MAX;
use forebay::{
    Assets, Error, Event, Exceeded, Grants, Host, Limits, Pipeline, PipelineError, PluginError,
    Source, Stage, StageCause, Workflow, WorkflowError, WorkflowReport,
};
use forebay_emulator::{AssetStatus, Emulator, Flow};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

/// One engine for all tests of this file, with compiled plugins kept between runs.
async fn host() -> &'static Host {
    static HOST: OnceCell<Host> = OnceCell::const_new();
    HOST.get_or_init(|| async {
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
        Host::builder().cache_dir(cache).build().unwrap()
    })
    .await
}

/// The service, and a client of it.
struct Service {
    emulator: Emulator,
    assets: Assets,
}

impl Service {
    async fn start() -> Self {
        let emulator = Emulator::builder()
            .api_key("the-key")
            .start()
            .await
            .unwrap();
        let assets = client(&emulator, "the-key");
        Self { emulator, assets }
    }

    async fn run(
        &self,
        workflow: &Workflow,
        sources: Vec<Source>,
    ) -> Result<WorkflowReport, WorkflowError> {
        let run = host().await.run_workflow(workflow, sources, &self.assets);
        tokio::time::timeout(Duration::from_secs(120), run)
            .await
            .unwrap()
    }

    /// The result of an exercise that may do everything.
    async fn exercise(&self, exercise: Value, sources: Vec<Source>) -> Value {
        let workflow = drill(exercise, Grants::all()).await;
        self.run(&workflow, sources).await.unwrap().result
    }

    /// Waits until nothing is under way, and checks that nothing is left.
    async fn is_empty(&self) {
        self.assets.settle().await;
        assert_eq!(self.emulator.assets(), []);
    }
}

fn client(emulator: &Emulator, key: &str) -> Assets {
    Assets::builder()
        .api_key(key)
        .base_url(emulator.base_url())
        .build()
        .unwrap()
}

async fn drill(exercise: Value, grants: Grants) -> Workflow {
    let drill = host()
        .await
        .load("drill", forebay_bundled::DRILL)
        .await
        .unwrap();
    let identity = host()
        .await
        .load("identity", forebay_bundled::IDENTITY)
        .await
        .unwrap();
    let split = host()
        .await
        .load("pdf-split", forebay_bundled::PDF_SPLIT)
        .await
        .unwrap();
    let resize = host()
        .await
        .load("image-resize", forebay_bundled::IMAGE_RESIZE)
        .await
        .unwrap();
    Workflow::builder("drill", &drill)
        .config(exercise)
        .grants(grants)
        .lend("as it is", Stage::new(&identity))
        .lend(
            "split",
            Stage::new(&split).config(json!({ "pages_per_file": 2 })),
        )
        .lend("resize", Stage::new(&resize))
        .build()
        .unwrap()
}

fn pdf(size: usize) -> Bytes {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    bytes[..8].copy_from_slice(b"%PDF-1.7");
    bytes.into()
}

fn document() -> Source {
    Source::bytes(
        "document.pdf",
        Bytes::from_static(include_bytes!("../../cli/demo/document.pdf")),
    )
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0_u64, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    })
}

fn cause(error: WorkflowError) -> StageCause {
    match error.errors.into_iter().next() {
        Some(Error::Workflow { cause, .. }) => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_read_as_often_as_one_likes_wherever_they_lie() {
    let service = Service::start().await;
    let content = pdf(700_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("on disk.pdf");
    std::fs::write(&path, &content).unwrap();
    let sources = vec![
        Source::bytes("in memory.pdf", content.clone()),
        Source::path(&path),
        Source::reader("once.dat", std::io::Cursor::new(content.clone())),
        Source::bytes("nothing", Bytes::new()),
    ];
    let read = service
        .exercise(json!({ "exercise": "read", "times": 2 }), sources)
        .await;
    let read = read.as_array().unwrap();
    assert_eq!(read.len(), 8);
    for (at, name) in ["in memory.pdf", "on disk.pdf", "once.pdf"]
        .iter()
        .enumerate()
    {
        for again in 0..2 {
            assert_eq!(
                read[2 * at + again],
                json!({
                    "name": name, "media_type": "application/pdf", "size": 700_000, "bytes": 700_000,
                    "sum": sum(&content),
                })
            );
        }
    }
    assert_eq!(read[7]["bytes"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_changes_while_it_is_read_ends_the_workflow() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.pdf");
    std::fs::write(&path, pdf(100)).unwrap();
    let workflow = drill(json!({ "exercise": "read", "times": 1 }), Grants::none()).await;
    let growing = path.clone();
    let run = host()
        .await
        .workflow_job(&workflow, [Source::path(&path)], &service.assets)
        .observe(move |event| {
            if matches!(event, Event::Opened(_)) {
                std::fs::write(&growing, pdf(200)).unwrap();
            }
        });
    let cause = cause(run.run().await.unwrap_err());
    assert!(
        matches!(&cause, StageCause::Host(text) if text.contains("did it change?")),
        "{cause:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_run_by_the_names_that_they_were_lent_under() {
    let service = Service::start().await;
    let apply = async |stage: &str, config: Value, source| {
        let exercise = json!({ "exercise": "apply", "stage": stage, "config": config });
        service.exercise(exercise, vec![source]).await
    };
    let lent = service
        .exercise(json!({ "exercise": "stages" }), vec![])
        .await;
    assert_eq!(lent, json!(["as it is", "resize", "split"]));

    let parts = apply("split", json!({}), document()).await;
    let names = |parts: &Value| -> Vec<String> {
        let parts = parts.as_array().unwrap();
        parts
            .iter()
            .map(|part| part["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&parts),
        ["document-001-002.pdf", "document-003-004.pdf"]
    );
    let pages = apply("split", json!({ "pages_per_file": 1 }), document()).await;
    assert_eq!(
        names(&pages).len(),
        4,
        "a field of the config takes the place of the stage's own"
    );
    assert!(pages[0]["bytes"].as_u64().unwrap() > 1000);

    let denied = apply("identity", json!({}), document()).await;
    assert!(
        denied["denied"]
            .as_str()
            .unwrap()
            .contains("as it is, resize, split"),
        "{denied}"
    );
    let config = apply("split", json!({ "pages": 1 }), document()).await;
    assert!(
        config["invalid-config"]
            .as_str()
            .unwrap()
            .contains("`pages`"),
        "{config}"
    );
    let config = apply("split", json!([1]), document()).await;
    assert_eq!(config, json!({ "invalid-config": "is not an object" }));
    let kind = apply("resize", json!({}), document()).await;
    assert!(
        kind["unsupported"]
            .as_str()
            .unwrap()
            .contains("application/pdf"),
        "{kind}"
    );
    let broken = apply("split", json!({}), Source::bytes("a.pdf", pdf(1000))).await;
    assert!(broken["invalid-input"].is_string(), "{broken}");
    let photo = &include_bytes!("../../cli/demo/photo.jpg")[..];
    let refused = apply(
        "resize",
        json!({ "max_pixels": 1000 }),
        Source::bytes("p.jpg", photo),
    )
    .await;
    assert!(
        refused["invalid-input"]
            .as_str()
            .unwrap()
            .contains("max_pixels"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stages_make_counts_as_the_workflows_output() {
    let service = Service::start().await;
    let plugin = host()
        .await
        .load("drill", forebay_bundled::DRILL)
        .await
        .unwrap();
    let split = host()
        .await
        .load("pdf-split", forebay_bundled::PDF_SPLIT)
        .await
        .unwrap();
    let exercise =
        json!({ "exercise": "apply", "stage": "split", "config": { "pages_per_file": 1 } });
    for (limits, exceeded) in [
        (Limits::default().output_files(3), Exceeded::OutputFiles(3)),
        (
            Limits::default().output_bytes(9_999),
            Exceeded::OutputBytes(9_999),
        ),
    ] {
        let workflow = Workflow::builder("bounded", &plugin)
            .config(exercise.clone())
            .limits(limits)
            .lend("split", Stage::new(&split))
            .build()
            .unwrap();
        let error = service.run(&workflow, vec![document()]).await.unwrap_err();
        assert_eq!(cause(error), StageCause::Limit(exceeded));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_uploads_at_once_run_side_by_side_and_bounded() {
    let service = Service::start().await;
    let content = pdf(100_000);
    let workflow = drill(json!({ "exercise": "upload", "times": 100 }), Grants::all()).await;
    let (under_way, most) = (AtomicI64::new(0), Arc::new(AtomicI64::new(0)));
    let seen = most.clone();
    let report = host()
        .await
        .workflow_job(
            &workflow,
            [Source::bytes("a.pdf", content.clone())],
            &service.assets,
        )
        .observe(move |event| match event {
            Event::Delivering(..) => {
                let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                seen.fetch_max(now, Ordering::SeqCst);
            }
            Event::Delivered(..) => {
                under_way.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        })
        .run()
        .await
        .unwrap();
    let most = most.load(Ordering::SeqCst);
    assert!(
        (20..=32).contains(&most),
        "{most} uploads were under way at once"
    );
    assert_eq!(report.files.len(), 100);
    let stored = service.emulator.assets();
    assert_eq!(stored.len(), 100);
    let sha256 = hex::encode(Sha256::digest(&content));
    for asset in report.result.as_array().unwrap() {
        let id = asset["asset_id"].as_str().unwrap();
        let stored = stored.iter().find(|stored| stored.id == id).unwrap();
        assert_eq!(stored.sha256.as_deref(), Some(sha256.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_says_what_went_wrong() {
    let service = Service::start().await;
    let one = json!({ "exercise": "upload", "times": 1 });
    let small = || vec![Source::bytes("a.pdf", pdf(1000))];
    let large = || vec![Source::bytes("large.pdf", pdf(MULTIPART_MAX as usize + 1))];
    let result = async |grants: Grants, sources| {
        let workflow = drill(one.clone(), grants).await;
        service.run(&workflow, sources).await.unwrap().result
    };
    let denied = result(Grants::none().direct_upload(), small()).await;
    assert!(denied[0]["denied"].is_string(), "{denied}");
    let too_large = result(Grants::none().upload(), large()).await;
    assert_eq!(too_large, json!([{ "too-large": MULTIPART_MAX }]));
    let few = result(
        Grants::all().max_assets(1),
        [small(), small()].concat_sources(),
    )
    .await;
    let denied = few
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["denied"].is_string());
    assert_eq!(denied.count(), 1, "{few}");
    let few = result(Grants::all().max_bytes(999), small()).await;
    assert!(few[0]["denied"].as_str().unwrap().contains("999"), "{few}");
    let text = result(Grants::all(), vec![Source::bytes("a.txt", "words")]).await;
    assert_eq!(text, json!([{ "unsupported-type": "text/plain" }]));

    let workflow = drill(one.clone(), Grants::all()).await;
    let wrong_key = client(&service.emulator, "another-key");
    let run = host().await.run_workflow(&workflow, small(), &wrong_key);
    let refused = run.await.unwrap().result;
    assert_eq!(
        (&refused[0]["service"], &refused[0]["code"]),
        (&json!(401), &json!("unauthorized"))
    );
    assert!(refused[0]["request_id"].is_string());

    let both = service
        .exercise(one, [small(), large()].concat_sources())
        .await;
    assert_eq!(both[0]["size_bytes"], 1000);
    assert_eq!(both[1]["size_bytes"], MULTIPART_MAX + 1);
    let flows: Vec<Flow> = service
        .emulator
        .assets()
        .iter()
        .map(|asset| asset.flow)
        .collect();
    assert!(flows.contains(&Flow::DirectUpload) && flows.contains(&Flow::Upload));
}

trait ConcatSources {
    fn concat_sources(self) -> Vec<Source>;
}

impl ConcatSources for [Vec<Source>; 2] {
    fn concat_sources(self) -> Vec<Source> {
        self.into_iter().flatten().collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_a_value_too() {
    let service = Service::start().await;
    // A port that nobody listens on.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let away = Assets::builder()
        .api_key("k")
        .base_url(nobody)
        .build()
        .unwrap();
    let workflow = drill(json!({ "exercise": "upload", "times": 1 }), Grants::all()).await;
    let sources = [Source::bytes("a.pdf", pdf(1000))];
    let report = host()
        .await
        .run_workflow(&workflow, sources, &away)
        .await
        .unwrap();
    assert!(
        report.result[0]["transport"]
            .as_str()
            .unwrap()
            .contains("no connection")
    );
    service.is_empty().await;
}

fn direct(put: &str, complete: usize) -> Value {
    json!({ "exercise": "direct", "put": put, "complete": complete })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_upload_goes_step_by_step() {
    let service = Service::start().await;
    let content = pdf(3_000_000);
    let source = || vec![Source::bytes("a.pdf", content.clone())];
    for put in ["file", "stream"] {
        let result = service.exercise(direct(put, 2), source()).await;
        assert_eq!(result["put"], "ok");
        assert_eq!(result["max_bytes"], 200 << 20);
        assert_eq!(result["expires_in_seconds"], 3600);
        let (first, second) = (&result["complete"][0], &result["complete"][1]);
        assert_eq!(first, second, "complete may be called again");
        assert_eq!(first["asset_id"], result["asset_id"]);
        assert_eq!(first["size_bytes"], 3_000_000);
        let id = result["asset_id"].as_str().unwrap();
        let stored = service.emulator.assets();
        let stored = stored.iter().find(|stored| stored.id == id).unwrap();
        assert_eq!(stored.status, AssetStatus::Completed);
        assert_eq!(
            stored.sha256.as_deref(),
            Some(hex::encode(Sha256::digest(&content)).as_str())
        );
    }
    assert_eq!(service.emulator.assets().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_upload_that_is_not_completed_leaves_nothing() {
    let service = Service::start().await;
    let source = || vec![Source::bytes("a.pdf", pdf(3_000_000))];
    for (exercise, put, complete) in [
        (direct("nothing", 0), json!(null), json!([])),
        (direct("nothing", 1), json!(null), json!(["not-uploaded"])),
        (direct("stream", 0), json!("ok"), json!([])),
        (direct("file", 0), json!("ok"), json!([])),
        (
            direct("short", 1),
            json!({ "wrong-size": 2_999_999 }),
            json!(["not-uploaded"]),
        ),
        (
            direct("long", 1),
            json!({ "wrong-size": 3_000_001 }),
            json!(["not-uploaded"]),
        ),
    ] {
        let result = service.exercise(exercise.clone(), source()).await;
        assert_eq!(result["put"], put, "{exercise}");
        assert_eq!(result["complete"], complete, "{exercise}");
        service.is_empty().await;
    }
    // The input is another file than was announced.
    for put in ["file", "stream"] {
        let mut exercise = direct(put, 1);
        exercise["media_type"] = "video/mp4".into();
        let result = service.exercise(exercise, source()).await;
        let problem = result["put"]["unsupported-type"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            problem.contains("application/pdf") && problem.contains("video/mp4"),
            "{problem}"
        );
        let mut exercise = direct(put, 1);
        exercise["size"] = 1_000_000.into();
        let result = service.exercise(exercise, source()).await;
        assert!(
            result["put"]["wrong-size"].as_u64().unwrap() > 1_000_000,
            "{result}"
        );
        service.is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_says_what_went_wrong() {
    let service = Service::start().await;
    let source = || vec![Source::bytes("a.pdf", pdf(1000))];
    let workflow = drill(direct("file", 1), Grants::none().upload()).await;
    let denied = service.run(&workflow, source()).await.unwrap().result;
    assert!(denied["create"]["denied"].is_string(), "{denied}");
    let mut text = direct("file", 1);
    text["media_type"] = "text/plain".into();
    let refused = service.exercise(text, source()).await;
    assert_eq!(
        refused,
        json!({ "create": { "unsupported-type": "text/plain" } })
    );
    let mut vast = direct("file", 1);
    vast["size"] = json!(1_u64 << 30);
    let refused = service.exercise(vast, source()).await;
    assert_eq!(refused["create"]["service"], 400, "{refused}");
    service.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_inputs_come_in_three_forms() {
    let service = Service::start().await;
    let inputs = async |grants, url: &str, content: Bytes| {
        let workflow = drill(json!({ "exercise": "file-inputs", "url": url }), grants).await;
        let run = service.run(&workflow, vec![Source::bytes("a", content)]);
        run.await.unwrap().result
    };
    let made = inputs(
        Grants::all(),
        "https://example.com/a.png",
        Bytes::from_static(b"%PDF-1.4"),
    )
    .await;
    let inline =
        json!({ "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ=" });
    assert_eq!(
        made,
        json!({
            "asset": { "type": "asset_id", "asset_id": "ast_1" },
            "url": { "type": "url", "url": "https://example.com/a.png" },
            "bytes": inline,
            "made-up": inline,
        })
    );
    let wrong = inputs(
        Grants::all(),
        "http://example.com/a.png",
        Bytes::from_static(b"words"),
    )
    .await;
    assert!(wrong["url"]["invalid-url"].is_string());
    assert_eq!(wrong["bytes"], json!({ "unsupported-type": "text/plain" }));
    assert_eq!(
        wrong["made-up"], wrong["bytes"],
        "what a guest makes up is checked as well"
    );
    let large = inputs(
        Grants::all(),
        "https://a.b/",
        pdf(MULTIPART_MAX as usize + 1),
    )
    .await;
    assert_eq!(large["bytes"], json!({ "too-large": MULTIPART_MAX }));
    let denied = inputs(
        Grants::none(),
        "https://a.b/",
        Bytes::from_static(b"%PDF-1.4"),
    )
    .await;
    for form in ["asset", "url", "bytes", "made-up"] {
        assert!(denied[form]["denied"].is_string(), "{denied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_workflow_uploaded_is_deleted() {
    let service = Service::start().await;
    let sources = || {
        vec![
            Source::bytes("a.pdf", pdf(1000)),
            Source::bytes("large.pdf", pdf(MULTIPART_MAX as usize + 1)),
        ]
    };
    for (end, expected) in [
        ("fail", "failed: on second thoughts"),
        ("panic", "the plugin crashed: "),
    ] {
        let workflow = drill(json!({ "exercise": "then", "end": end }), Grants::all()).await;
        let error = service.run(&workflow, sources()).await.unwrap_err();
        assert_eq!(
            service.emulator.assets(),
            [],
            "deleted before the error is told"
        );
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("workflow drill: {expected}")),
            "{text}"
        );
    }
    let uploads = service
        .emulator
        .requests()
        .iter()
        .filter(|request| request.path.ends_with("/complete") && request.status == Some(200))
        .count();
    assert_eq!(uploads, 2, "there was something to delete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_is_cancelled_leaves_nothing() {
    let service = Service::start().await;
    let workflow = drill(json!({ "exercise": "then", "end": "sleep" }), Grants::all()).await;
    // At each number of deliveries: some are done, one is under way.
    for cancel_at in 1..=4 {
        let sources: Vec<Source> = (0..4)
            .map(|at| {
                let size = if at % 2 == 0 {
                    500_000
                } else {
                    MULTIPART_MAX as usize + 1
                };
                Source::bytes(format!("{at}.pdf"), pdf(size))
            })
            .collect();
        let (reached, cancel) = tokio::sync::oneshot::channel();
        let reached = std::sync::Mutex::new(Some(reached));
        let run = host()
            .await
            .workflow_job(&workflow, sources, &service.assets)
            .observe(move |event| {
                if matches!(event, Event::Sent(delivery, _) if delivery == cancel_at)
                    && let Some(reached) = reached.lock().unwrap().take()
                {
                    reached.send(()).unwrap();
                }
            });
        tokio::select! {
            ended = run.run() => panic!("{ended:?}"),
            reached = cancel => reached.unwrap(),
        }
        service.is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_workflows() {
    let service = Service::start().await;
    let plugin = host()
        .await
        .load("drill", forebay_bundled::DRILL)
        .await
        .unwrap();
    let workflow = Workflow::builder("slow", &plugin)
        .config(json!({ "exercise": "then", "end": "sleep" }))
        .grants(Grants::all())
        .limits(Limits::default().wall_clock(Duration::from_millis(500)))
        .build()
        .unwrap();
    let sources = vec![Source::bytes("a.pdf", pdf(1000))];
    let error = service.run(&workflow, sources).await.unwrap_err();
    assert!(matches!(
        cause(error),
        StageCause::Limit(Exceeded::WallClock(_))
    ));
    service.is_empty().await;

    // Handles without end are the guest's own problem.
    let hoard = drill(
        json!({ "exercise": "hoard", "times": 10_000_000 }),
        Grants::none(),
    )
    .await;
    let error = service
        .run(&hoard, vec![Source::bytes("a.pdf", pdf(1000))])
        .await
        .unwrap_err();
    assert!(matches!(
        cause(error),
        StageCause::Trap(_) | StageCause::Limit(_)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_the_last_step_of_a_pipeline() {
    let service = Service::start().await;
    let split = host()
        .await
        .load("pdf-split", forebay_bundled::PDF_SPLIT)
        .await
        .unwrap();
    let pipeline = Pipeline::builder("pages")
        .stage(Stage::new(&split).config(json!({ "pages_per_file": 1 })))
        .build()
        .unwrap();
    let workflow =
        pipeline.then(&drill(json!({ "exercise": "upload", "times": 1 }), Grants::all()).await);
    let report = service
        .run(&workflow, vec![document(), document()])
        .await
        .unwrap();
    assert_eq!(report.inputs.len(), 8);
    assert_eq!(report.files.len(), 8);
    assert!(
        report
            .files
            .iter()
            .all(|file| file.stages[0].plugin == "pdf-split")
    );
    let stored = service.emulator.assets();
    for file in &report.files {
        assert!(
            stored.iter().any(|stored| stored.sha256 == file.sha256),
            "{}",
            file.name
        );
    }

    // One source that fails, and nothing is run.
    let broken = vec![document(), Source::bytes("broken.pdf", pdf(1000))];
    let before = service.emulator.requests().len();
    let error = service.run(&workflow, broken).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("broken.pdf: stage 1 pdf-split: "),
        "{error}"
    );
    assert_eq!(service.emulator.requests().len(), before);
    let missing = vec![Source::path("no such file.pdf")];
    let error = service.run(&workflow, missing).await.unwrap_err();
    assert!(
        error.to_string().starts_with("no such file.pdf: "),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_stand_only_where_their_world_belongs() {
    let drill = host()
        .await
        .load("drill", forebay_bundled::DRILL)
        .await
        .unwrap();
    let identity = host()
        .await
        .load("identity", forebay_bundled::IDENTITY)
        .await
        .unwrap();
    let as_stage = Pipeline::builder("p").stage(Stage::new(&drill)).build();
    assert!(matches!(as_stage, Err(PipelineError::World { .. })));
    let as_workflow = Workflow::builder("w", &identity).build();
    assert!(matches!(as_workflow, Err(PipelineError::World { .. })));
    let lent = Workflow::builder("w", &drill)
        .config(json!({ "exercise": "stages" }))
        .lend("drill", Stage::new(&drill))
        .build();
    assert!(matches!(lent, Err(PipelineError::World { .. })));
    let config = Workflow::builder("w", &drill)
        .config(json!({ "exercise": "juggle" }))
        .build();
    assert!(matches!(config, Err(PipelineError::Config { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn media_kit_writes_a_request_that_the_service_takes() {
    let service = Service::start().await;
    let load = async |component| host().await.load("a plugin", component).await.unwrap();
    let kit = load(forebay_bundled::MEDIA_KIT).await;
    let build = |config: Value, grants: Grants, resize: &Stage, split: &Stage| {
        Workflow::builder("kit", &kit)
            .config(config)
            .grants(grants)
            .lend("image-resize", resize.clone())
            .lend("pdf-split", split.clone())
            .build()
            .unwrap()
    };
    let resize = Stage::new(&load(forebay_bundled::IMAGE_RESIZE).await);
    let split = Stage::new(&load(forebay_bundled::PDF_SPLIT).await);
    let photo = &include_bytes!("../../cli/demo/photo.jpg")[..];
    let mut video = vec![0; MULTIPART_MAX as usize + 1];
    video[..12].copy_from_slice(b"\0\0\0\x20ftypisom");
    let mut sources = vec![
        Source::bytes("photo.jpg", photo),
        Source::bytes("clip.mp4", video.clone()),
        Source::bytes("notes.txt", "words"),
    ];
    sources.extend((0..5).map(|_| document()));
    let workflow = build(
        json!({ "prompt": "Introduce these" }),
        Grants::all(),
        &resize,
        &split,
    );
    let report = service.run(&workflow, sources).await.unwrap();

    // 1 large, 1 video, 20 pages, 1 thumbnail: three more than a request takes.
    assert_eq!(report.files.len(), 23);
    assert_eq!(report.result["files"].as_array().unwrap().len(), 20);
    let left = report
        .messages
        .iter()
        .filter(|line| line.starts_with("not in the request"));
    assert_eq!(left.count(), 3, "{:?}", report.messages);
    assert!(
        report
            .messages
            .iter()
            .any(|line| line.contains("left out: notes.txt: text/plain"))
    );
    assert!(
        report
            .messages
            .iter()
            .any(|line| line.contains("photo-thumbnail.jpg"))
    );

    let answer = reqwest::Client::new()
        .post(format!("{}/v3/video-agents", service.emulator.base_url()))
        .header("x-api-key", "the-key")
        .json(&report.result)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());

    let stored = service.emulator.assets();
    for file in &report.files {
        let stored = stored
            .iter()
            .find(|stored| stored.sha256 == file.sha256)
            .unwrap();
        let bytes = std::fs::read(stored.path.as_ref().unwrap()).unwrap();
        assert_eq!(
            hex::encode(Sha256::digest(&bytes)),
            file.sha256.clone().unwrap()
        );
        match file.name.as_str() {
            "clip.mp4" => assert!(bytes == video && stored.flow == Flow::DirectUpload),
            "photo.jpg" | "photo-thumbnail.jpg" => {
                assert_eq!(file.stages[0].plugin, "image-resize");
                assert!(
                    !bytes.windows(4).any(|window| window == b"Exif"),
                    "{}",
                    file.name
                );
            }
            name => assert!(name.starts_with("document-00"), "{name}"),
        }
    }

    // A broken file ends it all, or is left out on request.
    let sources = || vec![document(), Source::bytes("broken.pdf", pdf(1000))];
    let before = service.emulator.assets().len();
    let error = service.run(&workflow, sources()).await.unwrap_err();
    assert!(
        matches!(cause(error), StageCause::Plugin(PluginError::InvalidInput(text)) if text.starts_with("broken.pdf: "))
    );
    assert_eq!(service.emulator.assets().len(), before);
    let config = json!({ "prompt": "p", "skip_broken": true });
    let workflow = build(config, Grants::all(), &resize, &split);
    let report = service.run(&workflow, sources()).await.unwrap();
    assert_eq!(report.files.len(), 4);

    // What it was not granted, it does not do.
    let workflow = build(
        json!({ "prompt": "p" }),
        Grants::none().upload(),
        &resize,
        &split,
    );
    let error = service.run(&workflow, vec![document()]).await.unwrap_err();
    assert!(error.to_string().contains("denied: file inputs"), "{error}");
    assert_eq!(service.emulator.assets().len(), before + 4);
}
