//! A limit that was reached, in words that name it as a pipeline file does.

use std::fmt;
use std::io;
use std::time::Duration;

use bytesize::ByteSize;
use forebay_core::scratch::ScratchFull;

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exceeded {
    /// [`Limits::memory`](super::Limits::memory), in bytes.
    Memory(u64),
    /// [`Limits::table_elements`](super::Limits::table_elements).
    TableElements(u64),
    /// [`Limits::cpu_time`](super::Limits::cpu_time).
    CpuTime(Duration),
    /// [`Limits::wall_clock`](super::Limits::wall_clock), or [`JobLimits::wall_clock`](super::JobLimits::wall_clock).
    WallClock(Duration),
    /// The stack of a call into a guest, in bytes. It is the same for all plugins of a host.
    Stack(u64),
    /// [`Limits::output_bytes`](super::Limits::output_bytes).
    OutputBytes(u64),
    /// [`Limits::output_files`](super::Limits::output_files), or [`JobLimits::output_files`](super::JobLimits::output_files).
    OutputFiles(u64),
    /// [`Limits::expansion`](super::Limits::expansion): so many times the input.
    Expansion(u64),
    /// [`Limits::handles`](super::Limits::handles).
    Handles(u64),
    /// [`Limits::call_bytes`](super::Limits::call_bytes).
    CallBytes(u64),
    /// [`Limits::granted_bytes`](super::Limits::granted_bytes).
    GrantedBytes(u64),
    /// [`Limits::host_memory`](super::Limits::host_memory), in bytes.
    HostMemory(u64),
    /// [`JobLimits::scratch_bytes`](super::JobLimits::scratch_bytes).
    ScratchBytes(u64),
    /// [`Grants::max_assets`](crate::Grants::max_assets): so many were created, and the workflow gave up some of them.
    MaxAssets(u64),
    /// [`Grants::max_bytes`](crate::Grants::max_bytes): so many were sent, and the workflow gave up some of them.
    MaxBytes(u64),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = match *self {
            Self::Memory(bytes)
            | Self::OutputBytes(bytes)
            | Self::CallBytes(bytes)
            | Self::GrantedBytes(bytes)
            | Self::HostMemory(bytes)
            | Self::ScratchBytes(bytes) => size(bytes),
            Self::TableElements(count) | Self::OutputFiles(count) | Self::Handles(count) => {
                count.to_string()
            }
            Self::CpuTime(time) | Self::WallClock(time) => span(time),
            Self::Stack(bytes) => return write!(f, "used up its stack of {}", size(bytes)),
            Self::Expansion(times) => format!("{times} times its input"),
            Self::MaxAssets(count) => format!("{count} that are created"),
            Self::MaxBytes(bytes) => format!("{} that are sent", size(bytes)),
        };
        write!(f, "reached its limit `{}` of {limit}", self.name())
    }
}

impl std::error::Error for Exceeded {}

impl Exceeded {
    /// The limit by its name in a pipeline file, which does not change: `cpu_time`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::TableElements(_) => "table_elements",
            Self::CpuTime(_) => "cpu_time",
            Self::WallClock(_) => "wall_clock",
            Self::Stack(_) => "stack",
            Self::OutputBytes(_) => "output_bytes",
            Self::OutputFiles(_) => "output_files",
            Self::Expansion(_) => "expansion",
            Self::Handles(_) => "handles",
            Self::CallBytes(_) => "call_bytes",
            Self::GrantedBytes(_) => "granted_bytes",
            Self::HostMemory(_) => "host_memory",
            Self::ScratchBytes(_) => "scratch_bytes",
            Self::MaxAssets(_) => "max_assets",
            Self::MaxBytes(_) => "max_bytes",
        }
    }

    /// The limit behind an error of the disk, if it is one.
    pub(crate) fn within(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?;
        let full = inner.downcast_ref::<ScratchFull>().copied().map(Self::from);
        full.or_else(|| inner.downcast_ref().copied())
    }
}

impl From<ScratchFull> for Exceeded {
    fn from(full: ScratchFull) -> Self {
        Self::ScratchBytes(full.limit)
    }
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

fn span(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}
