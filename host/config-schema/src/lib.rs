//! The schema of a plugin's config: which schemas a host accepts, and which configs fit them.
//!
//! A schema comes from an untrusted author, so its language is small and closed. It is a strict subset of JSON Schema
//! 2020-12: every schema that [`ConfigSchema::parse`] accepts means the same to any JSON Schema validator.
//!
//! | `type` | keywords |
//! |---|---|
//! | `object` | `properties`; `required`, which names properties; `additionalProperties`, `true` or `false` |
//! | `string` | `minLength`, `maxLength`, in characters; `enum`, or `const` for a single choice |
//! | `integer`, `number` | `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`; `format`, which is not checked |
//! | `boolean` | none |
//! | `array` | `items`, which is required; `minItems`, `maxItems` |
//!
//! - Each schema has a `type`. The config itself is an `object`. A schema below it may accept `null` as well, for
//!   example with `["integer", "null"]`. A list of choices must then contain `null`, as JSON Schema requires.
//! - Allowed everywhere: `title`, `description`, and `default`, which must fit its own schema. Allowed at the top only:
//!   `$schema`, whose address is not fetched.
//! - A property's name is 1 to 64 ASCII letters, digits, `_` and `-`: a bare key of TOML.
//! - Without `"additionalProperties": false` an object may contain other fields, of any kind. Those are not checked.
//! - There are no patterns, no references (`$ref`, `$id`, `$defs`), no combinators (`anyOf`, `oneOf`, `allOf`, `not`,
//!   `if`) and no other keywords. A schema that has one is refused. The error names the keyword and its place.
//!
//! Sizes are bounded: [`MOST_TEXT`], [`MOST_PROPERTIES`], [`MOST_CHOICES`] and [`MOST_DEPTH`] for a schema, [`MOST_CONFIG`]
//! for a config. A check is one pass that ends at the first error. Its time is proportional to the size of the config.
//!
//! ```
//! use forebay_config_schema::ConfigSchema;
//! use serde_json::json;
//!
//! let schema = ConfigSchema::parse(
//!     r#"{
//!         "type": "object",
//!         "properties": { "quality": { "type": "integer", "minimum": 1, "maximum": 100, "default": 85 } },
//!         "additionalProperties": false
//!     }"#,
//! )?;
//! schema.check(&json!({ "quality": 90 }))?;
//! let error = schema.check(&json!({ "quality": 101 })).unwrap_err();
//! assert_eq!(error.to_string(), "field `quality`: 101 is more than the maximum of 100");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod duplicates;
mod node;
mod number;
mod read;
mod shown;

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Longest text of a schema, in bytes.
pub const MOST_TEXT: usize = 64 * 1024;

/// Most properties of a schema, including those of nested objects.
pub const MOST_PROPERTIES: usize = 256;

/// Most choices (`enum`) of a schema, over all of its fields.
pub const MOST_CHOICES: usize = 1024;

/// Greatest depth to which objects and arrays nest. The config's own fields are at depth 1.
pub const MOST_DEPTH: usize = 4;

/// Longest config, in bytes of its JSON.
pub const MOST_CONFIG: usize = 1 << 20;

/// A valid schema. Configs are checked against it.
#[derive(Debug, Clone)]
pub struct ConfigSchema {
    json: Value,
    root: node::Object,
}

impl ConfigSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// The place and the kind of the first part that is not accepted.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let (json, root) = read::read(text)?;
        Ok(Self { json, root })
    }

    /// The schema as JSON Schema, as it was passed to [`parse`](Self::parse).
    pub fn as_json(&self) -> &Value {
        &self.json
    }

    /// Checks a config, which must be an object.
    ///
    /// # Errors
    /// The first field that does not fit, and what it accepts.
    pub fn check(&self, config: &Value) -> Result<(), ConfigError> {
        check::config(&self.root, config)
    }
}

impl PartialEq for ConfigSchema {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Serialize for ConfigSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Names of properties from the top down, `[]` for the items of an array: `options/sizes/[]`. Empty at the top.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for SchemaError {}

/// Why a config is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The field, after the fields that contain it, with indices in lists: `options.sizes.3`. Empty for the config.
    pub field: String,
    /// What is wrong with it, and what it accepts.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "field `{}`: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}
