//! What the stream path costs.
//!
//! - `stages`: bytes per second through 0, 1, 3 and 5 pass-through stages; 0 is the same source, channel and sink with no
//!   plugin, the ceiling of the rest.
//! - `upload`: bytes per second from a source through one stage to the emulator, by both flows, beside the same bytes sent
//!   with no pipeline.
//! - `start`: time to a fresh instance, and to load a plugin with and without the cache of compiled code.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use forebay::{
    Assets, AssetsExt as _, Delivered, Host, Outgoing, Pipeline, Sink, SinkError, Source, Stage,
};
use forebay_emulator::Emulator;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Runtime;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Takes the bytes and forgets them.
struct Discard;

#[async_trait::async_trait]
impl Sink for Discard {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let mut size = 0;
        while let Some(piece) = file.content.next().await? {
            size += piece.len() as u64;
        }
        Ok(Delivered::custom(size, "discarded".into()))
    }
}

fn pass_through(runtime: &Runtime, host: &Host, stages: usize, buffer: usize) -> Pipeline {
    let identity = runtime
        .block_on(host.load("identity", forebay_bundled::IDENTITY))
        .unwrap();
    let stage = Stage::new(&identity).config(json!({ "buffer": buffer }));
    (0..stages)
        .fold(Pipeline::builder("bench"), |pipeline, _| {
            pipeline.stage(stage.clone())
        })
        .build()
        .unwrap()
}

fn stages(criterion: &mut Criterion) {
    const SIZE: usize = 1 << 30;
    let runtime = Runtime::new().unwrap();
    // The source fills its pieces as it goes, as a socket or a file would: memory that was just written, not a gigabyte
    // that lies cold.
    let source =
        || Source::reader("a.bin", tokio::io::repeat(7).take(SIZE as u64)).size(SIZE as u64);
    let mut group = criterion.benchmark_group("stages");
    group
        .throughput(Throughput::Bytes(SIZE as u64))
        .sample_size(10)
        .measurement_time(Duration::from_secs(5));
    for chunk in [64 * KIB, 256 * KIB, MIB] {
        let host = Host::builder().chunk_size(chunk).build().unwrap();
        for stages in [0, 1, 3, 5] {
            let pipeline = pass_through(&runtime, &host, stages, chunk);
            group.bench_function(
                BenchmarkId::new(format!("{stages}"), format!("{} KiB", chunk / KIB)),
                |bencher| {
                    bencher.to_async(&runtime).iter(|| async {
                        let report = host.run(&pipeline, source(), Discard).await.unwrap();
                        assert_eq!(report.files[0].size, SIZE as u64);
                    });
                },
            );
        }
    }
    group.finish();
}

fn upload(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let emulator = runtime.block_on(Emulator::builder().start()).unwrap();
    let assets = Assets::builder()
        .api_key("bench")
        .base_url(emulator.base_url())
        .build()
        .unwrap();
    let host = Host::builder().build().unwrap();
    let pipeline = pass_through(&runtime, &host, 1, 256 * KIB);
    let mut group = criterion.benchmark_group("upload");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5));
    for (flow, size) in [("multipart", 16 * MIB), ("direct", 128 * MIB)] {
        let mut content = vec![0; size];
        content[..8].copy_from_slice(b"%PDF-1.7");
        let content = Bytes::from(content);
        group.throughput(Throughput::Bytes(size as u64));
        for (name, pipeline) in [
            ("none", pass_through(&runtime, &host, 0, 256 * KIB)),
            ("identity", pipeline.clone()),
        ] {
            group.bench_function(BenchmarkId::new(flow, name), |bencher| {
                bencher.to_async(&runtime).iter(|| async {
                    let source = Source::bytes("a.pdf", content.clone());
                    let report = host.run(&pipeline, source, assets.sink()).await.unwrap();
                    let asset = report.assets().next().unwrap();
                    assets.delete(&asset.asset_id).await.unwrap();
                });
            });
        }
    }
    group.finish();
    runtime.block_on(emulator.shutdown());
}

fn start(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let host = Host::builder().build().unwrap();
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    // A job over one byte: a store, an instance, a call, a channel on either side; the job without a stage is what of that
    // is not the instance.
    for stages in [0, 1] {
        let pipeline = pass_through(&runtime, &host, stages, KIB);
        group.bench_function(
            BenchmarkId::new("job of one byte, stages", stages),
            |bencher| {
                bencher
                    .to_async(&runtime)
                    .iter(|| host.run(&pipeline, Source::bytes("a", "x"), Discard));
            },
        );
    }
    group.bench_function("load, cold", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| host.load("identity", forebay_bundled::IDENTITY));
    });
    let cache = tempfile::tempdir().unwrap();
    let caching = Host::builder().cache_dir(cache.path()).build().unwrap();
    runtime
        .block_on(caching.load("identity", forebay_bundled::IDENTITY))
        .unwrap();
    // The cache is written by a thread of its own.
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_dir(cache.path()).unwrap().next().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    group.bench_function("load, from the cache", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| caching.load("identity", forebay_bundled::IDENTITY));
    });
    group.finish();
}

criterion_group!(benches, stages, upload, start);
criterion_main!(benches);
