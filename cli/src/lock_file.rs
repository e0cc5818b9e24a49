//! `forebay.lock`: the plugins that a folder's pipelines run, with their digests.
//!
//! With `--locked`, a plugin is compiled and run only after its bytes are known to match the lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use forebay::Plugin;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::pipeline_reference;

/// The file's name. It is next to the pipeline file or in the current folder.
const NAME: &str = "forebay.lock";

/// The version of the format.
const VERSION: u32 = 1;

/// The plugins of a lock, by source.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    plugins: BTreeMap<String, Locked>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockText {
    version: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Locked>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    /// The plugin's own name.
    name: String,
    /// The source as a pipeline names it: a bundled plugin, or a path relative to the lock's folder.
    source: String,
    /// SHA-256 of the component, in hex.
    digest: String,
}

/// The path of the lock of a pipeline file, or of the current folder.
pub(crate) fn place(pipeline: Option<&str>) -> PathBuf {
    let folder =
        pipeline.and_then(|reference| Path::new(pipeline_reference::split(reference).0).parent());
    folder.unwrap_or(Path::new("")).join(NAME)
}

impl Lock {
    pub(crate) fn read(path: PathBuf) -> Result<Self> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("{shown} (`forebay lock -p FILE` or `forebay lock PLUGIN…` writes it)")
        })?;
        let text: LockText = toml::from_str(&text).with_context(|| shown.clone())?;
        ensure!(
            text.version == VERSION,
            "{shown}: version {}, this forebay reads {VERSION}",
            text.version
        );
        let mut plugins = BTreeMap::new();
        for locked in text.plugins {
            let source = locked.source.clone();
            ensure!(
                plugins.insert(source.clone(), locked).is_none(),
                "{shown}: `{source}` is there twice"
            );
        }
        Ok(Self { path, plugins })
    }

    /// A lock without plugins, which will be written to this path.
    pub(crate) fn empty(path: PathBuf) -> Self {
        Self {
            path,
            plugins: BTreeMap::new(),
        }
    }

    /// Removes every plugin that is not among these sources.
    pub(crate) fn retain(&mut self, sources: &[String]) {
        let named: Vec<String> = sources.iter().map(|source| self.name(source)).collect();
        self.plugins.retain(|source, _| named.contains(source));
    }

    /// Whether the lock has an entry for this source.
    pub(crate) fn has(&self, source: &str) -> bool {
        self.plugins.contains_key(&self.name(source))
    }

    /// Checks that these bytes are the ones that were locked for this source.
    pub(crate) fn check(&self, source: &str, component: &[u8]) -> Result<()> {
        let lock = self.path.display();
        let Some(locked) = self.plugins.get(&self.name(source)) else {
            bail!("plugin {source} is not in {lock}; `forebay lock` adds it");
        };
        let digest = hex::encode(Sha256::digest(component));
        ensure!(
            digest == locked.digest,
            "plugin {source} is not the one in {lock}: it has the SHA-256 {digest}, locked is {}; `forebay inspect` shows \
             what it is now, and `forebay lock` takes it if the change is meant",
            locked.digest
        );
        Ok(())
    }

    /// The source as the lock names it: a path relative to the lock's folder.
    fn name(&self, source: &str) -> String {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let source = source.strip_prefix("./").unwrap_or(source);
        match Path::new(source).strip_prefix(folder) {
            Ok(beneath) => beneath.display().to_string(),
            Err(_) => source.to_owned(),
        }
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> Result<()> {
        let text = toml::to_string(&LockText {
            version: VERSION,
            plugins: self.plugins.values().cloned().collect(),
        })?;
        let text = format!("# Written by `forebay lock`, read by `forebay run --locked`.\n{text}");
        std::fs::write(&self.path, text).with_context(|| self.path.display().to_string())
    }
}

impl Lock {
    /// Adds a plugin to the lock, and returns one line that says what has changed.
    pub(crate) fn take(&mut self, source: &str, plugin: &Plugin) -> String {
        let locked = Locked {
            name: plugin.name().to_owned(),
            source: self.name(source),
            digest: plugin.digest().to_owned(),
        };
        let Locked {
            name,
            source,
            digest,
        } = &locked;
        let line = match self.plugins.get(source) {
            Some(before) if *before == locked => format!("same     {digest} {name} {source}"),
            Some(before) => format!(
                "changed  {digest} {name} {source}\n  before {} {}",
                before.digest, before.name
            ),
            None => format!("new      {digest} {name} {source}"),
        };
        self.plugins.insert(locked.source.clone(), locked);
        line
    }
}
