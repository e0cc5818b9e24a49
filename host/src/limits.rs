//! What a stage may use, and the means to hold it to that.
//!
//! Promise: every limit has a default with its reason, can be set for each stage, and ends the stage in an [`Exceeded`]
//! that names it. A plugin cannot catch one: its store is dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What one stage may use on one file.
///
/// ```
/// use forebay::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().memory(256 << 20).cpu_time(Duration::from_secs(10));
/// assert_eq!(limits.output_files, Limits::default().output_files);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of linear memory, all memories of the instance together. Exact: a growth beyond it does not happen.
    /// Default 1 GiB: a picture of 100 megapixels takes 400 MB decoded, and a resize needs the source and the result.
    pub memory: u64,
    /// CPU time of the guest and of the host's calls on its behalf. Checked at every tick of the engine's clock (10 ms).
    /// Default 2 minutes: the slowest bundled plugin needs some 20 s for the largest picture that it takes.
    pub cpu_time: Duration,
    /// Time from start to end, waiting for upstream and downstream included. Default 1 hour: a stage streams into its
    /// upload, and 200 MiB over a line of 1 Mbit/s take half of that.
    pub wall_clock: Duration,
    /// Bytes of all outputs together. Exact for stream plugins; a file plugin's folder is measured every 50 ms, and
    /// exactly before anything in it is passed on. What it removes while it still writes to it is not seen by that;
    /// CPU time and wall clock bound it. Default 16 GiB: far more than any upload may have.
    pub output_bytes: u64,
    /// Number of outputs. Default 10,000: a long book, page by page.
    pub output_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: GIB,
            cpu_time: Duration::from_secs(120),
            wall_clock: Duration::from_secs(3600),
            output_bytes: 16 * GIB,
            output_files: 10_000,
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
    }

    /// Sets [`memory`](Self::memory), in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
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
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exceeded {
    /// [`Limits::memory`], in bytes.
    Memory(u64),
    /// [`Limits::cpu_time`].
    CpuTime(Duration),
    /// [`Limits::wall_clock`].
    WallClock(Duration),
    /// [`Limits::output_bytes`].
    OutputBytes(u64),
    /// [`Limits::output_files`].
    OutputFiles(u64),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Memory(bytes) => write!(f, "reached its limit `memory` of {}", ByteSize(bytes)),
            Self::CpuTime(time) => {
                write!(
                    f,
                    "reached its limit `cpu_time` of {}",
                    humantime::format_duration(time)
                )
            }
            Self::WallClock(time) => {
                write!(
                    f,
                    "reached its limit `wall_clock` of {}",
                    humantime::format_duration(time)
                )
            }
            Self::OutputBytes(bytes) => {
                write!(f, "reached its limit `output_bytes` of {}", ByteSize(bytes))
            }
            Self::OutputFiles(files) => write!(f, "reached its limit `output_files` of {files}"),
        }
    }
}

impl std::error::Error for Exceeded {}

/// Limits as TOML writes them: sizes such as `"256 MiB"`, times such as `"30s"`; what is left out keeps its default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsText {
    memory: Option<ByteSize>,
    cpu_time: Option<String>,
    wall_clock: Option<String>,
    output_bytes: Option<ByteSize>,
    output_files: Option<u64>,
}

impl LimitsText {
    pub(crate) fn resolve(self) -> Result<Limits, String> {
        let time = |field: &str, text: Option<String>, default: Duration| {
            text.map_or(Ok(default), |text| {
                humantime::parse_duration(&text)
                    .map_err(|error| format!("limits: {field}: {error}"))
            })
        };
        let default = Limits::default();
        Ok(Limits {
            memory: self.memory.map_or(default.memory, |size| size.0),
            cpu_time: time("cpu_time", self.cpu_time, default.cpu_time)?,
            wall_clock: time("wall_clock", self.wall_clock, default.wall_clock)?,
            output_bytes: self
                .output_bytes
                .map_or(default.output_bytes, |size| size.0),
            output_files: self.output_files.unwrap_or(default.output_files),
        })
    }
}

/// Counts memory over all memories of a store and refuses what goes over.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: u64,
    used: u64,
    peak: u64,
}

impl Memory {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            peak: 0,
        }
    }

    /// The most that was in use at a time, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }
}

impl wasmtime::ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // One memory at a time is reported: the total is the sum of the growths.
        let used = self
            .used
            .saturating_add((desired as u64).saturating_sub(current as u64));
        if used > self.limit {
            return Err(Exceeded::Memory(self.limit).into());
        }
        self.used = used;
        self.peak = self.peak.max(used);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

/// Elements of one table. A table holds function references: an interpreter such as CPython has some 20,000.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 200_000;

/// Adds up the CPU time that one stage takes, on whichever thread it is polled.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    /// Nanoseconds of the polls that are over.
    past: AtomicU64,
    /// The polling thread's CPU time when the present poll began, in nanoseconds.
    began: AtomicU64,
}

impl CpuMeter {
    /// CPU time so far; to be called from within a poll of [`CpuMeter::measure`].
    pub(crate) fn now(&self) -> Duration {
        let present = thread_cpu_time().saturating_sub(self.began.load(Ordering::Relaxed));
        Duration::from_nanos(self.past.load(Ordering::Relaxed) + present)
    }

    /// CPU time of the polls that are over.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.past.load(Ordering::Relaxed))
    }

    /// Runs a future and counts the CPU time of its polls.
    pub(crate) async fn measure<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(move |cx| {
            let began = thread_cpu_time();
            self.began.store(began, Ordering::Relaxed);
            let polled = future.as_mut().poll(cx);
            self.past
                .fetch_add(thread_cpu_time().saturating_sub(began), Ordering::Relaxed);
            polled
        })
        .await
    }
}

/// CPU time of this thread, in nanoseconds.
fn thread_cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(
        Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
        .as_nanos(),
    )
    .unwrap_or(u64::MAX)
}
