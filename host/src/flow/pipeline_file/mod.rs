//! Pipelines in TOML.

mod spec;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

pub use spec::{PipelineSpec, StageSpec, WorkflowSpec};

use super::pipeline::PipelineError;
use crate::sandbox::grants::GrantsText;
use crate::sandbox::limits::{JobLimits, JobLimitsText, Limits, LimitsText};

/// Pipelines of a TOML file. Their plugins are given by name or path, and are not loaded yet.
///
/// ```
/// let file = forebay::PipelineFile::parse(r#"
///     [pipelines.photos]
///     limits = { wall_clock = "10m", scratch_bytes = "4 GiB" }
///
///     ## Files of other types pass this stage by.
///     [[pipelines.photos.stages]]
///     plugin = "strip-metadata"
///     when = "image/*"
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
    when: Option<String>,
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
            when: match self.when {
                None => None,
                Some(when) => Some(when.parse().map_err(|error| at(format!("when: {error}")))?),
            },
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
            .map(|(name, stage)| {
                let stage = stage.spec().map_err(at)?;
                if stage.when.is_some() {
                    return Err(at(format!(
                        "lend.{name}: a stage that is lent takes no `when`: the workflow decides which files it gets"
                    )));
                }
                Ok((name, stage))
            })
            .collect();
        Ok(WorkflowSpec {
            name: name.to_owned(),
            limits: self.limits.over(&Limits::for_workflows()),
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
    /// Reads a file. Relative paths in it, of plugins and of granted folders, start at the file's own folder.
    ///
    /// # Errors
    /// [`PipelineError::Toml`] with the file, the place and the problem.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, PipelineError> {
        let path = path.as_ref();
        let at = |problem: String| PipelineError::Toml(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| at(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse_in(&text, folder).map_err(|error| at(error.to_string()))
    }

    /// Like [`parse`](Self::parse). Relative paths in the text start at this folder.
    ///
    /// # Errors
    /// [`PipelineError::Toml`] with the place and the problem.
    pub fn parse_in(text: &str, folder: &Path) -> Result<Self, PipelineError> {
        let mut file = Self::parse(text)?;
        for spec in file.0.values_mut() {
            spec.rebase(folder);
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
                limits: text.limits.over(&JobLimits::default()),
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

    /// Returns a pipeline by its name. Without a name, returns the only one.
    ///
    /// # Errors
    /// If no pipeline has that name, or if no name was given and there is not exactly one.
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
