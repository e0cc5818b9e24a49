//! Presigned URLs. Whoever has the URL may send one kind of request, with the signed headers, until the URL expires.
//!
//! The signature is HMAC-SHA256 over the method, the path, the expiry, and the names and values of the signed headers.
//! It has the parameter names of S3's query-string authentication, but not its exact format. Clients must treat the URL
//! as opaque.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::form_urlencoded;
use uuid::Uuid;

use super::records::{Kind, RecordError, Records};

/// The key of the record that holds the secret.
const SETTING: &str = "signing_key";

const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
const SIGNATURE: &str = "X-Amz-Signature";

/// Signs URLs and checks them. The secret is kept in the emulator's folder.
pub(crate) struct Signer {
    /// As long as a block of the hash: a secret of this length is used as it is (RFC 2104, section 2).
    secret: [u8; 64],
}

/// Why a request to a presigned URL is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The URL has no signature.
    Unsigned,
    /// The URL has expired.
    Expired,
    /// The request has these `x-amz-*` headers, which were not signed.
    HeadersNotSigned(Vec<String>),
    /// The method, the path, the expiry or a signed header differs from what was signed.
    Mismatch,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let mut secret = [0; 64];
        // Random UUIDs come from the operating system and hold 122 random bits each.
        for part in secret.chunks_exact_mut(16) {
            part.copy_from_slice(Uuid::new_v4().as_bytes());
        }
        Self { secret }
    }

    /// The signer of earlier runs, so that their URLs remain valid, or a new one.
    pub(crate) fn load(records: &Records) -> Result<Self, RecordError> {
        let kept = records.load::<String>(Kind::Setting)?;
        let mut secret = [0; 64];
        let kept = kept.iter().find(|(name, _)| name == SETTING);
        if kept.is_some_and(|(_, hex)| hex::decode_to_slice(hex, &mut secret).is_ok()) {
            return Ok(Self { secret });
        }
        let signer = Self::new();
        records.put(Kind::Setting, SETTING, &hex::encode(signer.secret))?;
        Ok(signer)
    }

    /// The query that permits `method` at `path` with exactly these headers until `expires` (Unix seconds).
    pub(crate) fn sign(
        &self,
        method: &str,
        path: &str,
        expires: u64,
        headers: &HeaderMap,
    ) -> String {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let names = names.join(";");
        let expires = expires.to_string();
        let signature = self.mac(method, path, &expires, &names, headers);
        form_urlencoded::Serializer::new(String::new())
            .append_pair(EXPIRES, &expires)
            .append_pair(SIGNED_HEADERS, &names)
            .append_pair(SIGNATURE, &hex::encode(signature.finalize().into_bytes()))
            .finish()
    }

    /// Checks a request against the query of its URL at the time `now` (Unix seconds).
    pub(crate) fn verify(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        now: u64,
    ) -> Result<(), Refusal> {
        let parameter = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .ok_or(Refusal::Unsigned)
        };
        let expires = parameter(EXPIRES)?;
        let names = parameter(SIGNED_HEADERS)?;
        let signature = hex::decode(parameter(SIGNATURE)?).map_err(|_| Refusal::Mismatch)?;

        if now >= expires.parse().map_err(|_| Refusal::Mismatch)? {
            return Err(Refusal::Expired);
        }
        let unsigned: Vec<String> = headers
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| name.starts_with("x-amz-") && !names.split(';').any(|n| n == *name))
            .map(str::to_owned)
            .collect();
        if !unsigned.is_empty() {
            return Err(Refusal::HeadersNotSigned(unsigned));
        }
        // Compares in constant time.
        self.mac(method, path, &expires, &names, headers)
            .verify_slice(&signature)
            .map_err(|_| Refusal::Mismatch)
    }

    fn mac(
        &self,
        method: &str,
        path: &str,
        expires: &str,
        names: &str,
        headers: &HeaderMap,
    ) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.secret.into());
        // No field contains a line break, so two different requests never hash the same text.
        for field in [method, path, expires, names] {
            mac.update(field.as_bytes());
            mac.update(b"\n");
        }
        for name in names.split(';') {
            for value in headers.get_all(name) {
                mac.update(value.as_bytes());
                mac.update(b"\n");
            }
            mac.update(b"\n");
        }
        mac
    }
}

/// The headers that the `PUT` of a direct upload must have: the type, the length, and the checksum if one was declared.
pub(crate) fn signed_headers(
    content_type: HeaderValue,
    size: u64,
    checksum: Option<HeaderValue>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_LENGTH, size.into());
    if let Some(checksum) = checksum {
        headers.insert(CHECKSUM, checksum);
    }
    headers
}

/// The header with the SHA-256 of an object's bytes, in base64.
pub(crate) const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn png(size: u64) -> HeaderMap {
        signed_headers(HeaderValue::from_static("image/png"), size, None)
    }

    #[test]
    fn only_what_was_signed_passes() {
        let signer = Signer::new();
        let query = signer.sign("PUT", "/bucket/a", 100, &png(5));
        let check = |method, path, query: &str, headers, now| {
            signer.verify(method, path, query, &headers, now)
        };
        assert_eq!(check("PUT", "/bucket/a", &query, png(5), 99), Ok(()));
        assert_eq!(
            check("PUT", "/bucket/a", &query, png(5), 100),
            Err(Refusal::Expired)
        );
        assert_eq!(
            check("PUT", "/bucket/b", &query, png(5), 0),
            Err(Refusal::Mismatch)
        );
        assert_eq!(
            check("GET", "/bucket/a", &query, png(5), 0),
            Err(Refusal::Mismatch)
        );
        assert_eq!(
            check("PUT", "/bucket/a", &query, png(6), 0),
            Err(Refusal::Mismatch)
        );
        assert_eq!(
            check("PUT", "/bucket/a", "", png(5), 0),
            Err(Refusal::Unsigned)
        );
        let later = query.replace("Expires=100", "Expires=900");
        assert_eq!(
            check("PUT", "/bucket/a", &later, png(5), 0),
            Err(Refusal::Mismatch)
        );
        let fewer = query.replace("content-length%3B", "");
        assert_eq!(
            check("PUT", "/bucket/a", &fewer, png(5), 0),
            Err(Refusal::Mismatch)
        );
    }

    #[test]
    fn another_emulators_url_does_not_pass() {
        let query = Signer::new().sign("PUT", "/bucket/a", 100, &png(5));
        let verdict = Signer::new().verify("PUT", "/bucket/a", &query, &png(5), 0);
        assert_eq!(verdict, Err(Refusal::Mismatch));
    }

    #[test]
    fn unsigned_amazon_headers_are_named() {
        let signer = Signer::new();
        let query = signer.sign("PUT", "/bucket/a", 100, &png(5));
        let mut headers = png(5);
        headers.insert("x-amz-acl", HeaderValue::from_static("public-read"));
        headers.insert("x-other", HeaderValue::from_static("passes"));
        let verdict = signer.verify("PUT", "/bucket/a", &query, &headers, 0);
        assert_eq!(
            verdict,
            Err(Refusal::HeadersNotSigned(vec!["x-amz-acl".into()]))
        );
    }
}
