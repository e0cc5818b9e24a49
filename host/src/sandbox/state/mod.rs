//! What a stage's store holds: its WASI context, its counters and its outputs.

mod log;
mod tally;
mod work;

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay_core::FileInfo;
use forebay_core::channel::{Content, Sender};
use tokio::sync::mpsc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

pub(crate) use log::Log;
pub(crate) use tally::{Tally, admit};

use super::grants::Granted;
use super::limits::{Limits, Memory};
use work::Work;

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
    pub(crate) budget: usize,
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
            .max_random_size(limits.call_bytes);
        granted.give(&mut wasi)?;
        add(&mut wasi)?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        let taken = Arc::<AtomicU64>::default();
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
        })
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
