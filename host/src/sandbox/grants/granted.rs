//! Grants made real: folders open, ready to be given to a store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use super::{Clock, Grants, Random};
use crate::sandbox::limits::Limits;
use crate::sandbox::world::World;

/// Handles of a plugin that has folders, whatever its limit: each may be an open file, of which a process often has no more
/// than 1,024.
const OPEN_FILES: u64 = 128;

/// What a file plugin has of its own.
const RESERVED: [&str; 2] = ["/in", "/out"];

/// Grants whose folders are open. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Granted(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    folders: Vec<Folder>,
    env: Vec<(String, String)>,
    clock: Clock,
    random: Random,
}

struct Folder {
    /// What the plugin calls it.
    path: String,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "nothing leads from the handle to a path there")
    )]
    dir: Dir,
    perms: FsPerms,
    /// Where it was when it was opened.
    #[cfg_attr(target_os = "linux", allow(dead_code, reason = "for other systems"))]
    host: PathBuf,
}

impl Granted {
    /// Opens the folders.
    ///
    /// # Errors
    /// What is wrong with which grant, in words.
    pub(crate) fn open(grants: &Grants) -> Result<Self, String> {
        let read = grants
            .read
            .iter()
            .map(|one| ("read", FsPerms::ReadOnly, one));
        let write = grants
            .write
            .iter()
            .map(|one| ("write", FsPerms::ReadWrite, one));
        let mut folders: Vec<Folder> = Vec::new();
        for (kind, perms, (path, host)) in read.chain(write) {
            let problem = |problem: String| format!("`{kind}` of \"{path}\": {problem}");
            check_path(path).map_err(problem)?;
            if folders.iter().any(|folder| folder.path == *path) {
                return Err(problem("is granted twice".into()));
            }
            let dir = Dir::open_ambient_dir(host, ambient_authority())
                .map_err(|error| problem(format!("{}: {error}", host.display())))?;
            folders.push(Folder {
                path: path.clone(),
                dir,
                perms,
                host: host.clone(),
            });
        }
        for name in grants.env.keys() {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(format!("`env`: \"{}\" is no name", name.escape_debug()));
            }
        }
        let env = grants.env.clone().into_iter().collect();
        Ok(Self(Arc::new(Inner {
            folders,
            env,
            clock: grants.clock,
            random: grants.random,
        })))
    }

    /// The limits of a store to which this is given.
    pub(crate) fn bound(&self, limits: &Limits, world: World) -> Limits {
        let limits = limits.clone();
        if self.0.folders.is_empty() && world != World::File {
            return limits;
        }
        let handles = limits.handles.min(OPEN_FILES);
        limits.handles(handles)
    }

    /// Gives a store what is granted.
    pub(crate) fn give(&self, wasi: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        let Inner {
            folders,
            env,
            clock,
            random,
        } = &*self.0;
        for folder in folders {
            wasi.preopened_dir(folder.opened(), &folder.path, folder.perms)?;
        }
        for (name, value) in env {
            wasi.env(name, value);
        }
        if let Clock::Frozen(at) = clock {
            wasi.wall_clock(Frozen(*at)).monotonic_clock(Frozen(*at));
        }
        if let Random::Seeded(seed) = *random {
            wasi.secure_random(StdRng::seed_from_u64(seed))
                .insecure_random(StdRng::seed_from_u64(seed))
                .insecure_random_seed(seed.into());
        }
        Ok(())
    }
}

/// Whether a plugin may see a folder under this path.
fn check_path(path: &str) -> Result<(), String> {
    let mut parts = path.split('/');
    let plain = parts.next() == Some("")
        && parts.all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
    if !plain {
        return Err(
            "the plugin's path is absolute, such as \"/fonts\", and has no `.` or `..`".into(),
        );
    }
    if RESERVED.iter().any(|own| {
        let beneath = path.strip_prefix(own);
        beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }) {
        return Err("is what file plugins find their own files under; take another path".into());
    }
    Ok(())
}

impl Folder {
    /// A path to the open folder itself, whatever may stand under its name by now.
    #[cfg(target_os = "linux")]
    fn opened(&self) -> PathBuf {
        use std::os::fd::AsRawFd as _;
        format!("/proc/self/fd/{}", self.dir.as_raw_fd()).into()
    }

    /// Other systems have no such path: there the name is looked up anew.
    #[cfg(not(target_os = "linux"))]
    fn opened(&self) -> PathBuf {
        self.host.clone()
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("path", &self.path)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// A clock that stands still.
struct Frozen(SystemTime);

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}
