//! The bundled plugin `media-kit`: files of all kinds become a request that the service takes.

use forebay::assets::MULTIPART_MAX;
use forebay::{Grants, PluginError, Source, StageCause, Workflow, WorkflowReport};
use forebay_emulator::Flow;
use serde_json::{Value, json};

use crate::{Service, broken, cause, document, photo, plugin, sha256, stage};

/// `media-kit`, lent the stages that it looks for.
async fn kit(config: Value, grants: Grants) -> Workflow {
    Workflow::builder("kit", &plugin(forebay_bundled::MEDIA_KIT).await)
        .config(config)
        .grants(grants)
        .lend("image-resize", stage(forebay_bundled::IMAGE_RESIZE).await)
        .lend("pdf-split", stage(forebay_bundled::PDF_SPLIT).await)
        .build()
        .unwrap()
}

/// Bytes that pass for a video, one more than one request takes.
fn video() -> Vec<u8> {
    let mut video = vec![0; MULTIPART_MAX as usize + 1];
    video[..12].copy_from_slice(b"\0\0\0\x20ftypisom");
    video
}

#[tokio::test(flavor = "multi_thread")]
async fn media_kit_writes_a_request_that_the_service_takes() {
    let service = Service::start().await;
    let workflow = kit(json!({ "prompt": "Introduce these" }), Grants::all()).await;
    let mut sources = vec![
        photo(),
        Source::bytes("clip.mp4", video()),
        Source::bytes("notes.txt", "words"),
    ];
    sources.extend((0..5).map(|_| document()));
    let report = service.run(&workflow, sources).await.unwrap();

    // 1 large, 1 video, 20 pages, 1 thumbnail: three more than a request takes.
    assert_eq!(report.files.len(), 23);
    assert_eq!(report.result["files"].as_array().unwrap().len(), 20);
    assert_left_out(&report.messages);
    assert_taken(&service, &report.result).await;
    assert_stored(&service, &report);

    // A broken file ends it all, or is left out on request.
    let before = service.emulator.assets().len();
    let run = service.run(&workflow, [document(), broken()]);
    let error = run.await.unwrap_err();
    assert!(
        matches!(cause(error), StageCause::Plugin(PluginError::InvalidInput(text)) if text.starts_with("broken.pdf: "))
    );
    assert_eq!(service.emulator.assets().len(), before);
    let lenient = json!({ "prompt": "p", "skip_broken": true });
    let workflow = kit(lenient, Grants::all()).await;
    let run = service.run(&workflow, [document(), broken()]);
    assert_eq!(run.await.unwrap().files.len(), 4);
}

/// What is not in the request is told.
fn assert_left_out(messages: &[String]) {
    let too_many = messages
        .iter()
        .filter(|line| line.starts_with("not in the request"));
    assert_eq!(too_many.count(), 3, "{messages:?}");
    for expected in ["left out: notes.txt: text/plain", "photo-thumbnail.jpg"] {
        assert!(
            messages.iter().any(|line| line.contains(expected)),
            "{messages:?}"
        );
    }
}

/// The service takes the request as it stands.
async fn assert_taken(service: &Service, request: &Value) {
    let answer = forebay_emulator::client()
        .unwrap()
        .build()
        .unwrap()
        .post(format!("{}/v3/video-agents", service.emulator.base_url()))
        .header("x-api-key", "the-key")
        .json(request)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// The service has what was reported, made by the stages that it should be made by.
fn assert_stored(service: &Service, report: &WorkflowReport) {
    let stored = service.emulator.assets();
    for file in &report.files {
        let mut stored = stored.iter();
        let stored = stored.find(|stored| stored.sha256 == file.sha256).unwrap();
        let bytes = std::fs::read(stored.path.as_ref().unwrap()).unwrap();
        assert_eq!(Some(sha256(&bytes)), file.sha256);
        match file.name.as_str() {
            "clip.mp4" => assert!(bytes == video() && stored.flow == Flow::DirectUpload),
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
}
