//! Workflows: each call of each interface from a guest, its errors, and what is left with the service afterwards.
//!
//! Most tests set the plugin `drill` an exercise and look at the result that it gives.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod direct_uploads;
mod endings;
mod file_inputs;
mod inputs;
mod media_kit;
mod pipelines;
mod results;
mod stages;
mod uploads;

use std::time::Duration;

use bytes::Bytes;
use forebay::assets::MULTIPART_MAX;
use forebay::{
    Assets, Error, Grants, Host, Plugin, Source, Stage, StageCause, Workflow, WorkflowBuilder,
    WorkflowError, WorkflowJob, WorkflowReport,
};
use forebay_emulator::{Emulator, StoredAsset};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

/// One engine for all tests of this folder, with compiled plugins kept between runs.
async fn host() -> &'static Host {
    static HOST: OnceCell<Host> = OnceCell::const_new();
    HOST.get_or_init(|| async {
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
        Host::builder().cache_dir(cache).build().unwrap()
    })
    .await
}

async fn plugin(component: &[u8]) -> Plugin {
    host()
        .await
        .load("a test's plugin", component)
        .await
        .unwrap()
}

async fn stage(component: &[u8]) -> Stage {
    Stage::new(&plugin(component).await)
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
        let assets = client(emulator.base_url(), "the-key");
        Self { emulator, assets }
    }

    /// A run that is still to be started.
    async fn job(
        &self,
        workflow: &Workflow,
        sources: impl IntoIterator<Item = Source>,
    ) -> WorkflowJob {
        host().await.workflow_job(workflow, sources, &self.assets)
    }

    async fn run(
        &self,
        workflow: &Workflow,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<WorkflowReport, WorkflowError> {
        let run = self.job(workflow, sources).await.run();
        tokio::time::timeout(Duration::from_secs(120), run)
            .await
            .unwrap()
    }

    /// The result of an exercise that may do everything.
    async fn exercise(&self, exercise: Value, sources: impl IntoIterator<Item = Source>) -> Value {
        self.exercise_within(Grants::all(), exercise, sources).await
    }

    /// The result of an exercise that may do this.
    async fn exercise_within(
        &self,
        grants: Grants,
        exercise: Value,
        sources: impl IntoIterator<Item = Source>,
    ) -> Value {
        let workflow = drill(exercise, grants).await;
        self.run(&workflow, sources).await.unwrap().result
    }

    fn stored(&self, id: &Value) -> StoredAsset {
        let mut stored = self.emulator.assets().into_iter();
        stored.find(|stored| *id == stored.id).unwrap()
    }

    /// Waits until nothing is under way, and checks that nothing is left.
    async fn is_empty(&self) {
        self.assets.settle().await;
        assert_eq!(self.emulator.assets(), []);
    }
}

fn client(base_url: &str, key: &str) -> Assets {
    Assets::builder()
        .api_key(key)
        .base_url(base_url)
        .build()
        .unwrap()
}

/// This exercise, with all grants and no stages.
async fn bare_drill(exercise: Value) -> WorkflowBuilder {
    Workflow::builder("drill", &plugin(forebay_test_plugins::DRILL).await)
        .config(exercise)
        .grants(Grants::all())
}

/// This exercise, with three stages to run.
async fn drill(exercise: Value, grants: Grants) -> Workflow {
    let two_pages = json!({ "pages_per_file": 2 });
    bare_drill(exercise)
        .await
        .grants(grants)
        .lend("as it is", stage(forebay_bundled::IDENTITY).await)
        .lend(
            "split",
            stage(forebay_bundled::PDF_SPLIT).await.config(two_pages),
        )
        .lend("resize", stage(forebay_bundled::IMAGE_RESIZE).await)
        .build()
        .unwrap()
}

/// The exercise that uploads every input so many times, all at once.
fn upload(times: usize) -> Value {
    json!({ "exercise": "upload", "times": times })
}

/// Bytes that pass for a PDF where only the type is looked at.
fn pdf(size: usize) -> Bytes {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    bytes[..8].copy_from_slice(b"%PDF-1.7");
    bytes.into()
}

fn small() -> Source {
    Source::bytes("a.pdf", pdf(1000))
}

/// One byte more than one request takes.
fn large() -> Source {
    Source::bytes("large.pdf", pdf(MULTIPART_MAX as usize + 1))
}

/// A PDF that no stage can read.
fn broken() -> Source {
    Source::bytes("broken.pdf", pdf(1000))
}

/// A real PDF, of four pages.
fn document() -> Source {
    let bytes = include_bytes!("../../../cli/demo/document.pdf");
    Source::bytes("document.pdf", Bytes::from_static(bytes))
}

/// A real photo, with metadata.
fn photo() -> Source {
    let bytes = include_bytes!("../../../cli/demo/photo.jpg");
    Source::bytes("photo.jpg", Bytes::from_static(bytes))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A call ended with this error, and the error has a text that says this.
#[track_caller]
fn assert_told(result: &Value, error: &str, text: &str) {
    assert!(result[error].as_str().unwrap().contains(text), "{result}");
}

/// What ended a workflow.
fn cause(error: WorkflowError) -> StageCause {
    match error.errors.into_iter().next() {
        Some(Error::Workflow { cause, .. }) => cause,
        other => panic!("{other:?}"),
    }
}
