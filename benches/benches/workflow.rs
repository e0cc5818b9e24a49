//! What it costs that a sandboxed workflow uploads, and not the program itself.
//!
//! - `upload`: a hundred files of 4 KiB to the emulator, 32 at a time: by the client alone (`rust`), and by one call each
//!   from a guest (`guest`). The difference, divided by a hundred, is the cost of a call.
//! - `direct`: bytes per second of a direct upload of 128 MiB: by the client from memory (`rust`), by a workflow that passes
//!   the file's stream on unread (`passed on`), and by one that reads and writes every byte (`through the guest`).
//! - `start`: a workflow that does nothing.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark"
)]

use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use forebay::assets::NewUpload;
use forebay::{Assets, Grants, Host, Source, Workflow};
use forebay_emulator::Emulator;
use futures::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

const FILES: usize = 100;
const AT_A_TIME: usize = 32;

fn pdf(size: usize) -> Bytes {
    let mut content = b"%PDF-1.7".to_vec();
    content.resize(size, 7);
    content.into()
}

fn drill(runtime: &Runtime, host: &Host, exercise: Value) -> Workflow {
    let drill = runtime
        .block_on(host.load("drill", forebay_test_plugins::DRILL))
        .unwrap();
    Workflow::builder("drill", &drill)
        .config(exercise)
        .grants(Grants::all())
        .build()
        .unwrap()
}

fn workflows(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let emulator = runtime.block_on(Emulator::builder().start()).unwrap();
    let assets = Assets::builder()
        .api_key("bench")
        .base_url(emulator.base_url())
        .build()
        .unwrap();
    let host = Host::builder().uploads(AT_A_TIME).build().unwrap();
    let run = async |workflow: &Workflow, content: &Bytes| {
        let source = Source::bytes("a.pdf", content.clone());
        host.run_workflow(workflow, [source], &assets)
            .await
            .unwrap()
    };

    let mut group = criterion.benchmark_group("upload");
    group
        .throughput(Throughput::Elements(FILES as u64))
        .sample_size(20)
        .measurement_time(Duration::from_secs(10));
    let content = pdf(4096);
    group.bench_function("rust", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let upload = |_| assets.upload("a.pdf", "application/pdf", content.clone());
            let uploads = futures::stream::iter(0..FILES).map(upload);
            uploads
                .buffer_unordered(AT_A_TIME)
                .for_each(|uploaded| async { drop(uploaded.unwrap()) })
                .await;
        });
    });
    let workflow = drill(
        &runtime,
        &host,
        json!({ "exercise": "upload", "times": FILES }),
    );
    group.bench_function("guest", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            assert_eq!(run(&workflow, &content).await.files.len(), FILES);
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("direct");
    let large = pdf(128 << 20);
    group
        .throughput(Throughput::Bytes(large.len() as u64))
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("rust", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let new = NewUpload {
                name: "a.pdf",
                media_type: "application/pdf",
                size: large.len() as u64,
                sha256: None,
            };
            let upload = assets.direct_upload(new).await.unwrap();
            upload.put_bytes(large.clone()).await.unwrap();
            let sha256 = hex::encode(Sha256::digest(&large));
            let asset = upload.complete(Some(&sha256)).await.unwrap();
            assets.delete(&asset.asset_id).await.unwrap();
        });
    });
    for (name, put) in [("passed on", "file"), ("through the guest", "stream")] {
        let exercise = json!({ "exercise": "direct", "put": put, "complete": 1 });
        let workflow = drill(&runtime, &host, exercise);
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let report = run(&workflow, &large).await;
                let id = report.result["asset_id"].as_str().unwrap();
                assets.delete(id).await.unwrap();
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("start");
    let workflow = drill(&runtime, &host, json!({ "exercise": "stages" }));
    group.bench_function("a workflow that does nothing", |bencher| {
        bencher.to_async(&runtime).iter(|| run(&workflow, &content));
    });
    group.finish();
    runtime.block_on(emulator.shutdown());
}

criterion_group!(benches, workflows);
criterion_main!(benches);
