//! Stages in order.
//!
//! Promise: a [`Pipeline`] that was built can work. Each stage's config fits its plugin's own schema, its grants can be
//! given, and each stage accepts something that the stage before it can emit.

mod error;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

pub use error::PipelineError;

use crate::sandbox::limits::JobLimits;
use crate::sandbox::plugin::Plugin;
use crate::sandbox::stage::Stage;
use crate::sandbox::world::World;
use forebay_core::media;

/// A checked sequence of stages. It is cheap to clone, and can run any number of jobs.
#[derive(Debug, Clone)]
pub struct Pipeline(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    stages: Vec<Stage>,
    limits: JobLimits,
}

impl Pipeline {
    /// Starts a pipeline. Reports show `name`. A pipeline without stages passes files on unchanged.
    pub fn builder(name: impl Into<String>) -> PipelineBuilder {
        PipelineBuilder {
            name: name.into(),
            stages: Vec::new(),
            limits: JobLimits::default(),
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

    /// What a job that runs it may use.
    pub fn limits(&self) -> &JobLimits {
        &self.0.limits
    }

    /// How many places of the host's pool all of its stages take.
    pub(crate) fn places(&self) -> u32 {
        let places = self.stages().iter().map(|stage| stage.plugin.places());
        places.fold(0, u32::saturating_add)
    }

    /// The stages of this pipeline, followed by those of another.
    #[cfg(feature = "workflow")]
    pub(crate) fn and(&self, later: &Self) -> Self {
        Self(Arc::new(Inner {
            name: self.0.name.clone(),
            stages: self
                .stages()
                .iter()
                .chain(later.stages())
                .cloned()
                .collect(),
            limits: self.0.limits.clone(),
        }))
    }

    /// A stage as messages name it, by position and name: `2 image-resize`.
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
    limits: JobLimits,
}

impl PipelineBuilder {
    /// Adds a stage at the end.
    #[must_use]
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Sets what a job that runs the pipeline may use, over all of its stages and files.
    #[must_use]
    pub fn limits(mut self, limits: JobLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks worlds, configs, grants and media types, opens the granted folders, and links each plugin with what it is
    /// granted.
    ///
    /// # Errors
    /// [`PipelineError::World`], [`PipelineError::Config`], [`PipelineError::Grants`] and [`PipelineError::MediaTypes`].
    pub fn build(self) -> Result<Pipeline, PipelineError> {
        for (at, stage) in self.stages.iter().enumerate() {
            let place = format!("stage {}", label(&self.stages, at));
            if stage.plugin.world() == World::Workflow {
                return Err(PipelineError::World {
                    place,
                    plugin: stage.plugin.name().to_owned(),
                    problem: "is a workflow, which is no stage; it can be the last step of a pipeline",
                });
            }
            check_config(&stage.plugin, &stage.config)
                .map_err(|problem| PipelineError::Config { place, problem })?;
        }
        check_types(&self.stages)?;
        let labels: Vec<String> = (0..self.stages.len())
            .map(|at| label(&self.stages, at))
            .collect();
        let opened = self.stages.into_iter().zip(labels).map(|(stage, label)| {
            let plugin = stage.plugin.name().to_owned();
            stage.open().map_err(|problem| PipelineError::Grants {
                place: format!("stage {label}"),
                plugin,
                problem,
            })
        });
        Ok(Pipeline(Arc::new(Inner {
            name: self.name,
            stages: opened.collect::<Result<_, _>>()?,
            limits: self.limits,
        })))
    }
}

/// Computes what each stage can emit: the types that it declares, or else those types of its input that it accepts.
/// Fails if the next stage accepts none of them.
fn check_types(stages: &[Stage]) -> Result<(), PipelineError> {
    let mut given: Vec<String> = vec!["*/*".to_owned()];
    for (at, stage) in stages.iter().enumerate() {
        let descriptor = stage.plugin.descriptor();
        // Each is one of either list, so there are never more than both have, once equal ones are left out.
        let mut taken: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        for gives in &given {
            for takes in &descriptor.accepts {
                if !media::ranges_meet(gives, takes) {
                    continue;
                }
                let narrower = if media::in_range(gives, takes) {
                    gives
                } else {
                    takes
                };
                if seen.insert(narrower.to_ascii_lowercase()) {
                    taken.push(narrower.clone());
                }
            }
        }
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

/// Checks a config against the plugin's schema. The error names the first field that does not fit.
pub(crate) fn check_config(plugin: &Plugin, config: &Value) -> Result<(), String> {
    let Some(schema) = &plugin.descriptor().config_schema else {
        return match config {
            Value::Object(fields) if fields.is_empty() => Ok(()),
            _ => Err("this plugin takes none".into()),
        };
    };
    schema.check(config).map_err(|error| error.to_string())
}
