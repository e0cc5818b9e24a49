//! What of WASI 0.3 is ours, where wasmtime-wasi's own would get around a limit.
//!
//! - A stream that the host drains on its own (into the log, or into a file) is no handle of the plugin, and the call that
//!   began it has returned. So they are counted: see [`Work`].
//! - Calls overlap, and each holds its path and may take a thread. A path is refused where it is longer than any file system
//!   takes, and few calls run at a time.
//! - A directory is listed a batch at a time. wasmtime-wasi's listing holds a thread for as long as the plugin keeps it open,
//!   and all of a process share 512 of these.

use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cap_std::fs::{Dir, FileType, ReadDir};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use wasmtime::component::{
    Access, Accessor, Destination, FutureConsumer, FutureReader, HasData, Resource, Source,
    StreamConsumer, StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::cli::WasiCliCtxView;
use wasmtime_wasi::filesystem::{
    Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView as _,
};
use wasmtime_wasi::p3::bindings::cli::types::ErrorCode as CliError;
use wasmtime_wasi::p3::bindings::cli::{stderr, stdout};
use wasmtime_wasi::p3::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, Filesize,
    HostDescriptorWithStore, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::filesystem::FilesystemResult;

use super::state::{Log, StageState};

/// Bytes of a path. The same as the most that Linux takes.
const MAX_PATH: usize = 4096;

/// Entries of a directory that are read at a time.
const ENTRIES: usize = 64;

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

/// `wasi:filesystem/types`: wasmtime-wasi's, but for what is said at the top.
pub(crate) struct Folders;

impl HasData for Folders {
    type Data<'a> = WasiFilesystemCtxView<'a>;
}

fn check_path(path: &str) -> FilesystemResult<()> {
    if path.len() > MAX_PATH {
        return Err(ErrorCode::NameTooLong.into());
    }
    Ok(())
}

/// Waits until few enough calls run.
async fn turn(store: &Accessor<StageState, Folders>) -> FilesystemResult<OwnedSemaphorePermit> {
    let calls = store.with(|mut access| access.data_mut().work.calls.clone());
    // Nobody closes it.
    calls
        .acquire_owned()
        .await
        .map_err(|_| ErrorCode::Io.into())
}

/// Passes calls on, once the paths that are named behind each are short enough.
macro_rules! pass_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $ok:ty $(, checks $($path:ident),+)?;)*) => {$(
        async fn $name(
            store: &Accessor<StageState, Self>,
            fd: Resource<Descriptor>,
            $($arg: $type),*
        ) -> FilesystemResult<$ok> {
            $($(check_path(&$path)?;)+)?
            let _turn = turn(store).await?;
            let store = store.with_getter::<WasiFilesystem>(StageState::filesystem);
            <WasiFilesystem as HostDescriptorWithStore<StageState>>::$name(&store, fd, $($arg),*).await
        }
    )*};
}

impl HostDescriptorWithStore<StageState> for Folders {
    pass_on! {
        advise(offset: Filesize, length: Filesize, advice: Advice) -> ();
        sync_data() -> ();
        get_flags() -> DescriptorFlags;
        get_type() -> DescriptorType;
        set_size(size: Filesize) -> ();
        set_times(accessed: NewTimestamp, modified: NewTimestamp) -> ();
        sync() -> ();
        stat() -> DescriptorStat;
        metadata_hash() -> MetadataHashValue;
        create_directory_at(path: String) -> (), checks path;
        stat_at(flags: PathFlags, path: String) -> DescriptorStat, checks path;
        set_times_at(flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) -> (), checks path;
        link_at(flags: PathFlags, old: String, folder: Resource<Descriptor>, new: String) -> (), checks old, new;
        open_at(flags: PathFlags, path: String, open: OpenFlags, mode: DescriptorFlags) -> Resource<Descriptor>, checks path;
        readlink_at(path: String) -> String, checks path;
        remove_directory_at(path: String) -> (), checks path;
        rename_at(old: String, folder: Resource<Descriptor>, new: String) -> (), checks old, new;
        symlink_at(old: String, new: String) -> (), checks old, new;
        unlink_file_at(path: String) -> (), checks path;
        metadata_hash_at(flags: PathFlags, path: String) -> MetadataHashValue, checks path;
    }

    async fn is_same_object(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let _turn = store
            .with(|mut access| access.data_mut().work.calls.clone())
            .acquire_owned()
            .await;
        let store = store.with_getter::<WasiFilesystem>(StageState::filesystem);
        WasiFilesystem::is_same_object(&store, fd, other).await
    }

    fn read_via_stream(
        mut store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Result<(), ErrorCode>>)> {
        // The plugin holds its end, which is a handle, or has given it to what counts it.
        let store =
            Access::<_, WasiFilesystem>::new(store.as_context_mut(), StageState::filesystem);
        WasiFilesystem::read_via_stream(store, fd, offset)
    }

    fn write_via_stream(
        mut store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
        data: StreamReader<u8>,
        offset: Filesize,
    ) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
        let permit = store.data_mut().work.begin_drain()?;
        let inner =
            Access::<_, WasiFilesystem>::new(store.as_context_mut(), StageState::filesystem);
        let ended = WasiFilesystem::write_via_stream(inner, fd, data, offset)?;
        hold_until(store, ended, permit)
    }

    fn append_via_stream(
        mut store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
        let permit = store.data_mut().work.begin_drain()?;
        let inner =
            Access::<_, WasiFilesystem>::new(store.as_context_mut(), StageState::filesystem);
        let ended = WasiFilesystem::append_via_stream(inner, fd, data)?;
        hold_until(store, ended, permit)
    }

    fn read_directory(
        mut store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
    ) -> wasmtime::Result<(
        StreamReader<DirectoryEntry>,
        FutureReader<Result<(), ErrorCode>>,
    )> {
        let listing = match store.get().table.get(&fd)? {
            Descriptor::Dir(folder) => Next::Open(folder.dir.clone()),
            Descriptor::File(_) => Next::Failed(ErrorCode::NotDirectory),
        };
        let (done, ended) = oneshot::channel();
        let listing = Listing {
            next: Some(listing),
            done: Some(done),
        };
        Ok((
            StreamReader::new(&mut store, listing)?,
            FutureReader::new(&mut store, ended)?,
        ))
    }
}

/// Keeps a permit until a drain has ended, and passes on how it ended.
fn hold_until(
    mut store: Access<'_, StageState, Folders>,
    ended: FutureReader<Result<(), ErrorCode>>,
    permit: OwnedSemaphorePermit,
) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
    let (done, passed_on) = oneshot::channel();
    let hold = Hold {
        done: Some(done),
        _permit: permit,
    };
    ended.pipe(&mut store, hold)?;
    FutureReader::new(&mut store, passed_on)
}

struct Hold {
    done: Option<oneshot::Sender<Result<(), ErrorCode>>>,
    _permit: OwnedSemaphorePermit,
}

impl FutureConsumer<StageState> for Hold {
    type Item = Result<(), ErrorCode>;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, StageState>,
        mut source: Source<'_, Self::Item>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut ended = None;
        source.read(store, &mut ended)?;
        if let (Some(ended), Some(done)) = (ended, self.done.take()) {
            // Nobody listens when the plugin does not ask how it went.
            let _ = done.send(ended);
        }
        Poll::Ready(Ok(()))
    }
}

/// The entries of a directory, as a stream.
struct Listing {
    /// What to do when more is asked for; `None` once all were given.
    next: Option<Next>,
    done: Option<oneshot::Sender<Result<(), ErrorCode>>>,
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

/// Some entries, and how to go on.
type Batch = (Vec<DirectoryEntry>, Option<Next>);

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
                Some(Next::Open(folder)) => tokio::task::spawn_blocking(move || open(&folder)),
                Some(Next::Read(entries)) => tokio::task::spawn_blocking(|| read(entries)),
                Some(Next::Wait(task)) => task,
            };
            match Pin::new(&mut task).poll(cx) {
                Poll::Ready(Ok((batch, next))) => {
                    self.next = next;
                    if !batch.is_empty() {
                        destination.set_buffer(batch.into());
                        return Poll::Ready(Ok(StreamResult::Completed));
                    }
                }
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
    fn end(&mut self, how: Result<(), ErrorCode>) -> Poll<wasmtime::Result<StreamResult>> {
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

fn open(folder: &File) -> Batch {
    let entries = folder
        .try_clone()
        .and_then(|folder| Dir::from_std_file(folder).entries());
    match entries {
        Ok(entries) => read(entries),
        Err(error) => (Vec::new(), Some(Next::Failed((&error).into()))),
    }
}

fn read(mut entries: ReadDir) -> Batch {
    let mut batch = Vec::new();
    while batch.len() < ENTRIES {
        let Some(entry) = entries.next() else {
            return (batch, None);
        };
        let read = entry.and_then(|entry| Ok((entry.metadata()?.file_type(), entry.file_name())));
        match read.map(|(kind, name)| (kind, name.into_string())) {
            Ok((kind, Ok(name))) => batch.push(DirectoryEntry {
                type_: type_of(kind),
                name,
            }),
            Ok((_, Err(_))) => {
                return (batch, Some(Next::Failed(ErrorCode::IllegalByteSequence)));
            }
            Err(error) => return (batch, Some(Next::Failed((&error).into()))),
        }
    }
    (batch, Some(Next::Read(entries)))
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
