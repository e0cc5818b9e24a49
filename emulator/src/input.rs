//! File inputs: the three ways in which a request names a file.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use url::Host;

use crate::error::ApiError;
use crate::media::{HEAD, MediaType};
use crate::state::App;

/// A file input, as requests have it.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FileInput {
    /// A usable asset.
    AssetId { asset_id: String },
    /// A file that the service fetches.
    Url { url: String },
    /// The file itself.
    Base64 { media_type: String, data: String },
}

impl FileInput {
    /// Looks the file up, fetches or decodes it, and tells its type. `param` names the input in errors.
    pub(crate) async fn resolve(&self, app: &App, param: &str) -> Result<(), ApiError> {
        let media = match self {
            Self::AssetId { asset_id } => {
                let asset = app.assets.input(&app.config, asset_id);
                asset.map(|asset| asset.media)
            }
            Self::Url { url } => fetch(app, url).await,
            Self::Base64 { media_type, data } => decode(app, media_type, data),
        }
        .map_err(|error| error.param(param))?;
        tracing::debug!(param, %media, "file input");
        Ok(())
    }
}

/// Resolves a list of at most `most` inputs; one that is absent or `null` is empty.
pub(crate) async fn resolve_all(
    app: &App,
    files: Option<Vec<FileInput>>,
    param: &str,
    most: usize,
) -> Result<(), ApiError> {
    let files = files.unwrap_or_default();
    if files.len() > most {
        return Err(ApiError::invalid(format!("at most {most} files")).param(param));
    }
    for (index, file) in files.iter().enumerate() {
        file.resolve(app, &format!("{param}[{index}]")).await?;
    }
    Ok(())
}

/// Fetches a file over loopback: an emulator has no business elsewhere. The service wants `https`; on loopback plain
/// `http` will do. Redirects are not followed.
async fn fetch(app: &App, url: &str) -> Result<MediaType, ApiError> {
    let url = Url::parse(url)
        .map_err(|error| ApiError::download_failed(format!("not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !is_loopback(&url) {
        return Err(ApiError::download_failed(
            "the emulator fetches over http or https from loopback only",
        ));
    }
    // Only the kind of failure is told: a URL may carry a signature.
    let failed = |error: reqwest::Error| {
        ApiError::download_failed(format!(
            "the file cannot be fetched: {}",
            error.without_url()
        ))
    };
    let mut response = app.downloads.get(url).send().await.map_err(failed)?;
    if !response.status().is_success() {
        let message = format!("fetching the file was answered {}", response.status());
        return Err(ApiError::download_failed(message));
    }
    let limit = app.config.upload_limit;
    let mut head = Vec::with_capacity(HEAD);
    let mut size = 0u64;
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        size += piece.len() as u64;
        if size > limit {
            return Err(too_large(app));
        }
        let wanted = HEAD.saturating_sub(head.len());
        head.extend(piece.iter().take(wanted));
    }
    sniff(app, &head)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn decode(app: &App, media_type: &str, data: &str) -> Result<MediaType, ApiError> {
    // Four characters stand for three bytes, of which up to two may be padding.
    let largest = app.config.upload_limit.div_ceil(3).saturating_mul(4);
    if data.len() as u64 > largest {
        return Err(too_large(app));
    }
    let bytes = STANDARD
        .decode(data)
        .map_err(|error| ApiError::invalid(format!("malformed base64: {error}")))?;
    if bytes.len() as u64 > app.config.upload_limit {
        return Err(too_large(app));
    }
    let found = sniff(app, bytes.get(..HEAD).unwrap_or(&bytes))?;
    if MediaType::parse(media_type) == Some(found) {
        Ok(found)
    } else {
        let message = format!("declared as {media_type:?}, the bytes are {found}");
        Err(ApiError::unverified(&app.config.mismatch, message))
    }
}

fn sniff(app: &App, head: &[u8]) -> Result<MediaType, ApiError> {
    MediaType::sniff(head).ok_or_else(|| {
        ApiError::unverified(
            &app.config.unsupported_type,
            "the file is of no supported type",
        )
    })
}

fn too_large(app: &App) -> ApiError {
    let message = format!("a file input has at most {} bytes", app.config.upload_limit);
    ApiError::unverified(&app.config.too_large, message)
}
