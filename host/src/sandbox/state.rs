//! What a stage's store holds: its WASI context, its counters and its outputs.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::wasi3::Work;
use crate::sandbox::cause::StageCause;
use crate::sandbox::grants::Granted;
use crate::sandbox::limits::{Exceeded, Limits, Memory};
use forebay_core::FileInfo;
use forebay_core::channel::{Content, Sender};
use forebay_core::media;
use forebay_core::mutex::lock;
use forebay_core::text;

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

/// Counts what goes out, over all outputs of a stage.
#[derive(Debug)]
pub(crate) struct Tally {
    bytes: AtomicU64,
    files: AtomicU64,
    /// Bytes of input that were taken.
    taken: Arc<AtomicU64>,
    limits: Limits,
}

impl Tally {
    pub(crate) fn add_bytes(&self, bytes: u64) -> Result<(), Exceeded> {
        let sum = self
            .bytes
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        self.limits
            .check_output(self.taken.load(Ordering::Relaxed), sum)
    }

    pub(crate) fn add_file(&self) -> Result<(), Exceeded> {
        let most = self.limits.output_files;
        if self.files.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Exceeded::OutputFiles(most));
        }
        Ok(())
    }
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
            tally: Arc::new(Tally {
                bytes: AtomicU64::new(0),
                files: AtomicU64::new(0),
                taken,
                limits: limits.clone(),
            }),
        })
    }

    /// Bytes of input that the plugin has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Bytes of all outputs.
    pub(crate) fn emitted_bytes(&self) -> u64 {
        self.tally.bytes.load(Ordering::Relaxed)
    }
}

/// Counts an output and checks the name that a plugin gave it.
pub(crate) fn admit(tally: &Tally, name: &str) -> Result<(), StageCause> {
    tally.add_file()?;
    media::check_name(name).map_err(|problem| {
        let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
        StageCause::OutputName(format!("`{shown}` {problem}"))
    })
}

impl WasiView for StageState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// What a plugin prints: line by line into the log, and kept for the message of a crash or a workflow's report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
    finished: Vec<String>,
    logged: usize,
}

/// Bytes of output that go into the log; the rest is dropped.
const MAX_LOG: usize = 64 * 1024;
/// Bytes of one line.
const MAX_LINE: usize = 1024;

impl Log {
    pub(super) fn write_bytes(&self, bytes: &[u8]) {
        let mut lines = lock(&self.0);
        // A write may be of any length.
        let bytes = bytes.get(..MAX_LOG - lines.logged).unwrap_or(bytes);
        lines.logged += bytes.len();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = MAX_LINE.saturating_sub(lines.partial.len());
            lines
                .partial
                .extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                lines.finish_line();
            }
        }
    }

    /// The last line that says something; where it panicked, rather than the hint on backtraces that follows.
    pub(crate) fn last_line(&self) -> Option<String> {
        let mut lines = lock(&self.0);
        lines.finish_line();
        let said = lines.finished.iter().rev();
        said.clone()
            .find(|line| !line.starts_with("note: "))
            .cloned()
    }

    /// All that was printed, line by line, as far as it was kept.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = lock(&self.0);
        lines.finish_line();
        lines.finished.clone()
    }
}

impl Lines {
    fn finish_line(&mut self) {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
        let text = text::tidy(&text, MAX_LINE);
        if text.is_empty() {
            return;
        }
        tracing::debug!(target: "forebay::plugin", "{text}");
        self.finished.push(text);
    }
}

impl IsTerminal for Log {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Log {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Log {
    async fn ready(&mut self) {}
}

impl OutputStream for Log {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_bytes(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_LOG)
    }
}

impl AsyncWrite for Log {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.write_bytes(bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}
