//! Limits as TOML writes them: sizes such as `"256 MiB"`, times such as `"30s"`; what is left out keeps its default.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer};

use super::{JobLimits, Limits};

/// A stage's.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsText {
    memory: Option<ByteSize>,
    table_elements: Option<u64>,
    #[serde(deserialize_with = "time")]
    cpu_time: Option<Duration>,
    #[serde(deserialize_with = "time")]
    wall_clock: Option<Duration>,
    output_bytes: Option<ByteSize>,
    output_files: Option<u64>,
    expansion: Option<u64>,
    handles: Option<u64>,
    call_bytes: Option<ByteSize>,
}

/// A job's.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JobLimitsText {
    #[serde(deserialize_with = "time")]
    wall_clock: Option<Duration>,
    output_files: Option<u64>,
    scratch_bytes: Option<ByteSize>,
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let time = humantime::parse_duration(&text);
    time.map(Some)
        .map_err(|error| serde::de::Error::custom(format!("`{text}`: {error}, such as \"30s\"")))
}

impl LimitsText {
    /// These in place of `default`.
    pub(crate) fn over(self, default: &Limits) -> Limits {
        Limits {
            memory: self.memory.map_or(default.memory, |size| size.0),
            table_elements: self.table_elements.unwrap_or(default.table_elements),
            cpu_time: self.cpu_time.unwrap_or(default.cpu_time),
            wall_clock: self.wall_clock.unwrap_or(default.wall_clock),
            output_bytes: self
                .output_bytes
                .map_or(default.output_bytes, |size| size.0),
            output_files: self.output_files.unwrap_or(default.output_files),
            expansion: self.expansion.unwrap_or(default.expansion),
            handles: self.handles.unwrap_or(default.handles),
            call_bytes: self.call_bytes.map_or(default.call_bytes, |size| size.0),
        }
    }
}

impl From<JobLimitsText> for JobLimits {
    fn from(text: JobLimitsText) -> Self {
        let default = Self::default();
        Self {
            wall_clock: text.wall_clock.unwrap_or(default.wall_clock),
            output_files: text.output_files.unwrap_or(default.output_files),
            scratch_bytes: text
                .scratch_bytes
                .map_or(default.scratch_bytes, |size| size.0),
        }
    }
}
