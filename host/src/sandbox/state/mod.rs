//! What a stage's store holds: its WASI context, its counters and its outputs.

mod host_memory;
mod log;
mod tally;
mod work;

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use forebay_core::FileInfo;
use forebay_core::buffers::Blocks;
use forebay_core::channel::{Content, Sender, SharedBudget};
use tokio::sync::mpsc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

pub(crate) use host_memory::{HeldMemory, HostMemory};
pub(crate) use log::Log;
pub(crate) use tally::{Tally, admit};

use super::files::Written;
use super::grants::Granted;
use super::limits::{Limits, Memory};
use work::Work;

/// Bytes that wait in one queue at most, unless a host has another size for its channels.
const QUEUE: usize = 4 * forebay_core::DEFAULT_CHUNK;

/// Random bytes that one call gives. They are made one by one, and nothing interrupts the host while it does that.
const MAX_RANDOM: u64 = 1 << 20;

/// The data of a stage's store.
pub(crate) struct StageState {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) memory: Memory,
    pub(crate) log: Log,
    /// What the host does for it on its own, as WASI 0.3 has it.
    pub(super) work: Work,
    /// Where outputs go; `None` for a plugin that has no `emit`, or is only asked what it is.
    pub(crate) outlet: Option<Outlet>,
    /// What a layer above keeps with the store. Workflows keep their session here.
    pub(crate) extension: Option<Arc<dyn Any + Send + Sync>>,
    /// Bytes of input that the plugin has taken.
    pub(crate) taken: Arc<AtomicU64>,
    pub(crate) tally: Arc<Tally>,
    /// What it writes to files.
    pub(crate) written: Written,
    pub(crate) host_memory: HostMemory,
    /// What may wait for those who read what it writes to streams.
    pub(crate) queues: SharedBudget,
    /// Buffers for that.
    pub(crate) blocks: Arc<Mutex<Blocks>>,
}

/// A file that a plugin has begun to emit. Name, type and size are the plugin's word.
#[derive(Debug)]
pub(crate) struct Emitted {
    pub(crate) info: FileInfo,
    pub(crate) content: Content,
}

/// A stream plugin's way out.
pub(crate) struct Outlet {
    pub(crate) emitted: mpsc::UnboundedSender<Emitted>,
    /// Name of the input.
    pub(crate) input: String,
    /// Outputs whose stream has not ended.
    pub(crate) open: usize,
    /// Outputs whose stream has ended, waiting for the plugin's ok.
    pub(crate) ended: Vec<Sender>,
    /// Whether downstream has refused an output.
    pub(crate) refused: bool,
}

impl StageState {
    /// A state that gives a store what is granted.
    pub(crate) fn new(limits: &Limits, granted: &Granted) -> wasmtime::Result<Self> {
        Self::with_wasi(limits, granted, |_| Ok(()))
    }

    /// As [`new`](Self::new), and what `add` adds to the WASI context.
    pub(crate) fn with_wasi(
        limits: &Limits,
        granted: &Granted,
        add: impl FnOnce(&mut WasiCtxBuilder) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<Self> {
        let log = Log::default();
        let mut wasi = WasiCtx::builder();
        wasi.stderr(log.clone())
            .stdout(log.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .max_random_size(limits.call_bytes.min(MAX_RANDOM));
        granted.give(&mut wasi)?;
        add(&mut wasi)?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        let taken = Arc::<AtomicU64>::default();
        let host_memory = HostMemory::new(limits);
        Ok(Self {
            wasi: wasi.build(),
            table,
            memory: Memory::new(limits),
            log,
            work: Work::new(limits),
            outlet: None,
            extension: None,
            taken: taken.clone(),
            tally: Arc::new(Tally::new(limits, &taken)),
            written: Written::new(limits, &taken, host_memory.clone()),
            host_memory,
            queues: Self::queues(limits, QUEUE),
            blocks: Arc::default(),
        })
    }

    /// What may wait in all queues of a store, of which one holds `most_each` at most. It is a quarter of the memory that the
    /// host may hold for it; what is open takes the rest.
    pub(crate) fn queues(limits: &Limits, most_each: usize) -> SharedBudget {
        let bytes = usize::try_from(limits.host_memory / 4).unwrap_or(usize::MAX);
        SharedBudget::new(bytes, most_each)
    }

    /// Bytes of input that the plugin has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Bytes of all outputs.
    pub(crate) fn emitted_bytes(&self) -> u64 {
        self.tally.bytes()
    }
}

impl WasiView for StageState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
