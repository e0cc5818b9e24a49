//! A plugin with its config, its limits and its grants.

use serde_json::Value;
use wasmtime_wasi::WasiCtxBuilder;

use super::cause::StageCause;
use super::grants::{Granted, Grants};
use super::limits::Limits;
use super::plugin::Plugin;
use super::pre::Pre;
use super::state::StageState;

/// A plugin with its config, its limits and what it is granted.
///
/// ```no_run
/// # async fn example(host: forebay::Host) -> Result<(), forebay::Error> {
/// use forebay::{Limits, Stage};
/// use serde_json::json;
///
/// let resize = host.load_file("image-resize.wasm").await?;
/// let stage = Stage::new(&resize)
///     .config(json!({ "max_width": 2048 }))
///     .limits(Limits::default().memory(256 << 20));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Stage {
    pub(crate) name: String,
    pub(crate) plugin: Plugin,
    pub(crate) config: Value,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    /// What `grants` stand for, once the pipeline is built.
    pub(crate) granted: Option<Granted>,
    /// The plugin, linked with what it is granted, once the pipeline is built.
    pub(crate) pre: Option<Pre>,
}

impl Stage {
    /// A stage with an empty config, the default limits and no grants, named like its plugin.
    pub fn new(plugin: &Plugin) -> Self {
        Self {
            name: plugin.name().to_owned(),
            plugin: plugin.clone(),
            config: Value::Object(serde_json::Map::new()),
            limits: Limits::default(),
            grants: Grants::none(),
            granted: None,
            pre: None,
        }
    }

    /// Sets the config: a JSON object that fits the plugin's schema. Checked when the pipeline is built.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what it may do beyond working on its file; nothing unless set. Folders are opened when the pipeline is built.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self.granted = None;
        self.pre = None;
        self
    }

    /// Sets the name that messages and reports show.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The stage with its folders open and its plugin linked.
    ///
    /// # Errors
    /// What is wrong with a grant, or which grant an import needs, in words.
    pub(crate) fn open(mut self) -> Result<Self, String> {
        if let Some(grant) = self.grants.for_workflows() {
            return Err(format!(
                "the grant `{grant}` is for workflows, and this is a {} plugin",
                self.plugin.world()
            ));
        }
        if self.granted.is_none() {
            self.granted = Some(Granted::open(&self.grants)?);
        }
        if self.pre.is_none() {
            self.pre = Some(self.plugin.link(&self.grants)?);
        }
        Ok(self)
    }

    /// The limits that its store is held to.
    pub(crate) fn limits_of_store(&self) -> Limits {
        let granted = self.granted.clone().unwrap_or_default();
        granted.bound(&self.limits, self.plugin.world())
    }

    /// The state of a store for this stage.
    pub(crate) fn state(
        &self,
        limits: &Limits,
        add: impl FnOnce(&mut WasiCtxBuilder) -> wasmtime::Result<()>,
    ) -> Result<StageState, StageCause> {
        let granted = self.granted.clone().unwrap_or_default();
        StageState::with_wasi(limits, &granted, add)
            .map_err(|error| StageCause::Host(format!("{error:#}")))
    }
}
