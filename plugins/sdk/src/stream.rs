//! Stream plugins read and write bytes as a stream.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::Poll;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use wit_bindgen::{StreamReader, StreamResult, StreamWriter};

use crate::bindings::stream::exports::forebay::plugin::transform::Guest;
use crate::bindings::stream::forebay::plugin::outputs::{EmitError, emit};
use crate::bindings::stream::wit_stream;
use crate::{About, Descriptor, Error, FileInfo, parse_config};

/// A plugin that works on the bytes of a file as a stream. Export it with [`export_stream!`](crate::export_stream).
pub trait StreamPlugin {
    /// The config, read from JSON. Its JSON Schema becomes part of the descriptor.
    type Config: DeserializeOwned + JsonSchema;
    /// The plugin's description of itself.
    const ABOUT: About;

    /// Transforms one file into any number of outputs. Each is an [`Output`].
    ///
    /// Outputs are used only if this returns `Ok`. The plugin may stop reading early. The host still waits until the
    /// rest of the input is complete.
    ///
    /// # Errors
    /// Any problem that the plugin finds with the file or its config. The error becomes the host's report of this file.
    fn transform(input: Input, config: Self::Config) -> impl Future<Output = Result<(), Error>>;
}

/// The bytes of a file that a plugin was given.
pub struct Input {
    info: FileInfo,
    content: StreamReader<u8>,
    buffer: usize,
}

/// In bytes. The channel between guest and host moves 256 KiB about as fast as larger chunks, which cost more memory.
const BUFFER: usize = 256 * 1024;

impl Input {
    pub(crate) fn new(info: FileInfo, content: StreamReader<u8>) -> Self {
        Self {
            info,
            content,
            buffer: BUFFER,
        }
    }

    /// The file's name, its media type and, if known in advance, its size.
    pub fn info(&self) -> &FileInfo {
        &self.info
    }

    /// Limits how many bytes are read at a time. The default is 256 KiB.
    pub fn set_buffer_size(&mut self, bytes: usize) {
        self.buffer = bytes.max(1);
    }

    /// Replaces the content of `chunk` with the next bytes of the file, and keeps its allocation. Returns `false` and
    /// an empty chunk at the end of the file. The end comes only when the input is complete.
    pub async fn fill(&mut self, chunk: &mut Vec<u8>) -> bool {
        chunk.clear();
        chunk.reserve_exact(self.buffer);
        while chunk.is_empty() {
            // `read` fills spare capacity and returns the buffer.
            let (result, filled) = self.content.read(std::mem::take(chunk)).await;
            *chunk = filled;
            if !matches!(result, StreamResult::Complete(_)) {
                break;
            }
        }
        !chunk.is_empty()
    }

    /// Reads the rest of the file, for formats that cannot be processed chunk by chunk.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] when the file has more than `limit` bytes.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let known = self
            .info
            .size
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(0);
        let mut all = Vec::with_capacity(known.min(limit));
        let mut chunk = Vec::new();
        while self.fill(&mut chunk).await {
            if all.len() + chunk.len() > limit {
                return Err(Error::InvalidInput(format!("larger than {limit} bytes")));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}

/// A file that a plugin returns. Several may be open at once.
pub struct Output {
    /// The host's call that takes the bytes. It returns when all bytes were taken, or early with an error.
    emit: Pin<Box<dyn Future<Output = Result<(), EmitError>>>>,
    content: StreamWriter<u8>,
}

impl Output {
    /// Starts a file. The host checks its name and detects its type. If a size is set, it must be exact.
    pub async fn open(info: FileInfo) -> Self {
        let (content, reader) = wit_stream::new();
        let mut emit: Pin<Box<dyn Future<Output = _>>> = Box::pin(emit(info, reader));
        // The first poll makes the call. The call does not return before the content has ended, unless the host refuses
        // at once. Then the stream closes, and `write` polls the future again for the reason, so the result is kept as
        // a ready future.
        let early = poll_fn(|cx| Poll::Ready(emit.as_mut().poll(cx))).await;
        if let Poll::Ready(result) = early {
            emit = Box::pin(std::future::ready(result));
        }
        Self { emit, content }
    }

    /// Writes all of `chunk`, and waits while the host is busy. Leaves `chunk` empty and keeps its allocation.
    ///
    /// # Errors
    /// When nothing downstream reads this file any more.
    pub async fn write(&mut self, chunk: &mut Vec<u8>) -> Result<(), Error> {
        *chunk = self.content.write_all(std::mem::take(chunk)).await;
        if chunk.is_empty() {
            return Ok(());
        }
        chunk.clear();
        Err(match self.emit.as_mut().await {
            Err(error) => refused(error),
            Ok(()) => Error::Failed("the host closed the output".into()),
        })
    }

    /// Ends the file and waits until the host has taken all of it.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub async fn finish(self) -> Result<(), Error> {
        drop(self.content);
        self.emit.await.map_err(refused)
    }
}

fn refused(error: EmitError) -> Error {
    match error {
        EmitError::Closed => Error::Failed("nothing downstream wants this output any more".into()),
    }
}

/// Implements the component's exports for a plugin.
pub struct StreamExport<P>(PhantomData<P>);

impl<P: StreamPlugin + 'static> Guest for StreamExport<P> {
    fn describe() -> Descriptor {
        P::ABOUT.descriptor::<P::Config>()
    }

    async fn transform(
        info: FileInfo,
        content: StreamReader<u8>,
        config: String,
    ) -> Result<(), Error> {
        let config = parse_config(&config)?;
        P::transform(Input::new(info, content), config).await
    }
}
