//! `stdout` and `stderr` of WASI 0.3. Both go into the log.
//!
//! The host drains such a stream on its own: it is no handle of the plugin, and the call that began it has returned. So the
//! streams are counted: see [`Work`](super::state::StageState::work).

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Access, FutureReader, HasData, Source, StreamConsumer, StreamReader, StreamResult,
};
use wasmtime_wasi::cli::WasiCliCtxView;
use wasmtime_wasi::p3::bindings::cli::types::ErrorCode as CliError;
use wasmtime_wasi::p3::bindings::cli::{stderr, stdout};

use super::state::{Log, StageState};

/// `stdout` and `stderr`: both go into the log.
pub(crate) struct Console;

impl HasData for Console {
    type Data<'a> = WasiCliCtxView<'a>;
}

impl stdout::HostWithStore<StageState> for Console {
    fn write_via_stream(
        store: Access<'_, StageState, Self>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Result<(), CliError>>> {
        print(store, data)
    }
}

impl stderr::HostWithStore<StageState> for Console {
    fn write_via_stream(
        store: Access<'_, StageState, Self>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Result<(), CliError>>> {
        print(store, data)
    }
}

fn print(
    mut store: Access<'_, StageState, Console>,
    data: StreamReader<u8>,
) -> wasmtime::Result<FutureReader<Result<(), CliError>>> {
    let state = store.data_mut();
    let (done, ended) = oneshot::channel();
    let printer = Printer {
        log: state.log.clone(),
        done: Some(done),
        _permit: state.work.begin_drain()?,
    };
    data.pipe(&mut store, printer)?;
    FutureReader::new(&mut store, ended)
}

/// Drains a stream into the log. What is more than the log keeps is read and dropped.
struct Printer {
    log: Log,
    done: Option<oneshot::Sender<Result<(), CliError>>>,
    _permit: OwnedSemaphorePermit,
}

impl StreamConsumer<StageState> for Printer {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, StageState>,
        source: Source<'_, u8>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let text = source.remaining();
        let count = text.len();
        self.log.write_bytes(text);
        source.mark_read(count);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            // Nobody listens when the plugin does not ask how it went.
            let _ = done.send(Ok(()));
        }
    }
}
