//! How many files this process may have open, and how many inputs are processed at a time because of that.

/// Open files of the process itself: the streams, the runtime, the cache, the journal, name lookup and spare ones.
const OWN: u64 = 28;

/// Open files of one job: its source, the lock of its scratch, and two spare ones.
const PER_JOB: u64 = 4;

/// Open files of one file in flight: a file, and connections to the service and its storage.
const PER_FILE: u64 = 4;

/// Files of one job that are in flight at a time, if there is no limit. The same as the library's own default.
const FAN_OUT: u64 = 4;

/// The limit that is enough for everything. A larger one is not asked for, because some programs that are started from
/// here would then close a million descriptors one by one.
#[cfg(unix)]
const ENOUGH: u64 = 8192;

/// How much runs at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parallel {
    /// Inputs.
    pub(crate) jobs: usize,
    /// Files of one input.
    pub(crate) fan_out: usize,
}

impl Parallel {
    /// At most this many inputs, and fewer if the limit of open files demands it. With stages, an input may become many
    /// files.
    pub(crate) fn new(jobs: usize, has_stages: bool, limit: Option<u64>) -> Self {
        let jobs = jobs.max(1) as u64;
        let most = if has_stages { FAN_OUT } else { 1 };
        let limit = limit.unwrap_or(u64::MAX);
        let free = limit.saturating_sub(OWN);
        let fan_out = ((free / jobs).saturating_sub(PER_JOB) / PER_FILE).clamp(1, most);
        let jobs = (free / (PER_JOB + PER_FILE * fan_out)).clamp(1, jobs);
        let to_usize = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            jobs: to_usize(jobs),
            fan_out: to_usize(fan_out),
        }
    }
}

/// The largest number of files that this process may have open, if there is one.
#[cfg(unix)]
pub(crate) fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
pub(crate) fn limit() -> Option<u64> {
    None
}

/// Raises the limit as far as this process may. On some systems it is 256 at first, and anybody may raise it.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if limit.current.is_some_and(|now| now < wanted) {
        limit.current = Some(wanted);
        // Without it, less runs at the same time.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(not(unix))]
pub(crate) fn raise_limit() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_run_at_a_time_when_few_files_may_be_open() {
        let parallel = |jobs, has_stages, limit| {
            let Parallel { jobs, fan_out } = Parallel::new(jobs, has_stages, limit);
            (jobs, fan_out)
        };
        assert_eq!(parallel(4, true, None), (4, 4));
        assert_eq!(parallel(256, false, Some(8192)), (256, 1));
        assert_eq!(parallel(4, true, Some(1024)), (4, 4));
        assert_eq!(parallel(4, true, Some(64)), (4, 1));
        assert_eq!(parallel(40, false, Some(64)), (4, 1));
        assert_eq!(parallel(4, true, Some(10)), (1, 1));
    }
}
