//! The `User-Agent` of the request that created an asset. It shows which pipeline or client made the asset.
//!
//! A `User-Agent` consists of products and of comments in parentheses (RFC 9110, section 10.1.5). forebay names the
//! pipeline in a comment: `forebay/0.1.0 (pipeline image-resize, strip-metadata)`. A client may send any text, so its
//! length is limited here, and it must be shown as text and never as markup.

use std::convert::Infallible;

use axum::extract::OptionalFromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

/// The longest `User-Agent` that is kept, in characters. Those of browsers are shorter.
const LONGEST: usize = 200;

/// The start of a comment that names a pipeline.
const PIPELINE: &str = "pipeline ";

/// A `User-Agent` without control characters, of 1 to [`LONGEST`] characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UserAgent(String);

impl UserAgent {
    fn parse(given: &[u8]) -> Option<Self> {
        let given = String::from_utf8_lossy(given);
        let clean = given.chars().filter(|c| !c.is_control()).take(LONGEST);
        let clean: String = clean.collect();
        let clean = clean.trim();
        (!clean.is_empty()).then(|| Self(clean.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The first comment that names a pipeline, such as `pipeline image-resize`. If there is none, the first product,
    /// such as `curl/8.5.0`.
    pub(crate) fn short(&self) -> String {
        let mut comments = self.comments().into_iter();
        comments
            .find(|text| text.starts_with(PIPELINE))
            .unwrap_or_else(|| {
                let mut words = self.0.split([' ', '(', ')']);
                let word = words.find(|word| !word.is_empty());
                word.unwrap_or(&self.0).to_owned()
            })
    }

    /// The comments without their parentheses. Comments can be nested, and a backslash escapes the next character
    /// (RFC 9110, sections 5.6.4 and 5.6.5). A comment without a closing parenthesis, which may have been cut off, ends
    /// with the text.
    fn comments(&self) -> Vec<String> {
        let mut comments = Vec::new();
        let mut text = String::new();
        let (mut depth, mut quoted) = (0, false);
        for c in self.0.chars() {
            match c {
                _ if quoted => quoted = false,
                '\\' if depth > 0 => {
                    quoted = true;
                    continue;
                }
                '(' => {
                    depth += 1;
                    if depth == 1 {
                        continue;
                    }
                }
                ')' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 {
                        comments.push(std::mem::take(&mut text));
                    }
                }
                _ => {}
            }
            if depth > 0 {
                text.push(c);
            }
        }
        if depth > 0 {
            comments.push(text);
        }
        comments
    }
}

/// A handler takes `Option<UserAgent>`. A request without one is not refused.
impl<S: Sync> OptionalFromRequestParts<S> for UserAgent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let given = parts.headers.get(USER_AGENT);
        Ok(given.and_then(|given| Self::parse(given.as_bytes())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{LONGEST, UserAgent};

    #[test]
    fn a_pipeline_goes_before_the_product() {
        for (given, short) in [
            ("forebay/0.1.0 (pipeline photos)", "pipeline photos"),
            (
                "forebay/0.1.0 (x) (pipeline image-resize, strip-metadata) reqwest/0.13",
                "pipeline image-resize, strip-metadata",
            ),
            ("forebay/0.1.0 (pipeline a (b) c)", "pipeline a (b) c"),
            (r"forebay/0.1.0 (pipeline a\) \\ b) (c)", r"pipeline a) \ b"),
            ("forebay/0.1.0 (pipeline cut o", "pipeline cut o"),
            ("forebay/0.1.0", "forebay/0.1.0"),
            ("curl/8.5.0", "curl/8.5.0"),
            ("Mozilla/5.0 (X11; Linux x86_64) Gecko/1", "Mozilla/5.0"),
            ("forebay/0.1.0 (pipelines)", "forebay/0.1.0"),
            ("(only a comment)", "only"),
            ("()", "()"),
            (
                "x (pipeline <img src=x onerror=alert(1)>)",
                "pipeline <img src=x onerror=alert(1)>",
            ),
        ] {
            assert_eq!(UserAgent::parse(given.as_bytes()).unwrap().short(), short);
        }
    }

    #[test]
    fn what_is_kept_is_bounded_text() {
        let kept = |given: &[u8]| UserAgent::parse(given).map(|agent| agent.as_str().to_owned());
        assert_eq!(kept(b""), None);
        assert_eq!(kept(b" \t "), None);
        assert_eq!(kept(b"a\tb\x7f\xc2\x85").as_deref(), Some("ab"));
        assert_eq!(kept(b"a\xff").as_deref(), Some("a\u{fffd}"));
        let long = "ü".repeat(LONGEST + 1);
        assert_eq!(kept(long.as_bytes()).unwrap().chars().count(), LONGEST);
        let deep = UserAgent::parse("(".repeat(100_000).as_bytes()).unwrap();
        assert_eq!(deep.short(), deep.as_str());
    }
}
