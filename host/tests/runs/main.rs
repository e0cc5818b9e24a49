//! Runs that do not go as planned: sources that are changed while they are read, jobs that are cancelled, and journals
//! whose account, grants or assets are not those of the last run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod cancelled;
mod changed;
#[cfg(unix)]
mod journal;
mod upload_log;

use std::time::Duration;

use bytes::Bytes;
use forebay::{Assets, Host, Pipeline, Stage};
use forebay_emulator::Emulator;
use serde_json::Value;

/// How long nothing may move on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn host() -> Host {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    Host::builder().cache_dir(cache).build().unwrap()
}

/// An emulator that takes any key.
async fn service() -> Emulator {
    Emulator::builder().start().await.unwrap()
}

fn client(emulator: &Emulator, key: &str) -> Assets {
    Assets::builder()
        .api_key(key)
        .base_url(emulator.base_url())
        .retries(3, Duration::from_millis(20))
        .stall_timeout(PATIENCE)
        .no_proxy()
        .build()
        .unwrap()
}

fn pdf(size: usize) -> Bytes {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    bytes[..8].copy_from_slice(b"%PDF-1.7");
    bytes.into()
}

async fn stage(host: &Host, component: &[u8], config: Value) -> Stage {
    let plugin = host.load("a test's plugin", component).await.unwrap();
    Stage::new(&plugin).config(config)
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
