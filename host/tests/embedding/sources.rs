//! Sources of a service: bodies of requests, and bytes that another task makes.

use std::io;

use bytes::Bytes;
use forebay::{Error, ErrorKind, Event, Failure, Memory, Pipeline, Source};

use super::{host, identity, patiently, wait_for};

/// The one error of a job over this source, which delivers nothing.
async fn failure(source: Source) -> Error {
    let (host, sink) = (host(), Memory::new());
    let pipeline = identity(&host).await;
    let ended = patiently(host.run(&pipeline, source, sink.clone())).await;
    let mut error = ended.unwrap_err();
    assert_eq!(error.errors.len(), 1, "{error:?}");
    assert_eq!(sink.take(), []);
    error.errors.remove(0)
}

fn stream(pieces: Vec<io::Result<Bytes>>) -> Source {
    Source::stream("a.bin", futures::stream::iter(pieces))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_to_its_end_whatever_the_length_of_its_pieces() {
    let (host, sink) = (host(), Memory::new());
    let pipeline = identity(&host).await;
    let lengths = [0, 1, 3, 3_000_000, 0, 70_000, 1];
    let pieces: Vec<Bytes> = (1..)
        .zip(lengths)
        .map(|(byte, length)| vec![byte; length].into())
        .collect();
    let whole = pieces.concat();
    for source in [
        stream(pieces.iter().cloned().map(Ok).collect()),
        stream(pieces.iter().cloned().map(Ok).collect()).size(whole.len() as u64),
    ] {
        patiently(host.run(&pipeline, source, sink.clone()))
            .await
            .unwrap();
        assert!(sink.take()[0].1 == whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_fails_its_job_and_keeps_its_error() {
    let gone = || Err(io::ErrorKind::ConnectionReset.into());
    for pieces in [vec![gone()], vec![Ok("some words".into()), gone()]] {
        let error = failure(stream(pieces)).await;
        assert_eq!(error.kind(), ErrorKind::Caller);
        let Error::Source { reason, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(reason.kind(), io::ErrorKind::ConnectionReset);
    }
    let error = failure(stream(vec![Ok("some".into())]).size(5)).await;
    assert!(error.to_string().contains("4 bytes where 5"), "{error}");
    let error = failure(stream(vec![Ok("some words".into())]).size(5)).await;
    assert!(
        error.to_string().contains("more than the 5 bytes"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_ends_only_by_finish() {
    let (mut sender, source) = Source::channel("a.txt");
    sender.send("some words").await.unwrap();
    drop(sender);
    let error = failure(source).await;
    let parts = Failure::from(&error);
    assert_eq!(
        (parts.step.as_str(), parts.code.as_str()),
        ("read", "unexpected_end")
    );

    let (host, sink) = (host(), Memory::new());
    let pipeline = identity(&host).await;
    let (mut sender, source) = Source::channel("a.txt");
    let (job, mut events) = host.job(&pipeline, source, sink.clone()).events();
    let job = job.spawn();
    sender.send("some ").await.unwrap();
    // It does not wait for the rest.
    let Event::Read { bytes } = wait_for(&mut events, "read").await else {
        panic!("another event of that name");
    };
    assert_eq!(bytes, 5);
    sender.send("words").await.unwrap();
    sender.finish();
    patiently(job).await.unwrap();
    assert_eq!(sink.take()[0].1, "some words");

    // Nobody reads: what is sent waits for room, and then is refused.
    let (mut sender, source) = Source::channel("a.txt");
    let job = host
        .job(&pipeline, source, Memory::new())
        .cancel_on(async {})
        .spawn();
    let _ = patiently(job).await.unwrap_err();
    assert!(patiently(sender.send("some words")).await.is_err());
}

/// A stage of a pipeline file that is only for some files is that in the pipeline, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_stage_from_a_file_is_for_the_files_that_it_names() {
    let file = forebay::PipelineFile::parse(
        "[[pipelines.p.stages]]\nplugin = \"image-resize\"\nwhen = \"image/*\"",
    );
    let spec = file.unwrap().pipeline(None).unwrap().stages[0].clone();
    let host = host();
    let plugin = host
        .load("image-resize", forebay_bundled::IMAGE_RESIZE)
        .await
        .unwrap();
    let pipeline = spec
        .add_to(Pipeline::builder("p"), &plugin)
        .build()
        .unwrap();
    assert_eq!(pipeline.when(0).unwrap().to_string(), "image/*");
    let sink = Memory::new();
    let text = Source::bytes("a.txt", "some words");
    host.run(&pipeline, text, sink.clone()).await.unwrap();
    assert_eq!(sink.take()[0].1, "some words");
}
