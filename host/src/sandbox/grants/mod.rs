//! What a plugin may do beyond working on the file that it is given.
//!
//! Promise: nothing that is not granted. A folder is opened once, when the pipeline is built, and everything beneath it is
//! resolved from there: neither links nor `..` lead out of it. A workflow that asks for more of the service than it was
//! granted gets that back as a value, so that it can go another way.

mod granted;
#[cfg(feature = "toml")]
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;

pub(crate) use granted::Granted;
#[cfg(feature = "toml")]
pub(crate) use text::GrantsText;

/// What a stage or a workflow may do; nothing unless granted.
///
/// What holds is what the plugin imports *and* is granted: a plugin whose imports go beyond its grants is refused when its
/// pipeline is built.
///
/// ```
/// use forebay::Grants;
///
/// let watermark = Grants::none().read("/fonts", "assets/fonts").env("LANG", "C").deterministic();
/// let kit = Grants::all().max_assets(50);
/// assert!(kit.upload && !watermark.upload);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Grants {
    /// Folders that it may read, by the absolute path under which it sees each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub read: BTreeMap<String, PathBuf>,
    /// Folders that it may read and write, by the absolute path under which it sees each. What it writes there stays, up to
    /// [`Limits::granted_bytes`](crate::Limits::granted_bytes).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub write: BTreeMap<String, PathBuf>,
    /// Its environment. Only the names go into reports.
    #[serde(serialize_with = "names", skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What time it is for the plugin.
    pub clock: Clock,
    /// What its random numbers are.
    pub random: Random,
    /// To upload files. Those that are too large for one request need [`direct_upload`](Self::direct_upload) as well. For
    /// workflows, as all that follows.
    #[serde(skip_serializing_if = "is_false")]
    pub upload: bool,
    /// To reserve assets, send their bytes and complete them.
    #[serde(skip_serializing_if = "is_false")]
    pub direct_upload: bool,
    /// To make file inputs: of the assets of its run, of bytes, and of what the next two fields list.
    #[serde(skip_serializing_if = "is_false")]
    pub file_inputs: bool,
    /// Hosts whose URLs it may name, for the service to fetch. A URL can carry what the workflow knows to its host.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub url_hosts: BTreeSet<String>,
    /// Ids of assets that it may name, beside those of its run.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub assets: BTreeSet<String>,
    /// How many assets it may make in one run. Default 1,000: a folder of photos, each in three versions. One that it gives
    /// up before it is complete makes room for another, but no more than so many are created in all.
    #[serde(skip_serializing_if = "is_default_assets")]
    pub max_assets: u64,
    /// How many bytes they may have together, and how many are sent in all. Default 16 GiB, as much as a stage may put out.
    #[serde(skip_serializing_if = "is_default_bytes")]
    pub max_bytes: u64,
}

/// What time it is for a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Clock {
    /// The machine's.
    #[default]
    Real,
    /// Always this moment; clocks that only go forward stand at 0. Sleeping takes its time all the same.
    Frozen(SystemTime),
}

/// What the random numbers of a plugin are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Random {
    /// The machine's, fit for secrets.
    #[default]
    Real,
    /// Computed from this seed, the same for each file. Another version of forebay may compute others.
    Seeded(u64),
}

/// The moment at which [`Grants::deterministic`] stops the clock: 2000-01-01T00:00:00Z.
const FROZEN: Duration = Duration::from_secs(946_684_800);

const MAX_ASSETS: u64 = 1_000;
const MAX_BYTES: u64 = 16 << 30;

impl Grants {
    /// Nothing. Clock and random numbers are real.
    pub fn none() -> Self {
        Self {
            read: BTreeMap::new(),
            write: BTreeMap::new(),
            env: BTreeMap::new(),
            clock: Clock::default(),
            random: Random::default(),
            upload: false,
            direct_upload: false,
            file_inputs: false,
            url_hosts: BTreeSet::new(),
            assets: BTreeSet::new(),
            max_assets: MAX_ASSETS,
            max_bytes: MAX_BYTES,
        }
    }

    /// For a workflow: uploads by either flow, and file inputs of what it uploads.
    pub fn all() -> Self {
        Self::none().upload().direct_upload().file_inputs()
    }

    /// Grants a folder to be read, which the plugin sees as `path`.
    #[must_use]
    pub fn read(mut self, path: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.read.insert(path.into(), folder.into());
        self
    }

    /// Grants a folder to be read and written, which the plugin sees as `path`.
    #[must_use]
    pub fn write(mut self, path: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.write.insert(path.into(), folder.into());
        self
    }

    /// Grants an entry of the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets [`random`](Self::random).
    #[must_use]
    pub fn random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// Stops the clock at the beginning of the year 2000 and seeds the random numbers: the same plugin, config and input
    /// give the same bytes.
    #[must_use]
    pub fn deterministic(self) -> Self {
        self.clock(Clock::Frozen(SystemTime::UNIX_EPOCH + FROZEN))
            .random(Random::Seeded(0))
    }

    /// Grants [`upload`](Self::upload).
    #[must_use]
    pub fn upload(mut self) -> Self {
        self.upload = true;
        self
    }

    /// Grants [`direct_upload`](Self::direct_upload).
    #[must_use]
    pub fn direct_upload(mut self) -> Self {
        self.direct_upload = true;
        self
    }

    /// Grants [`file_inputs`](Self::file_inputs).
    #[must_use]
    pub fn file_inputs(mut self) -> Self {
        self.file_inputs = true;
        self
    }

    /// Adds one of the [`url_hosts`](Self::url_hosts): a name or an address, without scheme and port.
    #[must_use]
    pub fn url_host(mut self, host: impl Into<String>) -> Self {
        self.url_hosts.insert(host.into());
        self
    }

    /// Adds one of the [`assets`](Self::assets).
    #[must_use]
    pub fn asset(mut self, id: impl Into<String>) -> Self {
        self.assets.insert(id.into());
        self
    }

    /// Sets [`max_assets`](Self::max_assets).
    #[must_use]
    pub fn max_assets(mut self, most: u64) -> Self {
        self.max_assets = most;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, most: u64) -> Self {
        self.max_bytes = most;
        self
    }

    /// The first grant that only a workflow can use.
    pub(crate) fn for_workflows(&self) -> Option<&'static str> {
        [
            (self.upload, "upload"),
            (self.direct_upload, "direct_upload"),
            (self.file_inputs, "file_inputs"),
            (!self.url_hosts.is_empty(), "url_hosts"),
            (!self.assets.is_empty(), "assets"),
        ]
        .into_iter()
        .find_map(|(granted, name)| granted.then_some(name))
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self::none()
    }
}

impl Serialize for Clock {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Real => to.serialize_str("real"),
            Self::Frozen(at) => to.collect_str(&humantime::format_rfc3339(*at)),
        }
    }
}

impl Serialize for Random {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Real => to.serialize_str("real"),
            Self::Seeded(seed) => to.serialize_u64(*seed),
        }
    }
}

fn names<S: serde::Serializer>(env: &BTreeMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(env.keys())
}

// What serde hands over is a reference.
fn is_false(granted: &bool) -> bool {
    !granted
}

fn is_default_assets(most: &u64) -> bool {
    *most == MAX_ASSETS
}

fn is_default_bytes(most: &u64) -> bool {
    *most == MAX_BYTES
}
