//! Reads a schema, and refuses what is not in the language.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use crate::node::{Bound, Choices, Count, Kind, List, Node, Object, Range, Text};
use crate::number::Exact;
use crate::{
    MOST_CHOICES, MOST_DEPTH, MOST_PROPERTIES, MOST_TEXT, SchemaError, check, duplicates, shown,
};

/// Longest name of a property, in bytes.
const MOST_NAME: usize = 64;

/// Reads a schema. Returns its JSON, and the tree that configs are checked against.
pub(crate) fn read(text: &str) -> Result<(Value, Object), SchemaError> {
    if text.len() > MOST_TEXT {
        let bytes = text.len();
        return Err(here(format!(
            "has {bytes} bytes, at most {MOST_TEXT} are taken"
        )));
    }
    let no_json = |error: serde_json::Error| here(shown::text(&error.to_string()));
    // The parser fails beyond a depth of 128.
    let json: Value = serde_json::from_str(text).map_err(no_json)?;
    duplicates::refuse(text).map_err(no_json)?;
    let mut reader = Reader::default();
    let root = reader.node(&json, 0)?;
    match root.kind {
        Kind::Object(object) if !root.nullable => Ok((json, object)),
        _ => Err(here(
            "the config must be an object: `\"type\": \"object\"`".into(),
        )),
    }
}

/// A type of JSON Schema. `null` is not among them, because it is only accepted together with another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Object,
    String,
    Integer,
    Number,
    Boolean,
    Array,
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "array" => Self::Array,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
        }
    }
}

/// The types that a keyword applies to. `None` if the language does not have the keyword.
fn types_of(keyword: &str, depth: usize) -> Option<&'static [Type]> {
    use Type::{Array, Boolean, Integer, Number, Object, String};
    Some(match keyword {
        "type" | "title" | "description" | "default" => {
            &[Object, String, Integer, Number, Boolean, Array]
        }
        "$schema" if depth == 0 => &[Object],
        "properties" | "required" | "additionalProperties" => &[Object],
        "minLength" | "maxLength" | "enum" | "const" => &[String],
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "format" => {
            &[Integer, Number]
        }
        "items" | "minItems" | "maxItems" => &[Array],
        _ => return None,
    })
}

/// Counts the properties and choices, whose number is bounded for the whole schema.
#[derive(Debug, Default)]
struct Reader {
    properties: usize,
    choices: usize,
}

impl Reader {
    /// Reads a schema at a depth. The config itself is at depth 0.
    fn node(&mut self, schema: &Value, depth: usize) -> Result<Node, SchemaError> {
        if depth > MOST_DEPTH {
            return Err(here(format!("nests deeper than {MOST_DEPTH} levels")));
        }
        let Value::Object(schema) = schema else {
            return Err(here(format!(
                "{} is not a schema with a `type`",
                shown::value(schema)
            )));
        };
        if let Some(keyword) = schema.keys().find(|key| types_of(key, depth).is_none()) {
            let keyword = shown::text(keyword);
            return Err(here(format!(
                "the keyword `{keyword}` is not part of the language of config schemas; see `config-schema` in wit/types.wit"
            )));
        }
        let (of, mut nullable) = read_type(schema)?;
        for keyword in schema.keys() {
            if !types_of(keyword, depth).is_some_and(|types| types.contains(&of)) {
                let of = of.name();
                return Err(here(format!(
                    "the keyword `{keyword}` is not for type `{of}`"
                )));
            }
        }
        for keyword in ["title", "description", "format", "$schema"] {
            if schema.get(keyword).is_some_and(|text| !text.is_string()) {
                return Err(here(format!("`{keyword}` is not a string")));
            }
        }
        let kind = match of {
            Type::Object => Kind::Object(self.object(schema, depth)?),
            Type::String => Kind::Text(self.text(schema, &mut nullable)?),
            Type::Integer | Type::Number => Kind::Number(range(schema, of == Type::Integer)?),
            Type::Boolean => Kind::Boolean,
            Type::Array => Kind::List(self.list(schema, depth)?),
        };
        let node = Node { kind, nullable };
        if let Some(default) = schema.get("default") {
            check::node(&node, default)
                .map_err(|error| here(format!("`default` does not fit its own schema: {error}")))?;
        }
        Ok(node)
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Result<Object, SchemaError> {
        let open = match schema.get("additionalProperties") {
            None => true,
            Some(Value::Bool(open)) => *open,
            Some(_) => {
                return Err(here(
                    "`additionalProperties` takes only true and false".into(),
                ));
            }
        };
        let mut properties = BTreeMap::new();
        match schema.get("properties") {
            None => {}
            Some(Value::Object(described)) => {
                self.properties = self.properties.saturating_add(described.len());
                if self.properties > MOST_PROPERTIES {
                    return Err(here(format!(
                        "has more than {MOST_PROPERTIES} properties in all"
                    )));
                }
                for (name, schema) in described {
                    if !is_name(name) {
                        return Err(here(format!(
                            "the property `{}` is not named by 1 to {MOST_NAME} ASCII letters, digits, `_` and `-`",
                            shown::text(name)
                        )));
                    }
                    let node = self.node(schema, depth + 1).map_err(|e| within(name, e))?;
                    properties.insert(name.clone(), node);
                }
            }
            Some(_) => return Err(here("`properties` is not an object".into())),
        }
        let mut required = Vec::new();
        let mut seen = BTreeSet::new();
        for name in strings(schema, "required")? {
            if !properties.contains_key(name) || !seen.insert(name) {
                return Err(here(format!(
                    "`required` names `{}`, which is no property or stands there twice",
                    shown::text(name)
                )));
            }
            required.push(name.to_owned());
        }
        Ok(Object {
            properties,
            required,
            open,
        })
    }

    fn text(
        &mut self,
        schema: &Map<String, Value>,
        nullable: &mut bool,
    ) -> Result<Text, SchemaError> {
        let length = count(schema, "minLength", "maxLength")?;
        let listed = match (schema.get("enum"), schema.get("const")) {
            (None, None) => {
                return Ok(Text {
                    length,
                    choices: None,
                });
            }
            (Some(Value::Array(listed)), None) => listed.as_slice(),
            (None, Some(one)) => std::slice::from_ref(one),
            (Some(_), None) => return Err(here("`enum` is not a list".into())),
            (Some(_), Some(_)) => return Err(here("`enum` and `const` stand together".into())),
        };
        self.choices = self.choices.saturating_add(listed.len());
        if self.choices > MOST_CHOICES {
            return Err(here(format!("has more than {MOST_CHOICES} choices in all")));
        }
        let mut choices = Choices {
            listed: Vec::new(),
            lookup: BTreeSet::new(),
        };
        let mut null = false;
        for choice in listed {
            match choice {
                Value::String(choice) => {
                    if choice.chars().any(char::is_control) {
                        return Err(here("a choice holds control characters".into()));
                    }
                    if choices.lookup.insert(choice.clone()) {
                        choices.listed.push(choice.clone());
                    }
                }
                Value::Null if *nullable => null = true,
                other => {
                    let other = shown::value(other);
                    return Err(here(format!("the choice {other} is not a string")));
                }
            }
        }
        if choices.listed.is_empty() {
            return Err(here("has no choice of a string".into()));
        }
        // The type accepts null, but the list of choices may not contain it.
        *nullable = null;
        Ok(Text {
            length,
            choices: Some(choices),
        })
    }

    fn list(&mut self, schema: &Map<String, Value>, depth: usize) -> Result<List, SchemaError> {
        let Some(items) = schema.get("items") else {
            return Err(here("an array needs `items`".into()));
        };
        let items = self.node(items, depth + 1).map_err(|e| within("[]", e))?;
        Ok(List {
            items: Box::new(items),
            length: count(schema, "minItems", "maxItems")?,
        })
    }
}

/// The type, and whether `null` is accepted as well.
fn read_type(schema: &Map<String, Value>) -> Result<(Type, bool), SchemaError> {
    let (name, nullable) = match schema.get("type") {
        Some(Value::String(name)) => (name, false),
        Some(Value::Array(types)) => match types.as_slice() {
            [Value::String(null), Value::String(name)]
            | [Value::String(name), Value::String(null)]
                if null == "null" =>
            {
                (name, true)
            }
            _ => {
                return Err(here(
                    "`type` takes one type, or a list of one type and \"null\"".into(),
                ));
            }
        },
        Some(_) => return Err(here("`type` is not a string".into())),
        None => return Err(here("the keyword `type` is missing".into())),
    };
    match Type::named(name) {
        Some(named) => Ok((named, nullable)),
        None => Err(here(format!(
            "the type `{}` is none of object, string, integer, number, boolean, array",
            shown::text(name)
        ))),
    }
}

fn range(schema: &Map<String, Value>, integer: bool) -> Result<Range, SchemaError> {
    let bound = |keyword| match schema.get(keyword) {
        None => Ok(None),
        Some(Value::Number(number)) => match Exact::of(number) {
            Some(value) => Ok(Some(Bound {
                value,
                written: number.clone(),
            })),
            None => Err(here(format!("`{keyword}` is too large a number"))),
        },
        Some(_) => Err(here(format!("`{keyword}` is not a number"))),
    };
    let range = Range {
        integer,
        minimum: bound("minimum")?,
        exclusive_minimum: bound("exclusiveMinimum")?,
        maximum: bound("maximum")?,
        exclusive_maximum: bound("exclusiveMaximum")?,
    };
    // Two bounds with no number between them are a mistake, for example if they were exchanged.
    for (least, most, may_meet) in [
        (&range.minimum, &range.maximum, true),
        (&range.exclusive_minimum, &range.maximum, false),
        (&range.minimum, &range.exclusive_maximum, false),
        (&range.exclusive_minimum, &range.exclusive_maximum, false),
    ] {
        if let (Some(least), Some(most)) = (least, most) {
            let order = least.value.compare(most.value);
            if order == Ordering::Greater || order == Ordering::Equal && !may_meet {
                let (least, most): (&Number, &Number) = (&least.written, &most.written);
                return Err(here(format!("no number is between {least} and {most}")));
            }
        }
    }
    Ok(range)
}

fn count(
    schema: &Map<String, Value>,
    least: &'static str,
    most: &'static str,
) -> Result<Count, SchemaError> {
    let read = |keyword: &str| match schema.get(keyword) {
        None => Ok(None),
        Some(Value::Number(number)) => match Exact::of(number) {
            Some(Exact::Integer(count)) => u64::try_from(count).map(Some).map_err(|_| ()),
            _ => Err(()),
        },
        Some(_) => Err(()),
    };
    let read = |keyword: &str| {
        read(keyword).map_err(|()| here(format!("`{keyword}` is not an integer from 0 on")))
    };
    let count = Count {
        least: read(least)?.unwrap_or(0),
        most: read(most)?.unwrap_or(u64::MAX),
    };
    if count.least > count.most {
        return Err(here(format!("`{least}` is more than `{most}`")));
    }
    Ok(count)
}

/// A list of strings. Empty if the keyword is absent.
fn strings<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Result<Vec<&'a str>, SchemaError> {
    let strings: Option<Vec<&str>> = match schema.get(keyword) {
        None => Some(Vec::new()),
        Some(list) => list
            .as_array()
            .and_then(|list| list.iter().map(Value::as_str).collect()),
    };
    strings.ok_or_else(|| here(format!("`{keyword}` is not a list of strings")))
}

/// Whether this is a bare key of TOML. Such a name needs no quotes in a file or on a command line.
fn is_name(name: &str) -> bool {
    (1..=MOST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// An error of the current schema itself.
fn here(problem: String) -> SchemaError {
    SchemaError {
        place: String::new(),
        problem,
    }
}

/// Puts the name of the containing property in front of an error's place.
fn within(name: &str, error: SchemaError) -> SchemaError {
    let place = if error.place.is_empty() {
        name.to_owned()
    } else {
        format!("{name}/{}", error.place)
    };
    SchemaError { place, ..error }
}
