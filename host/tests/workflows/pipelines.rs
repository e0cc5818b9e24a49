//! Where a workflow may stand, and what comes before it.

use forebay::{Grants, Pipeline, PipelineError, Source, Workflow};
use serde_json::json;

use crate::{Service, bare_drill, broken, document, drill, plugin, stage, upload};

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_the_last_step_of_a_pipeline() {
    let service = Service::start().await;
    let split = stage(forebay_bundled::PDF_SPLIT).await;
    let pipeline = Pipeline::builder("pages")
        .stage(split.config(json!({ "pages_per_file": 1 })))
        .build()
        .unwrap();
    let workflow = pipeline.then(&drill(upload(1), Grants::all()).await);
    let run = service.run(&workflow, [document(), document()]);
    let report = run.await.unwrap();
    assert_eq!(report.inputs.len(), 8);
    assert_eq!(report.files.len(), 8);
    let stored = service.emulator.assets();
    for file in &report.files {
        assert_eq!(file.stages[0].plugin, "pdf-split");
        assert!(
            stored.iter().any(|stored| stored.sha256 == file.sha256),
            "{}",
            file.name
        );
    }

    // One source that fails, and nothing is run.
    let before = service.emulator.requests().len();
    let run = service.run(&workflow, [document(), broken()]);
    let error = run.await.unwrap_err().to_string();
    assert!(
        error.starts_with("broken.pdf: stage 1 pdf-split: "),
        "{error}"
    );
    assert_eq!(service.emulator.requests().len(), before);
    let missing = Source::path("no such file.pdf");
    let error = service.run(&workflow, [missing]).await.unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("no such file.pdf: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_stand_only_where_their_world_and_their_grants_belong() {
    let drill = stage(forebay_test_plugins::DRILL).await;
    let as_stage = Pipeline::builder("p").stage(drill.clone()).build();
    assert!(matches!(as_stage, Err(PipelineError::World { .. })));
    let identity = plugin(forebay_bundled::IDENTITY).await;
    let as_workflow = Workflow::builder("w", &identity).build();
    assert!(matches!(as_workflow, Err(PipelineError::World { .. })));
    let stages = bare_drill(json!({ "exercise": "stages" })).await;
    let lent = stages.lend("drill", drill).build();
    assert!(matches!(lent, Err(PipelineError::World { .. })));
    for (grants, missing) in [
        (
            Grants::none(),
            "uploads@0.2.0, which needs the grant `upload` or `direct_upload`",
        ),
        (
            Grants::none().upload(),
            "file-inputs@0.2.0, which needs the grant `file_inputs`",
        ),
    ] {
        let stages = bare_drill(json!({ "exercise": "stages" })).await;
        let error = stages.grants(grants).build().unwrap_err().to_string();
        assert!(
            error.starts_with("workflow drill: plugin drill: imports forebay:plugin/"),
            "{error}"
        );
        assert!(error.contains(missing), "{error}");
    }
    let granted = stage(forebay_bundled::IDENTITY)
        .await
        .grants(Grants::none().upload());
    let error = Pipeline::builder("p").stage(granted).build().unwrap_err();
    assert!(
        error.to_string().contains("`upload` is for workflows"),
        "{error}"
    );
    let juggle = bare_drill(json!({ "exercise": "juggle" })).await;
    assert!(matches!(juggle.build(), Err(PipelineError::Config { .. })));
}
