//! Stages in order.
//!
//! Promise: a [`Pipeline`] that was built can work. Each stage's config fits its plugin's own schema, its grants can be
//! given, and each stage accepts something that the stage before it can emit.

mod error;
mod when;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

pub use error::PipelineError;
pub use when::{When, WhenError};

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
    /// Which files each stage is for, if not for all.
    whens: Vec<Option<When>>,
    limits: JobLimits,
}

impl Pipeline {
    /// Starts a pipeline. Reports show `name`. A pipeline without stages passes files on unchanged.
    pub fn builder(name: impl Into<String>) -> PipelineBuilder {
        PipelineBuilder {
            name: name.into(),
            stages: Vec::new(),
            whens: Vec::new(),
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

    /// Which files the stage at this position (from 0) is for. `None` if it is for all.
    pub fn when(&self, at: usize) -> Option<&When> {
        self.0.whens.get(at)?.as_ref()
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
            whens: self.0.whens.iter().chain(&later.0.whens).cloned().collect(),
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
    whens: Vec<Option<When>>,
    limits: JobLimits,
}

impl PipelineBuilder {
    /// Adds a stage at the end.
    #[must_use]
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self.whens.push(None);
        self
    }

    /// Adds a stage at the end that is only for some files. Others pass it by, so that one pipeline serves a folder with
    /// files of many kinds.
    ///
    /// ```no_run
    /// # fn f(strip: &forebay::Plugin, resize: &forebay::Plugin) -> Result<(), Box<dyn std::error::Error>> {
    /// use forebay::{Pipeline, Stage};
    ///
    /// let pipeline = Pipeline::builder("phone")
    ///     .stage_when("image/*".parse()?, Stage::new(strip))
    ///     .stage_when("image/*, >1MB".parse()?, Stage::new(resize))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stage_when(mut self, when: When, stage: Stage) -> Self {
        self.stages.push(stage);
        self.whens.push(Some(when));
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
    /// [`PipelineError::World`], [`PipelineError::Config`], [`PipelineError::Grants`], [`PipelineError::MediaTypes`] and
    /// [`PipelineError::NeverRuns`].
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
        check_types(&self.stages, &self.whens)?;
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
            whens: self.whens,
            limits: self.limits,
        })))
    }
}

/// Computes which types can be there after each stage: the types that it declares, or else those types of its input that it
/// accepts, and the types of files that it is not for. Fails if a stage accepts none of the files that it is for.
fn check_types(stages: &[Stage], whens: &[Option<When>]) -> Result<(), PipelineError> {
    let mut given: Vec<String> = vec!["*/*".to_owned()];
    for (at, (stage, when)) in stages.iter().zip(whens).enumerate() {
        let descriptor = stage.plugin.descriptor();
        let meant = match when.as_ref().and_then(When::ranges) {
            None => given.clone(),
            Some(ranges) => common(&given, ranges),
        };
        let taken = common(&meant, &descriptor.accepts);
        if taken.is_empty() {
            let (gives, takes) = (given.join(", "), descriptor.accepts.join(", "));
            return Err(match when {
                None => PipelineError::MediaTypes {
                    from: label(stages, at.saturating_sub(1)),
                    gives,
                    to: label(stages, at),
                    takes,
                },
                Some(when) => PipelineError::NeverRuns {
                    stage: label(stages, at),
                    when: when.to_string(),
                    takes,
                    gets: gives,
                },
            });
        }
        let passing = match when {
            None => Vec::new(),
            Some(when) => given
                .into_iter()
                .filter(|range| !when.takes_all_of(range))
                .collect(),
        };
        given = if descriptor.produces.is_empty() {
            taken
        } else {
            descriptor.produces.clone()
        };
        let mut seen: HashSet<String> = given
            .iter()
            .map(|range| range.to_ascii_lowercase())
            .collect();
        given.extend(
            passing
                .into_iter()
                .filter(|range| seen.insert(range.to_ascii_lowercase())),
        );
    }
    Ok(())
}

/// The ranges of types that lie in one range of each list. Each of them is one of either list, so there are never more than
/// both have, once equal ones are left out.
fn common(some: &[String], others: &[String]) -> Vec<String> {
    let mut common: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for one in some {
        for other in others {
            if !media::ranges_meet(one, other) {
                continue;
            }
            let narrower = if media::in_range(one, other) {
                one
            } else {
                other
            };
            if seen.insert(narrower.to_ascii_lowercase()) {
                common.push(narrower.clone());
            }
        }
    }
    common
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
