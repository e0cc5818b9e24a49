//! What a service that embeds the library relies on: jobs that are cancelled, places, events, results that are pulled.
//!
//! No test waits for a time to pass. Where one has to know how far a job is, it waits for an event of that job.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod conformance;
mod jobs;
mod places;
mod pull;
mod sinks;
mod sources;

use std::time::Duration;

use forebay::{Event, Events, Host, HostBuilder, Pipeline, Stage};
use serde_json::{Value, json};

/// How long nothing may move on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host that keeps compiled plugins between runs.
fn builder() -> HostBuilder {
    Host::builder().cache_dir(concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
}

fn host() -> Host {
    builder().build().unwrap()
}

async fn pipeline(host: &Host, stages: &[(&[u8], Value)]) -> Pipeline {
    let mut pipeline = Pipeline::builder("test");
    for (component, config) in stages {
        let plugin = host.load("a test's plugin", *component).await.unwrap();
        pipeline = pipeline.stage(Stage::new(&plugin).config(config.clone()));
    }
    pipeline.build().unwrap()
}

async fn identity(host: &Host) -> Pipeline {
    pipeline(host, &[(forebay_bundled::IDENTITY, json!({}))]).await
}

/// A pipeline of one plugin that misbehaves.
async fn hostile(host: &Host, behaviour: &str) -> Pipeline {
    let config = json!({ "behaviour": behaviour });
    pipeline(host, &[(forebay_test_plugins::HOSTILE, config)]).await
}

/// Waits for the first event of this name.
async fn wait_for(events: &mut Events, name: &str) -> Event {
    let found = async {
        while let Some(event) = events.next().await {
            if event.name() == name {
                return event;
            }
        }
        panic!("the job ended without `{name}`");
    };
    patiently(found).await
}

/// Waits as long as something may take on a busy machine.
async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}
