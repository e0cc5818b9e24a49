//! What the host makes of plugins, well-behaved and not: real components, end to end.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::time::Duration;

use bytes::Bytes;
use forebay::{
    Error, Exceeded, Host, JobError, Limits, Memory, Pipeline, PluginError, Report, Source, Stage,
    StageCause,
};
use serde_json::{Value, json};
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

async fn stage(component: &[u8], config: Value) -> Stage {
    Stage::new(
        &host()
            .await
            .load("a test's plugin", component)
            .await
            .unwrap(),
    )
    .config(config)
}

async fn hostile(config: Value) -> Stage {
    stage(forebay_test_plugins::HOSTILE, config).await
}

async fn identity() -> Stage {
    stage(forebay_bundled::IDENTITY, json!({})).await
}

fn pipeline(stages: impl IntoIterator<Item = Stage>) -> Pipeline {
    stages
        .into_iter()
        .fold(Pipeline::builder("test"), |pipeline, stage| {
            pipeline.stage(stage)
        })
        .build()
        .unwrap()
}

type Files = Vec<(forebay::FileInfo, Bytes)>;

async fn run(stages: Vec<Stage>, source: Source) -> (Result<Report, JobError>, Files) {
    let sink = Memory::new();
    let pipeline = pipeline(stages);
    let job = host().await.run(&pipeline, source, sink.clone());
    let result = tokio::time::timeout(Duration::from_secs(60), job)
        .await
        .unwrap();
    (result, sink.take())
}

/// The one error of a job that delivered nothing.
async fn failure(stages: Vec<Stage>, source: Source) -> StageCause {
    let (result, files) = run(stages, source).await;
    let error = result.unwrap_err();
    assert_eq!(files, [], "nothing partial is delivered");
    assert_eq!(error.errors.len(), 1, "{:?}", error.errors);
    match error.errors.into_iter().next() {
        Some(Error::Stage(stage)) => stage.cause,
        other => panic!("{other:?}"),
    }
}

/// Bytes that look like no format, and unlike each other.
fn noise(length: usize) -> Bytes {
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state | 1 << 63 | 0xff).to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_pass_through_any_number_of_stages() {
    for stages in [0, 1, 3, 5] {
        for length in [0, 1, 4095, 4096, 300_000, 5_000_000] {
            let content = noise(length);
            let chain = futures::future::join_all((0..stages).map(|_| identity())).await;
            let (result, files) = run(chain, Source::bytes("a.bin", content.clone())).await;
            let report = result.unwrap();
            assert_eq!(files.len(), 1);
            assert_eq!(files[0].1, content, "{stages} stages, {length} bytes");
            assert_eq!(report.files[0].stages.len(), stages);
            assert!(
                report.files[0]
                    .stages
                    .iter()
                    .all(|stage| stage.usage.bytes_in == length as u64)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_unknown_length_streams_too() {
    let content = noise(700_000);
    let source = Source::reader("a.bin", std::io::Cursor::new(content.clone()));
    let (result, files) = run(vec![identity().await], source).await;
    assert_eq!(result.unwrap().source.size, None);
    assert_eq!(files[0].1, content);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_may_become_many_and_each_goes_on() {
    for (behaviour, count) in [("copies", 40), ("interleave", 40)] {
        let content = noise(400_000);
        let stages = vec![
            hostile(json!({ "behaviour": behaviour, "count": count })).await,
            identity().await,
        ];
        let (result, files) = run(stages, Source::bytes("a.bin", content.clone())).await;
        let report = result.unwrap();
        assert_eq!(report.files.len(), count);
        assert!(
            files.iter().all(|(_, bytes)| *bytes == content),
            "{behaviour}"
        );
        let mut names: Vec<_> = files.iter().map(|(info, _)| info.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_end_a_stage_with_their_name() {
    let short = Duration::from_millis(300);
    for (behaviour, limits, expected) in [
        (
            "spin",
            Limits::default().cpu_time(short),
            Exceeded::CpuTime(short),
        ),
        (
            "spin",
            Limits::default().wall_clock(short),
            Exceeded::WallClock(short),
        ),
        (
            "sleep",
            Limits::default().wall_clock(short),
            Exceeded::WallClock(short),
        ),
        (
            "grow",
            Limits::default().memory(64 << 20),
            Exceeded::Memory(64 << 20),
        ),
        (
            "flood",
            Limits::default().output_bytes(10_000_000),
            Exceeded::OutputBytes(10_000_000),
        ),
    ] {
        let stages = vec![
            identity().await,
            hostile(json!({ "behaviour": behaviour }))
                .await
                .limits(limits),
        ];
        assert_eq!(
            failure(stages, Source::bytes("a.bin", noise(1_000_000))).await,
            StageCause::Limit(expected)
        );
    }
    let many = hostile(json!({ "behaviour": "copies", "count": 11 }))
        .await
        .limits(Limits::default().output_files(10));
    let cause = failure(
        vec![many, identity().await],
        Source::bytes("a.bin", noise(100)),
    )
    .await;
    assert_eq!(cause, StageCause::Limit(Exceeded::OutputFiles(10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_a_complete_output_delivers_nothing() {
    let stages = vec![
        hostile(json!({ "behaviour": "fail-late" })).await,
        identity().await,
        identity().await,
    ];
    let cause = failure(stages, Source::bytes("a.bin", noise(3_000_000))).await;
    assert_eq!(
        cause,
        StageCause::Plugin(PluginError::Failed("on second thoughts".into()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_told_with_what_the_plugin_said() {
    let stages = vec![
        identity().await,
        hostile(json!({ "behaviour": "panic", "after": 500_000 })).await,
        identity().await,
    ];
    let cause = failure(stages, Source::bytes("a.bin", noise(3_000_000))).await;
    assert!(
        matches!(&cause, StageCause::Trap(text) if text.contains("read 500000 bytes")),
        "{cause}"
    );
    let cause = failure(
        vec![hostile(json!({ "behaviour": "chatter", "bytes": 1_000_000 })).await],
        Source::bytes("a", "x"),
    )
    .await;
    assert!(matches!(&cause, StageCause::Trap(_)), "{cause}");
    let cause = failure(
        vec![hostile(json!({ "behaviour": "exit" })).await],
        Source::bytes("a", "x"),
    )
    .await;
    assert!(
        matches!(&cause, StageCause::Trap(text) if text.contains('3') || text.contains("exit")),
        "{cause}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_held_to_its_word() {
    let text = || Source::bytes("a.txt", "some words");
    let cause = failure(
        vec![hostile(json!({ "behaviour": "unfinished" })).await],
        text(),
    )
    .await;
    assert_eq!(cause, StageCause::Unfinished(1));
    for size in [3, 30] {
        let cause = failure(
            vec![hostile(json!({ "behaviour": "wrong-size", "size": size })).await],
            text(),
        )
        .await;
        assert!(
            matches!(cause, StageCause::OutputSize { announced, actual: 10, .. } if announced == size),
            "{cause}"
        );
    }
    for name in ["../a", "/etc/passwd", "a\0b", "", "..", &"x".repeat(300)] {
        let cause = failure(
            vec![hostile(json!({ "behaviour": "name", "name": name })).await],
            text(),
        )
        .await;
        assert!(
            matches!(cause, StageCause::OutputName(_)),
            "{name:?}: {cause}"
        );
    }
    let claim = json!({ "behaviour": "claim", "media_type": "text/plain", "text": "%PDF-1.4" });
    let cause = failure(vec![hostile(claim).await], text()).await;
    assert!(
        matches!(&cause, StageCause::OutputType { media_type, .. } if media_type == "application/pdf"),
        "{cause}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_may_stop_reading_but_not_forget_that_its_input_must_be_whole() {
    let (result, files) = run(
        vec![hostile(json!({ "behaviour": "ignore" })).await],
        Source::bytes("a", noise(3_000_000)),
    )
    .await;
    assert!(result.is_ok() && files.is_empty());
    let broken = Source::reader("a.bin", std::io::Cursor::new(noise(3_000_000))).size(4_000_000);
    let (result, _) = run(
        vec![hostile(json!({ "behaviour": "ignore" })).await],
        broken,
    )
    .await;
    assert!(matches!(
        result.unwrap_err().errors.as_slice(),
        [Error::Source { .. }]
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_never_ends_holds_no_failed_job_up() {
    // What was written stays unread, and the writer stays open: a reader that waits for more.
    let (reader, mut writer) = tokio::io::duplex(1 << 20);
    tokio::io::AsyncWriteExt::write_all(&mut writer, &noise(100_000))
        .await
        .unwrap();
    let stages = vec![hostile(json!({ "behaviour": "panic", "after": 1 })).await];
    let cause = failure(stages, Source::reader("a.bin", reader)).await;
    assert!(matches!(cause, StageCause::Trap(_)), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_kind_is_refused_by_its_bytes() {
    let png = Source::bytes("words.png", "not a picture at all");
    let (result, _) = run(
        vec![stage(forebay_bundled::STRIP_METADATA, json!({})).await],
        png,
    )
    .await;
    let message = result.unwrap_err().to_string();
    assert_eq!(
        message,
        "words.txt: stage 1 strip-metadata: the file is text/plain; it takes image/jpeg, image/png, image/webp, image/gif, video/mp4, video/quicktime, video/3gpp, video/3gpp2, audio/mp4, video/webm, video/x-matroska, audio/mpeg, audio/wav"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_checked_before_it_runs() {
    let build = |stages: Vec<Stage>| {
        let pipeline = stages
            .into_iter()
            .fold(Pipeline::builder("test"), |pipeline, stage| {
                pipeline.stage(stage)
            });
        pipeline.build().unwrap_err().to_string()
    };
    let resize = stage(forebay_bundled::IMAGE_RESIZE, json!({ "max_widht": 3 })).await;
    assert!(
        build(vec![resize])
            .starts_with("stage 1 image-resize: config: there is no field `max_widht`; it takes ")
    );
    let resize = stage(
        forebay_bundled::IMAGE_RESIZE,
        json!({ "max_width": "wide" }),
    )
    .await;
    assert!(
        build(vec![identity().await, resize])
            .starts_with("stage 2 image-resize: config: field `max_width`: ")
    );
    let split = stage(forebay_bundled::PDF_SPLIT, json!({})).await;
    let strip = stage(forebay_bundled::STRIP_METADATA, json!({})).await;
    assert_eq!(
        build(vec![split, strip]),
        "stage 2 strip-metadata takes image/jpeg, image/png, image/webp, image/gif, video/mp4, video/quicktime, video/3gpp, video/3gpp2, audio/mp4, video/webm, video/x-matroska, audio/mpeg, audio/wav, but stage 1 pdf-split gives application/pdf"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_job_ends_it_and_removes_its_scratch() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::builder().scratch_dir(folder.path()).build().unwrap();
    let plugin = host
        .load("hostile", forebay_test_plugins::HOSTILE)
        .await
        .unwrap();
    let spin = pipeline([Stage::new(&plugin).config(json!({ "behaviour": "spin" }))]);
    let job = host.run(&spin, Source::bytes("a", "x"), Memory::new());
    assert!(
        tokio::time::timeout(Duration::from_millis(300), job)
            .await
            .is_err()
    );
    let removed = async {
        while std::fs::read_dir(folder.path()).unwrap().next().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), removed)
        .await
        .expect("scratch is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plugin_does_not_load() {
    let load = async |bytes: &[u8]| {
        host()
            .await
            .load("p.wasm", bytes)
            .await
            .unwrap_err()
            .to_string()
    };
    assert!(
        load(b"")
            .await
            .starts_with("plugin p.wasm: not a component: ")
    );
    assert!(
        load(b"\0asm\x01\0\0\0")
            .await
            .starts_with("plugin p.wasm: not a component: ")
    );
    let half = forebay_bundled::IDENTITY.len() / 2;
    assert!(
        load(&forebay_bundled::IDENTITY[..half])
            .await
            .starts_with("plugin p.wasm: not a component: ")
    );
    assert!(
        load(b"\0asm\x0d\0\x01\0")
            .await
            .starts_with("plugin p.wasm: exports no plugin world")
    );
}
