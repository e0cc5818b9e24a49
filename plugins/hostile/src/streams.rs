//! Streams and handles in wrong hands.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;

use forebay_plugin::bindings::stream::forebay::plugin::outputs::{EmitError, emit};
use forebay_plugin::bindings::stream::wit_stream;
use forebay_plugin::{Error, FileInfo, Output};
use wasip2::clocks::monotonic_clock;
use wasip2::io::poll;
use wit_bindgen::{StreamReader, StreamResult, StreamWriter};

/// The bare stream of a file.
pub(crate) struct Input(pub(crate) StreamReader<u8>);

impl Input {
    /// Replaces what `chunk` holds with the next bytes; `false` at the end.
    pub(crate) async fn fill(&mut self, chunk: &mut Vec<u8>) -> bool {
        self.fill_at_most(chunk, 256 * 1024).await
    }

    async fn fill_at_most(&mut self, chunk: &mut Vec<u8>, most: usize) -> bool {
        chunk.clear();
        chunk.reserve_exact(most);
        while chunk.is_empty() {
            let (result, filled) = self.0.read(std::mem::take(chunk)).await;
            *chunk = filled;
            if !matches!(result, StreamResult::Complete(_)) {
                break;
            }
        }
        !chunk.is_empty()
    }
}

/// A call to the host that was made: to wait for, or to take back by dropping it.
pub(crate) type Call = Pin<Box<dyn Future<Output = Result<(), EmitError>>>>;

/// Begins an output.
pub(crate) async fn open(info: FileInfo) -> (StreamWriter<u8>, Call) {
    let (writer, reader) = wit_stream::new();
    let mut call: Call = Box::pin(emit(info, reader));
    // The first poll makes the call.
    if let Poll::Ready(ended) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
        call = Box::pin(ready(ended));
    }
    (writer, call)
}

fn closed(error: EmitError) -> Error {
    Error::Failed(error.to_string())
}

pub(crate) async fn empty_reads(mut input: Input) -> Result<(), Error> {
    loop {
        input.0.read(Vec::new()).await;
    }
}

pub(crate) async fn byte_by_byte(mut input: Input, info: FileInfo) -> Result<(), Error> {
    let mut output = Output::open(info).await;
    let mut byte = Vec::new();
    loop {
        byte = Vec::with_capacity(byte.len());
        if !input.fill_at_most(&mut byte, 1).await {
            break;
        }
        output.write(&mut byte).await?;
    }
    output.finish().await
}

pub(crate) async fn pass_on(input: Input, info: FileInfo) -> Result<(), Error> {
    emit(info, input.0).await.map_err(closed)
}

pub(crate) async fn pass_on_rest(mut input: Input, info: FileInfo) -> Result<(), Error> {
    input.fill(&mut Vec::new()).await;
    pass_on(input, info).await
}

pub(crate) async fn emit_first(info: FileInfo) -> Result<(), Error> {
    let (writer, taken) = open(info).await;
    taken.await.map_err(closed)?;
    drop(writer);
    Ok(())
}

pub(crate) async fn write_to_self() -> Result<(), Error> {
    let (mut writer, _reader) = wit_stream::new();
    writer.write_all(vec![0; 1000]).await;
    Ok(())
}

pub(crate) async fn cancel_emit(mut input: Input, info: FileInfo) -> Result<(), Error> {
    let (mut writer, call) = open(info).await;
    let mut chunk = Vec::new();
    input.fill(&mut chunk).await;
    writer.write_all(chunk).await;
    drop(call);
    Ok(())
}

pub(crate) async fn cancel_many(info: FileInfo, count: u32) -> Result<(), Error> {
    for _ in 0..count {
        let (writer, call) = open(info.clone()).await;
        drop(call);
        drop(writer);
    }
    Ok(())
}

pub(crate) fn leak_streams(count: u32) -> Result<(), Error> {
    for _ in 0..count {
        std::mem::forget(wit_stream::new::<u8>());
    }
    Ok(())
}

pub(crate) fn leak_pollables(count: u32) -> Result<(), Error> {
    for _ in 0..count {
        std::mem::forget(monotonic_clock::subscribe_duration(u64::MAX));
    }
    Ok(())
}

pub(crate) fn poll_many(count: u32) -> Result<(), Error> {
    let never = monotonic_clock::subscribe_duration(u64::MAX);
    let all: Vec<_> = (0..count).map(|_| &never).collect();
    poll::poll(&all);
    Ok(())
}
