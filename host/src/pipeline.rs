//! Stages in order.
//!
//! Promise: a [`Pipeline`] that was built can work. Each stage's config fits its plugin's own schema, and each stage takes
//! something that the one before it can give.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use serde::Deserialize;
use serde_json::Value;

use crate::error::PipelineError;
use crate::limits::{Limits, LimitsText};
use crate::media;
use crate::plugin::Plugin;
use crate::stage::Stage;

/// A checked sequence of stages. Cheap to clone; runs any number of jobs.
#[derive(Debug, Clone)]
pub struct Pipeline(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    stages: Vec<Stage>,
}

impl Pipeline {
    /// Starts a pipeline; `name` is what reports show. One without stages passes files on as they are.
    pub fn builder(name: impl Into<String>) -> PipelineBuilder {
        PipelineBuilder {
            name: name.into(),
            stages: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its stages, in order.
    pub fn stages(&self) -> &[Stage] {
        &self.0.stages
    }

    /// A stage as messages name it, by place and name: `2 image-resize`.
    pub(crate) fn label(&self, at: usize) -> String {
        label(&self.0.stages, at)
    }
}

fn label(stages: &[Stage], at: usize) -> String {
    format!(
        "{} {}",
        at + 1,
        stages.get(at).map_or("", |stage| &stage.name)
    )
}

/// Collects stages.
#[derive(Debug)]
pub struct PipelineBuilder {
    name: String,
    stages: Vec<Stage>,
}

impl PipelineBuilder {
    /// Adds a stage at the end.
    #[must_use]
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Checks configs and media types.
    ///
    /// # Errors
    /// [`PipelineError::Config`] and [`PipelineError::MediaTypes`].
    pub fn build(self) -> Result<Pipeline, PipelineError> {
        for (at, stage) in self.stages.iter().enumerate() {
            check_config(stage).map_err(|problem| PipelineError::Config {
                stage: label(&self.stages, at),
                problem,
            })?;
        }
        check_types(&self.stages)?;
        Ok(Pipeline(Arc::new(Inner {
            name: self.name,
            stages: self.stages,
        })))
    }
}

/// Follows what can come out of each stage: the types that it names, or else those of its input that it takes.
fn check_types(stages: &[Stage]) -> Result<(), PipelineError> {
    let mut given: Vec<String> = vec!["*/*".to_owned()];
    for (at, stage) in stages.iter().enumerate() {
        let descriptor = stage.plugin.descriptor();
        let taken: Vec<String> = given
            .iter()
            .flat_map(|gives| {
                descriptor
                    .accepts
                    .iter()
                    .filter(move |takes| media::ranges_meet(gives, takes))
                    .map(move |takes| {
                        // The narrower of the two.
                        if media::in_range(gives, takes) {
                            gives.clone()
                        } else {
                            takes.clone()
                        }
                    })
            })
            .collect();
        if taken.is_empty() {
            return Err(PipelineError::MediaTypes {
                from: label(stages, at.saturating_sub(1)),
                gives: given.join(", "),
                to: label(stages, at),
                takes: descriptor.accepts.join(", "),
            });
        }
        given = if descriptor.produces.is_empty() {
            taken
        } else {
            descriptor.produces.clone()
        };
    }
    Ok(())
}

/// Checks a config against the plugin's schema, and says in plain words which field is wrong.
fn check_config(stage: &Stage) -> Result<(), String> {
    let Some(schema) = &stage.plugin.descriptor().config_schema else {
        return match &stage.config {
            Value::Object(fields) if fields.is_empty() => Ok(()),
            _ => Err("this plugin takes none".into()),
        };
    };
    if !stage.config.is_object() {
        return Err("is not an object".into());
    }
    let validator = jsonschema::validator_for(schema).map_err(|error| error.to_string())?;
    let Some(error) = validator.iter_errors(&stage.config).next() else {
        return Ok(());
    };
    let path = error.instance_path().to_string();
    let field = path.trim_start_matches('/').replace('/', ".");
    Err(match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known: Vec<&str> = schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str())
                .collect();
            let takes = if known.is_empty() {
                "this plugin takes none".into()
            } else {
                format!("it takes {}", known.join(", "))
            };
            format!("there is no field `{}`; {takes}", unexpected.join("`, `"))
        }
        ValidationErrorKind::OneOfNotValid { .. }
        | ValidationErrorKind::AnyOf { .. }
        | ValidationErrorKind::Enum { .. }
            if let Some(choices) = choices(schema, &path) =>
        {
            format!("field `{field}`: {} is none of {choices}", error.instance())
        }
        _ if field.is_empty() => error.to_string(),
        _ => format!("field `{field}`: {error}"),
    })
}

/// The choices of a field that has a fixed list of them, wherever the schema keeps it.
fn choices(schema: &Value, path: &str) -> Option<String> {
    let mut property = schema
        .get("properties")?
        .get(path.trim_start_matches('/'))?;
    if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
        property = schema.pointer(reference.strip_prefix('#')?)?;
    }
    let listed = ["enum", "oneOf", "anyOf"]
        .iter()
        .find_map(|key| property.get(key)?.as_array())?;
    let names: Option<Vec<&str>> = listed
        .iter()
        .map(|one| one.get("const").unwrap_or(one).as_str())
        .collect();
    Some(names?.join(", "))
}

/// Pipelines as TOML writes them, with plugins by name or path, still to be loaded.
///
/// ```
/// let file = forebay::PipelineFile::parse(r#"
///     [pipelines.photos]
///     [[pipelines.photos.stages]]
///     plugin = "strip-metadata"
///
///     [[pipelines.photos.stages]]
///     plugin = "image-resize"
///     config = { max_width = 2048 }
///     limits = { memory = "256 MiB", cpu_time = "10s" }
/// "#)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["photos"]);
/// assert_eq!(file.stages(None)?.len(), 2);
/// # Ok::<_, forebay::PipelineError>(())
/// ```
#[derive(Debug)]
pub struct PipelineFile(BTreeMap<String, Vec<StageSpec>>);

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
}

impl StageSpec {
    /// A stage of this plugin with an empty config and the default limits.
    pub fn new(plugin: impl Into<String>) -> Self {
        Self {
            name: None,
            plugin: plugin.into(),
            config: Value::Object(serde_json::Map::new()),
            limits: Limits::default(),
        }
    }

    /// The stage, once its plugin is loaded.
    pub fn stage(self, plugin: &Plugin) -> Stage {
        let stage = Stage::new(plugin).config(self.config).limits(self.limits);
        match self.name {
            Some(name) => stage.name(name),
            None => stage,
        }
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
    stages: Vec<StageText>,
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
}

impl PipelineFile {
    /// Reads `[pipelines.NAME]` tables, each with an array of `stages`.
    ///
    /// # Errors
    /// [`PipelineError::Toml`] with the place and the problem.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        let file: FileText =
            toml::from_str(text).map_err(|error| PipelineError::Toml(error.to_string()))?;
        let mut pipelines = BTreeMap::new();
        for (name, pipeline) in file.pipelines {
            let mut stages = Vec::new();
            for stage in pipeline.stages {
                let at = |problem: String| {
                    PipelineError::Toml(format!(
                        "pipeline {name}: stage {}: {problem}",
                        stage.plugin
                    ))
                };
                stages.push(StageSpec {
                    limits: stage.limits.resolve().map_err(at)?,
                    config: serde_json::to_value(stage.config)
                        .map_err(|error| at(error.to_string()))?,
                    name: stage.name,
                    plugin: stage.plugin.clone(),
                });
            }
            pipelines.insert(name, stages);
        }
        Ok(Self(pipelines))
    }

    /// The names of the pipelines.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The stages of a pipeline; without a name, of the only one.
    ///
    /// # Errors
    /// When there is none of that name, or no name was given and there are several.
    pub fn stages(&self, name: Option<&str>) -> Result<&[StageSpec], PipelineError> {
        let there = || self.names().collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => self.0.get(name).map(Vec::as_slice).ok_or_else(|| {
                PipelineError::Toml(format!("no pipeline `{name}`; there are: {}", there()))
            }),
            None => match self.0.values().collect::<Vec<_>>().as_slice() {
                [only] => Ok(only.as_slice()),
                _ => Err(PipelineError::Toml(format!(
                    "which pipeline? There are: {}",
                    there()
                ))),
            },
        }
    }
}
