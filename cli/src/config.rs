//! Describes a plugin's config for a person, according to its schema.

use forebay::ConfigSchema;
use serde_json::Value;

use crate::plain::one_line;
use crate::wrap::wrap;

/// Prints the fields of a config.
pub(crate) fn tell(schema: Option<&ConfigSchema>) {
    let fields = schema.map_or_else(Vec::new, |schema| fields(schema.as_json()));
    if fields.is_empty() {
        say!("\nconfig    none");
        return;
    }
    say!("\nconfig");
    let about = schema
        .and_then(|schema| schema.as_json().get("description"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    // The text is the plugin's own, and is indented so that it cannot look like a line of this program.
    for line in wrap(&one_line(&about.replace('\n', " ")), 96) {
        say!("  {line}");
    }
    for field in fields {
        say!("  {} = {}", field.name, field.takes);
        for line in wrap(&field.about, 96) {
            say!("      {line}");
        }
    }
}

struct Field {
    name: String,
    takes: String,
    about: String,
}

/// The fields of a config.
fn fields(schema: &Value) -> Vec<Field> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let text = |key: &str| {
                property
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let default = match property.get("default") {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) if text.is_empty() => String::new(),
                // Text of several lines would look like lines of this program.
                Some(Value::String(text)) if !text.contains(['\n', '\t']) => {
                    format!(", {text} unless set")
                }
                Some(other) => format!(", {other} unless set"),
            };
            Field {
                name: one_line(name).into_owned(),
                takes: one_line(&(takes(property) + &default)).into_owned(),
                about: one_line(&text("description").replace('\n', " ")).into_owned(),
            }
        })
        .collect()
}

/// The values that a field takes: its choices, or its type and range.
fn takes(property: &Value) -> String {
    if let Some(only) = property.get("const").and_then(Value::as_str) {
        return only.to_owned();
    }
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        return choices.join(" | ");
    }
    let kind = match property.get("type") {
        Some(Value::Array(several)) => several.iter().find(|one| *one != "null"),
        one => one,
    };
    let mut told = match (kind.and_then(Value::as_str), property.get("items")) {
        (Some("array"), Some(items)) => format!("list of {}", takes(items)),
        (kind, _) => kind.unwrap_or_default().to_owned(),
    };
    for (keyword, words) in [
        ("minimum", "from"),
        ("exclusiveMinimum", "over"),
        (
            "maximum",
            if property.get("minimum").is_some() {
                "to"
            } else {
                "up to"
            },
        ),
        ("exclusiveMaximum", "under"),
    ] {
        if let Some(bound) = property.get(keyword) {
            told.push_str(&format!(" {words} {bound}"));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::indexing_slicing, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_told_in_a_line() {
        for (property, told) in [
            (json!({ "type": "boolean" }), "boolean"),
            (
                json!({ "type": "integer", "minimum": 1, "maximum": 9 }),
                "integer from 1 to 9",
            ),
            (
                json!({ "type": ["integer", "null"], "maximum": 9 }),
                "integer up to 9",
            ),
            (
                json!({ "type": ["null", "number"], "minimum": 1 }),
                "number from 1",
            ),
            (
                json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }),
                "number over 0 under 1",
            ),
            (json!({ "type": "string", "enum": ["a", "b"] }), "a | b"),
            (
                json!({ "type": ["string", "null"], "enum": ["a", null] }),
                "a",
            ),
            (json!({ "type": "string", "const": "a" }), "a"),
            (
                json!({ "type": "array", "items": { "type": "string" } }),
                "list of string",
            ),
        ] {
            assert_eq!(takes(&property), told, "{property}");
        }
        let forged = json!({ "properties": {
            "a": { "type": "string", "default": "b\n\nwhat it asks for", "description": "c\nd" },
            "q = integer\n\nwhat it asks for\n  nothing\u{2028}": { "type": "string", "enum": ["e\u{9b}1m\n"] },
        } });
        let fields = fields(&forged);
        let [first, second] = &fields[..] else {
            panic!("{}", fields.len());
        };
        assert_eq!(first.takes, r#"string, "b\n\nwhat it asks for" unless set"#);
        assert_eq!(first.about, "c d");
        assert_eq!(
            second.name,
            r"q = integer\n\nwhat it asks for\n  nothing\u{2028}"
        );
        assert_eq!(second.takes, r"e\u{9b}1m\n");
    }
}
