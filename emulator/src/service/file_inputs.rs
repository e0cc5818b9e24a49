//! File inputs: a request names a file by asset id, by URL, or as base64.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use url::Host;

use super::assets::Assets;
use crate::base::api_error::ApiError;
use crate::base::client::client;
use crate::base::config::Config;
use crate::base::media::{HEAD, MediaType};

/// A file input of a request.
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

/// Looks up, fetches and decodes file inputs.
pub(crate) struct FileInputs {
    config: Arc<Config>,
    assets: Arc<Assets>,
    /// Fetches `url` inputs.
    client: reqwest::Client,
}

impl FileInputs {
    pub(crate) fn new(
        config: Arc<Config>,
        assets: Arc<Assets>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let client = client()?
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.download_timeout)
            .build()?;
        Ok(Self {
            config,
            assets,
            client,
        })
    }

    /// Checks one input: looks it up, fetches it or decodes it, and reads its type from its bytes. `param` names the
    /// input in errors.
    pub(crate) async fn check(&self, input: &FileInput, param: &str) -> Result<(), ApiError> {
        let media = match input {
            FileInput::AssetId { asset_id } => {
                let asset = self.assets.file_input(asset_id);
                asset.map(|asset| asset.media)
            }
            FileInput::Url { url } => self.fetch(url).await,
            FileInput::Base64 { media_type, data } => self.decode(media_type, data),
        }
        .map_err(|error| error.with_param(param))?;
        tracing::debug!(param, %media, "file input");
        Ok(())
    }

    /// Checks an input that a request may leave out.
    pub(crate) async fn check_optional(
        &self,
        input: Option<&FileInput>,
        param: &str,
    ) -> Result<(), ApiError> {
        match input {
            Some(input) => self.check(input, param).await,
            None => Ok(()),
        }
    }

    /// Checks a list of at most `most` inputs. A list that is absent or `null` is empty.
    pub(crate) async fn check_all(
        &self,
        inputs: Option<&[FileInput]>,
        param: &str,
        most: usize,
    ) -> Result<(), ApiError> {
        let inputs = inputs.unwrap_or_default();
        if inputs.len() > most {
            return Err(ApiError::invalid(format!("at most {most} files")).with_param(param));
        }
        for (index, input) in inputs.iter().enumerate() {
            self.check(input, &format!("{param}[{index}]")).await?;
        }
        Ok(())
    }

    /// Downloads a file and returns its type. Only URLs on loopback are allowed, so that the emulator connects to
    /// nothing else. The service requires `https`; here `http` is accepted too. Redirects are not followed.
    async fn fetch(&self, url: &str) -> Result<MediaType, ApiError> {
        let url = Url::parse(url)
            .map_err(|error| ApiError::download_failed(format!("not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !is_loopback(&url) {
            return Err(ApiError::download_failed(
                "the URL is not on loopback; the emulator fetches http and https URLs of loopback only",
            ));
        }
        // The message omits the URL, because it may contain a signature.
        let failed = |error: reqwest::Error| {
            ApiError::download_failed(format!(
                "the file cannot be fetched: {}",
                error.without_url()
            ))
        };
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            let message = format!(
                "the file cannot be fetched: its server answered {}",
                response.status()
            );
            return Err(ApiError::download_failed(message));
        }
        let limit = self.config.upload_limit;
        let mut head = Vec::with_capacity(HEAD);
        let mut size = 0u64;
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            size += chunk.len() as u64;
            if size > limit {
                return Err(self.too_large());
            }
            let wanted = HEAD.saturating_sub(head.len());
            head.extend(chunk.iter().take(wanted));
        }
        self.sniff(&head)
    }

    fn decode(&self, media_type: &str, data: &str) -> Result<MediaType, ApiError> {
        // Four characters encode three bytes. The last four may encode one or two.
        let largest = self.config.upload_limit.div_ceil(3).saturating_mul(4);
        if data.len() as u64 > largest {
            return Err(self.too_large());
        }
        let bytes = STANDARD
            .decode(data)
            .map_err(|error| ApiError::invalid(format!("malformed base64: {error}")))?;
        if bytes.len() as u64 > self.config.upload_limit {
            return Err(self.too_large());
        }
        let found = self.sniff(bytes.get(..HEAD).unwrap_or(&bytes))?;
        if MediaType::parse(media_type) == Some(found) {
            Ok(found)
        } else {
            let message = format!("declared as {media_type:?}, the bytes are {found}");
            Err(ApiError::configured(&self.config.mismatch, message))
        }
    }

    fn sniff(&self, head: &[u8]) -> Result<MediaType, ApiError> {
        MediaType::sniff(head).ok_or_else(|| {
            ApiError::configured(
                &self.config.unsupported_type,
                "the file is of no supported type",
            )
        })
    }

    fn too_large(&self) -> ApiError {
        let message = format!(
            "a file input has at most {} bytes",
            self.config.upload_limit
        );
        ApiError::configured(&self.config.too_large, message)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
