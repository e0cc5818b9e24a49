//! A stage in the notation of the command line: `PLUGIN[:key=value,…]`.
//!
//! Values stay text here. The plugin's schema decides which of them are numbers. A comma or a colon within a value is
//! quoted with single quotes or escaped with a backslash.

use anyhow::{Result, bail, ensure};
use forebay::ConfigSchema;
use serde_json::{Map, Value};

/// A stage as text, before its config is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageArg {
    pub(crate) plugin: String,
    pub(crate) options: Vec<(String, String)>,
}

impl StageArg {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        // The first colon ends the plugin's name. A path that contains a colon must be written in a pipeline file.
        let (plugin, options) = match text.split_once(':') {
            Some((plugin, options)) => (plugin, options),
            None => (text, ""),
        };
        ensure!(!plugin.is_empty(), "stage `{text}`: the plugin is missing");
        let mut parsed: Vec<(String, String)> = Vec::new();
        for option in split(options)? {
            let Some((key, value)) = option.split_once('=') else {
                bail!("stage `{text}`: `{option}` is not of the form key=value");
            };
            ensure!(
                !parsed.iter().any(|(known, _)| known == key),
                "stage `{text}`: `{key}` is given twice"
            );
            parsed.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self {
            plugin: plugin.to_owned(),
            options: parsed,
        })
    }

    /// Returns the config, with numbers and booleans where the schema requires them.
    pub(crate) fn config(&self, schema: Option<&ConfigSchema>) -> Value {
        let properties = schema.and_then(|schema| schema.as_json().get("properties"));
        let typed = self.options.iter().map(|(key, text)| {
            let property = properties.and_then(|properties| properties.get(key));
            (key.clone(), typed(text, property))
        });
        Value::Object(typed.collect::<Map<_, _>>())
    }
}

/// Parses a value as the first type of its property that it fits. A value that fits none stays text. The schema then
/// refuses it and names the field.
fn typed(text: &str, property: Option<&Value>) -> Value {
    let wanted: Vec<&str> = match property.and_then(|property| property.get("type")) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    match parsed {
        Some(number @ Value::Number(_))
            if wanted.iter().any(|t| matches!(*t, "integer" | "number")) =>
        {
            number
        }
        Some(switch @ Value::Bool(_)) if wanted.contains(&"boolean") => switch,
        Some(list @ (Value::Array(_) | Value::Object(_))) if !wanted.contains(&"string") => list,
        Some(null @ Value::Null) if wanted.contains(&"null") => null,
        _ => Value::String(text.to_owned()),
    }
}

/// Splits at commas that are neither quoted nor escaped, and removes quotes and escapes.
fn split(text: &str) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => quoted = !quoted,
            '\\' if !quoted => match characters.next() {
                Some(escaped) => part.push(escaped),
                None => bail!("`{text}` ends in a backslash"),
            },
            ',' if !quoted => parts.push(std::mem::take(&mut part)),
            _ => part.push(character),
        }
    }
    ensure!(!quoted, "`{text}`: a quote is not closed");
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_what_the_schema_wants() {
        let schema = json!({ "type": "object", "properties": {
            "max_width": { "type": ["integer", "null"] },
            "format": { "type": "string", "enum": ["jpeg", "png"] },
            "enlarge": { "type": "boolean" },
            "ranges": { "type": ["string", "null"] },
            "sizes": { "type": "array", "items": { "type": "integer" } },
        } });
        let schema = ConfigSchema::parse(&schema.to_string()).unwrap();
        let stage =
            StageArg::parse("image-resize:max_width=640,format=jpeg,enlarge=true,ranges='1-3,5'")
                .unwrap();
        assert_eq!(stage.plugin, "image-resize");
        assert_eq!(
            stage.config(Some(&schema)),
            json!({ "max_width": 640, "format": "jpeg", "enlarge": true, "ranges": "1-3,5" })
        );
        let stage = StageArg::parse(r"p:max_width=null,sizes=[1\,2],unknown=7").unwrap();
        assert_eq!(
            stage.config(Some(&schema)),
            json!({ "max_width": null, "sizes": [1, 2], "unknown": "7" })
        );
        let digits = StageArg::parse("p:ranges=7,max_width=wide").unwrap();
        assert_eq!(
            digits.config(Some(&schema)),
            json!({ "ranges": "7", "max_width": "wide" })
        );
    }

    #[test]
    fn commas_are_quoted_or_escaped() {
        let options = |text| StageArg::parse(text).unwrap().options;
        let one = vec![("a".to_owned(), "1,2".to_owned())];
        assert_eq!(options(r"p:a=1\,2"), one);
        assert_eq!(options("p:a='1,2'"), one);
        assert_eq!(options("p:a=x:y=z"), [("a".to_owned(), "x:y=z".to_owned())]);
        assert_eq!(options("./p.wasm"), []);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in ["", ":a=1", "p:a", "p:a=1,a=2", "p:a='1", r"p:a=1\"] {
            assert!(StageArg::parse(text).is_err(), "{text}");
        }
    }
}
