//! What a plugin that only computes does to the jobs beside it.
//!
//! `job`: the time that a well-behaved job takes, a text of 64 KiB through one stage, while so many plugins compute without
//! end: none, one, as many as there are cores, and four times as many. The runtime has as many threads as there are cores; a
//! spinning plugin gives its thread back at every tick of the engine's clock, which is 10 ms.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use forebay::{Host, Limits, Memory, Pipeline, Plugin, Source, Stage};
use serde_json::json;
use tokio::runtime::Runtime;

fn pipeline(stage: Stage) -> Pipeline {
    Pipeline::builder("bench").stage(stage).build().unwrap()
}

fn load(runtime: &Runtime, host: &Host, component: &'static [u8]) -> Plugin {
    runtime.block_on(host.load("bench", component)).unwrap()
}

fn neighbours(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let host = Host::builder().build().unwrap();
    let identity = Stage::new(&load(&runtime, &host, forebay_bundled::IDENTITY));
    let hostile = load(&runtime, &host, forebay_test_plugins::HOSTILE);
    let spin = Stage::new(&hostile)
        .config(json!({ "behaviour": "spin" }))
        .limits(Limits::default().cpu_time(Duration::from_secs(3600)));
    let (good, spin) = (pipeline(identity), pipeline(spin));
    let content = Bytes::from(vec![b'x'; 64 << 10]);
    let cores = std::thread::available_parallelism().unwrap().get();

    let mut group = criterion.benchmark_group("job");
    group
        .sample_size(30)
        .measurement_time(Duration::from_secs(10));
    for spinning in [0, 1, cores, 4 * cores] {
        let spinners: Vec<_> = (0..spinning)
            .map(|_| {
                let (host, spin) = (host.clone(), spin.clone());
                runtime.spawn(async move {
                    let source = Source::bytes("a.txt", "words");
                    drop(host.run(&spin, source, Memory::new()).await);
                })
            })
            .collect();
        group.bench_function(BenchmarkId::new("beside spinning", spinning), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let source = Source::bytes("a.txt", content.clone());
                host.run(&good, source, Memory::new()).await.unwrap()
            });
        });
        for spinner in spinners {
            spinner.abort();
        }
    }
    group.finish();
}

criterion_group!(benches, neighbours);
criterion_main!(benches);
