//! What a plugin prints.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use forebay_core::mutex::lock;
use forebay_core::text;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

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
    pub(crate) fn write_bytes(&self, bytes: &[u8]) {
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
