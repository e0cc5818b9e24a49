//! What a stage and a job may use, and the means to hold them to that.
//!
//! Promise: every limit has a default, and a reason for it. Every limit can be set. A stage or a job that reaches one ends in an
//! [`Exceeded`] that names the limit. A plugin cannot catch that, because its store is dropped. Where a limit is not exact,
//! its doc says by how much it can be overrun.
//!
//! There are also fixed lengths that no honest plugin reaches. What is longer is refused or cut, where it is checked: a name
//! has at most 255 bytes; each text of a descriptor 4 KiB, each list 256 entries, the schema 64 KiB; a plugin's error message
//! 1,000 characters, a line that it prints 1 KiB, all that it prints 64 KiB; a config 1 MiB, the result of a workflow
//! 16 MiB; the random bytes of one call 1 MiB. A component may consist of 100 instances of components.

mod exceeded;
mod in_words;
mod meter;
mod table;
#[cfg(feature = "toml")]
mod text;

use std::time::Duration;

use forebay_core::seconds;
#[cfg(feature = "toml")]
use text::{count, size, time};

pub use exceeded::Exceeded;
pub(crate) use in_words::limit_in_words;
pub(crate) use meter::{CpuMeter, Memory};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Stack of a call into a guest, in bytes. Exact, and the same for all plugins of a host. This is wasmtime's own default;
/// CPython runs a recursion of some thousand calls in it.
pub(crate) const STACK: usize = 512 << 10;

/// Outputs of this many bytes are free before [`Limits::expansion`] counts: a text of one line may well make a picture.
const EXPANSION_FREE: u64 = 64 * MIB;

/// Numbers as they are.
mod number {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(*number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        u64::deserialize(from)
    }
}

table::limits! {
    /// What one stage may use on one file.
    ///
    /// ```
    /// use forebay::Limits;
    /// use std::time::Duration;
    ///
    /// let limits = Limits::default().memory(256 << 20).cpu_time(Duration::from_secs(10));
    /// assert_eq!(limits.output_files, Limits::default().output_files);
    /// ```
    Limits, LimitsText {
        /// Limits the bytes of linear memory, over all memories of all instances of the component.
        ///
        /// Default: 1 GiB.
        /// Why: a picture of 100 megapixels takes 400 MB decoded, and a resize needs the source and the result.
        /// Exact: a growth beyond it does not happen.
        memory: u64 as ("number", "size") = GIB;

        /// Limits the elements of all tables together. A table holds references to functions.
        ///
        /// Default: 200,000, which is also the most that one table may have.
        /// Why: an interpreter such as CPython has some 20,000.
        /// Exact.
        table_elements: u64 as ("number", "count") = 200_000;

        /// Limits the CPU time of the guest, and of the host's calls on its behalf.
        ///
        /// Default: 2 minutes.
        /// Why: the slowest bundled plugin needs some 20 s for the largest picture that it takes.
        /// Overrun: by one tick of the engine's clock (10 ms) and one call. Not counted: what calls to the disk take on
        /// threads of their own, and the runtime's work between the turns of a plugin that yields all the time, which can
        /// be as much again.
        cpu_time: Duration as ("seconds", "time") = Duration::from_secs(120);

        /// Limits the time from start to end. Calls into the host, and waiting for upstream and downstream, count.
        ///
        /// Default: 1 hour.
        /// Why: a stage streams into its upload, and 200 MiB over a line of 1 Mbit/s take half an hour.
        /// Overrun: by one tick (10 ms).
        wall_clock: Duration as ("seconds", "time") = Duration::from_secs(3600);

        /// Limits the bytes of all outputs together.
        ///
        /// Default: 16 GiB.
        /// Why: far more than any upload may have.
        /// Exact. Of a file plugin every byte counts that it writes to its output folder, also what it writes over, removes
        /// or does not name.
        output_bytes: u64 as ("number", "size") = 16 * GIB;

        /// Limits the number of outputs.
        ///
        /// Default: 10,000.
        /// Why: a long book, page by page.
        /// Exact. A file plugin may have made 1,000 files, folders and links more, in its output folder and in those that
        /// it is granted.
        output_files: u64 as ("number", "count") = 10_000;

        /// Limits the bytes of all outputs to this many times the bytes that the plugin has taken of its input. The first
        /// 64 MiB are always free.
        ///
        /// Default: 1,000.
        /// Why: about the most that deflate packs.
        /// As exact as `output_bytes`.
        expansion: u64 as ("number", "count") = 1_000;

        /// Limits the handles that the plugin holds at a time: streams, open files, timers and the like.
        ///
        /// Default: 20,000, for which the host holds 25 MiB at most.
        /// Why: as many as `host_memory` has outputs for, with some handles for each. A handle takes the host up to 1.2 kB
        /// (`tests/hostile/handles.rs` measures it). A plugin that has folders may hold 128 at most, because each may be
        /// an open file. Streams that the host drains on its own, as WASI 0.3 has it, are no handles; there may be half as
        /// many.
        /// Exact.
        handles: u64 as ("number", "count") = 20_000;

        /// Limits the bytes that one call of the plugin has the host copy: strings and lists among its arguments.
        ///
        /// Default: 16 MiB; 64 MiB for a workflow.
        /// Why: some toolchains write a whole file in one call. A workflow may hand over a file of 32 MB as a file input.
        /// Exact.
        call_bytes: u64 as ("number", "size") = 16 * MIB;

        /// Limits the bytes that the plugin writes to folders that it is granted for writing.
        ///
        /// Default: 1 GiB.
        /// Why: a cache or a log of its own, and no disk filled by it.
        /// Exact. What it writes over or removes counts, too.
        granted_bytes: u64 as ("number", "size") = GIB;

        /// Limits the memory that the host holds for the plugin: outputs that it has open, what is queued for those who
        /// read them, and their names.
        ///
        /// Default: 64 MiB, which is some 5,000 open outputs.
        /// Why: a plugin has its outputs open one after the other, or a few at a time.
        /// Overrun: by half, since each output may queue one chunk more than its share. Not counted: handles, which have a
        /// limit of their own, and what a library of the host holds for them.
        host_memory: u64 as ("number", "size") = 64 * MIB;
    }
}

impl Limits {
    /// The defaults of a workflow: a day of wall clock, as it waits for all of its uploads, and 64 MiB for a call, as it may
    /// hand over a file of 32 MB as a file input.
    #[cfg(any(feature = "workflow", feature = "toml"))]
    pub(crate) fn for_workflows() -> Self {
        Self::default()
            .wall_clock(Duration::from_secs(24 * 3600))
            .call_bytes(64 * MIB)
    }

    /// What `describe` may use: it answers from constants, though an interpreter needs memory to start.
    pub(crate) fn describe() -> Self {
        Self::default()
            .memory(256 * MIB)
            .cpu_time(Duration::from_secs(10))
            .wall_clock(Duration::from_secs(30))
            .handles(1_000)
            .call_bytes(4 * MIB)
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

table::limits! {
    /// What a whole job may use, over all of its stages and files.
    ///
    /// ```
    /// use forebay::JobLimits;
    ///
    /// let limits = JobLimits::default().scratch_bytes(10 << 30);
    /// assert_eq!(limits.output_files, 100_000);
    /// ```
    JobLimits, JobLimitsText {
        /// Limits the time from start to end, once the job has its permit. What is in flight then is cancelled.
        ///
        /// Default: 1 day.
        /// Why: hours of uploads over a slow line.
        /// Exact.
        wall_clock: Duration as ("seconds", "time") = Duration::from_secs(24 * 3600);

        /// Limits the number of files that stages emit, all stages together.
        ///
        /// Default: 100,000.
        /// Why: stages multiply what each other emit.
        /// Exact.
        output_files: u64 as ("number", "count") = 100_000;

        /// Limits the bytes that the job holds in scratch at a time.
        ///
        /// Default: 64 GiB.
        /// Why: inputs and outputs of some file plugins at once.
        /// Exact for what the host writes. What a file plugin writes counts until it returns, also what it
        /// has removed.
        scratch_bytes: u64 as ("number", "size") = 64 * GIB;
    }
}
