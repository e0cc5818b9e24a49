//! The client of this process.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;
use forebay::Assets;

use crate::args::Service;
use crate::key;

static CLIENT: OnceLock<Assets> = OnceLock::new();

/// A client with the key from the environment or from where the settings say, and with the pipeline's name if it is for a pipeline.
pub(crate) fn connect(service: &Service, pipeline: Option<&str>) -> Result<Assets> {
    let key = key::find(service.key.as_ref())?;
    let mut assets = Assets::builder().api_key(key).base_url(service.base_url());
    if let Some(name) = pipeline {
        assets = assets.pipeline(name);
    }
    let assets = assets.build()?;
    Ok(CLIENT.get_or_init(|| assets).clone())
}

/// Waits up to half a minute until cancelled uploads are removed from the service.
pub(crate) async fn settle() {
    if let Some(assets) = CLIENT.get() {
        let settled = tokio::time::timeout(Duration::from_secs(30), assets.settle()).await;
        if settled.is_err() {
            complain!("forebay: not everything that was broken off could be deleted in time");
        }
    }
}
