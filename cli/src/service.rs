//! The client of this process.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;
use forebay::Assets;
use forebay::assets::AssetsBuilder;

use crate::args::{Common, Service};
use crate::key;
use crate::plain::one_line;

/// The first pause before a request is sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

static CLIENT: OnceLock<Assets> = OnceLock::new();

/// A client with the key from the environment or from where the settings say, and with the pipeline's name if it is for a pipeline.
pub(crate) fn connect(service: &Service, pipeline: Option<&str>) -> Result<Assets> {
    connect_with(service, pipeline, |assets| assets)
}

/// Like [`connect`], for commands that upload.
pub(crate) fn connect_to_upload(common: &Common, pipeline: Option<&str>) -> Result<Assets> {
    let transfer = common.transfer;
    connect_with(&common.service, pipeline, |assets| {
        let assets = assets
            .stall_timeout(transfer.timeout)
            .answer_timeout(transfer.timeout)
            .processing_timeout(transfer.timeout.saturating_mul(5))
            .retries(transfer.retries.into(), FIRST_PAUSE);
        match transfer.bwlimit {
            Some(rate) => assets.bandwidth(rate.as_u64()),
            None => assets,
        }
    })
}

fn connect_with(
    service: &Service,
    pipeline: Option<&str>,
    options: impl FnOnce(AssetsBuilder) -> AssetsBuilder,
) -> Result<Assets> {
    let key = key::find(service.key.as_ref())?;
    let mut assets = options(Assets::builder().api_key(key).base_url(service.base_url()));
    if let Some(name) = pipeline {
        assets = assets.pipeline(name);
    }
    let assets = assets.build()?;
    Ok(CLIENT.get_or_init(|| assets).clone())
}

/// Waits up to half a minute until cancelled uploads are removed from the service. Returns whether they all are, or could
/// not be: then nothing is in progress any more.
pub(crate) async fn settle() -> bool {
    match CLIENT.get() {
        Some(assets) => tokio::time::timeout(Duration::from_secs(30), assets.settle())
            .await
            .is_ok(),
        None => true,
    }
}

/// The assets that stay with the service although nobody wants them, or that are still being deleted.
pub(crate) fn unfinished_in_words() -> Option<String> {
    let unfinished = CLIENT.get()?.unfinished();
    let ids: Vec<&str> = unfinished
        .iter()
        .map(|asset| asset.asset_id.as_str())
        .collect();
    let told: Vec<String> = unfinished
        .iter()
        .map(|asset| match &asset.problem {
            Some(problem) => format!("{} ({problem})", asset.asset_id),
            None => asset.asset_id.clone(),
        })
        .collect();
    (!ids.is_empty()).then(|| {
        one_line(&format!(
            "these unfinished assets may stay with the service: {}. `forebay assets delete {}` deletes them",
            told.join(", "),
            ids.join(" ")
        ))
        .into_owned()
    })
}
