//! Limits as TOML writes them: sizes such as `"256 MiB"`, times such as `"30s"`; what is left out keeps its default.

use std::time::Duration;

use bytesize::ByteSize;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{JobLimits, Limits};

/// A stage's.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsText {
    #[serde(deserialize_with = "size")]
    memory: Option<u64>,
    table_elements: Option<u64>,
    #[serde(deserialize_with = "time")]
    cpu_time: Option<Duration>,
    #[serde(deserialize_with = "time")]
    wall_clock: Option<Duration>,
    #[serde(deserialize_with = "size")]
    output_bytes: Option<u64>,
    output_files: Option<u64>,
    expansion: Option<u64>,
    handles: Option<u64>,
    #[serde(deserialize_with = "size")]
    call_bytes: Option<u64>,
}

/// A job's.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JobLimitsText {
    #[serde(deserialize_with = "time")]
    wall_clock: Option<Duration>,
    output_files: Option<u64>,
    #[serde(deserialize_with = "size")]
    scratch_bytes: Option<u64>,
}

/// No limit is longer: what says more is likely to mean minutes by `M`, which are months.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let value = toml::Value::deserialize(from)?;
    let problem = |problem: String| {
        D::Error::custom(format!("`{value}`: {problem}, such as \"30s\" or \"10m\""))
    };
    let text = value
        .as_str()
        .ok_or_else(|| problem("a time has a unit".into()))?;
    let time = humantime::parse_duration(text).map_err(|error| problem(error.to_string()))?;
    if time.is_zero() || time > LONGEST {
        return Err(problem(
            "a limit is from 1ns to 31 days; `m` is minutes, `M` months".into(),
        ));
    }
    Ok(Some(time))
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let value = toml::Value::deserialize(from)?;
    let text = value.as_str().map_or(value.to_string(), str::to_owned);
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) | Err(_) => Err(D::Error::custom(format!(
            "`{text}`: a size is a number from 1 on with a unit, such as \"256 MiB\" or \"2 GB\""
        ))),
        Ok(ByteSize(bytes)) => Ok(Some(bytes)),
    }
}

impl LimitsText {
    /// These in place of `default`.
    pub(crate) fn over(self, default: &Limits) -> Limits {
        Limits {
            memory: self.memory.unwrap_or(default.memory),
            table_elements: self.table_elements.unwrap_or(default.table_elements),
            cpu_time: self.cpu_time.unwrap_or(default.cpu_time),
            wall_clock: self.wall_clock.unwrap_or(default.wall_clock),
            output_bytes: self.output_bytes.unwrap_or(default.output_bytes),
            output_files: self.output_files.unwrap_or(default.output_files),
            expansion: self.expansion.unwrap_or(default.expansion),
            handles: self.handles.unwrap_or(default.handles),
            call_bytes: self.call_bytes.unwrap_or(default.call_bytes),
        }
    }
}

impl From<JobLimitsText> for JobLimits {
    fn from(text: JobLimitsText) -> Self {
        let default = Self::default();
        Self {
            wall_clock: text.wall_clock.unwrap_or(default.wall_clock),
            output_files: text.output_files.unwrap_or(default.output_files),
            scratch_bytes: text.scratch_bytes.unwrap_or(default.scratch_bytes),
        }
    }
}
