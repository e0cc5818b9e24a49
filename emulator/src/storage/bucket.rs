//! A bucket of an S3-compatible store, which takes the bytes of direct uploads in place of the emulator's own files.
//!
//! Clients `PUT` to the store itself, by URLs that are presigned for it. The emulator reads an object when its upload
//! is completed, serves it, and deletes it with its asset. Uploads by `POST /v3/assets` stay in the emulator's folder.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Response, StatusCode};
use rusty_s3::actions::{DeleteObject, GetObject, PutObject};
use rusty_s3::{Credentials, S3Action, UrlStyle};
use sha2::{Digest, Sha256};

use super::object::{Object, Place};
use crate::base::client::client;
use crate::base::media::{HEAD, MediaType};

/// The longest validity of a presigned URL, a week: `X-Amz-Expires` in the Amazon S3 API Reference.
const MAX_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a connection to the store may take, and how long the store may send nothing.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the emulator's own presigned requests are valid. They are sent at once.
const OWN_EXPIRY: Duration = Duration::from_secs(60);

/// The address of a bucket, and the credentials for it. `Debug` omits the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct S3 {
    /// The address of the store, such as `http://127.0.0.1:9000`. URLs name the bucket in their path.
    pub endpoint: String,
    /// The region in signatures, such as `us-east-1`.
    pub region: String,
    /// The name of the bucket, which must exist.
    pub bucket: String,
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: String,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// A failed request to the store. Messages omit URLs, because URLs contain signatures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    #[error("the address of the bucket is not a URL")]
    Address(#[from] url::ParseError),
    #[error("the address of the bucket is not valid: {0:?}")]
    Bucket(rusty_s3::BucketError),
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
    #[error("the request to the bucket failed")]
    Request(#[source] reqwest::Error),
    #[error("the bucket answered {0}")]
    Status(StatusCode),
}

impl From<reqwest::Error> for BucketError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}

/// A client of one bucket.
pub(crate) struct Bucket {
    bucket: rusty_s3::Bucket,
    credentials: Credentials,
    client: reqwest::Client,
}

impl Bucket {
    pub(crate) fn new(s3: S3) -> Result<Self, BucketError> {
        let endpoint = s3.endpoint.parse()?;
        let bucket = rusty_s3::Bucket::new(endpoint, UrlStyle::Path, s3.bucket, s3.region);
        Ok(Self {
            bucket: bucket.map_err(BucketError::Bucket)?,
            credentials: Credentials::new(s3.access_key, s3.secret_key),
            client: client()?
                .connect_timeout(TIMEOUT)
                .read_timeout(TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
        })
    }

    /// A presigned URL for a `PUT` with exactly these headers. If `expired`, it was valid for a second, an hour ago.
    pub(crate) fn presign_put(
        &self,
        key: &str,
        headers: &HeaderMap,
        lifetime: Duration,
        expired: bool,
    ) -> String {
        let mut put = PutObject::new(&self.bucket, Some(&self.credentials), key);
        for (name, value) in headers {
            if let Ok(value) = value.to_str() {
                put.headers_mut().insert(name.as_str(), value);
            }
        }
        let (time, lifetime) = if expired {
            let hour_ago = Timestamp::now().saturating_sub(SignedDuration::from_hours(1));
            (hour_ago.unwrap_or_default(), Duration::from_secs(1))
        } else {
            (Timestamp::now(), lifetime)
        };
        let lifetime = lifetime.clamp(Duration::from_secs(1), MAX_EXPIRY);
        put.sign_with_time(lifetime, &time).into()
    }

    /// Reads an object and returns its size, checksum and type; `None` if there is no object. If it has more than
    /// `most` bytes, reading stops there, and the size and checksum are of the bytes read.
    pub(crate) async fn inspect(
        &self,
        key: &str,
        most: u64,
    ) -> Result<Option<Object>, BucketError> {
        let response = self.get(key, None).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(BucketError::Status(response.status()));
        }
        let mut chunks = response.bytes_stream();
        let (mut hasher, mut head, mut size) = (Sha256::new(), Vec::with_capacity(HEAD), 0);
        while let Some(chunk) = chunks.try_next().await? {
            hasher.update(&chunk);
            size += chunk.len() as u64;
            let wanted = HEAD.saturating_sub(head.len());
            head.extend(chunk.iter().take(wanted));
            if size > most {
                break;
            }
        }
        Ok(Some(Object {
            place: Place::Bucket(key.to_owned()),
            size,
            sha256: hasher.finalize().into(),
            media: MediaType::sniff(&head),
        }))
    }

    /// The store's answer to a `GET` of an object or of a range of it.
    pub(crate) async fn get(
        &self,
        key: &str,
        range: Option<&HeaderValue>,
    ) -> Result<Response, BucketError> {
        let get = GetObject::new(&self.bucket, Some(&self.credentials), key);
        let mut request = self.client.get(get.sign(OWN_EXPIRY));
        if let Some(range) = range {
            request = request.header("range", range.as_bytes());
        }
        Ok(request.send().await?)
    }

    /// Deletes an object. It is no error if there is none.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let delete = DeleteObject::new(&self.bucket, Some(&self.credentials), key);
        let response = self.client.delete(delete.sign(OWN_EXPIRY)).send().await?;
        match response.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            status => Err(BucketError::Status(status)),
        }
    }
}
