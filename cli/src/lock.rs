//! `forebay.lock`: which plugins a folder's pipelines run, by digest.
//!
//! With `--locked` nothing of a plugin is compiled, let alone run, before its bytes are known to be those of the lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use forebay::{PipelineFile, PipelineSpec, Plugin};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Outcome;
use crate::args::LockArgs;
use crate::plain::plain;
use crate::plugins::Plugins;
use crate::run::pipeline_reference;

/// The file's name, beside the pipeline file or in the present folder.
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
    /// As a pipeline names it: a bundled plugin, or a path from the lock's folder.
    source: String,
    /// SHA-256 of the component, in hex.
    digest: String,
}

/// Where the lock of a pipeline file is, or of the present folder.
pub(crate) fn place(pipeline: Option<&str>) -> PathBuf {
    let folder = pipeline.and_then(|reference| Path::new(pipeline_reference(reference).0).parent());
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

    /// Whether anything is locked for this source.
    pub(crate) fn has(&self, source: &str) -> bool {
        self.plugins.contains_key(&self.name(source))
    }

    /// Whether these are the bytes that were locked for this source.
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

    /// A source as the lock names it: a path from the lock's folder.
    fn name(&self, source: &str) -> String {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let source = source.strip_prefix("./").unwrap_or(source);
        match Path::new(source).strip_prefix(folder) {
            Ok(beneath) => beneath.display().to_string(),
            Err(_) => source.to_owned(),
        }
    }

    fn write(&self) -> Result<()> {
        let text = toml::to_string(&LockText {
            version: VERSION,
            plugins: self.plugins.values().cloned().collect(),
        })?;
        let text = format!("# Written by `forebay lock`, read by `forebay run --locked`.\n{text}");
        std::fs::write(&self.path, text).with_context(|| self.path.display().to_string())
    }
}

/// Writes the lock of the plugins of a pipeline file, or of those that are named.
pub(crate) async fn lock(args: &LockArgs) -> Result<Outcome> {
    let sources = match &args.pipeline {
        None => args.plugins.clone(),
        Some(reference) => {
            let (path, name) = pipeline_reference(reference);
            let file = PipelineFile::read(path)?;
            let names: Vec<&str> = match name {
                Some(name) => vec![name],
                None => file.names().collect(),
            };
            let mut sources = args.plugins.clone();
            for name in names {
                sources.extend(plugins_of(file.pipeline(Some(name))?));
            }
            sources
        }
    };
    let path = place(args.pipeline.as_deref());
    let mut lock = if path.exists() {
        Lock::read(path)?
    } else {
        Lock {
            path,
            plugins: BTreeMap::new(),
        }
    };
    let whole_file = args
        .pipeline
        .as_deref()
        .is_some_and(|reference| pipeline_reference(reference).1.is_none());
    if whole_file && args.plugins.is_empty() {
        // What no pipeline of the file runs any more is not to be trusted any longer.
        let named: Vec<String> = sources.iter().map(|source| lock.name(source)).collect();
        lock.plugins.retain(|source, _| named.contains(source));
    }
    let mut plugins = Plugins::new()?;
    let mut lines = Vec::new();
    for source in sources {
        let plugin = plugins.load(&source).await?;
        lines.push(lock.take(&source, &plugin));
    }
    lock.write()?;
    lines.sort();
    lines.dedup();
    lines.iter().for_each(|line| say!("{}", plain(line)));
    Ok(Outcome::Done)
}

impl Lock {
    /// Takes a plugin in, and says in a line what that changes.
    fn take(&mut self, source: &str, plugin: &Plugin) -> String {
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

/// All plugins that a pipeline may run.
pub(crate) fn plugins_of(spec: &PipelineSpec) -> Vec<String> {
    let lent = spec
        .workflow
        .iter()
        .flat_map(|workflow| workflow.lend.values());
    let last = spec.workflow.iter().map(|workflow| &workflow.plugin);
    let stages = spec.stages.iter().chain(lent).map(|stage| &stage.plugin);
    stages.chain(last).cloned().collect()
}
