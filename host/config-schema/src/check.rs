//! Checks a config: one pass, which ends at the first error.
//!
//! Each value of the config is visited once. Fields and choices are looked up in search trees, so the time is
//! proportional to the size of the config. The recursion is as deep as the schema.

use std::cmp::Ordering;
use std::io;

use serde_json::{Map, Number, Value};

use crate::node::{Choices, Count, Kind, Node, Object, Range, Text};
use crate::number::Exact;
use crate::{ConfigError, MOST_CONFIG, shown};

/// Checks the config itself.
pub(crate) fn config(root: &Object, config: &Value) -> Result<(), ConfigError> {
    let Value::Object(fields) = config else {
        return Err(error("is not an object".into()));
    };
    if serde_json::to_writer(Room(MOST_CONFIG), config).is_err() {
        return Err(error(format!("has more than {MOST_CONFIG} bytes")));
    }
    object(root, fields, "this plugin takes none")
}

/// Checks a value of any kind.
pub(crate) fn node(node: &Node, value: &Value) -> Result<(), ConfigError> {
    if value.is_null() && node.nullable {
        return Ok(());
    }
    match (&node.kind, value) {
        (Kind::Object(kind), Value::Object(fields)) => object(kind, fields, "it takes none"),
        (Kind::Text(kind), Value::String(string)) => text(kind, string).map_err(error),
        (Kind::Number(range), Value::Number(given)) => number(range, given).map_err(error),
        (Kind::Boolean, Value::Bool(_)) => Ok(()),
        (Kind::List(list), Value::Array(items)) => {
            counted(list.length, items.len() as u64, "entries").map_err(error)?;
            for (at, item) in items.iter().enumerate() {
                self::node(&list.items, item).map_err(|error| within(&at.to_string(), error))?;
            }
            Ok(())
        }
        (Kind::Text(kind), other) if let Some(choices) = &kind.choices => {
            Err(error(none_of(choices, &shown::value(other))))
        }
        (kind, _) => Err(error(format!(
            "{} is not {}",
            shown::value(value),
            kind.noun()
        ))),
    }
}

fn object(object: &Object, fields: &Map<String, Value>, none: &str) -> Result<(), ConfigError> {
    for (name, value) in fields {
        match object.properties.get(name) {
            Some(property) => node(property, value).map_err(|error| within(name, error))?,
            None if object.open => {}
            None => {
                let known = object.properties.keys().map(String::as_str);
                let takes = if known.len() == 0 {
                    none.to_owned()
                } else {
                    format!("it takes {}", shown::list(known))
                };
                let name = shown::text(name);
                return Err(error(format!("there is no field `{name}`; {takes}")));
            }
        }
    }
    match object
        .required
        .iter()
        .find(|name| !fields.contains_key(*name))
    {
        Some(missing) => Err(error(format!("the field `{missing}` is missing"))),
        None => Ok(()),
    }
}

fn text(kind: &Text, given: &str) -> Result<(), String> {
    if let Some(choices) = &kind.choices
        && !choices.lookup.contains(given)
    {
        return Err(none_of(choices, &format!("\"{}\"", shown::text(given))));
    }
    counted(kind.length, given.chars().count() as u64, "characters")
}

fn none_of(choices: &Choices, given: &str) -> String {
    let choices = choices.listed.iter().map(String::as_str);
    format!("{given} is none of {}", shown::list(choices))
}

fn number(range: &Range, given: &Number) -> Result<(), String> {
    let Some(value) = Exact::of(given) else {
        return Err("is too large a number".into());
    };
    let written = || shown::text(&given.to_string());
    if range.integer && !value.is_integer() {
        return Err(format!("{} is not an integer", written()));
    }
    for (bound, wrong, words) in [
        (
            &range.minimum,
            &[Ordering::Less][..],
            "less than the minimum of",
        ),
        (
            &range.maximum,
            &[Ordering::Greater],
            "more than the maximum of",
        ),
        (
            &range.exclusive_minimum,
            &[Ordering::Less, Ordering::Equal],
            "not more than",
        ),
        (
            &range.exclusive_maximum,
            &[Ordering::Greater, Ordering::Equal],
            "not less than",
        ),
    ] {
        if let Some(bound) = bound
            && wrong.contains(&value.compare(bound.value))
        {
            return Err(format!("{} is {words} {}", written(), bound.written));
        }
    }
    Ok(())
}

fn counted(count: Count, given: u64, of: &str) -> Result<(), String> {
    if given < count.least {
        return Err(format!(
            "has {given} {of}, at least {} are needed",
            count.least
        ));
    }
    if given > count.most {
        return Err(format!(
            "has {given} {of}, at most {} are taken",
            count.most
        ));
    }
    Ok(())
}

/// An error of the value itself.
fn error(problem: String) -> ConfigError {
    ConfigError {
        field: String::new(),
        problem,
    }
}

/// Puts the name of the containing field in front of an error's field.
fn within(name: &str, error: ConfigError) -> ConfigError {
    let field = if error.field.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{}", error.field)
    };
    ConfigError { field, ..error }
}

/// A writer that discards what is written to it, and fails after this many bytes.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
