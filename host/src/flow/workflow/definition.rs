//! A workflow: its plugin, its config, its grants and the stages that it is lent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_assets::normal_host;
use forebay_core::text::tidy;
use serde_json::Value;

use crate::flow::pipeline::{self, Pipeline, PipelineError};
use crate::sandbox::grants::{Granted, Grants};
use crate::sandbox::limits::{JobLimits, Limits};
use crate::sandbox::plugin::Plugin;
use crate::sandbox::pre::Pre;
use crate::sandbox::stage::Stage;

use crate::sandbox::world::World;

/// A workflow plugin with its config, its limits, its grants and the stages that it is lent. It is cheap to clone, and
/// can run any number of times.
///
/// ```no_run
/// # async fn example(host: forebay::Host, assets: forebay::Assets) -> Result<(), Box<dyn std::error::Error>> {
/// use forebay::{Grants, Source, Stage, Workflow};
/// use serde_json::json;
///
/// let kit = host.load_file("media-kit.wasm").await?;
/// let resize = host.load_file("image-resize.wasm").await?;
/// let workflow = Workflow::builder("kit", &kit)
///     .config(json!({ "prompt": "Introduce these pictures" }))
///     .grants(Grants::all().max_assets(50))
///     .lend("image-resize", Stage::new(&resize))
///     .build()?;
/// let report = host.run_workflow(&workflow, [Source::path("photo.jpg")], &assets).await?;
/// println!("{}", report.result);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Workflow(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    name: String,
    plugin: Plugin,
    config: Value,
    limits: Limits,
    job_limits: JobLimits,
    grants: Grants,
    /// The hosts whose URLs it may name, in their normal form.
    url_hosts: BTreeSet<String>,
    is_raw: bool,
    granted: Granted,
    /// The plugin, linked with what it is granted.
    pre: Option<Pre>,
    lent: BTreeMap<String, Stage>,
    before: Option<Pipeline>,
}

impl Workflow {
    /// Starts a workflow with an empty config, no grants and no stages. It has the default limits, except that its wall
    /// clock is one day, because it waits for all of its uploads. Messages and reports show `name`.
    pub fn builder(name: impl Into<String>, plugin: &Plugin) -> WorkflowBuilder {
        WorkflowBuilder(Inner {
            name: name.into(),
            plugin: plugin.clone(),
            config: Value::Object(serde_json::Map::new()),
            limits: Limits::for_workflows(),
            job_limits: JobLimits::default(),
            grants: Grants::none(),
            url_hosts: BTreeSet::new(),
            is_raw: false,
            granted: Granted::default(),
            pre: None,
            lent: BTreeMap::new(),
            before: None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.0.plugin
    }

    /// What it is granted.
    pub fn grants(&self) -> &Grants {
        &self.0.grants
    }

    /// Whether its result is taken as it is; see [`WorkflowBuilder::raw_result`].
    pub fn is_raw(&self) -> bool {
        self.0.is_raw
    }

    /// The hosts whose URLs it may name, in their normal form.
    pub(super) fn url_hosts(&self) -> &BTreeSet<String> {
        &self.0.url_hosts
    }

    /// The stages that it is lent, by name.
    pub fn lent(&self) -> impl Iterator<Item = (&str, &Stage)> {
        self.0
            .lent
            .iter()
            .map(|(name, stage)| (name.as_str(), stage))
    }

    /// The pipeline that its inputs go through first.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.0.before.as_ref()
    }

    /// Makes this workflow the last step of a pipeline: its inputs are the outputs of that pipeline.
    pub(crate) fn after(&self, pipeline: &Pipeline) -> Self {
        Self(Arc::new(Inner {
            // If there is a pipeline already, the new one comes before it.
            before: Some(match &self.0.before {
                Some(later) => pipeline.and(later),
                None => pipeline.clone(),
            }),
            ..(*self.0).clone()
        }))
    }

    pub(super) fn config(&self) -> &Value {
        &self.0.config
    }

    /// What the plugin may use.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(super) fn job_limits(&self) -> &JobLimits {
        &self.0.job_limits
    }

    pub(super) fn pre(&self) -> Option<&Pre> {
        self.0.pre.as_ref()
    }

    pub(super) fn granted(&self) -> &Granted {
        &self.0.granted
    }

    pub(super) fn stage(&self, name: &str) -> Option<&Stage> {
        self.0.lent.get(name)
    }
}

/// Sets up a [`Workflow`].
#[derive(Debug)]
pub struct WorkflowBuilder(Inner);

impl WorkflowBuilder {
    /// Sets the config: a JSON object that fits the plugin's schema.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.0.config = config;
        self
    }

    /// Sets the limits of the workflow itself. The stages that it is lent have their own. `output_bytes` and
    /// `output_files` apply to everything that those stages make for it in one run.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Sets what the whole run may use: its scratch, and its time, which includes the time to prepare its inputs.
    #[must_use]
    pub fn job_limits(mut self, limits: JobLimits) -> Self {
        self.0.job_limits = limits;
        self
    }

    /// Sets what it may do.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.0.grants = grants;
        self
    }

    /// Takes its result as it is. Without this, a result that names a file which the workflow may not name ends it: an asset
    /// that is neither of its run nor lent, or a URL of a host that is not granted. Who posts an unchecked result to the
    /// service lets the plugin decide what the service fetches, and from where.
    #[must_use]
    pub fn raw_result(mut self) -> Self {
        self.0.is_raw = true;
        self
    }

    /// Lends it a stage, which it can run by this name. The workflow may set fields of the stage's config.
    #[must_use]
    pub fn lend(mut self, name: impl Into<String>, stage: Stage) -> Self {
        self.0.lent.insert(name.into(), stage);
        self
    }

    /// Checks worlds, configs and grants, opens the granted folders, and links each plugin with what it is granted.
    ///
    /// # Errors
    /// [`PipelineError::World`] if the plugin is not a workflow, or a lent stage is one; [`PipelineError::Config`] if a
    /// config does not fit; [`PipelineError::Grants`] if the plugin imports more than it is granted, or a grant cannot
    /// be given.
    pub fn build(self) -> Result<Workflow, PipelineError> {
        let Self(mut inner) = self;
        let label = format!("workflow {}", inner.name);
        if inner.plugin.world() != World::Workflow {
            return Err(PipelineError::World {
                place: label,
                plugin: inner.plugin.name().to_owned(),
                problem: "is no workflow plugin",
            });
        }
        pipeline::check_config(&inner.plugin, &inner.config).map_err(|problem| {
            PipelineError::Config {
                place: label.clone(),
                problem,
            }
        })?;
        let refused = |problem| PipelineError::Grants {
            place: label.clone(),
            plugin: inner.plugin.name().to_owned(),
            problem,
        };
        let hosts = inner.grants.url_hosts.iter().map(|host| {
            normal_host(host).ok_or_else(|| {
                format!(
                    "`url_hosts`: `{}` is no host; give its name or address without scheme and port, such as `cdn.example`",
                    tidy(host, 80)
                )
            })
        });
        inner.url_hosts = hosts.collect::<Result<_, _>>().map_err(refused)?;
        let pre = inner.plugin.link(&inner.grants).map_err(refused)?;
        let granted = Granted::open(&inner.grants).map_err(refused)?;
        (inner.pre, inner.granted) = (Some(pre), granted);
        for (name, stage) in &mut inner.lent {
            // The stage that was checked and opened here is the one that runs.
            let pipeline = Pipeline::builder(name).stage(stage.clone()).build()?;
            if let [opened] = pipeline.stages() {
                *stage = opened.clone();
            }
        }
        Ok(Workflow(Arc::new(inner)))
    }
}

impl Pipeline {
    /// Adds a workflow as the last step. Its inputs are the outputs of the stages.
    pub fn then(&self, workflow: &Workflow) -> Workflow {
        workflow.after(self)
    }
}
