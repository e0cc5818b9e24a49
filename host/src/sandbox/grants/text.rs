//! Grants as TOML writes them; what is left out is not granted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytesize::ByteSize;
use serde::Deserialize;

use super::{Clock, Grants, Random};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GrantsText {
    read: BTreeMap<String, PathBuf>,
    write: BTreeMap<String, PathBuf>,
    env: BTreeMap<String, String>,
    clock: Option<toml::Value>,
    random: Option<toml::Value>,
    deterministic: bool,
    upload: bool,
    direct_upload: bool,
    file_inputs: bool,
    url_hosts: BTreeSet<String>,
    assets: BTreeSet<String>,
    max_assets: Option<u64>,
    max_bytes: Option<ByteSize>,
}

impl GrantsText {
    pub(crate) fn resolve(self) -> Result<Grants, String> {
        let mut grants = Grants::none();
        if self.deterministic {
            grants = grants.deterministic();
        }
        let fixed = self.deterministic;
        if let Some(value) = self.clock {
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            grants.clock = match text.as_str() {
                "real" if fixed => return Err(contradiction("clock")),
                "real" => Clock::Real,
                text => Clock::Frozen(humantime::parse_rfc3339_weak(text).map_err(|error| {
                    format!(
                        "clock: `{text}`: {error}; it is \"real\" or a time such as \"2026-01-31T12:00:00Z\""
                    )
                })?),
            };
        }
        if let Some(value) = self.random {
            let seed = value.as_integer().and_then(|seed| u64::try_from(seed).ok());
            grants.random = match (seed, value.as_str()) {
                (Some(seed), _) => Random::Seeded(seed),
                (None, Some("real")) if fixed => return Err(contradiction("random")),
                (None, Some("real")) => Random::Real,
                _ => {
                    return Err(format!(
                        "random: `{value}`: it is \"real\" or a number from 0 on, the seed"
                    ));
                }
            };
        }
        Ok(Grants {
            read: self.read,
            write: self.write,
            env: self.env,
            upload: self.upload,
            direct_upload: self.direct_upload,
            file_inputs: self.file_inputs,
            url_hosts: self.url_hosts,
            assets: self.assets,
            max_assets: self.max_assets.unwrap_or(grants.max_assets),
            max_bytes: self.max_bytes.map_or(grants.max_bytes, |size| size.0),
            ..grants
        })
    }
}

fn contradiction(field: &str) -> String {
    format!("{field}: \"real\" contradicts `deterministic`")
}
