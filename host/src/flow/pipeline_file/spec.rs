//! Pipelines, stages and workflows whose plugins are not loaded yet.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::flow::pipeline::{PipelineBuilder, When};
#[cfg(feature = "workflow")]
use crate::flow::workflow::{Workflow, WorkflowBuilder};
use crate::sandbox::grants::Grants;
use crate::sandbox::limits::{JobLimits, Limits};
use crate::sandbox::plugin::Plugin;
use crate::sandbox::stage::Stage;

/// A pipeline before its plugins are loaded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PipelineSpec {
    /// Its name.
    pub name: String,
    /// What a job that runs it may use.
    pub limits: JobLimits,
    /// Its stages, in order.
    pub stages: Vec<StageSpec>,
    /// The workflow that is its last step.
    pub workflow: Option<WorkflowSpec>,
}

/// A stage before its plugin is loaded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageSpec {
    /// The name in messages; the plugin's name by default.
    pub name: Option<String>,
    /// A bundled plugin's name, or a path.
    pub plugin: String,
    /// The config.
    pub config: Value,
    /// The limits.
    pub limits: Limits,
    /// What it may do.
    pub grants: Grants,
    /// Which files it is for, if not for all. A stage that is lent to a workflow is for what the workflow gives it.
    pub when: Option<When>,
}

/// A workflow before its plugin is loaded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkflowSpec {
    /// The name in messages and reports.
    pub name: String,
    /// A bundled plugin's name, or a path.
    pub plugin: String,
    /// The config.
    pub config: Value,
    /// The limits.
    pub limits: Limits,
    /// What it may do.
    pub grants: Grants,
    /// The stages that it is lent, by name.
    pub lend: BTreeMap<String, StageSpec>,
}

impl PipelineSpec {
    /// The same pipeline with every clock stopped and every random number seeded; see [`Grants::deterministic`].
    #[must_use]
    pub fn deterministic(mut self) -> Self {
        let lent = self
            .workflow
            .iter_mut()
            .flat_map(|workflow| workflow.lend.values_mut());
        for stage in self.stages.iter_mut().chain(lent) {
            stage.grants = std::mem::take(&mut stage.grants).deterministic();
        }
        if let Some(workflow) = &mut self.workflow {
            workflow.grants = std::mem::take(&mut workflow.grants).deterministic();
        }
        self
    }

    /// Resolves relative paths against this folder.
    pub(super) fn rebase(&mut self, folder: &Path) {
        let lent = self
            .workflow
            .iter_mut()
            .flat_map(|workflow| workflow.lend.values_mut());
        for stage in self.stages.iter_mut().chain(lent) {
            rebase(folder, &mut stage.plugin, &mut stage.grants);
        }
        if let Some(workflow) = &mut self.workflow {
            rebase(folder, &mut workflow.plugin, &mut workflow.grants);
        }
    }
}

fn rebase(folder: &Path, plugin: &mut String, grants: &mut Grants) {
    // A plugin without a separator and without the extension `.wasm` is the name of a bundled plugin.
    if plugin.contains(['/', '\\']) || plugin.ends_with(".wasm") {
        *plugin = folder.join(&plugin).display().to_string();
    }
    for granted in grants.read.values_mut().chain(grants.write.values_mut()) {
        *granted = folder.join(&granted);
    }
}

impl StageSpec {
    /// A stage of this plugin with an empty config, the default limits and no grants.
    pub fn new(plugin: impl Into<String>) -> Self {
        Self {
            name: None,
            plugin: plugin.into(),
            config: Value::Object(serde_json::Map::new()),
            limits: Limits::default(),
            grants: Grants::none(),
            when: None,
        }
    }

    /// Adds the stage with its loaded plugin to a pipeline, for the files that it is for.
    #[must_use]
    pub fn add_to(mut self, pipeline: PipelineBuilder, plugin: &Plugin) -> PipelineBuilder {
        let when = self.when.take();
        let stage = self.stage(plugin);
        match when {
            Some(when) => pipeline.stage_when(when, stage),
            None => pipeline.stage(stage),
        }
    }

    /// Returns the stage with its loaded plugin, for all files: [`add_to`](Self::add_to) heeds [`when`](Self::when), which
    /// a stage alone does not have.
    pub fn stage(self, plugin: &Plugin) -> Stage {
        let stage = Stage::new(plugin)
            .config(self.config)
            .limits(self.limits)
            .grants(self.grants);
        match self.name {
            Some(name) => stage.name(name),
            None => stage,
        }
    }
}

/// The settings of a stage, with its plugin's own name.
impl From<&Stage> for StageSpec {
    fn from(stage: &Stage) -> Self {
        Self {
            name: Some(stage.name.clone()),
            plugin: stage.plugin.name().to_owned(),
            config: stage.config.clone(),
            limits: stage.limits.clone(),
            grants: stage.grants.clone(),
            when: None,
        }
    }
}

#[cfg(feature = "workflow")]
impl WorkflowSpec {
    /// Returns the workflow with its loaded plugin. The stages in [`lend`](Self::lend) are not lent yet.
    pub fn workflow(&self, plugin: &Plugin) -> WorkflowBuilder {
        Workflow::builder(&self.name, plugin)
            .config(self.config.clone())
            .limits(self.limits.clone())
            .grants(self.grants.clone())
    }
}
