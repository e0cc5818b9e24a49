//! The first and third step of a direct upload; the second is in [`bucket`](super::bucket).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::assets::Uploaded;
use super::{Data, Id, required};
use crate::assets::{Declared, clean_name, unix_now};
use crate::completion::object_key;
use crate::config::Config;
use crate::error::ApiError;
use crate::fault::FaultKind;
use crate::json::JsonBody;
use crate::maker::{Maker, UserAgent};
use crate::media::MediaType;
use crate::presign::{CHECKSUM, signed_headers};
use crate::state::App;

/// What a client says beforehand.
#[derive(Deserialize)]
pub(super) struct Wish {
    filename: String,
    content_type: String,
    /// Signed, so that a negative one is refused like any other that is out of range.
    size_bytes: i128,
    checksum_sha256: Option<String>,
}

/// Where and how to put the bytes.
#[derive(Serialize)]
pub(super) struct Slot {
    pub(super) asset_id: String,
    upload_url: String,
    upload_headers: BTreeMap<String, String>,
    expires_in_seconds: u64,
    max_bytes: u64,
    status: &'static str,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    fault: Option<Extension<FaultKind>>,
    Maker(user_agent): Maker,
    JsonBody(wish): JsonBody<Wish>,
) -> Result<Data<Slot>, ApiError> {
    let checked = check(&app.config, wish)?;
    Ok(Data(open(&app, checked, fault.as_deref(), user_agent)?))
}

/// A wish that can be granted.
pub(super) struct Checked {
    declared: Declared,
    /// As the client wrote it: the `PUT` is to carry the same.
    content_type: HeaderValue,
}

pub(super) fn check(config: &Config, wish: Wish) -> Result<Checked, ApiError> {
    required(&wish.filename, "filename")?;
    let unsupported = || {
        let message = format!("{:?} is no supported type", wish.content_type);
        ApiError::unverified(&config.unsupported_type, message).param("content_type")
    };
    let media = MediaType::parse(&wish.content_type).ok_or_else(unsupported)?;
    let content_type = HeaderValue::from_str(&wish.content_type).map_err(|_| unsupported())?;
    let size = u64::try_from(wish.size_bytes)
        .ok()
        .filter(|size| (1..=config.max_bytes).contains(size))
        .ok_or_else(|| {
            let message = format!("a direct upload has 1 to {} bytes", config.max_bytes);
            ApiError::unverified(&config.bad_size, message).param("size_bytes")
        })?;
    Ok(Checked {
        declared: Declared {
            name: clean_name(&wish.filename),
            media,
            size,
            sha256: parse_checksum(wish.checksum_sha256.as_deref())?,
        },
        content_type,
    })
}

/// Makes room for one file and signs its URL.
pub(super) fn open(
    app: &App,
    file: Checked,
    fault: Option<&FaultKind>,
    user_agent: Option<UserAgent>,
) -> Result<Slot, ApiError> {
    let Checked {
        declared,
        content_type,
    } = file;
    // Content-Length is signed too, but every HTTP client sets it by itself.
    let mut upload_headers = BTreeMap::new();
    if let Ok(content_type) = content_type.to_str() {
        upload_headers.insert("Content-Type".to_owned(), content_type.to_owned());
    }
    let checksum = declared.sha256.map(|sum| STANDARD.encode(sum));
    if let Some(checksum) = &checksum {
        upload_headers.insert(CHECKSUM.to_string(), checksum.clone());
    }
    let checksum = checksum.and_then(|sum| HeaderValue::from_str(&sum).ok());
    let signed = signed_headers(content_type, declared.size, checksum);

    let config = &app.config;
    let asset_id = app.assets.declare(declared.clone(), user_agent)?;
    let expired = matches!(fault, Some(FaultKind::ExpiredUrl));
    let upload_url = match &app.bucket {
        Some(bucket) => {
            let key = object_key(&asset_id, &declared);
            bucket.presign_put(&key, &signed, config.upload_expiry, expired)
        }
        None => {
            let path = format!("/bucket/{asset_id}");
            let expires = match expired {
                true => 0,
                false => unix_now().saturating_add(config.upload_expiry.as_secs()),
            };
            let query = app.signer.sign("PUT", &path, expires, &signed);
            format!("{}{path}?{query}", app.base_url)
        }
    };
    Ok(Slot {
        asset_id,
        upload_url,
        upload_headers,
        expires_in_seconds: config.upload_expiry.as_secs(),
        max_bytes: config.max_bytes,
        status: "pending_upload",
    })
}

/// What a completion may add.
#[derive(Deserialize)]
pub(super) struct Complete {
    checksum_sha256: Option<String>,
}

/// An upload's answer, and how far the service is with the asset.
#[derive(Serialize)]
pub(super) struct Completed {
    #[serde(flatten)]
    uploaded: Uploaded,
    status: &'static str,
}

pub(super) async fn complete(
    State(app): State<Arc<App>>,
    Id(id): Id,
    JsonBody(wish): JsonBody<Complete>,
) -> Result<Data<Completed>, ApiError> {
    let sha256 = parse_checksum(wish.checksum_sha256.as_deref())?;
    let asset = app.complete(&id, sha256).await?;
    Ok(Data(Completed {
        uploaded: Uploaded::new(&app, &asset),
        status: "processing",
    }))
}

/// A SHA-256 in hex, as JSON bodies have it.
fn parse_checksum(given: Option<&str>) -> Result<Option<[u8; 32]>, ApiError> {
    given
        .map(|hex| {
            let mut sum = [0; 32];
            hex::decode_to_slice(hex, &mut sum)
                .map(|()| sum)
                .map_err(|_| {
                    ApiError::invalid("checksum_sha256 is 64 hex digits").param("checksum_sha256")
                })
        })
        .transpose()
}
