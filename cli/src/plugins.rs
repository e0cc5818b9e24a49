//! The host of this command, and its plugins, by name or by path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use forebay::{Host, Plugin};

use crate::lock_file::Lock;

/// With this argument the program compiles one plugin, and does nothing else. It is for the program itself.
pub(crate) const COMPILE: &str = "__compile-plugin";

/// The most plugins that one command runs at the same time.
const MOST_INSTANCES: u32 = 256;

/// Instances besides one for each stage of each job: for what a stage makes several of, and for a plugin that counts as
/// several. The largest one counts as 13.
const SPARE: usize = 16;

/// From this likeness on, a name is probably meant as the other one. clap uses it for its own suggestions.
const ALIKE: f64 = 0.7;

/// A host and the plugins that it has loaded.
pub(crate) struct Plugins {
    pub(crate) host: Host,
    loaded: HashMap<String, Plugin>,
    lock: Option<Lock>,
}

impl Plugins {
    /// A host that runs a few plugins at the same time.
    pub(crate) fn new() -> Result<Self> {
        Self::for_jobs(1, 1)
    }

    /// A host for so many jobs of so many stages. Files that a stage makes more of wait for an instance that is free. The
    /// room for each instance is made at the start, which takes time, so there are no more than a run can use.
    pub(crate) fn for_jobs(jobs: usize, stages: usize) -> Result<Self> {
        let instances = jobs.saturating_mul(stages).saturating_add(SPARE);
        let instances = u32::try_from(instances).unwrap_or(MOST_INSTANCES);
        let mut builder = Host::builder().instances(instances.min(MOST_INSTANCES));
        if let Some(program) = own_program() {
            builder = builder.compiler(program, [COMPILE]);
        }
        let keeping = cache_dir().map(|folder| builder.clone().cache_dir(folder).build());
        let host = match keeping {
            Some(Ok(host)) => host,
            Some(Err(error)) => {
                complain!("forebay: {error}; plugins are compiled at each start");
                builder.build()?
            }
            None => builder.build()?,
        };
        Ok(Self {
            host,
            loaded: HashMap::new(),
            lock: None,
        })
    }

    /// Loads only plugins that are in this lock.
    pub(crate) fn locked(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Loads a bundled plugin by its name, or a component by its path. If a file of this name exists, the name is a
    /// path.
    pub(crate) async fn load(&mut self, name: &str) -> Result<Plugin> {
        if let Some(plugin) = self.loaded.get(name) {
            return Ok(plugin.clone());
        }
        let looks_like_path = name.contains(['/', '\\']) || name.ends_with(".wasm");
        let plugin = match forebay_bundled::find(name) {
            Some(component) => {
                self.check(name, component)?;
                self.host.load(name, component).await?
            }
            None if looks_like_path || PathBuf::from(name).is_file() => match &self.lock {
                None => self.host.load_file(name).await?,
                Some(_) => {
                    let component =
                        std::fs::read(name).with_context(|| format!("plugin {name}"))?;
                    self.check(name, &component)?;
                    self.host.load(name, component).await?
                }
            },
            None => {
                let known: Vec<&str> = forebay_bundled::PLUGINS
                    .iter()
                    .map(|(name, _)| *name)
                    .collect();
                let similar = known
                    .iter()
                    .map(|known| (strsim::jaro_winkler(name, known), known))
                    .filter(|(likeness, _)| *likeness > ALIKE)
                    .max_by(|(one, _), (other, _)| one.total_cmp(other));
                let hint = similar.map_or_else(
                    || ".".to_owned(),
                    |(_, known)| format!("; did you mean `{known}`?"),
                );
                bail!(
                    "there is no plugin `{name}`{hint} Bundled are {}; or give the path of a .wasm file",
                    known.join(", ")
                );
            }
        };
        self.loaded.insert(name.to_owned(), plugin.clone());
        Ok(plugin)
    }

    /// Loads a bundled plugin, whatever the lock and the current folder hold. For forebay's own use.
    pub(crate) async fn load_bundled(&self, name: &str) -> Result<Plugin> {
        let component = forebay_bundled::find(name).context("a bundled plugin")?;
        Ok(self.host.load(name, component).await?)
    }

    /// Whether a workflow may run a bundled plugin that the user did not name. With a lock, only if the plugin is in
    /// it.
    pub(crate) fn may_lend(&self, name: &str) -> bool {
        self.lock.as_ref().is_none_or(|lock| lock.has(name))
    }

    fn check(&self, name: &str, component: &[u8]) -> Result<()> {
        match &self.lock {
            Some(lock) => lock.check(name, component),
            None => Ok(()),
        }
    }
}

/// This program. On Linux by the name that stays its own when the file is replaced while it runs.
fn own_program() -> Option<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        return Some(own.to_owned());
    }
    std::env::current_exe().ok()
}

/// The folder for compiled plugins: this user's cache folder, according to the XDG base directory specification and the
/// convention of each system. Returns `None` if this user has none; then plugins are compiled at every start.
fn cache_dir() -> Option<PathBuf> {
    let folder = match std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        Some(cache) => cache,
        None if cfg!(windows) => PathBuf::from(std::env::var_os("LOCALAPPDATA")?),
        None => {
            let home = PathBuf::from(std::env::var_os("HOME")?);
            if cfg!(target_os = "macos") {
                home.join("Library/Caches")
            } else {
                home.join(".cache")
            }
        }
    };
    Some(folder.join("forebay"))
}
