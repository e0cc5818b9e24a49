//! A stage in the notation of the command line: `[WHEN=]PLUGIN[:key=value,…]`.
//!
//! Values stay text here. The plugin's schema decides which of them are numbers.
//!
//! A comma that is not followed by `key=` belongs to the value before it: `pdf-split:ranges=1-3,5`. A comma before such a
//! text is quoted with single quotes or escaped with a backslash. A shell removes quotes of its own before.

use anyhow::{Context as _, Result, bail, ensure};
use forebay::{ConfigSchema, When};
use serde_json::{Map, Value};

/// A stage as text, before its config is typed.
#[derive(Debug, Clone)]
pub(crate) struct StageArg {
    /// Which files it is for, if not for all.
    pub(crate) when: Option<When>,
    pub(crate) plugin: String,
    pub(crate) options: Vec<(String, String)>,
    /// The texts after a comma that were taken as a part of the value before them, each with that value's key.
    continued: Vec<(String, String)>,
}

impl StageArg {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        // The first colon ends the plugin's name. A path that contains a colon must be written in a pipeline file.
        let (plugin, options) = match text.split_once(':') {
            Some((plugin, options)) => (plugin, options),
            None => (text, ""),
        };
        // What is before an equals sign in it tells the files that the stage is for.
        let (when, plugin) = match plugin.split_once('=') {
            Some((when, plugin)) => {
                let parsed = when.parse::<When>();
                if let (Err(_), Some((name, config))) = (&parsed, without_colon(text)) {
                    bail!("stage `{text}`: config follows a colon: `{name}:{config}`");
                }
                let when = parsed.with_context(|| format!("stage `{text}`"))?;
                (Some(when), plugin)
            }
            None => (None, plugin),
        };
        ensure!(!plugin.is_empty(), "stage `{text}`: the plugin is missing");
        let mut parsed: Vec<(String, String)> = Vec::new();
        let mut continued = Vec::new();
        for option in split(options)? {
            let Some((key, value)) = option.split_once('=') else {
                let Some((key, value)) = parsed.last_mut() else {
                    bail!("stage `{text}`: `{option}` is not of the form key=value");
                };
                value.push(',');
                value.push_str(&option);
                continued.push((key.clone(), option));
                continue;
            };
            ensure!(
                !parsed.iter().any(|(known, _)| known == key),
                "stage `{text}`: `{key}` is given twice"
            );
            parsed.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self {
            when,
            plugin: plugin.to_owned(),
            options: parsed,
            continued,
        })
    }

    /// A workflow or a stage that it is lent: the workflow decides which files they get.
    pub(crate) fn for_all_files(text: &str) -> Result<Self> {
        let arg = Self::parse(text)?;
        if let Some(when) = &arg.when {
            bail!(
                "`{text}`: `{when}=` is only for a stage of -s; a workflow decides itself which files its stages get"
            );
        }
        Ok(arg)
    }

    /// Returns the config, with numbers and booleans where the schema requires them.
    ///
    /// # Errors
    /// If a text without `=` is the name of a field, which was meant to be set, or if a field is unknown because a comma
    /// before it was meant as a part of a value.
    pub(crate) fn config(&self, schema: Option<&ConfigSchema>) -> Result<Value> {
        let plugin = &self.plugin;
        let properties = schema.and_then(|schema| schema.as_json().get("properties"));
        let is_field = |name: &str| properties.is_some_and(|all| all.get(name).is_some());
        for (key, text) in &self.continued {
            ensure!(
                !is_field(text.trim()),
                "stage {plugin}: the field `{text}` has no value: write `{text}=VALUE`; as a part of the value of `{key}` it is \
                 written '{key}=…\\,{text}', in quotes"
            );
        }
        let mut before: Option<&str> = None;
        for (key, value) in &self.options {
            let trimmed = key.trim();
            ensure!(
                trimmed == key || !is_field(trimmed),
                "stage {plugin}: remove the space before `{trimmed}`"
            );
            if let (Some(before), Some(_)) = (before, properties)
                && !is_field(key)
            {
                bail!(
                    "stage {plugin}: there is no field `{key}`{}; as a part of the value of `{before}` it is written \
                     '{before}=…\\,{key}={value}', in quotes",
                    known(properties)
                );
            }
            before = Some(key);
        }
        Ok(self.typed(properties))
    }

    fn typed(&self, properties: Option<&Value>) -> Value {
        let typed = self.options.iter().map(|(key, text)| {
            let property = properties.and_then(|properties| properties.get(key));
            (key.clone(), typed(text, property))
        });
        Value::Object(typed.collect::<Map<_, _>>())
    }
}

/// A plugin's name and its config, if a space stands where the colon is to be.
fn without_colon(text: &str) -> Option<(&str, &str)> {
    let (name, config) = text.split_once(char::is_whitespace)?;
    let is_name = |c: char| c.is_alphanumeric() || "-_./\\".contains(c);
    let config = config.trim_start();
    let key = config.split('=').next().unwrap_or_default();
    let is_key = |c: char| c.is_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(is_name) && key.chars().all(is_key))
        .then_some((name, config))
}

/// The names of the fields, for a message.
fn known(properties: Option<&Value>) -> String {
    let names = properties.and_then(Value::as_object);
    let names: Vec<&str> = names
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    if names.is_empty() {
        "; it takes no config".to_owned()
    } else {
        format!("; it takes {}", names.join(", "))
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
        // `sizes=1,2` is a list as well as `sizes=[1,2]`.
        _ if wanted.contains(&"array") && !wanted.contains(&"string") => {
            let items = property.and_then(|property| property.get("items"));
            text.split(',').map(|item| typed(item, items)).collect()
        }
        _ => Value::String(text.to_owned()),
    }
}

/// Splits at commas that are neither quoted nor escaped, and removes quotes and escapes. Empty parts at the end are left
/// out.
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
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    #[test]
    fn what_stands_before_an_equals_sign_tells_the_files() {
        let stage = StageArg::parse("image/*, >1MB=image-resize:max_width=9").unwrap();
        assert_eq!(stage.when.unwrap().to_string(), "image/*, >1MB");
        assert_eq!(stage.plugin, "image-resize");
        assert_eq!(stage.options, [("max_width".to_owned(), "9".to_owned())]);
        assert!(
            StageArg::parse("image-resize:max_width=9")
                .unwrap()
                .when
                .is_none()
        );
        for (text, problem) in [
            ("images=strip-metadata", "`images` tells no files"),
            ("image/*=", "the plugin is missing"),
            (
                "image-resize max_width=100",
                "config follows a colon: `image-resize:max_width=100`",
            ),
        ] {
            let error = format!("{:#}", StageArg::parse(text).unwrap_err());
            assert!(error.contains(problem), "{error}");
        }
        let error = StageArg::for_all_files("image/*=identity")
            .unwrap_err()
            .to_string();
        assert!(error.contains("is only for a stage of -s"), "{error}");
    }

    #[test]
    fn values_become_what_the_schema_wants() {
        let schema = json!({ "type": "object", "properties": {
            "enlarge": { "type": "boolean" },
            "format": { "type": "string", "enum": ["jpeg", "png"] },
            "max_width": { "type": ["integer", "null"] },
            "ranges": { "type": ["string", "null"] },
            "sizes": { "type": "array", "items": { "type": "integer" } },
        } });
        let schema = ConfigSchema::parse(&schema.to_string()).unwrap();
        let stage =
            StageArg::parse("image-resize:max_width=640,format=jpeg,enlarge=true,ranges='1-3,5'")
                .unwrap();
        assert_eq!(stage.plugin, "image-resize");
        assert_eq!(
            stage.config(Some(&schema)).unwrap(),
            json!({ "max_width": 640, "format": "jpeg", "enlarge": true, "ranges": "1-3,5" })
        );
        for (text, config) in [
            (
                r"p:max_width=null,sizes=[1\,2]",
                json!({ "max_width": null, "sizes": [1, 2] }),
            ),
            ("p:unknown=7", json!({ "unknown": "7" })),
            (
                "p:ranges=7,max_width=wide",
                json!({ "ranges": "7", "max_width": "wide" }),
            ),
            // As a shell passes `ranges='1-3,5,9-'`, without the quotes.
            (
                "p:ranges=1-3,5,9-,max_width=7",
                json!({ "ranges": "1-3,5,9-", "max_width": 7 }),
            ),
            ("p:ranges=1,,3,", json!({ "ranges": "1,,3" })),
            ("p:sizes=[1,2]", json!({ "sizes": [1, 2] })),
            ("p:sizes=1,2", json!({ "sizes": [1, 2] })),
            ("p:sizes=1", json!({ "sizes": [1] })),
        ] {
            let stage = StageArg::parse(text).unwrap();
            assert_eq!(stage.config(Some(&schema)).unwrap(), config, "{text}");
        }
        for (text, problem) in [
            (
                "p:ranges=1-3,enlarge",
                r"stage p: the field `enlarge` has no value: write `enlarge=VALUE`; as a part of the value of `ranges` it is written 'ranges=…\,enlarge', in quotes",
            ),
            (
                "p:ranges=1, max_width=9",
                "stage p: remove the space before `max_width`",
            ),
            (
                "p: enlarge=true",
                "stage p: remove the space before `enlarge`",
            ),
            (
                "p:ranges=a,b=c",
                r"stage p: there is no field `b`; it takes enlarge, format, max_width, ranges, sizes; as a part of the value of `ranges` it is written 'ranges=…\,b=c', in quotes",
            ),
        ] {
            let error = StageArg::parse(text).unwrap().config(Some(&schema));
            assert_eq!(error.unwrap_err().to_string(), problem);
        }
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
        for text in ["", ":a=1", "p:a", "p:,5", "p:a=1,a=2", "p:a='1", r"p:a=1\"] {
            assert!(StageArg::parse(text).is_err(), "{text}");
        }
    }
}
