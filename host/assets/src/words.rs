//! What an error answer says: the service's envelope, another JSON, XML of a storage, HTML of a gateway, or plain text.
//!
//! Promise: whatever the other side sent, the result is one short line without control characters.

use std::time::{Duration, SystemTime};

use forebay_core::text::tidy;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;
use url::Url;

use crate::error::{ServiceError, StorageError};

/// Most characters of a message.
const MOST_MESSAGE: usize = 300;
/// Most characters of a code, a parameter or an id.
const MOST_CODE: usize = 80;
/// Most bytes of an answer that are searched for words.
const MOST_SEARCHED: usize = 64 * 1024;

/// What an answer says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) param: Option<String>,
}

/// The error of the service, or of a gateway in front of it.
pub(crate) fn service_error(
    operation: &'static str,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> ServiceError {
    let words = Words::of(body);
    let message = match (redirect(status, headers), words.message) {
        (Some(to), _) => format!(
            "the answer redirects to {to}, and redirects are not followed; set the base URL to where the service is"
        ),
        (None, Some(message)) => message,
        (None, None) => "the answer says nothing else".to_owned(),
    };
    ServiceError {
        operation,
        status,
        code: words.code.unwrap_or_else(|| ServiceError::UNKNOWN.into()),
        message,
        param: words.param,
        request_id: header(headers, "x-request-id"),
        retry_after: retry_after(headers, SystemTime::now()),
    }
}

/// The error of the storage.
pub(crate) fn storage_error(
    host: String,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> StorageError {
    let words = Words::of(body);
    let message = match redirect(status, headers) {
        Some(to) => Some(format!(
            "it redirects to {to}, and redirects are not followed"
        )),
        None => words.message,
    };
    StorageError {
        host,
        status,
        code: words.code,
        message,
        retry_after: retry_after(headers, SystemTime::now()),
    }
}

/// What stands in an answer that should have been the service's JSON, as a part of a message.
pub(crate) fn describe(headers: &HeaderMap, body: &[u8]) -> String {
    let kind = header(headers, CONTENT_TYPE.as_str());
    match (kind, Words::of(body).message) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        (None, Some(message)) => message,
        _ if body.is_empty() => "it is empty".to_owned(),
        (Some(kind), None) => kind,
        (None, None) => "it is no text".to_owned(),
    }
}

/// How long the other side asks to wait: seconds, or a date (RFC 9110, section 10.2.3). Some send a fraction.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The origin that a redirect leads to. The rest of a storage's URL may be secret.
fn redirect(status: u16, headers: &HeaderMap) -> Option<String> {
    if !(300..400).contains(&status) {
        return None;
    }
    let location = headers.get(LOCATION)?.to_str().ok()?;
    Some(match Url::parse(location) {
        Ok(url) => tidy(&url.origin().ascii_serialization(), MOST_MESSAGE),
        Err(_) => "another path".to_owned(),
    })
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(tidy(text, MOST_CODE)).filter(|text| !text.is_empty())
}

impl Words {
    /// Finds code and message in an answer.
    pub(crate) fn of(body: &[u8]) -> Self {
        let body = body.get(..MOST_SEARCHED).unwrap_or(body);
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let words = match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of_json(&value),
            Err(_) => Self::of_text(&String::from_utf8_lossy(body)),
        };
        let clean = |text: Option<String>, most| {
            text.map(|text| tidy(&text, most))
                .filter(|text| !text.is_empty())
        };
        Self {
            code: clean(words.code, MOST_CODE),
            message: clean(words.message, MOST_MESSAGE),
            param: clean(words.param, MOST_CODE),
        }
    }

    /// The service's envelope, or one of the forms that other programs use: `{"error": "…"}`, `{"message": "…"}`,
    /// `{"detail": [{"loc", "msg"}]}`, `{"errors": […]}`, RFC 9457's `title` and `detail`.
    fn of_json(value: &Value) -> Self {
        let inner = match value.get("error") {
            Some(error @ Value::Object(_)) => error,
            _ => value,
        };
        const MESSAGES: [&str; 8] = [
            "message",
            "Message",
            "error_description",
            "detail",
            "msg",
            "error",
            "errors",
            "title",
        ];
        const CODES: [&str; 4] = ["code", "Code", "error_code", "type"];
        Self {
            message: MESSAGES
                .iter()
                .find_map(|name| text_of(inner.get(name)?))
                .or_else(|| text_of(inner)),
            code: CODES.iter().find_map(|name| scalar(inner.get(name)?)),
            param: inner.get("param").and_then(scalar),
        }
    }

    fn of_text(text: &str) -> Self {
        let lower = text.get(..text.len().min(512)).unwrap_or_default();
        let lower = lower.trim_start().to_ascii_lowercase();
        if let Some(code) = element(text, "Code") {
            return Self {
                code: Some(code),
                message: element(text, "Message"),
                param: None,
            };
        }
        let is_html = lower.starts_with("<!doctype html") || lower.contains("<html");
        let message = if is_html {
            element(text, "title")
                .or_else(|| element(text, "h1"))
                .unwrap_or_else(|| without_tags(text))
        } else if lower.starts_with('<') {
            without_tags(text)
        } else {
            let lines = text.lines().map(str::trim);
            let mut lines = lines.filter(|line| !line.is_empty());
            // Bytes that are no text, such as a compressed answer, say nothing to a person.
            let line = lines.next().unwrap_or_default();
            if line.contains('\u{fffd}') {
                String::new()
            } else {
                line.to_owned()
            }
        };
        Self {
            message: Some(message),
            ..Self::default()
        }
    }
}

/// A text, or what a list or an object of texts says first.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(items) => items.iter().find_map(text_of),
        Value::Object(object) => {
            let message = ["message", "msg", "detail", "title"]
                .iter()
                .find_map(|name| object.get(*name)?.as_str())?;
            // FastAPI names the place of the problem.
            let place: Vec<String> = object
                .get("loc")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(scalar)
                .collect();
            Some(if place.is_empty() {
                message.to_owned()
            } else {
                format!("{}: {message}", place.join("."))
            })
        }
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text of the first element of this name, in any case.
fn element(text: &str, name: &str) -> Option<String> {
    // ASCII letters only, so that positions in both texts are the same.
    let lower = text.to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    let mut from = 0;
    let start = loop {
        let at = lower.get(from..)?.find(&format!("<{name}"))? + from + 1 + name.len();
        let rest = lower.get(at..)?;
        // Not the beginning of a longer name.
        if rest.starts_with(['>', ' ', '\t', '\n', '\r']) {
            break at + rest.find('>')? + 1;
        }
        from = at;
    };
    let end = lower.get(start..)?.find(&format!("</{name}"))? + start;
    let inner = without_tags(text.get(start..end)?);
    Some(inner).filter(|inner| !inner.is_empty())
}

/// Text without tags, on one line, with the five entities of XML resolved.
fn without_tags(text: &str) -> String {
    let mut plain = String::new();
    let mut in_tag = false;
    for character in text.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            _ if in_tag => {}
            _ => plain.push(character),
        }
    }
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        // Last, so that `&amp;lt;` does not become `<`.
        ("&amp;", "&"),
    ]
    .iter()
    .fold(plain, |text, (entity, character)| {
        text.replace(entity, character)
    });
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn every_form_of_answer_is_heard() {
        for (body, code, message) in [
            (
                r#"{"error":{"code":"c","message":"m","param":"p"}}"#,
                Some("c"),
                Some("m"),
            ),
            (
                r#"{"code":400112,"message":"Unauthorized","data":null}"#,
                Some("400112"),
                Some("Unauthorized"),
            ),
            (
                r#"{"detail":[{"loc":["body","file"],"msg":"field required"}]}"#,
                None,
                Some("body.file: field required"),
            ),
            (
                r#"{"detail":"Not authenticated"}"#,
                None,
                Some("Not authenticated"),
            ),
            (r#"{"error":"no such route"}"#, None, Some("no such route")),
            (
                r#"{"errors":[{"message":"too big"}]}"#,
                None,
                Some("too big"),
            ),
            (
                r#"{"type":"about:blank","title":"Forbidden","status":403}"#,
                Some("about:blank"),
                Some("Forbidden"),
            ),
            (r#""just a text""#, None, Some("just a text")),
            (r#"{"data":null}"#, None, None),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>a &lt;b&gt; &amp;amp;</Message></Error>",
                Some("AccessDenied"),
                Some("a <b> &amp;"),
            ),
            (
                "<html><center><h1>413 Request Entity Too Large</h1></center></html>",
                None,
                Some("413 Request Entity Too Large"),
            ),
            (
                "<!DOCTYPE html>\n<html><head><title>502\nBad Gateway</title></head><body><h1>Oops</h1></body>",
                None,
                Some("502 Bad Gateway"),
            ),
            (
                "<html><body>Please log in to the hotel wifi</body></html>",
                None,
                Some("Please log in to the hotel wifi"),
            ),
            (
                "\n  upstream connect error \nreset reason: x",
                None,
                Some("upstream connect error"),
            ),
            ("", None, None),
        ] {
            let words = Words::of(body.as_bytes());
            assert_eq!(words.code.as_deref(), code, "{body}");
            assert_eq!(words.message.as_deref(), message, "{body}");
        }
        assert_eq!(
            Words::of(&[0x1f, 0x8b, 8, 0, 255, 254]),
            Words::default(),
            "a compressed answer is no text"
        );
    }

    #[test]
    fn no_answer_reaches_the_terminal_as_it_is() {
        let body = r#"{"error":{"code":"in\u001b[31mvalid","message":"bad \u001b]0;owned\u0007 \u202e name\nforebay: all is well","param":"\u001bp"}}"#;
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-request-id",
            HeaderValue::from_bytes(b"a\xc3\xa9b").unwrap(),
        );
        let error = service_error("upload", 400, &headers, body.as_bytes());
        assert_eq!(
            error.to_string(),
            "upload: bad  ]0;owned    name forebay: all is well (400 in [31mvalid)"
        );
        assert_eq!(error.param.as_deref(), Some("p"));
        let long = format!(
            "<Error><Code>{0}</Code><Message>{0}</Message></Error>",
            "x".repeat(9999)
        );
        let error = storage_error("h".into(), 400, &headers, long.as_bytes());
        assert_eq!(error.code.unwrap().len(), MOST_CODE);
        assert_eq!(error.message.unwrap().len(), MOST_MESSAGE);
    }

    #[test]
    fn redirects_are_told_without_what_may_be_secret() {
        let mut headers = HeaderMap::new();
        headers.insert(
            LOCATION,
            HeaderValue::from_static("https://u:p@other.example/path?X-Amz-Signature=abc"),
        );
        let error = storage_error("h".into(), 307, &headers, b"").to_string();
        assert!(
            error.contains("redirects to https://other.example,"),
            "{error}"
        );
        let error = service_error("upload", 301, &headers, b"").to_string();
        assert!(
            error.contains("redirects to https://other.example,"),
            "{error}"
        );
        assert!(
            !error.contains("abc") && !error.contains("u:p") && !error.contains("path"),
            "{error}"
        );
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_fractions_or_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let asked = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(asked("120"), seconds(120.0));
        assert_eq!(asked(" 3.5 "), seconds(3.5));
        assert_eq!(asked("0"), seconds(0.0));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:41 GMT"), seconds(4.0));
        assert_eq!(
            asked("Sunday, 06-Nov-94 08:51:37 GMT"),
            seconds(120.0),
            "the obsolete form"
        );
        assert_eq!(
            asked("Sun, 06 Nov 1994 08:00:00 GMT"),
            seconds(0.0),
            "in the past"
        );
        for nonsense in ["-1", "soon", "NaN", "inf", ""] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }
}
