//! The streams of `wasi:filesystem` 0.3: into a file, and of a directory's entries.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cap_std::fs::{FileType, ReadDir};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Destination, Source, StreamConsumer, StreamProducer, StreamResult, VecBuffer,
};
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use super::changes::{Change, Changes};
use super::listing::{self, Batch};
use super::written::{Space, Written};
use crate::sandbox::state::StageState;

/// How a stream ended, as the plugin may ask.
pub(super) type Ended = Result<(), ErrorCode>;

/// What is wrong with a stream whose end the plugin does not give.
const LEFT_OPEN: &str = "it returned before the stream into the file had ended";

/// Bytes that are written to a file at a time.
const BLOCK: usize = 256 << 10;

/// Drains a stream into a file, and counts what is written.
pub(super) struct Writer {
    /// What is written to, or why nothing more is.
    file: Result<Arc<File>, ErrorCode>,
    /// Where the next bytes go; `None` for the end of the file.
    offset: Option<u64>,
    /// The write that is under way.
    task: Option<JoinHandle<io::Result<()>>>,
    written: Written,
    space: Space,
    path: Arc<str>,
    /// There while the plugin's next bytes wait for the write that is under way.
    waiting: Option<Change>,
    /// Gets how it ended. The drain counts until then.
    end: Option<(oneshot::Sender<Ended>, OwnedSemaphorePermit)>,
}

impl Writer {
    /// Writes to `file` from `offset` on, or to its end. What is written counts in `space`. The plugin may ask how it ended.
    pub(super) fn new(
        file: Result<Arc<File>, ErrorCode>,
        offset: Option<u64>,
        written: Written,
        (space, path): (Space, Arc<str>),
        permit: OwnedSemaphorePermit,
    ) -> (Self, Outcome) {
        let (done, ended) = oneshot::channel();
        let changes = written.changes().clone();
        changes.stream_opened();
        let outcome = Outcome {
            ended,
            changes,
            path: path.clone(),
        };
        let writer = Self {
            file,
            offset,
            task: None,
            written,
            space,
            path,
            waiting: None,
            end: Some((done, permit)),
        };
        (writer, outcome)
    }

    fn begin(&self) -> Change {
        self.written.changes().begin(self.path.clone())
    }
}

/// How a stream into a file ended, for the plugin to ask.
pub(super) struct Outcome {
    ended: oneshot::Receiver<Ended>,
    changes: Arc<Changes>,
    path: Arc<str>,
}

impl Future for Outcome {
    type Output = wasmtime::Result<Ended>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.ended).poll(cx).map(|ended| {
            let ended = ended.unwrap_or(Err(ErrorCode::Io));
            if let Err(error) = &ended
                && self.changes.has_returned()
            {
                self.changes.begin(self.path.clone()).fail(error);
            }
            Ok(ended)
        })
    }
}

impl Drop for Outcome {
    /// The plugin has asked, or does not ask any more. The stream hears of that when it ends.
    fn drop(&mut self) {
        self.ended.close();
        if let Ok(Err(error)) = self.ended.try_recv() {
            self.changes.begin(self.path.clone()).fail(error);
        }
    }
}

/// What became of a write.
fn ended(task: Result<io::Result<()>, tokio::task::JoinError>) -> Ended {
    match task {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err((&error).into()),
        Err(_) => Err(ErrorCode::Io),
    }
}

impl StreamConsumer<StageState> for Writer {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, StageState>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = &mut *self;
        if let Some(task) = &mut this.task {
            match Pin::new(task).poll(cx) {
                Poll::Ready(done) => {
                    this.task = None;
                    if let Err(error) = ended(done) {
                        this.file = Err(error);
                    }
                }
                Poll::Pending if finish => {
                    this.waiting = None;
                    return Poll::Ready(Ok(StreamResult::Cancelled));
                }
                Poll::Pending => {
                    if this.waiting.is_none() {
                        this.waiting = Some(this.begin());
                    }
                    return Poll::Pending;
                }
            }
        }
        // Dropped when this returns, and there is another change by then if there are more bytes.
        let _waited = this.waiting.take();
        let Ok(file) = &this.file else {
            return Poll::Ready(Ok(StreamResult::Dropped));
        };
        let mut source = source.as_direct(store);
        let bytes = source.remaining();
        let bytes = bytes.get(..BLOCK).unwrap_or(bytes).to_vec();
        let count = bytes.len();
        if count == 0 {
            // Only whether there is room: there is.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        this.written.add_bytes(this.space, count as u64)?;
        source.mark_read(count);
        let (file, offset, change) = (file.clone(), this.offset, this.begin());
        this.task = Some(tokio::task::spawn_blocking(move || {
            let offset = offset.map_or_else(|| Ok(file.metadata()?.len()), Ok::<_, io::Error>);
            let done = write_at(&file, &bytes, offset?);
            drop(change);
            done
        }));
        this.offset = this.offset.map(|at| at.saturating_add(count as u64));
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let changes = self.written.changes();
        changes.stream_ended();
        let change = self.begin();
        if changes.is_closed() {
            change.fail(LEFT_OPEN);
        }
        let Some((done, permit)) = self.end.take() else {
            return;
        };
        let file = std::mem::replace(&mut self.file, Err(ErrorCode::Io)).map(|_| ());
        let tell = move |ended| {
            if let Err(Err(error)) = done.send(ended) {
                change.fail(error);
            }
            drop(permit);
        };
        match self.task.take() {
            // The plugin hears of its end when the last write is through.
            Some(task) => {
                drop(tokio::spawn(async move {
                    let last = ended(task.await);
                    tell(file.and(last));
                }));
            }
            None => tell(file),
        }
    }
}

/// Writes all bytes at a place of a file. Other writers of the same file do not matter.
#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes all bytes at a place of a file. Other writers of the same file do not matter.
#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = bytes.get(count..).unwrap_or_default();
        offset += count as u64;
    }
    Ok(())
}

/// The entries of a directory, as a stream.
pub(super) struct Listing {
    /// What to do when more is asked for; `None` once all were given.
    next: Option<Next>,
    done: Option<oneshot::Sender<Ended>>,
}

enum Next {
    /// Nothing was read yet.
    Open(Arc<File>),
    /// Some are being read, on a thread for what blocks.
    Wait(JoinHandle<Batch>),
    /// There are more.
    Read(ReadDir),
    /// The rest cannot be read.
    Failed(ErrorCode),
}

impl StreamProducer<StageState> for Listing {
    type Item = DirectoryEntry;
    type Buffer = VecBuffer<DirectoryEntry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, StageState>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            // Only whether it may ask: it may.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        loop {
            let mut task = match self.next.take() {
                None => return self.end(Ok(())),
                Some(Next::Failed(error)) => return self.end(Err(error)),
                Some(Next::Open(folder)) => {
                    tokio::task::spawn_blocking(move || listing::open(&folder))
                }
                Some(Next::Read(entries)) => tokio::task::spawn_blocking(|| listing::read(entries)),
                Some(Next::Wait(task)) => task,
            };
            match Pin::new(&mut task).poll(cx) {
                Poll::Ready(Ok(Ok((batch, rest)))) => {
                    self.next = rest.map(Next::Read);
                    let mut entries = Vec::with_capacity(batch.len());
                    for (kind, name) in batch {
                        let Some(name) = name else {
                            self.next = Some(Next::Failed(ErrorCode::IllegalByteSequence));
                            break;
                        };
                        let type_ = type_of(kind);
                        entries.push(DirectoryEntry { type_, name });
                    }
                    if !entries.is_empty() {
                        destination.set_buffer(entries.into());
                        return Poll::Ready(Ok(StreamResult::Completed));
                    }
                }
                Poll::Ready(Ok(Err(error))) => self.next = Some(Next::Failed((&error).into())),
                Poll::Ready(Err(_)) => return self.end(Err(ErrorCode::Io)),
                Poll::Pending => {
                    self.next = Some(Next::Wait(task));
                    return if finish {
                        Poll::Ready(Ok(StreamResult::Cancelled))
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
    }
}

impl Listing {
    /// Lists a folder. `done` gets how it ended.
    pub(super) fn new(folder: Result<Arc<File>, ErrorCode>, done: oneshot::Sender<Ended>) -> Self {
        Self {
            next: Some(folder.map_or_else(Next::Failed, Next::Open)),
            done: Some(done),
        }
    }

    fn end(&mut self, how: Ended) -> Poll<wasmtime::Result<StreamResult>> {
        if let Some(done) = self.done.take() {
            // Nobody listens when the plugin does not ask how it went.
            let _ = done.send(how);
        }
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        let _ = self.end(Ok(()));
    }
}

fn type_of(kind: FileType) -> DescriptorType {
    if kind.is_dir() {
        DescriptorType::Directory
    } else if kind.is_symlink() {
        DescriptorType::SymbolicLink
    } else if kind.is_file() {
        DescriptorType::RegularFile
    } else {
        DescriptorType::Other(None)
    }
}
