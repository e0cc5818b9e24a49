//! The three ways to name a file in a request.

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::asset::{MULTIPART_MAX, check_type};
use crate::error::AssetsError;
use forebay_core::media;

/// A file, as the body of a request names it.
///
/// ```
/// use forebay_assets::FileInput;
///
/// let input = FileInput::asset_id("ast_abc123");
/// assert_eq!(serde_json::to_string(&input)?, r#"{"type":"asset_id","asset_id":"ast_abc123"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileInput {
    /// An asset, by its id.
    AssetId {
        /// The id.
        asset_id: String,
    },
    /// A file that the service fetches itself.
    Url {
        /// Its https URL.
        url: String,
    },
    /// The bytes themselves.
    Base64 {
        /// Their media type.
        media_type: String,
        /// The bytes, in base64.
        data: String,
    },
}

impl FileInput {
    /// Names an asset.
    pub fn asset_id(id: impl Into<String>) -> Self {
        Self::AssetId {
            asset_id: id.into(),
        }
    }

    /// Names a file by its URL.
    ///
    /// # Errors
    /// [`AssetsError::Setup`] unless it is an absolute https URL without user information.
    pub fn url(url: &str) -> Result<Self, AssetsError> {
        let refuse = |problem: &str| AssetsError::Setup(format!("file input: {problem}"));
        let parsed = Url::parse(url).map_err(|error| refuse(&format!("not a URL: {error}")))?;
        if parsed.scheme() != "https" {
            return Err(refuse("the URL is not an https one"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refuse("the URL holds user information"));
        }
        Ok(Self::Url { url: parsed.into() })
    }

    /// Puts the bytes themselves into the request.
    ///
    /// # Errors
    /// When they are more than 32 MB, or the service does not take their type.
    pub fn bytes(data: &[u8]) -> Result<Self, AssetsError> {
        let media_type = inline_type(data)?;
        let data = base64::engine::general_purpose::STANDARD.encode(data);
        Ok(Self::Base64 {
            media_type: media_type.to_owned(),
            data,
        })
    }
}

impl FileInput {
    /// Checks an input that was built without the constructors. The rules are the same as theirs.
    pub(crate) fn check(&self) -> Result<(), AssetsError> {
        match self {
            Self::AssetId { asset_id } if asset_id.is_empty() => {
                Err(AssetsError::Setup("the asset id is empty".into()))
            }
            Self::AssetId { .. } => Ok(()),
            Self::Url { url } => Self::url(url).map(drop),
            // Four characters encode three bytes.
            Self::Base64 { data, .. } if data.len() as u64 / 4 * 3 > MULTIPART_MAX + 2 => {
                Err(AssetsError::TooLarge {
                    size: data.len() as u64 / 4 * 3,
                    most: MULTIPART_MAX,
                })
            }
            Self::Base64 { media_type, .. } => check_type(media_type),
        }
    }
}

/// The media type of bytes that are to be put into a request.
///
/// # Errors
/// When they are more than 32 MB, or the service does not take their type.
pub fn inline_type(data: &[u8]) -> Result<&'static str, AssetsError> {
    if data.len() as u64 > MULTIPART_MAX {
        return Err(AssetsError::TooLarge {
            size: data.len() as u64,
            most: MULTIPART_MAX,
        });
    }
    let media_type = media::sniff(data);
    check_type(media_type)?;
    Ok(media_type)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    #[test]
    fn the_three_forms() {
        let form = |input: FileInput| serde_json::to_value(input).unwrap();
        assert_eq!(
            form(FileInput::asset_id("a1")),
            json!({ "type": "asset_id", "asset_id": "a1" })
        );
        assert_eq!(
            form(FileInput::url("https://example.com/a.png").unwrap()),
            json!({ "type": "url", "url": "https://example.com/a.png" })
        );
        assert_eq!(
            form(FileInput::bytes(b"%PDF-1.4").unwrap()),
            json!({ "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ=" })
        );
    }

    #[test]
    fn what_the_service_would_refuse_is_refused() {
        for url in [
            "http://example.com/a.png",
            "https://user:pw@example.com/a.png",
            "a.png",
            "file:///etc/passwd",
        ] {
            assert!(FileInput::url(url).is_err(), "{url}");
        }
        assert!(matches!(
            FileInput::bytes(b"words"),
            Err(AssetsError::UnsupportedType(_))
        ));
        let large = vec![0; usize::try_from(MULTIPART_MAX).unwrap() + 1];
        assert!(matches!(
            FileInput::bytes(&large),
            Err(AssetsError::TooLarge { .. })
        ));
    }
}
