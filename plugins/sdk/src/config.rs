//! The schema of a config type, in the subset of JSON Schema that hosts accept.
//!
//! schemars writes more of JSON Schema than [`forebay_config_schema`] supports. Parts that the subset can express in
//! another way are converted here:
//! - types are written inline where they are used, not as references;
//! - an enum of unit variants becomes a string with choices, and the docs of the variants go into the description;
//! - an enum of structs with a tag (`#[serde(tag = "…")]`) becomes one object: the tag is a string with choices, and a
//!   field that not every variant has is optional. The host then accepts some configs that fit no variant. serde
//!   refuses those when the plugin reads its config.
//! - an `Option` accepts `null`, whichever form schemars uses for it;
//! - examples, `deprecated`, and the `format` of texts are removed, because no host checks them.

use forebay_config_schema::{ConfigSchema, SchemaError};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// Keywords that inform a reader and do not affect validation.
const ANNOTATIONS: [&str; 4] = ["title", "description", "default", "format"];

/// The schema of a config type, as the plugin's descriptor contains it.
///
/// Call it in a unit test of the plugin. A type that cannot be described then fails in the test, and not only when a
/// host loads the plugin.
///
/// ```
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Config {}
/// # fn main() {
/// // In a function with `#[test]`:
/// forebay_plugin::config_schema::<Config>().unwrap();
/// # }
/// ```
///
/// # Errors
/// The field that the subset cannot describe, and why.
pub fn config_schema<C: JsonSchema>() -> Result<ConfigSchema, SchemaError> {
    let (schema, told) = derive::<C>();
    told?;
    ConfigSchema::parse(&schema.to_string())
}

/// The text that goes into the descriptor. If the config cannot be described, a host refuses to load the plugin and
/// says why.
pub fn schema_text<C: JsonSchema>() -> String {
    derive::<C>().0.to_string()
}

/// The schema that schemars writes, converted to the subset as far as possible.
fn derive<C: JsonSchema>() -> (Value, Result<(), SchemaError>) {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<C>()
        .to_value();
    let told = simplify(&mut schema);
    (schema, told)
}

/// Converts a schema to the subset, the innermost parts first. The error says why the first field does not fit. The
/// other fields are converted even if there is an error.
fn simplify(schema: &mut Value) -> Result<(), SchemaError> {
    let Value::Object(schema) = schema else {
        return Ok(());
    };
    let mut told = Ok(());
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            told = told.and(simplify(property).map_err(|error| within(name, error)));
        }
    }
    if let Some(items) = schema.get_mut("items") {
        told = told.and(simplify(items).map_err(|error| within("[]", error)));
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(Value::Array(alternatives)) = schema.get_mut(key) {
            for alternative in alternatives {
                told = told.and(simplify(alternative));
            }
        }
    }
    for annotation in ["examples", "deprecated", "readOnly", "writeOnly"] {
        schema.remove(annotation);
    }
    // The format of a text is checked only by the type that reads it.
    let of = schema.get("type");
    if of.is_some_and(|of| *of == "string" || *of == json!(["string", "null"])) {
        schema.remove("format");
    }
    for key in ["oneOf", "anyOf"] {
        // Next to a type or properties, as for a flattened enum, the alternatives are only part of the requirements.
        let alone = schema
            .keys()
            .all(|other| other == key || ANNOTATIONS.contains(&other.as_str()));
        if !alone {
            continue;
        }
        let Some(Value::Array(alternatives)) = schema.get(key) else {
            continue;
        };
        match join(alternatives) {
            Ok(Some(joined)) => {
                schema.remove(key);
                lay_under(schema, joined);
            }
            Ok(None) => {}
            Err(error) => told = told.and(Err(error)),
        }
    }
    if let Some(unevaluated @ Value::Bool(_)) = schema.get("unevaluatedProperties").cloned()
        && !schema.contains_key("oneOf")
        && !schema.contains_key("anyOf")
    {
        schema.remove("unevaluatedProperties");
        schema.insert("additionalProperties".into(), unevaluated);
    }
    told
}

/// Joins alternatives into one schema, if the subset has one for them.
fn join(alternatives: &[Value]) -> Result<Option<Object>, SchemaError> {
    let is_null = |one: &&Value| one.get("type") == Some(&json!("null"));
    let nullable = alternatives.iter().any(|one| is_null(&one));
    let others: Option<Vec<&Object>> = alternatives
        .iter()
        .filter(|one| !is_null(one))
        .map(Value::as_object)
        .collect();
    let joined = match others.as_deref() {
        None | Some([]) => None,
        Some([only]) => Some((*only).clone()),
        Some(several) => match choices(several) {
            Some(joined) => Some(joined),
            None => variants(several)?,
        },
    };
    Ok(match joined {
        Some(joined) if nullable => or_null(joined),
        joined => joined,
    })
}

/// An enum of unit variants: each alternative is one text, or a list of texts.
fn choices(alternatives: &[&Object]) -> Option<Object> {
    let (mut all, mut about) = (Vec::new(), Vec::new());
    for alternative in alternatives {
        let others = ["type", "enum", "const", "title", "description"];
        if alternative
            .keys()
            .any(|key| !others.contains(&key.as_str()))
        {
            return None;
        }
        let listed = match (alternative.get("enum"), alternative.get("const")) {
            (Some(Value::Array(listed)), None) => listed.as_slice(),
            (None, Some(one)) => std::slice::from_ref(one),
            _ => return None,
        };
        if !listed.iter().all(Value::is_string) {
            return None;
        }
        if let ([Value::String(name)], Some(docs)) = (listed, docs(alternative)) {
            about.push(format!("`{name}`: {docs}"));
        }
        all.extend_from_slice(listed);
    }
    let mut joined = Object::new();
    joined.insert("type".into(), "string".into());
    joined.insert("enum".into(), all.into());
    describe(&mut joined, about);
    Some(joined)
}

/// An enum of structs with a tag, which is a field that each of them has, with a different text in each.
fn variants(alternatives: &[&Object]) -> Result<Option<Object>, SchemaError> {
    let Some(tag) = tag(alternatives) else {
        return Ok(None);
    };
    let (mut names, mut about) = (Vec::new(), Vec::new());
    let mut properties = Object::new();
    let mut required: Option<Vec<Value>> = None;
    let mut closed = true;
    for alternative in alternatives {
        let Some(Value::Object(own)) = alternative.get("properties") else {
            return Ok(None);
        };
        for (name, property) in own {
            if *name == tag {
                let one = property.get("const").and_then(Value::as_str);
                let one = one.unwrap_or_default();
                if let Some(docs) = docs(alternative) {
                    about.push(format!("`{one}`: {docs}"));
                }
                names.push(Value::from(one));
                continue;
            }
            match properties.get_mut(name) {
                None => {
                    properties.insert(name.clone(), property.clone());
                }
                Some(known) => {
                    if !merge(known, property) {
                        return Err(SchemaError {
                            place: name.clone(),
                            problem: format!(
                                "the variants of an enum that `{tag}` tells apart have different types for this field; the language of config schemas has one type for a field"
                            ),
                        });
                    }
                }
            }
        }
        let needed = alternative.get("required").and_then(Value::as_array);
        let needed = needed.map(Vec::as_slice).unwrap_or_default();
        match &mut required {
            None => required = Some(needed.to_vec()),
            Some(required) => required.retain(|name| needed.contains(name)),
        }
        closed &= alternative.get("additionalProperties") == Some(&json!(false));
    }
    let mut choice = Object::new();
    choice.insert("type".into(), "string".into());
    choice.insert("enum".into(), names.into());
    describe(&mut choice, about);
    properties.insert(tag, choice.into());

    let mut joined = Object::new();
    joined.insert("type".into(), "object".into());
    joined.insert("properties".into(), properties.into());
    joined.insert("required".into(), required.unwrap_or_default().into());
    if closed {
        joined.insert("additionalProperties".into(), false.into());
    }
    Ok(Some(joined))
}

/// The field whose text is different in each alternative.
fn tag(alternatives: &[&Object]) -> Option<String> {
    let tells = |name: &str| {
        alternatives.iter().all(|alternative| {
            let property = alternative.get("properties").and_then(|all| all.get(name));
            let required = alternative.get("required").and_then(Value::as_array);
            property.is_some_and(|property| property.get("const").is_some_and(Value::is_string))
                && required.is_some_and(|required| required.contains(&json!(name)))
                && alternative.get("type") == Some(&json!("object"))
        })
    };
    let first = alternatives.first()?.get("properties")?.as_object()?;
    first.keys().find(|name| tells(name)).cloned()
}

/// Merges two schemas of one field, which may differ in their annotations. Returns whether they could be merged.
fn merge(known: &mut Value, other: &Value) -> bool {
    let bare = |schema: &Value| {
        let mut schema = schema.clone();
        if let Value::Object(schema) = &mut schema {
            schema.retain(|key, _| !ANNOTATIONS.contains(&key.as_str()));
        }
        schema
    };
    if bare(known) != bare(other) {
        return false;
    }
    if let (Value::Object(known), Value::Object(other)) = (known, other) {
        if let Some(about) = docs(other)
            && !docs(known).is_some_and(|known| known.lines().any(|line| line == about))
        {
            let about = about.to_owned();
            describe(known, vec![about]);
        }
        for key in ["title", "default", "format"] {
            if known.get(key) != other.get(key) {
                known.remove(key);
            }
        }
    }
    true
}

/// A schema that also accepts `null`.
fn or_null(mut schema: Object) -> Option<Object> {
    let Some(Value::String(of)) = schema.get("type") else {
        // It accepts null already.
        return schema.contains_key("type").then_some(schema);
    };
    let types = json!([of, "null"]);
    schema.insert("type".into(), types);
    if let Some(one) = schema.remove("const") {
        schema.insert("enum".into(), json!([one]));
    }
    if let Some(Value::Array(choices)) = schema.get_mut("enum") {
        choices.push(Value::Null);
    }
    Some(schema)
}

/// Adds the keys that a schema does not have itself. Descriptions are joined.
fn lay_under(schema: &mut Object, mut joined: Object) {
    if let Some(Value::String(about)) = joined.remove("description") {
        describe(schema, vec![about]);
    }
    for (key, value) in joined {
        schema.entry(key).or_insert(value);
    }
}

fn docs(schema: &Object) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

/// Adds lines to a description.
fn describe(schema: &mut Object, mut lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    if let Some(own) = docs(schema) {
        lines.insert(0, own.to_owned());
    }
    schema.insert("description".into(), lines.join("\n").into());
}

fn within(name: &str, error: SchemaError) -> SchemaError {
    let place = if error.place.is_empty() {
        name.to_owned()
    } else {
        format!("{name}/{}", error.place)
    };
    SchemaError { place, ..error }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        dead_code,
        reason = "tests"
    )]

    use std::collections::BTreeMap;
    use std::num::NonZeroU32;

    use serde::{Deserialize, Serialize};

    use super::*;

    /// How a picture fits.
    #[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Fit {
        /// Inside of it.
        #[default]
        Inside,
        /// All of it.
        Cover,
        Exact,
    }

    #[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Plain {
        #[default]
        One,
        Two,
    }

    #[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Nested {
        /// A list.
        #[schemars(length(max = 3), inner(length(min = 1)))]
        names: Vec<String>,
        share: f32,
    }

    /// Everything that the language has.
    #[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Everything {
        /// In pixels.
        #[schemars(range(min = 1, max = 10))]
        width: Option<u32>,
        pages: Option<NonZeroU32>,
        /// The fit.
        fit: Fit,
        /// Another fit.
        other: Option<Fit>,
        plain: Plain,
        maybe: Option<Plain>,
        nested: Nested,
        deeper: Option<Nested>,
        #[schemars(example = true, extend("deprecated" = true))]
        on: bool,
        letter: Option<char>,
        address: Option<std::net::Ipv4Addr>,
    }

    #[test]
    fn a_type_is_written_in_the_language() {
        let schema = config_schema::<Everything>().unwrap();
        let about = "`inside`: Inside of it.\n`cover`: All of it.";
        let nested = json!({
            "names": {
                "type": "array", "description": "A list.", "default": [], "maxItems": 3,
                "items": { "type": "string", "minLength": 1 },
            },
            "share": { "type": "number", "format": "float", "default": 0.0 },
        });
        assert_eq!(
            schema.as_json(),
            &json!({
                "type": "object",
                "title": "Everything",
                "description": "Everything that the language has.",
                "additionalProperties": false,
                "properties": {
                    "width": {
                        "type": ["integer", "null"], "format": "uint32", "description": "In pixels.",
                        "minimum": 1, "maximum": 10, "default": null,
                    },
                    "pages": { "type": ["integer", "null"], "format": "uint32", "minimum": 1, "default": null },
                    "fit": {
                        "type": "string", "enum": ["exact", "inside", "cover"], "default": "inside",
                        "description": format!("The fit.\n{about}"),
                    },
                    "other": {
                        "type": ["string", "null"], "enum": ["exact", "inside", "cover", null], "default": null,
                        "description": format!("Another fit.\nHow a picture fits.\n{about}"),
                    },
                    "plain": { "type": "string", "enum": ["one", "two"], "default": "one" },
                    "maybe": { "type": ["string", "null"], "enum": ["one", "two", null], "default": null },
                    "nested": {
                        "type": "object", "additionalProperties": false, "properties": nested,
                        "default": { "names": [], "share": 0.0 },
                    },
                    "deeper": {
                        "type": ["object", "null"], "additionalProperties": false, "properties": nested,
                        "default": null,
                    },
                    "on": { "type": "boolean", "default": false },
                    "address": { "type": ["string", "null"], "default": null },
                    "letter": { "type": ["string", "null"], "minLength": 1, "maxLength": 1, "default": null },
                },
            })
        );
        assert_eq!(schema_text::<Everything>(), schema.as_json().to_string());
        let default = serde_json::to_value(Everything::default()).unwrap();
        schema.check(&default).unwrap();
        schema.check(&json!({})).unwrap();
        let wrong = json!({ "nested": { "names": ["a", ""] } });
        let error = schema.check(&wrong).unwrap_err();
        assert_eq!(error.field, "nested.names.1");
    }

    /// What to do.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
    enum Tagged {
        /// Turn.
        Turn {
            /// How often.
            times: u32,
            fit: Fit,
        },
        /// Copy.
        Copy {
            /// How many.
            times: u64,
            fit: Fit,
            to: Option<String>,
        },
        Nothing {
            fit: Fit,
        },
        /// Stop.
        Stop,
    }

    #[test]
    fn variants_become_one_object() {
        let schema = config_schema::<Tagged>().unwrap();
        let json = schema.as_json();
        assert_eq!(json["required"], json!(["do"]));
        assert_eq!(json["additionalProperties"], json!(false));
        assert_eq!(json["description"], json!("What to do."));
        assert_eq!(
            json["properties"]["do"],
            json!({
                "type": "string", "enum": ["turn", "copy", "nothing", "stop"],
                "description": "`turn`: Turn.\n`copy`: Copy.\n`stop`: Stop.",
            })
        );
        assert_eq!(
            json["properties"]["times"],
            json!({ "type": "integer", "minimum": 0, "description": "How often.\nHow many." })
        );
        assert_eq!(json["properties"]["fit"]["type"], json!("string"));
        for fits in [
            json!({ "do": "stop" }),
            json!({ "do": "copy", "times": 1, "fit": "inside", "to": null }),
        ] {
            schema.check(&fits).unwrap();
            serde_json::from_value::<Tagged>(fits).unwrap();
        }
        assert!(schema.check(&json!({ "do": "fly" })).is_err());
        assert!(schema.check(&json!({ "times": 1 })).is_err());
        assert!(schema.check(&json!({ "do": "stop", "how": 1 })).is_err());
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Map {
        inner: Inner,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Inner {
        by_name: BTreeMap<String, u32>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Matching {
        #[schemars(regex(pattern = "^a+$"))]
        text: String,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Recursive {
        next: Option<Box<Recursive>>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Either {
        /// One or the other.
        either: Untagged,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(untagged)]
    enum Untagged {
        Count(u32),
        Name(String),
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Several {
        steps: Vec<Differing>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(tag = "do")]
    enum Differing {
        Turn { by: u32 },
        Name { by: String },
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Anything {
        value: Value,
    }

    #[test]
    fn a_type_that_cannot_be_described_is_told_with_its_field() {
        fn refused<C: JsonSchema>() -> String {
            // A host also refuses this schema.
            assert!(ConfigSchema::parse(&schema_text::<C>()).is_err());
            config_schema::<C>().unwrap_err().to_string()
        }
        let map = refused::<Map>();
        assert_eq!(
            map,
            "inner/by_name: `additionalProperties` takes only true and false"
        );
        let pattern = refused::<Matching>();
        assert!(
            pattern.starts_with("text: the keyword `pattern` is not part of"),
            "{pattern}"
        );
        let recursive = refused::<Recursive>();
        assert!(recursive.starts_with("next: the keyword `"), "{recursive}");
        let either = refused::<Either>();
        assert!(
            either.starts_with("either: the keyword `anyOf` is not part of"),
            "{either}"
        );
        let differing = refused::<Several>();
        assert!(
            differing.starts_with("steps/[]/by: the variants of an enum that `do`"),
            "{differing}"
        );
        let anything = refused::<Anything>();
        assert!(anything.starts_with("value: "), "{anything}");
        assert!(refused::<u32>().contains("must be an object"));
    }

    #[test]
    fn no_config_is_an_empty_object() {
        let schema = config_schema::<crate::NoConfig>().unwrap();
        schema.check(&json!({})).unwrap();
        let error = schema.check(&json!({ "a": 1 })).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no field `a`; this plugin takes none"
        );
    }
}
