//! Grants as TOML writes them; what is left out is not granted.

use std::collections::BTreeMap;
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
    clock: Option<String>,
    random: Option<RandomText>,
    deterministic: bool,
    upload: bool,
    direct_upload: bool,
    file_inputs: bool,
    max_assets: Option<u64>,
    max_bytes: Option<ByteSize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RandomText {
    Seed(u64),
    Word(String),
}

impl GrantsText {
    pub(crate) fn resolve(self) -> Result<Grants, String> {
        let mut grants = Grants::none();
        if self.deterministic {
            grants = grants.deterministic();
        }
        match self.clock.as_deref() {
            None => {}
            Some("real") => grants.clock = Clock::Real,
            Some(text) => {
                let at = humantime::parse_rfc3339_weak(text).map_err(|error| {
                    format!(
                        "clock: `{text}`: {error}; it is \"real\" or a time such as \"2026-01-31T12:00:00Z\""
                    )
                })?;
                grants.clock = Clock::Frozen(at);
            }
        }
        match self.random {
            None => {}
            Some(RandomText::Seed(seed)) => grants.random = Random::Seeded(seed),
            Some(RandomText::Word(word)) if word == "real" => grants.random = Random::Real,
            Some(RandomText::Word(word)) => {
                return Err(format!(
                    "random: `{word}`: it is \"real\" or a number, the seed"
                ));
            }
        }
        Ok(Grants {
            read: self.read,
            write: self.write,
            env: self.env,
            upload: self.upload,
            direct_upload: self.direct_upload,
            file_inputs: self.file_inputs,
            max_assets: self.max_assets.unwrap_or(grants.max_assets),
            max_bytes: self.max_bytes.map_or(grants.max_bytes, |size| size.0),
            ..grants
        })
    }
}
