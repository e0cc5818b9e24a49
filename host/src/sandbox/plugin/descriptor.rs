//! What a plugin says of itself, taken only as far as it makes sense.

use forebay_config_schema::ConfigSchema;

use super::schema;
use crate::sandbox::bindings::Descriptor as GuestDescriptor;
use forebay_core::media;
use forebay_core::text::is_plain;

/// Longest text that is taken, in bytes.
const MAX_TEXT: usize = 4096;

/// Most entries of a list.
const MAX_ENTRIES: usize = 256;

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Descriptor {
    /// Name, as reports and messages show it.
    pub name: String,
    /// Version.
    pub version: String,
    /// One line on what it does.
    pub summary: String,
    /// Media ranges that it takes.
    pub accepts: Vec<String>,
    /// Media types that it can emit; empty when outputs keep the type of their input.
    pub produces: Vec<String>,
    /// Schema of the config; `None` when it takes none.
    pub config_schema: Option<ConfigSchema>,
}

impl Descriptor {
    /// Takes what a plugin says only as far as it makes sense.
    pub(super) fn check(said: GuestDescriptor) -> Result<Self, String> {
        let plain = |field: &str, text: &str, most: usize| {
            if text.len() > most {
                return Err(format!(
                    "{field} has {} bytes, at most {most} are taken",
                    text.len()
                ));
            }
            if !text.chars().all(is_plain) {
                return Err(format!("{field} holds control characters"));
            }
            Ok(())
        };
        plain("name", &said.name, 64)?;
        if said.name.is_empty() {
            return Err("name is empty".into());
        }
        if said.name.contains(['/', '\\']) {
            return Err("name looks like a path".into());
        }
        plain("version", &said.version, 64)?;
        plain("summary", &said.summary, MAX_TEXT)?;
        if said.accepts.is_empty() {
            return Err("accepts is empty, so it would take no file".into());
        }
        for (field, list) in [("accepts", &said.accepts), ("produces", &said.produces)] {
            if list.len() > MAX_ENTRIES {
                return Err(format!(
                    "{field} has {} entries, at most {MAX_ENTRIES} are taken",
                    list.len()
                ));
            }
            for entry in list {
                plain(field, entry, 128)?;
                if !media::is_range(entry) || (field == "produces" && entry.contains('*')) {
                    return Err(format!("{field}: `{entry}` is no media type"));
                }
            }
        }
        let config_schema = schema::read(&said.config_schema)
            .map_err(|problem| format!("config-schema: {problem}"))?;
        Ok(Self {
            name: said.name,
            version: said.version,
            summary: said.summary,
            accepts: said.accepts,
            produces: said.produces,
            config_schema,
        })
    }
}
