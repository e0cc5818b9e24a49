//! Failures in `--json` and in reports: as text, and in parts.

use forebay::{Error, Failure, Report};
use serde_json::{Value, json};

/// A job's report, with the input as it was named and its failures in parts.
pub(crate) fn entry(shown: &str, report: &Report, errors: &[Error]) -> Value {
    let mut entry = serde_json::to_value(report).unwrap_or_default();
    if let Some(entry) = entry.as_object_mut() {
        entry.insert("input".into(), shown.into());
        entry.insert("errors".into(), parts(errors));
    }
    entry
}

/// The entry of an input that no job was started for.
pub(crate) fn not_started(shown: &str, failure: &Failure) -> Value {
    json!({ "input": shown, "files": [], "failures": [failure.message], "errors": [failure] })
}

/// The errors of a job in parts.
pub(crate) fn parts(errors: &[Error]) -> Value {
    errors
        .iter()
        .map(|error| json!(Failure::from(error)))
        .collect()
}
