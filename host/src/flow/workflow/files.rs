//! `files`: the job's inputs and the files that stages made from them, by handle.

use std::any::{Any, TypeId};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Access, Destination, HasSelf, Resource, StreamProducer, StreamReader, StreamResult,
};

use super::bindings::forebay::plugin::files;
use super::job_file::JobFile;
use crate::sandbox::bindings;
use crate::sandbox::cause::StageCause;
use crate::sandbox::run::pipe::produce;
use crate::sandbox::state::StageState;
use forebay_core::channel::Interrupted;
use forebay_core::replay::{Reading, fault};

/// A workflow's handle for a file.
#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub struct Handle(Arc<JobFile>);

impl StageState {
    /// The file behind a handle.
    pub(super) fn file(&self, handle: &Resource<Handle>) -> wasmtime::Result<Arc<JobFile>> {
        Ok(self.table.get(handle)?.0.clone())
    }

    /// Returns a new handle for the workflow.
    pub(super) fn hand_out(&mut self, file: Arc<JobFile>) -> wasmtime::Result<Resource<Handle>> {
        Ok(self.table.push(Handle(file))?)
    }
}

impl files::Host for StageState {
    fn inputs(&mut self) -> wasmtime::Result<Vec<Resource<Handle>>> {
        let inputs = self.session()?.inputs.clone();
        inputs.into_iter().map(|file| self.hand_out(file)).collect()
    }
}

impl files::HostFile for StageState {
    fn info(&mut self, file: Resource<Handle>) -> wasmtime::Result<bindings::FileInfo> {
        let file = self.file(&file)?;
        Ok(bindings::FileInfo {
            name: file.info().name.clone(),
            media_type: file.info().media_type.clone(),
            size: file.info().size,
        })
    }

    fn drop(&mut self, file: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(file)?;
        Ok(())
    }
}

impl files::HostFileWithStore<StageState> for HasSelf<StageState> {
    fn read(
        mut access: Access<'_, StageState, Self>,
        file: Resource<Handle>,
    ) -> wasmtime::Result<StreamReader<u8>> {
        let state = access.get();
        let (file, readings) = (state.file(&file)?, state.session()?.readings.clone());
        StreamReader::new(access, FileStream::new(file, readings))
    }
}

/// A stream of a file that starts to read when its first byte is requested. Until then it stands for the file itself:
/// `put` turns it back into the file.
pub(super) struct FileStream {
    file: Arc<JobFile>,
    readings: Arc<Semaphore>,
    reading: Option<(Reading, OwnedSemaphorePermit)>,
    piece: Bytes,
}

impl FileStream {
    fn new(file: Arc<JobFile>, readings: Arc<Semaphore>) -> Self {
        Self {
            file,
            readings,
            reading: None,
            piece: Bytes::new(),
        }
    }
}

/// Returns the next chunk. The first call starts to read.
fn poll_piece(
    file: &Arc<JobFile>,
    readings: &Arc<Semaphore>,
    reading: &mut Option<(Reading, OwnedSemaphorePermit)>,
    cx: &mut Context<'_>,
) -> Poll<wasmtime::Result<Option<Bytes>>> {
    let (Reading { content, reader }, _) = match reading {
        Some(reading) => reading,
        None => {
            let place = readings.clone().try_acquire_owned();
            let place = place
                .map_err(|_| StageCause::Host("too many files are being read at once".into()))?;
            reading.insert((file.bytes.read(), place))
        }
    };
    match ready!(content.poll_piece(cx)) {
        Ok(piece) => Poll::Ready(Ok(piece)),
        Err(Interrupted) => {
            // The bytes are not what was announced. No return value could correct this.
            let reason = fault(ready!(Pin::new(reader).poll(cx)));
            let name = &file.info().name;
            Poll::Ready(Err(
                StageCause::Host(format!("input {name}: {reason}")).into()
            ))
        }
    }
}

impl StreamProducer<StageState> for FileStream {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, StageState>,
        destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = &mut *self;
        let Self {
            file,
            readings,
            reading,
            piece,
        } = this;
        let next = || poll_piece(file, readings, reading, cx);
        produce(piece, next, store, destination, finish).map_ok(|(result, _)| result)
    }

    fn try_into(me: Pin<Box<Self>>, wanted: TypeId) -> Result<Box<dyn Any>, Pin<Box<Self>>> {
        // After the first read, the stream is not a whole file any more.
        if wanted == TypeId::of::<WholeFile>() && me.reading.is_none() {
            Ok(Box::new(WholeFile(me.file.clone())))
        } else {
            Err(me)
        }
    }
}

/// A stream from which nothing was read: it is the file itself.
pub(super) struct WholeFile(pub(super) Arc<JobFile>);
