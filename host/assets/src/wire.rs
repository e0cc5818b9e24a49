//! Answers as the service sends them.
//!
//! Promise: only what the client cannot do without is required: the `asset_id` of an upload, and the `upload_url` of a
//! direct upload. Everything else may be missing, null, or of another type. The ids of assets can be found even in an
//! answer that cannot be read, so that these assets can be deleted.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use crate::asset::Asset;

/// The answer to an upload or a completion.
#[derive(Debug, Deserialize)]
pub(crate) struct WireAsset {
    asset_id: Id,
    #[serde(default, deserialize_with = "text")]
    url: Option<String>,
    #[serde(default, deserialize_with = "text")]
    mime_type: Option<String>,
    #[serde(default, deserialize_with = "number")]
    pub(crate) size_bytes: Option<u64>,
}

impl WireAsset {
    /// The asset. What the service does not say is taken from what was sent.
    pub(crate) fn or_sent(self, media_type: &str, size: u64) -> Asset {
        Asset {
            asset_id: self.asset_id.0,
            url: self.url.unwrap_or_default(),
            mime_type: self.mime_type.unwrap_or_else(|| media_type.to_owned()),
            size_bytes: self.size_bytes.unwrap_or(size),
        }
    }
}

/// The answer to a creation: where and how to send the bytes.
#[derive(Deserialize)]
pub(crate) struct Slot {
    pub(crate) asset_id: Id,
    pub(crate) upload_url: UploadUrl,
    #[serde(default)]
    upload_headers: Value,
    #[serde(default, deserialize_with = "number")]
    expires_in_seconds: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    pub(crate) max_bytes: Option<u64>,
}

impl Slot {
    /// How long the URL is valid, if the service says it.
    pub(crate) fn expires_in(&self) -> Option<Duration> {
        self.expires_in_seconds.map(Duration::from_secs)
    }

    /// The headers of the PUT. `None` if some header cannot be sent.
    pub(crate) fn headers(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let fields = match &self.upload_headers {
            Value::Null => return Some(headers),
            Value::Object(fields) => fields,
            _ => return None,
        };
        for (name, value) in fields {
            let name: HeaderName = name.parse().ok()?;
            let values = match value {
                Value::Null => continue,
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    Value::Bool(flag) => flag.to_string(),
                    _ => return None,
                };
                // Bytes that are not ASCII are signed as UTF-8.
                let value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
                headers.append(name.clone(), value);
            }
        }
        Some(headers)
    }
}

/// An id that can be a part of a path.
#[derive(Debug, Clone)]
pub(crate) struct Id(pub(crate) String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(serde::de::Error::custom("the asset's id is no text")),
        };
        if is_id(&text) {
            Ok(Self(text))
        } else {
            Err(serde::de::Error::custom("the asset's id cannot be used"))
        }
    }
}

/// Ids are opaque, but they are one word and go into paths and onto terminals.
fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'"'))
        // The path would lead to another endpoint.
        && !text.bytes().all(|byte| byte == b'.')
}

/// A presigned URL. It is never shown.
pub(crate) struct UploadUrl(pub(crate) Url);

impl<'de> Deserialize<'de> for UploadUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => Ok(Self(url)),
            // The text may be a secret.
            _ => Err(serde::de::Error::custom(
                "the upload_url is not a full http or https address",
            )),
        }
    }
}

/// A text; nothing, if it is something else.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// A whole number, also as a float or as text; nothing, if it is something else.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            // Exact up to 2^53, which is more bytes and seconds than any upload has.
            let is_whole = float.fract() == 0.0 && (0.0..9e15).contains(&float);
            is_whole.then_some(float as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// The ids of all assets in an answer that cannot be read, in their order: the texts behind `"asset_id":`. The answer may
/// be cut off or damaged; an id without its closing quote is not taken.
pub(crate) fn asset_ids(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let mut ids: Vec<String> = Vec::new();
    for after in text.split("\"asset_id\"").skip(1) {
        let id = after
            .trim_start()
            .strip_prefix(':')
            .and_then(|rest| rest.trim_start().strip_prefix('"'))
            .and_then(|rest| rest.split_once('"'))
            .map(|(id, _)| id);
        if let Some(id) = id
            && is_id(id)
            && !ids.iter().any(|other| other == id)
        {
            ids.push(id.to_owned());
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn slot(mut change: Value) -> Result<Slot, serde_json::Error> {
        let mut slot = json!({
            "asset_id": "ast_1", "upload_url": "https://bucket.example/x?sig=a", "upload_headers": { "Content-Type": "video/mp4" },
            "expires_in_seconds": 3600, "max_bytes": 1000, "status": "pending_upload",
        });
        for (name, value) in change.as_object_mut().unwrap() {
            slot[name] = value.take();
        }
        serde_json::from_value(slot)
    }

    #[test]
    fn only_id_and_url_are_needed() {
        let bare = json!({ "asset_id": "ast_1", "upload_url": "http://127.0.0.1:1/x" });
        let bare: Slot = serde_json::from_value(bare).unwrap();
        assert!(bare.headers().unwrap().is_empty());
        assert_eq!((bare.expires_in(), bare.max_bytes), (None, None));

        for (field, value) in [
            ("expires_in_seconds", json!(null)),
            ("expires_in_seconds", json!(-1)),
            ("max_bytes", json!({ "n": 1 })),
            ("upload_headers", json!(null)),
        ] {
            assert!(slot(json!({ field: value })).is_ok(), "{field}");
        }
        let odd = slot(json!({ "expires_in_seconds": 3600.0, "max_bytes": "1000" })).unwrap();
        assert_eq!(odd.expires_in(), Some(Duration::from_secs(3600)));
        assert_eq!(odd.max_bytes, Some(1000));
        for url in [
            "",
            "/bucket/x",
            "ftp://h/x",
            "data:x",
            "http://",
            "file:///etc/x",
        ] {
            assert!(slot(json!({ "upload_url": url })).is_err(), "{url}");
        }

        let asset: WireAsset = serde_json::from_value(json!({ "asset_id": "ast_1" })).unwrap();
        let asset = asset.or_sent("image/png", 7);
        assert_eq!(
            (asset.mime_type.as_str(), asset.size_bytes),
            ("image/png", 7)
        );
        let odd = json!({ "asset_id": 17, "url": null, "mime_type": null, "size_bytes": null });
        let asset: WireAsset = serde_json::from_value(odd).unwrap();
        assert_eq!(asset.or_sent("image/png", 7).asset_id, "17");
    }

    #[test]
    fn headers_of_any_scalar_are_sent() {
        let with = |headers: Value| {
            slot(json!({ "upload_headers": headers }))
                .unwrap()
                .headers()
        };
        let headers = with(
            json!({ "Content-Length": 40, "x-list": ["a", "b"], "x-null": null, "x-name": "café" }),
        );
        let headers = headers.unwrap();
        assert_eq!(headers["content-length"], "40");
        assert_eq!(
            headers.get_all("x-list").iter().collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(headers["x-name"].as_bytes(), "café".as_bytes());
        assert!(!headers.contains_key("x-null"));
        for unusable in [
            json!({ "a b": "c" }),
            json!({ "a": "b\nc" }),
            json!({ "a": {} }),
            json!(7),
        ] {
            assert!(with(unusable.clone()).is_none(), "{unusable}");
        }
    }

    #[test]
    fn ids_are_found_in_answers_that_cannot_be_read() {
        for (body, ids) in [
            (r#"{"data": {"asset_id": "ast_x", "url""#, vec!["ast_x"]),
            (
                r#"{"data": {"asset_id" : "ast_x", "upload_url": ""}}"#,
                vec!["ast_x"],
            ),
            (
                r#"{"items":[{"asset_id":"a"},{"asset_id":"b"},{"asset_id":"a"},{"asset_id":"#,
                vec!["a", "b"],
            ),
            (r#"{"data": {"asset_id": "ast_cu"#, vec![]),
            (r#"{"data": {"asset_id": ".."}}"#, vec![]),
            (r#"{"data": {"asset_id": "a/../b"}}"#, vec![]),
            (r#"{"data": {"asset_id": "a\u001b"}}"#, vec![]),
            (r#"{"data": {"asset_id": null}}"#, vec![]),
            ("<html>", vec![]),
        ] {
            assert_eq!(asset_ids(body.as_bytes()), ids, "{body}");
        }
        let escaped = json!({ "asset_id": "a\u{1b}[31m" });
        assert!(serde_json::from_value::<WireAsset>(escaped).is_err());
    }
}
