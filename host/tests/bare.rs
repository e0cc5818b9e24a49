//! What the crate does without any of its features: it runs pipelines from bytes to memory and from files to folders.
//!
//! `cargo test -p forebay --no-default-features --test bare` runs this without them, as `.ci/run` does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use forebay::{Folder, Host, Memory, Pipeline, Source, Stage};

async fn pipeline(host: &Host) -> Pipeline {
    let plugin = host.load("identity", forebay_bundled::IDENTITY).await;
    let plugin = plugin.unwrap();
    let pipeline = Pipeline::builder("bare")
        .stage(Stage::new(&plugin))
        .stage(Stage::new(&plugin));
    pipeline.build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_through_two_stages_into_memory() {
    let host = Host::builder().build().unwrap();
    let pipeline = pipeline(&host).await;
    let sink = Memory::new();
    let words = "some words\n".repeat(100_000);
    let source = Source::bytes("words.txt", words.clone());
    let report = host.run(&pipeline, source, sink.clone()).await.unwrap();
    assert_eq!(report.files.len(), 1);
    assert_eq!(report.files[0].stages.len(), 2);
    let files = sink.take();
    assert_eq!(files[0].0.media_type, "text/plain");
    assert_eq!(files[0].1, words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_through_two_stages_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in.txt");
    std::fs::write(&source, "some words").unwrap();
    let out = folder.path().join("out");
    let host = Host::builder().build().unwrap();
    let pipeline = pipeline(&host).await;
    let sink = Folder::new(&out).unwrap();
    host.run(&pipeline, Source::path(&source), sink)
        .await
        .unwrap();
    let written = std::fs::read_to_string(out.join("in.txt")).unwrap();
    assert_eq!(written, "some words");
}
