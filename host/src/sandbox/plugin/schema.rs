//! The schema of a plugin's config: a stranger's text that decides what configs are checked against.
//!
//! Promise: a schema that was taken is in the small language of [`forebay_config_schema`], and can be shown to a person.

use forebay_config_schema::ConfigSchema;
use serde_json::Value;

use forebay_core::text::is_plain;

/// Reads a schema; none, where the text is empty.
///
/// # Errors
/// The place and the problem, in words.
pub(super) fn read(text: &str) -> Result<Option<ConfigSchema>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let schema = ConfigSchema::parse(text).map_err(|error| error.to_string())?;
    check_texts(schema.as_json())?;
    Ok(Some(schema))
}

/// Descriptions and defaults may have several lines; nothing else may move the cursor.
fn check_texts(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => {
            let plain = |c| is_plain(c) || matches!(c, '\n' | '\t');
            if text.chars().all(plain) {
                Ok(())
            } else {
                Err("holds control characters".to_owned())
            }
        }
        Value::Array(items) => items.iter().try_for_each(check_texts),
        // The language itself refuses keys that are not plain, but for those within a default.
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            if !name.chars().all(is_plain) {
                return Err("holds control characters".to_owned());
            }
            check_texts(value)
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_in_the_language_and_can_be_shown() {
        let refused = |schema: Value| read(&schema.to_string()).unwrap_err();
        let with = |property: Value| json!({ "type": "object", "properties": { "a": property } });
        assert_eq!(
            refused(with(json!({ "type": "string", "pattern": "a+" }))),
            "a: the keyword `pattern` is not part of the language of config schemas; see `config-schema` in wit/types.wit"
        );
        for hidden in [
            with(json!({ "type": "string", "title": "\u{1b}[2J" })),
            with(json!({ "type": "string", "description": "\u{202e}" })),
            with(json!({ "type": "string", "default": "\u{9b}2J" })),
            with(json!({ "type": "object", "default": { "line\nbreak": 1 } })),
        ] {
            assert_eq!(refused(hidden), "holds control characters");
        }
        let lines = with(json!({ "type": "integer", "description": "in\npixels" }));
        assert_eq!(read(&lines.to_string()).unwrap().unwrap().as_json(), &lines);
        assert_eq!(read("").unwrap(), None);
    }
}
