//! A real S3-compatible store for direct uploads, in place of the emulator's own.
//!
//! Clients `PUT` to the store by its own presigned URLs, with its own signatures and its own manners. The emulator reads
//! an object when its upload is completed, serves it, and removes it when its asset is deleted. Uploads that come
//! through the API stay in the emulator's folder.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Response, StatusCode};
use rusty_s3::actions::{DeleteObject, GetObject, PutObject};
use rusty_s3::{Credentials, S3Action, UrlStyle};
use sha2::{Digest, Sha256};

use crate::media::{HEAD, MediaType};
use crate::store::{Object, Place};

/// The longest life of a presigned URL, a week: `X-Amz-Expires` in the Amazon S3 API Reference.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the store may take to be reached, and between two pieces of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the emulator's own presigned requests are good for. They are sent at once.
const OWN: Duration = Duration::from_secs(60);

/// Where a bucket is and who may use it. `Debug` leaves the secret out.
#[derive(Clone, PartialEq, Eq)]
pub struct S3 {
    /// The store's address, such as `http://127.0.0.1:9000`. The bucket is named in the path.
    pub endpoint: String,
    /// The region that signatures name, such as `us-east-1`.
    pub region: String,
    /// The bucket, which must exist.
    pub bucket: String,
    /// Whose signature it is.
    pub access_key: String,
    /// What it is signed with.
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

/// What went wrong between the emulator and the store. URLs are left out: they are signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    #[error("the address of the bucket")]
    Address(#[from] url::ParseError),
    #[error("the address of the bucket: {0:?}")]
    Bucket(rusty_s3::BucketError),
    #[error("preparing TLS")]
    Tls(#[from] rustls::Error),
    #[error("asking the bucket")]
    Request(#[source] reqwest::Error),
    #[error("the bucket answered {0}")]
    Status(StatusCode),
}

impl From<reqwest::Error> for BucketError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}

/// A bucket to presign for.
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
            client: crate::client()?
                .connect_timeout(PATIENCE)
                .read_timeout(PATIENCE)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
        })
    }

    /// The URL of a `PUT` with exactly these headers. An `expired` one was good for a second, an hour ago.
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
        let lifetime = lifetime.clamp(Duration::from_secs(1), LONGEST);
        put.sign_with_time(lifetime, &time).into()
    }

    /// Reads an object through, and tells its size, checksum and type; `None` if there is none. One of more than `most`
    /// bytes is read no further.
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
        let mut pieces = response.bytes_stream();
        let (mut hasher, mut head, mut size) = (Sha256::new(), Vec::with_capacity(HEAD), 0);
        while let Some(piece) = pieces.try_next().await? {
            hasher.update(&piece);
            size += piece.len() as u64;
            let wanted = HEAD.saturating_sub(head.len());
            head.extend(piece.iter().take(wanted));
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

    /// The store's answer to a `GET`, whole or of a range.
    pub(crate) async fn get(
        &self,
        key: &str,
        range: Option<&HeaderValue>,
    ) -> Result<Response, BucketError> {
        let get = GetObject::new(&self.bucket, Some(&self.credentials), key);
        let mut request = self.client.get(get.sign(OWN));
        if let Some(range) = range {
            request = request.header("range", range.as_bytes());
        }
        Ok(request.send().await?)
    }

    /// Removes an object; one that is not there is gone already.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let delete = DeleteObject::new(&self.bucket, Some(&self.credentials), key);
        let response = self.client.delete(delete.sign(OWN)).send().await?;
        match response.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            status => Err(BucketError::Status(status)),
        }
    }
}
