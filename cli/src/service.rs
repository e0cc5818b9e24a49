//! The client of this process.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use forebay::Assets;
use forebay::assets::{AssetsBuilder, AssetsError, DEFAULT_BASE_URL};

use crate::args::{Common, Service};
use crate::key;
use crate::plain::one_line;

/// How long an upload may stand still, unless --timeout says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a request is sent again, unless --retries says otherwise.
const RETRIES: u16 = 4;

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
    let timeout = transfer.timeout.unwrap_or(TIMEOUT);
    connect_with(&common.service, pipeline, |assets| {
        let assets = assets
            .stall_timeout(timeout)
            .answer_timeout(timeout)
            .processing_timeout(timeout.saturating_mul(5))
            .retries(transfer.retries.unwrap_or(RETRIES).into(), FIRST_PAUSE);
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
    let mut assets = options(builder(service));
    if let Some(name) = pipeline {
        assets = assets.pipeline(name);
    }
    // Before a command is run that prints the key.
    assets.check_base_url().map_err(in_words)?;
    let key = key::find(service.key.as_ref())?;
    let assets = assets.api_key(key).build().map_err(in_words)?;
    Ok(CLIENT.get_or_init(|| assets).clone())
}

/// The base URL, if a client would take it. No key is needed.
pub(crate) fn base_url(service: &Service) -> Result<String> {
    builder(service).check_base_url().map_err(in_words)?;
    Ok(named(service).trim().to_owned())
}

fn builder(service: &Service) -> AssetsBuilder {
    let builder = Assets::builder().base_url(named(service));
    let allowed = service.allow_http.iter();
    allowed.fold(builder, |builder, host| builder.allow_http(host))
}

/// The base URL that was named, or else the service's own.
fn named(service: &Service) -> &str {
    service.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL)
}

/// An error with the flag or the setting that mends it.
fn in_words(error: AssetsError) -> Error {
    match &error {
        AssetsError::PlainHttp { host, .. } => anyhow!(
            "{error}: `--allow-http {host}`, or `allow_http = [\"{host}\"]` in your config.toml"
        ),
        AssetsError::Setup(problem) if problem.starts_with("base URL") => anyhow!(
            "{error}. It comes from --base-url, HEYGEN_BASE_URL or `base_url` in your config.toml"
        ),
        _ => error.into(),
    }
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
