//! What a stage and a job may use, and the means to hold them to that.
//!
//! Promise: every limit has a default with its reason, can be set, and ends the stage (or the job) in an [`Exceeded`] that
//! names it. A plugin cannot catch one: its store is dropped. Where a limit is not exact, its doc says by how much it can be
//! overrun.
//!
//! Besides those that can be set there are lengths that no honest plugin reaches; what goes over is refused or cut, and
//! documented where it is checked: a name has 255 bytes; of a descriptor each text has 4 KiB, each list 256 entries, the
//! schema 64 KiB; a plugin's error message is cut after 1,000 characters, a line that it prints after 1 KiB and all that it
//! prints after 64 KiB; a config has 1 MiB, a result of a workflow 16 MiB.

mod exceeded;
mod meter;
mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report::seconds;

pub use exceeded::Exceeded;
pub(crate) use meter::{CpuMeter, Memory};
pub(crate) use text::{JobLimitsText, LimitsText};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Stack of a call into a guest, in bytes. Exact, and the same for all plugins of a host. As much as wasmtime gives unless
/// told otherwise; CPython runs a recursion of some thousand calls in it.
pub(crate) const STACK: usize = 512 << 10;

/// What outputs may have however small the input is, before [`Limits::expansion`] counts: a text of one line may well make
/// a picture.
const EXPANSION_FREE: u64 = 64 * MIB;

/// What one stage may use on one file.
///
/// ```
/// use forebay::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().memory(256 << 20).cpu_time(Duration::from_secs(10));
/// assert_eq!(limits.output_files, Limits::default().output_files);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of linear memory, all memories of all instances of the component together. Exact: a growth beyond it does not
    /// happen. Default 1 GiB: a picture of 100 megapixels takes 400 MB decoded, and a resize needs the source and the
    /// result.
    pub memory: u64,
    /// Elements of all tables together. Exact. Default 200,000, which is also the most that one table may have: a table
    /// holds references to functions, and an interpreter such as CPython has some 20,000.
    pub table_elements: u64,
    /// CPU time of the guest and of the host's calls on its behalf, but for what calls to the disk take on threads of their
    /// own, and the runtime's work between the turns of a plugin that yields all the time: that can be as much again.
    /// Checked at every tick of the engine's clock (10 ms), so it is overrun by that much and by one call. Default 2 minutes: the slowest bundled plugin needs some
    /// 20 s for the largest picture that it takes.
    #[serde(with = "seconds")]
    pub cpu_time: Duration,
    /// Time from start to end, calls into the host and waiting for upstream and downstream included. Overrun by one tick
    /// (10 ms). Default 1 hour: a stage streams into its upload, and 200 MiB over a line of 1 Mbit/s take half of that.
    #[serde(with = "seconds")]
    pub wall_clock: Duration,
    /// Bytes of all outputs together. Exact for stream plugins; a file plugin's folder is measured every 50 ms, and
    /// exactly before anything in it is passed on, so it is overrun by what the disk takes in that time; each file and
    /// folder in it counts as 4 KiB at least. What the plugin
    /// removes while it still writes to it is not seen by that; CPU time and wall clock bound it. Default 16 GiB: far more
    /// than any upload may have.
    pub output_bytes: u64,
    /// Number of outputs. Exact. Default 10,000: a long book, page by page. A file plugin's folder may hold 1,000 files and
    /// folders more, looked at every 50 ms.
    pub output_files: u64,
    /// How many times as large as the bytes that the plugin has taken of its input its outputs may be, beyond 64 MiB that
    /// are always free. As exact as `output_bytes`. Default 1,000, about the most that deflate packs.
    pub expansion: u64,
    /// Handles that the plugin may hold at a time: streams, open files, timers and the like. Exact. Default 100,000: each
    /// takes the host some hundred bytes. A plugin that has folders may hold 128 at most, since each may be an open file.
    pub handles: u64,
    /// Bytes that one call of the plugin may have the host copy: strings and lists among its arguments. Exact. Default
    /// 16 MiB, since some toolchains write a whole file in one call; 64 MiB for a workflow, which may hand over a file of
    /// 32 MB as a file input.
    pub call_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: GIB,
            table_elements: 200_000,
            cpu_time: Duration::from_secs(120),
            wall_clock: Duration::from_secs(3600),
            output_bytes: 16 * GIB,
            output_files: 10_000,
            expansion: 1_000,
            handles: 100_000,
            call_bytes: 16 * MIB,
        }
    }
}

impl Limits {
    /// What `describe` may use: it answers from constants, though an interpreter needs memory to start.
    pub(crate) fn describe() -> Self {
        Self::default()
            .memory(256 * MIB)
            .cpu_time(Duration::from_secs(10))
            .wall_clock(Duration::from_secs(30))
            .handles(1_000)
            .call_bytes(4 * MIB)
    }

    /// Sets [`memory`](Self::memory), in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets [`table_elements`](Self::table_elements).
    #[must_use]
    pub fn table_elements(mut self, elements: u64) -> Self {
        self.table_elements = elements;
        self
    }

    /// Sets [`cpu_time`](Self::cpu_time).
    #[must_use]
    pub fn cpu_time(mut self, time: Duration) -> Self {
        self.cpu_time = time;
        self
    }

    /// Sets [`wall_clock`](Self::wall_clock).
    #[must_use]
    pub fn wall_clock(mut self, time: Duration) -> Self {
        self.wall_clock = time;
        self
    }

    /// Sets [`output_bytes`](Self::output_bytes).
    #[must_use]
    pub fn output_bytes(mut self, bytes: u64) -> Self {
        self.output_bytes = bytes;
        self
    }

    /// Sets [`output_files`](Self::output_files).
    #[must_use]
    pub fn output_files(mut self, files: u64) -> Self {
        self.output_files = files;
        self
    }

    /// Sets [`expansion`](Self::expansion), as a multiple of the input.
    #[must_use]
    pub fn expansion(mut self, times: u64) -> Self {
        self.expansion = times;
        self
    }

    /// Sets [`handles`](Self::handles).
    #[must_use]
    pub fn handles(mut self, handles: u64) -> Self {
        self.handles = handles;
        self
    }

    /// Sets [`call_bytes`](Self::call_bytes).
    #[must_use]
    pub fn call_bytes(mut self, bytes: u64) -> Self {
        self.call_bytes = bytes;
        self
    }

    /// Checks how much has come of an input, of which so much was taken.
    pub(crate) fn check_output(&self, taken: u64, emitted: u64) -> Result<(), Exceeded> {
        if emitted > self.output_bytes {
            return Err(Exceeded::OutputBytes(self.output_bytes));
        }
        if emitted > EXPANSION_FREE && emitted > taken.saturating_mul(self.expansion) {
            return Err(Exceeded::Expansion(self.expansion));
        }
        Ok(())
    }
}

/// What a whole job may use, over all of its stages and files.
///
/// ```
/// use forebay::JobLimits;
///
/// let limits = JobLimits::default().scratch_bytes(10 << 30);
/// assert_eq!(limits.output_files, 100_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct JobLimits {
    /// Time from start to end, once the job has its turn. What is in work then is broken off. Default 1 day: hours of uploads
    /// over a slow line.
    #[serde(with = "seconds")]
    pub wall_clock: Duration,
    /// Number of files that stages emit, all stages together. Exact. Default 100,000: stages multiply what each other emit.
    pub output_files: u64,
    /// Bytes that the job holds in scratch at a time. Exact for what the host writes; what file plugins write is counted
    /// every 50 ms. Default 64 GiB: inputs and outputs of some file plugins at once.
    pub scratch_bytes: u64,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            wall_clock: Duration::from_secs(24 * 3600),
            output_files: 100_000,
            scratch_bytes: 64 * GIB,
        }
    }
}

impl JobLimits {
    /// Sets [`wall_clock`](Self::wall_clock).
    #[must_use]
    pub fn wall_clock(mut self, time: Duration) -> Self {
        self.wall_clock = time;
        self
    }

    /// Sets [`output_files`](Self::output_files).
    #[must_use]
    pub fn output_files(mut self, files: u64) -> Self {
        self.output_files = files;
        self
    }

    /// Sets [`scratch_bytes`](Self::scratch_bytes).
    #[must_use]
    pub fn scratch_bytes(mut self, bytes: u64) -> Self {
        self.scratch_bytes = bytes;
        self
    }
}
