//! Direct uploads: declare a file, sign a URL for its bytes, complete it. Also deletion, because a deleted asset may
//! have an object in the bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::assets::{Assets, Declared, Ready};
use crate::base::api_error::ApiError;
use crate::base::base_url::BaseUrl;
use crate::base::clock::unix_now;
use crate::base::config::Config;
use crate::base::media::MediaType;
use crate::base::text::{clean_file_name, require_text};
use crate::base::user_agent::UserAgent;
use crate::storage::bucket::Bucket;
use crate::storage::files::FileStore;
use crate::storage::object::Place;
use crate::storage::presign::{CHECKSUM, Signer, signed_headers};

/// Creates, completes and deletes uploads.
pub(crate) struct DirectUploads {
    pub(crate) config: Arc<Config>,
    pub(crate) base_url: BaseUrl,
    pub(crate) files: Arc<FileStore>,
    /// Where the bytes go; `None` for the emulator's own files.
    pub(crate) bucket: Option<Arc<Bucket>>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) assets: Arc<Assets>,
}

/// A request for one direct upload.
#[derive(Deserialize)]
pub(crate) struct UploadRequest {
    filename: String,
    content_type: String,
    /// A signed type, so that a negative size is refused like any other size out of range.
    size_bytes: i128,
    checksum_sha256: Option<String>,
}

/// A request that has passed all checks.
pub(crate) struct CheckedUpload {
    declared: Declared,
    /// The declared type as the client wrote it. The `PUT` must carry the same value.
    content_type: HeaderValue,
}

/// The answer to a request: the asset's id, and where and how to send the bytes.
#[derive(Serialize)]
pub(crate) struct UploadSlot {
    pub(crate) asset_id: String,
    upload_url: String,
    upload_headers: BTreeMap<String, String>,
    expires_in_seconds: u64,
    max_bytes: u64,
    status: &'static str,
}

impl DirectUploads {
    /// Checks a request and changes nothing.
    pub(crate) fn check(&self, request: UploadRequest) -> Result<CheckedUpload, ApiError> {
        let config = &self.config;
        require_text(&request.filename, "filename")?;
        let unsupported = || {
            let message = format!("{:?} is no supported type", request.content_type);
            ApiError::configured(&config.unsupported_type, message).with_param("content_type")
        };
        let media = MediaType::parse(&request.content_type).ok_or_else(unsupported)?;
        let content_type =
            HeaderValue::from_str(&request.content_type).map_err(|_| unsupported())?;
        let size = u64::try_from(request.size_bytes)
            .ok()
            .filter(|size| (1..=config.max_bytes).contains(size))
            .ok_or_else(|| {
                let message = format!("a direct upload has 1 to {} bytes", config.max_bytes);
                ApiError::configured(&config.bad_size, message).with_param("size_bytes")
            })?;
        Ok(CheckedUpload {
            declared: Declared {
                name: clean_file_name(&request.filename),
                media,
                size,
                sha256: parse_checksum(request.checksum_sha256.as_deref())?,
            },
            content_type,
        })
    }

    /// Creates a pending asset and signs the URL for its bytes. If `expired`, the URL has expired already.
    pub(crate) fn create(
        &self,
        upload: CheckedUpload,
        user_agent: Option<UserAgent>,
        expired: bool,
    ) -> Result<UploadSlot, ApiError> {
        let CheckedUpload {
            declared,
            content_type,
        } = upload;
        // Content-Length is signed too, but it is not listed: every HTTP client sets it.
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

        let config = &self.config;
        let asset_id = self.assets.declare(declared.clone(), user_agent)?;
        let upload_url = match &self.bucket {
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
                let query = self.signer.sign("PUT", &path, expires, &signed);
                format!("{}{path}?{query}", self.base_url)
            }
        };
        Ok(UploadSlot {
            asset_id,
            upload_url,
            upload_headers,
            expires_in_seconds: config.upload_expiry.as_secs(),
            max_bytes: config.max_bytes,
            status: "pending_upload",
        })
    }

    /// Makes an asset usable if its bytes have arrived and match what was declared, and the checksum that the client
    /// gives here. May be repeated.
    pub(crate) async fn complete(
        &self,
        id: &str,
        checksum_sha256: Option<&str>,
    ) -> Result<Ready, ApiError> {
        let sha256 = parse_checksum(checksum_sha256)?;
        // A bucket does not report when bytes arrive or are replaced, so each attempt reads them again.
        if let Some(bucket) = &self.bucket
            && let Some(declared) = self.assets.pending(id)
        {
            let key = object_key(id, &declared);
            let found = bucket.inspect(&key, declared.size).await;
            match found.map_err(ApiError::internal)? {
                Some(object) => self.assets.record_object(id, object)?,
                None => return Err(ApiError::conflict("the bytes have not arrived yet")),
            }
        }
        self.assets.complete(id, sha256)
    }

    /// Deletes an asset, pending or not, and its bytes.
    pub(crate) async fn delete(&self, id: &str) -> Result<(), ApiError> {
        let pending = self.assets.pending(id);
        let place = self.assets.remove(id)?;
        if let Some(Place::File(file)) = &place {
            self.files.remove(file).await.map_err(ApiError::internal)?;
        }
        let Some(bucket) = &self.bucket else {
            return Ok(());
        };
        // The bucket may have bytes of a pending upload even if no completion has seen them.
        let key = match (place, pending) {
            (Some(Place::Bucket(key)), _) => key,
            (_, Some(declared)) => object_key(id, &declared),
            (_, None) => return Ok(()),
        };
        bucket.delete(&key).await.map_err(ApiError::internal)
    }
}

/// The key of a direct upload's object in a bucket.
fn object_key(id: &str, declared: &Declared) -> String {
    format!("{id}.{}", declared.media.extension())
}

/// Reads a SHA-256 in hex.
fn parse_checksum(given: Option<&str>) -> Result<Option<[u8; 32]>, ApiError> {
    given
        .map(|hex| {
            let mut sum = [0; 32];
            hex::decode_to_slice(hex, &mut sum)
                .map(|()| sum)
                .map_err(|_| {
                    ApiError::invalid("checksum_sha256 is 64 hex digits")
                        .with_param("checksum_sha256")
                })
        })
        .transpose()
}
