//! Pipelines as TOML writes them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::error::PipelineError;
use crate::grants::{Grants, GrantsText};
use crate::limits::{JobLimits, JobLimitsText, Limits, LimitsText};
use crate::plugin::Plugin;
use crate::stage::Stage;
use crate::workflow::{self, Workflow, WorkflowBuilder};

/// Pipelines of a TOML file, with plugins by name or path, still to be loaded.
///
/// ```
/// let file = forebay::PipelineFile::parse(r#"
///     [pipelines.photos]
///     limits = { wall_clock = "10m", scratch_bytes = "4 GiB" }
///
///     [[pipelines.photos.stages]]
///     plugin = "strip-metadata"
///
///     [[pipelines.photos.stages]]
///     plugin = "image-resize"
///     config = { max_width = 2048 }
///     limits = { memory = "256 MiB", cpu_time = "10s" }
///     grants = { read = { "/profiles" = "colour" }, deterministic = true }
///
///     ## A workflow is the last step, or the only one. It may do what it is granted, and run what it is lent.
///     [pipelines.kit.workflow]
///     plugin = "media-kit"
///     config = { prompt = "Introduce these pages" }
///     grants = { upload = true, direct_upload = true, file_inputs = true, max_assets = 100, max_bytes = "2 GiB" }
///     lend.image-resize = { plugin = "image-resize", limits = { cpu_time = "10s" } }
/// "#)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["kit", "photos"]);
/// assert_eq!(file.pipeline(Some("photos"))?.stages.len(), 2);
/// assert!(file.pipeline(Some("kit"))?.workflow.is_some());
/// # Ok::<_, forebay::PipelineError>(())
/// ```
#[derive(Debug)]
pub struct PipelineFile(BTreeMap<String, PipelineSpec>);

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
    /// What messages show; the plugin's name when absent.
    pub name: Option<String>,
    /// A bundled plugin's name, or a path.
    pub plugin: String,
    /// The config.
    pub config: Value,
    /// The limits.
    pub limits: Limits,
    /// What it may do.
    pub grants: Grants,
}

/// A workflow before its plugin is loaded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkflowSpec {
    /// What messages and reports show.
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
    /// The same with every clock stopped and every random number seeded; see [`Grants::deterministic`].
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

    /// Takes relative paths from this folder.
    fn rebase(&mut self, folder: &Path) {
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
    // What has no separator and no extension is the name of a bundled plugin.
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
        }
    }

    /// The stage, once its plugin is loaded.
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

impl WorkflowSpec {
    /// The workflow, once its plugin is loaded; what is in [`lend`](Self::lend) is still to be lent.
    pub fn workflow(&self, plugin: &Plugin) -> WorkflowBuilder {
        Workflow::builder(&self.name, plugin)
            .config(self.config.clone())
            .limits(self.limits.clone())
            .grants(self.grants.clone())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    pipelines: BTreeMap<String, PipelineText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PipelineText {
    #[serde(default)]
    limits: JobLimitsText,
    #[serde(default)]
    stages: Vec<StageText>,
    workflow: Option<WorkflowText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StageText {
    name: Option<String>,
    plugin: String,
    #[serde(default)]
    config: toml::Table,
    #[serde(default)]
    limits: LimitsText,
    #[serde(default)]
    grants: GrantsText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkflowText {
    plugin: String,
    #[serde(default)]
    config: toml::Table,
    #[serde(default)]
    limits: LimitsText,
    #[serde(default)]
    grants: GrantsText,
    #[serde(default)]
    lend: BTreeMap<String, StageText>,
}

impl StageText {
    fn spec(self) -> Result<StageSpec, String> {
        let at = |problem: String| format!("stage {}: {problem}", self.plugin);
        Ok(StageSpec {
            limits: self.limits.over(&Limits::default()),
            grants: self
                .grants
                .resolve()
                .map_err(|problem| at(format!("grants: {problem}")))?,
            config: config(self.config).map_err(at)?,
            name: self.name,
            plugin: self.plugin,
        })
    }
}

impl WorkflowText {
    fn spec(self, name: &str) -> Result<WorkflowSpec, String> {
        let at = |problem: String| format!("workflow {}: {problem}", self.plugin);
        let lend: Result<_, String> = self
            .lend
            .into_iter()
            .map(|(name, stage)| Ok((name, stage.spec().map_err(at)?)))
            .collect();
        Ok(WorkflowSpec {
            name: name.to_owned(),
            limits: self.limits.over(&workflow::default_limits()),
            config: config(self.config).map_err(at)?,
            grants: self
                .grants
                .resolve()
                .map_err(|problem| at(format!("grants: {problem}")))?,
            lend: lend?,
            plugin: self.plugin,
        })
    }
}

fn config(table: toml::Table) -> Result<Value, String> {
    serde_json::to_value(table).map_err(|error| error.to_string())
}

impl PipelineFile {
    /// Reads a file. Paths in it, of plugins and of folders that are granted, are taken from the file's own folder.
    ///
    /// # Errors
    /// [`PipelineError::Toml`] with the file, the place and the problem.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, PipelineError> {
        let path = path.as_ref();
        let at = |problem: String| PipelineError::Toml(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| at(error.to_string()))?;
        let mut file = Self::parse(&text).map_err(|error| at(error.to_string()))?;
        if let Some(folder) = path.parent() {
            for spec in file.0.values_mut() {
                spec.rebase(folder);
            }
        }
        Ok(file)
    }

    /// Reads `[pipelines.NAME]` tables, each with an array of `stages`, a `workflow`, or both.
    ///
    /// # Errors
    /// [`PipelineError::Toml`] with the place and the problem.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        let file: FileText =
            toml::from_str(text).map_err(|error| PipelineError::Toml(error.to_string()))?;
        let mut pipelines = BTreeMap::new();
        for (name, text) in file.pipelines {
            let at = |problem| PipelineError::Toml(format!("pipeline {name}: {problem}"));
            if text.stages.is_empty() && text.workflow.is_none() {
                return Err(at("has neither stages nor a workflow".into()));
            }
            let stages: Result<_, String> = text.stages.into_iter().map(StageText::spec).collect();
            let workflow = text.workflow.map(|workflow| workflow.spec(&name));
            let spec = PipelineSpec {
                limits: text.limits.into(),
                stages: stages.map_err(at)?,
                workflow: workflow.transpose().map_err(at)?,
                name: name.clone(),
            };
            pipelines.insert(name, spec);
        }
        Ok(Self(pipelines))
    }

    /// The names of the pipelines.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A pipeline by its name; without a name, the only one.
    ///
    /// # Errors
    /// When there is none of that name, or no name was given and there are several.
    pub fn pipeline(&self, name: Option<&str>) -> Result<&PipelineSpec, PipelineError> {
        let there = || self.names().collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => self.0.get(name).ok_or_else(|| {
                PipelineError::Toml(format!("no pipeline `{name}`; there are: {}", there()))
            }),
            None => match self.0.values().collect::<Vec<_>>().as_slice() {
                [only] => Ok(only),
                _ => Err(PipelineError::Toml(format!(
                    "which pipeline? There are: {}",
                    there()
                ))),
            },
        }
    }
}
