//! `forebay lock`.

use std::path::Path;

use anyhow::Result;
use forebay::PipelineSpec;

use crate::Outcome;
use crate::args::LockArgs;
use crate::lock_file::{Lock, place};
use crate::pipeline_reference;
use crate::plain::plain;
use crate::plugins::Plugins;
use crate::settings;

/// Writes the lock for the plugins of a pipeline file, or for the plugins that are named.
pub(crate) async fn lock(args: &LockArgs) -> Result<Outcome> {
    let sources = match &args.pipeline {
        None => args.plugins.clone(),
        Some(reference) => {
            let (path, name) = pipeline_reference::split(reference);
            let file = settings::read_pipelines(Path::new(path))?;
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
        Lock::empty(path)
    };
    let whole_file = args
        .pipeline
        .as_deref()
        .is_some_and(|reference| pipeline_reference::split(reference).1.is_none());
    if whole_file && args.plugins.is_empty() {
        // A plugin that no pipeline of the file runs any more must not stay trusted.
        lock.retain(&sources);
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

/// All plugins that a pipeline may run.
fn plugins_of(spec: &PipelineSpec) -> Vec<String> {
    let lent = spec
        .workflow
        .iter()
        .flat_map(|workflow| workflow.lend.values());
    let last = spec.workflow.iter().map(|workflow| &workflow.plugin);
    let stages = spec.stages.iter().chain(lent).map(|stage| &stage.plugin);
    stages.chain(last).cloned().collect()
}
