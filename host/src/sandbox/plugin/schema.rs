//! The schema of a plugin's config: a stranger's text that decides what configs are checked against.
//!
//! Promise: a schema that was taken can be shown to a person, reaches nothing outside itself, and checks a config in time
//! that is in proportion to its length. It refers only to parts of itself, never in a circle, and unfolds to no more than
//! [`MOST_PARTS`] parts.

use std::collections::HashMap;

use serde_json::Value;

use forebay_core::text::is_plain;

/// Longest schema that is taken, in bytes.
const MAX_TEXT: usize = 32 * 1024;

/// Parts of a schema, with each reference replaced by what it refers to. The largest of a bundled plugin has under 200.
const MOST_PARTS: u64 = 10_000;

/// Reads a schema; none, where the text is empty.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(text: &str) -> Result<Option<Value>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MAX_TEXT {
        return Err(format!(
            "has {} bytes, at most {MAX_TEXT} are taken",
            text.len()
        ));
    }
    let schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    check_texts(&schema)?;
    let parts = Unfolding {
        schema: &schema,
        known: HashMap::new(),
    }
    .parts(&schema)?;
    if parts > MOST_PARTS {
        return Err(format!("unfolds to more than {MOST_PARTS} parts"));
    }
    jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    Ok(Some(schema))
}

/// Descriptions may have several lines; nothing else may move the cursor.
fn check_texts(value: &Value) -> Result<(), String> {
    let plain = |text: &str| {
        if text
            .chars()
            .all(|c| is_plain(c) || matches!(c, '\n' | '\t'))
        {
            Ok(())
        } else {
            Err("holds control characters".to_owned())
        }
    };
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().try_for_each(check_texts),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            plain(name)?;
            check_texts(value)
        }),
        _ => Ok(()),
    }
}

/// Counts parts without unfolding them.
struct Unfolding<'a> {
    schema: &'a Value,
    /// By reference; `None` while it is being counted.
    known: HashMap<&'a str, Option<u64>>,
}

impl<'a> Unfolding<'a> {
    fn parts(&mut self, value: &'a Value) -> Result<u64, String> {
        let mut sum: u64 = 1;
        match value {
            Value::Array(items) => {
                for item in items {
                    sum = sum.saturating_add(self.parts(item)?);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    let parts = match (name.as_str(), value) {
                        ("$ref", Value::String(reference)) => self.referred(reference)?,
                        // These are looked up by rules of their own, which need not end.
                        ("$dynamicRef" | "$recursiveRef", _) => {
                            return Err(format!("`{name}` is not taken"));
                        }
                        _ => self.parts(value)?,
                    };
                    sum = sum.saturating_add(parts);
                }
            }
            _ => {}
        }
        Ok(sum)
    }

    fn referred(&mut self, reference: &'a str) -> Result<u64, String> {
        match self.known.get(reference) {
            Some(Some(parts)) => return Ok(*parts),
            Some(None) => return Err(format!("`$ref` to `{reference}` refers to itself")),
            None => {}
        }
        let target = reference
            .strip_prefix('#')
            .and_then(|pointer| self.schema.pointer(pointer))
            .ok_or_else(|| format!("`$ref` to `{reference}`, which is no part of the schema"))?;
        self.known.insert(reference, None);
        let parts = self.parts(target)?;
        self.known.insert(reference, Some(parts));
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_schema_refers_to_is_bounded() {
        let refused = |schema: Value| read(&schema.to_string()).unwrap_err();
        let doubling: serde_json::Map<String, Value> = (0..40)
            .map(|at| {
                let next = json!({ "$ref": format!("#/$defs/{}", at + 1) });
                (at.to_string(), json!({ "allOf": [next, next] }))
            })
            .chain([("40".to_owned(), json!({ "type": "object" }))])
            .collect();
        let doubling = json!({ "$defs": doubling, "$ref": "#/$defs/0" });
        assert_eq!(refused(doubling), "unfolds to more than 10000 parts");
        assert!(refused(json!({ "properties": { "a": { "$ref": "#" } } })).contains("itself"));
        assert!(refused(json!({ "$ref": "http://localhost/schema" })).contains("no part of"));
        assert!(refused(json!({ "$dynamicRef": "#a" })).contains("not taken"));
        assert!(refused(json!({ "title": "\u{1b}[2J" })).contains("control"));
        let shared = json!({
            "$defs": { "size": { "type": "integer", "description": "in\npixels" } },
            "properties": { "width": { "$ref": "#/$defs/size" }, "height": { "$ref": "#/$defs/size" } },
        });
        assert_eq!(read(&shared.to_string()).unwrap(), Some(shared));
        assert_eq!(read("").unwrap(), None);
    }
}
