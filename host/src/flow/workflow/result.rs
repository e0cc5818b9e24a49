//! The result of a workflow: JSON that people post to the service.
//!
//! Promise: it names no file that the workflow may not name. A URL in it makes the service send a request to that host, and
//! the URL may carry what the workflow has read; an id makes the service use a file of the account. So these are checked:
//!
//! - every object of the form of a file input, with all of its fields;
//! - every text that is a URL as a whole, wherever it stands, since an endpoint may take it as a file or as an address to
//!   call. The addresses of the run's own assets may stay;
//! - every field that holds ids of assets: `asset_id`, `asset_ids`, and names that end so.
//!
//! The check is one pass and ends at the first problem.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use forebay_assets::{AssetsError, FetchedFrom, Named};
use forebay_core::text::tidy;
use serde_json::{Map, Value};

use super::session::Known;
use crate::sandbox::cause::{InputProblem, StageCause};
use crate::sandbox::grants::Grants;

/// Most characters of a path, and of a name or a value in an error.
const MAX_PATH: usize = 300;
const MAX_SHOWN: usize = 100;

/// What a workflow may name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed<'a> {
    pub(super) grants: &'a Grants,
    /// Hosts, in their normal form.
    pub(super) hosts: &'a BTreeSet<String>,
    pub(super) known: &'a Known,
}

impl Allowed<'_> {
    /// Checks an asset of which a file input is made.
    pub(super) fn asset(&self, id: &str) -> Result<(), InputProblem> {
        let is_allowed = self.known.complete.contains(id) || self.grants.assets.contains(id);
        is_allowed.then_some(()).ok_or_else(|| foreign(id))
    }

    /// Checks a URL.
    pub(super) fn url(&self, url: &str) -> Result<(), InputProblem> {
        self.source(FetchedFrom::of(url))
    }

    fn source(&self, from: FetchedFrom) -> Result<(), InputProblem> {
        match from {
            FetchedFrom::Nowhere => Ok(()),
            FetchedFrom::Host(host) if self.hosts.contains(&host) => Ok(()),
            FetchedFrom::Host(host) => Err(InputProblem::Host(tidy(&host, MAX_SHOWN))),
            FetchedFrom::Unclear => Err(InputProblem::UnclearHost),
        }
    }

    /// Checks a result.
    ///
    /// # Errors
    /// [`StageCause::ResultInput`] with the path of the first problem.
    pub(super) fn check(&self, result: &Value) -> Result<(), StageCause> {
        let mut path = Vec::new();
        self.value(result, &mut path)
            .map_err(|problem| StageCause::ResultInput {
                path: shown(&path),
                problem,
            })
    }

    /// Checks a value. If there is a problem, `path` stays where it is. The reader of JSON bounds the depth.
    fn value<'a>(&self, value: &'a Value, path: &mut Vec<Step<'a>>) -> Result<(), InputProblem> {
        match value {
            Value::Object(fields) => match Named::of(fields) {
                Some(named) => self.file_input(named, path),
                None => self.fields(fields, path),
            },
            Value::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    path.push(Step::At(at));
                    self.value(value, path)?;
                    path.pop();
                }
                Ok(())
            }
            Value::String(text) if self.known.urls.contains(text) => Ok(()),
            Value::String(text) => self.url(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn file_input<'a>(
        &self,
        named: Result<Named<'_>, AssetsError>,
        path: &mut Vec<Step<'a>>,
    ) -> Result<(), InputProblem> {
        if !self.grants.file_inputs {
            return Err(InputProblem::NotGranted);
        }
        let (field, checked) = match named {
            Ok(Named::Asset(id)) => ("asset_id", self.asset(id)),
            Ok(Named::Url(from)) => ("url", self.source(from)),
            Ok(_) => return Ok(()),
            Err(error) => return Err(InputProblem::Invalid(error.to_string())),
        };
        path.push(Step::Field(field));
        checked?;
        path.pop();
        Ok(())
    }

    fn fields<'a>(
        &self,
        fields: &'a Map<String, Value>,
        path: &mut Vec<Step<'a>>,
    ) -> Result<(), InputProblem> {
        for (name, value) in fields {
            path.push(Step::Field(name));
            if is_field(name, "asset_id") {
                self.id(value)?;
            } else if is_field(name, "asset_ids")
                && let Value::Array(ids) = value
            {
                for (at, id) in ids.iter().enumerate() {
                    path.push(Step::At(at));
                    self.id(id)?;
                    path.pop();
                }
            }
            self.value(value, path)?;
            path.pop();
        }
        Ok(())
    }

    /// Checks an id that stands by itself. It may be of an asset that did not become complete, since the service cannot use
    /// that.
    fn id(&self, value: &Value) -> Result<(), InputProblem> {
        match value {
            Value::String(id) if !self.known.created.contains(id) => self.asset(id),
            Value::Number(id) => self.asset(&id.to_string()),
            _ => Ok(()),
        }
    }
}

/// Whether a field has this name, or one that ends in it, such as `image_asset_id`.
fn is_field(name: &str, wanted: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_suffix(wanted)
        .is_some_and(|before| before.is_empty() || before.ends_with('_'))
}

fn foreign(id: &str) -> InputProblem {
    InputProblem::Asset(tidy(id, MAX_SHOWN))
}

/// A step from a value to one within it.
enum Step<'a> {
    Field(&'a str),
    At(usize),
}

/// A path such as `$.files[0].url`.
fn shown(path: &[Step<'_>]) -> String {
    let mut shown = "$".to_owned();
    for step in path {
        // Writing to a string does not fail.
        let _ = match step {
            Step::At(at) => write!(shown, "[{at}]"),
            Step::Field(name) if is_plain(name) => write!(shown, ".{name}"),
            Step::Field(name) => write!(shown, "[\"{}\"]", tidy(name, MAX_SHOWN)),
        };
    }
    tidy(&shown, MAX_PATH)
}

fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.len() <= MAX_SHOWN && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn check(grants: &Grants, result: &Value) -> Result<(), (String, InputProblem)> {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let known = Known {
            created: set(&["ast_open", "ast_own"]),
            complete: set(&["ast_own"]),
            urls: set(&["http://127.0.0.1:1/files/ast_own"]),
        };
        let allowed = Allowed {
            grants,
            hosts: &grants.url_hosts,
            known: &known,
        };
        allowed.check(result).map_err(|cause| match cause {
            StageCause::ResultInput { path, problem } => (path, problem),
            other => (other.to_string(), InputProblem::NotGranted),
        })
    }

    #[test]
    fn what_the_run_made_and_what_is_granted_may_be_named() {
        let grants = Grants::all().url_host("cdn.example").asset("ast_lent");
        for result in [
            json!(null),
            json!({ "prompt": "see https://other.example/ for more", "n": [1, true, "a: b"] }),
            json!({ "files": [
                { "type": "asset_id", "asset_id": "ast_own" },
                { "type": "asset_id", "asset_id": "ast_lent" },
                { "type": "url", "url": "https://cdn.example:8443/a.png" },
                { "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ=" },
            ]}),
            json!({ "asset_id": "ast_open", "url": "http://127.0.0.1:1/files/ast_own", "asset_ids": ["ast_own"] }),
            json!({ "type": "photo", "asset_id": null, "callback_url": "http://cdn.example/a" }),
        ] {
            assert_eq!(check(&grants, &result), Ok(()), "{result}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_path() {
        let grants = Grants::all().url_host("cdn.example").asset("ast_lent");
        let asset = |id: &str| InputProblem::Asset(id.into());
        let host = |host: &str| InputProblem::Host(host.into());
        let url = |url: &str| json!({ "type": "url", "url": url });
        for (result, path, problem) in [
            (
                url("https://evil.example/?d=secret"),
                "$.url",
                host("evil.example"),
            ),
            (
                json!({ "files": [1, { "a b": [url("https://evil.example/")] }] }),
                "$.files[1][\"a b\"][0].url",
                host("evil.example"),
            ),
            (
                url("https://sub.cdn.example/"),
                "$.url",
                host("sub.cdn.example"),
            ),
            (
                url(r"https://cdn.example\@evil.example/"),
                "$.url",
                InputProblem::UnclearHost,
            ),
            (
                json!({ "type": "asset_id", "asset_id": "ast_other" }),
                "$.asset_id",
                asset("ast_other"),
            ),
            (
                json!({ "type": "asset_id", "asset_id": "ast_open" }),
                "$.asset_id",
                asset("ast_open"),
            ),
            (
                json!({ "image_asset_id": "ast_other" }),
                "$.image_asset_id",
                asset("ast_other"),
            ),
            (json!({ "ASSET_ID": 7 }), "$.ASSET_ID", asset("7")),
            (
                json!({ "asset_ids": ["ast_own", "ast_other"] }),
                "$.asset_ids[1]",
                asset("ast_other"),
            ),
            (
                json!({ "callback_url": "http://evil.example" }),
                "$.callback_url",
                host("evil.example"),
            ),
            (
                json!(["//evil.example/a"]),
                "$[0]",
                InputProblem::UnclearHost,
            ),
            (
                json!({ "type": "URL", "url": "https://evil.example" }),
                "$.url",
                host("evil.example"),
            ),
            (json!("https://evil.example"), "$", host("evil.example")),
        ] {
            assert_eq!(
                check(&grants, &result),
                Err((path.to_owned(), problem)),
                "{result}"
            );
        }
        for (result, told) in [
            (json!([{ "type": "url" }]), "url: is missing"),
            (
                json!([{ "type": "base64", "media_type": "video/mp4", "data": "JVBERi0xLjQ=" }]),
                "data: is application/pdf, and `media_type` is video/mp4",
            ),
            (
                json!([{ "type": "asset_id", "asset_id": "ast_own", "url": "https://cdn.example/" }]),
                "type: a file input of type asset_id has no field `url`",
            ),
        ] {
            let problem = InputProblem::Invalid(told.into());
            assert_eq!(check(&grants, &result), Err(("$[0]".into(), problem)));
        }
        let own = json!({ "type": "asset_id", "asset_id": "ast_own" });
        assert_eq!(
            check(&Grants::none().upload(), &own),
            Err(("$".into(), InputProblem::NotGranted))
        );
    }

    #[test]
    fn a_path_is_one_short_line() {
        let name = "\u{1b}[31m".repeat(1_000);
        let result = json!({ "a": { name: { "b": "https://evil.example" } } });
        let (path, _) = check(&Grants::all(), &result).unwrap_err();
        assert!(path.starts_with("$.a[\""), "{path}");
        assert!(
            path.chars().count() <= MAX_PATH && !path.contains('\u{1b}'),
            "{path}"
        );
    }
}
