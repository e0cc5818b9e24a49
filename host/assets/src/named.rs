//! What a file input in somebody else's JSON names.

use std::io::Read as _;

use base64::engine::general_purpose::STANDARD;
use base64::read::DecoderReader;
use forebay_core::media;
use forebay_core::text::tidy;
use serde_json::{Map, Value};

use crate::asset::{MULTIPART_MAX, check_type};
use crate::error::AssetsError;
use crate::file_input::FileInput;
use crate::host_name::FetchedFrom;

/// What a file input names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named<'a> {
    /// An asset, by this id.
    Asset(&'a str),
    /// A file that the service fetches from there.
    Url(FetchedFrom),
    /// Bytes that the service takes.
    Bytes,
}

impl<'a> Named<'a> {
    /// Reads an object. `None` if its `type` is not that of a file input. The forms are those of [`FileInput`], and the same
    /// rules apply; an object with other fields is refused, since the service might read them.
    ///
    /// # Errors
    /// [`AssetsError::Request`] with the field that is wrong, or `type`.
    pub fn of(fields: &'a Map<String, Value>) -> Option<Result<Self, AssetsError>> {
        let kind = fields.get("type")?.as_str()?;
        let known: &[&str] = match kind {
            "asset_id" => &["asset_id"],
            "url" => &["url"],
            "base64" => &["media_type", "data"],
            _ => return None,
        };
        let unknown = fields
            .keys()
            .find(|name| *name != "type" && !known.contains(&name.as_str()));
        Some(match (unknown, kind) {
            (Some(name), _) => Err(wrong(
                "type",
                &format!(
                    "a file input of type {kind} has no field `{}`",
                    tidy(name, 80)
                ),
            )),
            (None, "asset_id") => asset(fields),
            (None, "url") => url(fields),
            (None, _) => bytes(fields),
        })
    }
}

fn asset(fields: &Map<String, Value>) -> Result<Named<'_>, AssetsError> {
    let id = text(fields, "asset_id")?;
    if id.is_empty() {
        return Err(wrong("asset_id", "is empty"));
    }
    Ok(Named::Asset(id))
}

fn url(fields: &Map<String, Value>) -> Result<Named<'_>, AssetsError> {
    let url = text(fields, "url")?;
    FileInput::url(url).map_err(|error| wrong("url", &error.to_string()))?;
    Ok(Named::Url(match FetchedFrom::of(url) {
        FetchedFrom::Nowhere => FetchedFrom::Unclear,
        from => from,
    }))
}

fn bytes(fields: &Map<String, Value>) -> Result<Named<'_>, AssetsError> {
    let (announced, data) = (text(fields, "media_type")?, text(fields, "data")?);
    let (head, size) =
        decode(data).map_err(|error| wrong("data", &format!("is not base64: {error}")))?;
    if size > MULTIPART_MAX {
        let problem = format!("holds {size} bytes, at most {MULTIPART_MAX} are taken");
        return Err(wrong("data", &problem));
    }
    let media_type = media::sniff(&head);
    check_type(media_type).map_err(|error| wrong("data", &error.to_string()))?;
    if media_type != announced {
        let problem = format!(
            "is {media_type}, and `media_type` is {}",
            tidy(announced, 80)
        );
        return Err(wrong("data", &problem));
    }
    Ok(Named::Bytes)
}

/// The first bytes and the number of all bytes.
fn decode(data: &str) -> std::io::Result<(Vec<u8>, u64)> {
    let mut reader = DecoderReader::new(data.as_bytes(), &STANDARD);
    let mut head = Vec::new();
    (&mut reader)
        .take(media::SNIFF_LEN as u64)
        .read_to_end(&mut head)?;
    let rest = std::io::copy(&mut reader, &mut std::io::sink())?;
    let size = head.len() as u64 + rest;
    Ok((head, size))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, AssetsError> {
    let value = fields.get(name).ok_or_else(|| wrong(name, "is missing"))?;
    value.as_str().ok_or_else(|| wrong(name, "is no text"))
}

fn wrong(field: &str, problem: &str) -> AssetsError {
    AssetsError::Request {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    fn named(value: &Value) -> Option<Result<Named<'_>, String>> {
        let named = Named::of(value.as_object().unwrap())?;
        Some(named.map_err(|error| error.to_string()))
    }

    #[test]
    fn what_a_constructor_makes_is_read() {
        let made = |input: FileInput| serde_json::to_value(input).unwrap();
        let from = FetchedFrom::Host("example.com".into());
        for (value, expected) in [
            (made(FileInput::asset_id("a1")), Named::Asset("a1")),
            (
                made(FileInput::url("https://EXAMPLE.com/a b?c=\\#d").unwrap()),
                Named::Url(from),
            ),
            (made(FileInput::bytes(b"%PDF-1.4").unwrap()), Named::Bytes),
        ] {
            assert_eq!(named(&value), Some(Ok(expected)), "{value}");
        }
    }

    #[test]
    fn other_objects_are_none() {
        for value in [
            json!({}),
            json!({ "type": "photo", "url": "https://a.example" }),
            json!({ "type": 7 }),
            json!({ "url": "https://a.example" }),
        ] {
            assert_eq!(named(&value), None, "{value}");
        }
    }

    #[test]
    fn what_the_service_might_read_otherwise_is_refused_by_field() {
        let png = "iVBORw0KGgo=";
        for (value, field) in [
            (json!({ "type": "asset_id" }), "asset_id: is missing"),
            (
                json!({ "type": "asset_id", "asset_id": "" }),
                "asset_id: is empty",
            ),
            (
                json!({ "type": "asset_id", "asset_id": ["a"] }),
                "asset_id: is no text",
            ),
            (
                json!({ "type": "asset_id", "asset_id": "a", "url": "https://a.example" }),
                "type: a file input of type asset_id has no field `url`",
            ),
            (
                json!({ "type": "url", "url": "http://a.example" }),
                "url: file input: ",
            ),
            (
                json!({ "type": "url", "url": "https://a:b@c.example" }),
                "url: file input: ",
            ),
            (
                json!({ "type": "url", "url": "a.png" }),
                "url: file input: not a URL",
            ),
            (
                json!({ "type": "base64", "media_type": "image/png", "data": "%" }),
                "data: is not base64: ",
            ),
            (
                json!({ "type": "base64", "media_type": "image/png", "data": "d29yZHM=" }),
                "data: the service does not take text/plain",
            ),
            (
                json!({ "type": "base64", "media_type": "video/mp4", "data": png }),
                "data: is image/png, and `media_type` is video/mp4",
            ),
        ] {
            let error = named(&value).unwrap().unwrap_err();
            assert!(error.starts_with(field), "{error}");
        }
        let large = format!("JVBE{}", "AAAA".repeat(MULTIPART_MAX as usize / 3));
        let large = json!({ "type": "base64", "media_type": "application/pdf", "data": large });
        let error = named(&large).unwrap().unwrap_err();
        assert_eq!(
            error,
            "data: holds 32000001 bytes, at most 32000000 are taken"
        );
    }
}
