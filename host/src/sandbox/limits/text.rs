//! Values as TOML writes them: sizes such as `"256 MiB"`, times such as `"30s"`, counts as plain numbers.

use std::time::Duration;

use bytesize::ByteSize;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// No limit is longer. Whoever writes more has probably meant minutes by `M`, which are months.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

/// Reads a number.
pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(from).map(Some)
}

/// Reads a time with a unit.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
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

/// Reads a size with a unit, or a number of bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let value = toml::Value::deserialize(from)?;
    let text = value.as_str().map_or(value.to_string(), str::to_owned);
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) | Err(_) => Err(D::Error::custom(format!(
            "`{text}`: a size is a number from 1 on with a unit, such as \"256 MiB\" or \"2 GB\""
        ))),
        Ok(ByteSize(bytes)) => Ok(Some(bytes)),
    }
}
