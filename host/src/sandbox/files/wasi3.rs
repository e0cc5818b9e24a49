//! `wasi:filesystem` 0.3.
//!
//! Every call goes to wasmtime-wasi. What is ours stands around it, as for 0.2, and more:
//!
//! - A stream that the host drains into a file is no handle of the plugin, and the call that began it has returned. So such
//!   streams are counted: see [`Work`](crate::sandbox::state::StageState::work).
//! - Calls overlap, and each holds its path and may take a thread. So few run at a time.
//! - wasmtime-wasi's listing of a directory holds a thread for as long as the plugin keeps it open, and all of a process share
//!   512 of these.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cap_std::fs::{FileType, ReadDir};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use wasmtime::component::{
    Access, Accessor, Destination, FutureReader, HasData, Resource, Source, StreamConsumer,
    StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::filesystem::{
    Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView as _,
};
use wasmtime_wasi::p3::bindings::filesystem::preopens;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    Filesize, HostDescriptor, HostDescriptorWithStore, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

use super::MAX_PATH;
use super::listing::{self, Batch};
use super::written::{Space, Written};
use crate::sandbox::limits::Exceeded;
use crate::sandbox::state::StageState;

/// `wasi:filesystem` 0.3 under the limits of a stage.
pub(crate) struct Files;

impl HasData for Files {
    type Data<'a> = View<'a>;
}

impl Files {
    /// What a store's calls work on.
    pub(crate) fn of(state: &mut StageState) -> View<'_> {
        let written = state.written.clone();
        View {
            inner: state.filesystem(),
            written,
        }
    }
}

/// What calls work on.
pub(crate) struct View<'a> {
    inner: WasiFilesystemCtxView<'a>,
    written: Written,
}

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let folders = preopens::Host::get_directories(&mut self.inner)?;
        for (folder, path) in &folders {
            self.written.preopened(folder, path);
        }
        Ok(folders)
    }
}

impl types::Host for View<'_> {
    fn convert_error_code(&mut self, error: FilesystemError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.inner, error)
    }
}

impl HostDescriptor for View<'_> {
    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.written.forget(fd.rep());
        HostDescriptor::drop(&mut self.inner, fd)
    }
}

fn check_path(path: &str) -> FilesystemResult<()> {
    if path.len() > MAX_PATH {
        return Err(ErrorCode::NameTooLong.into());
    }
    Ok(())
}

/// Waits until few enough calls run.
async fn turn(store: &Accessor<StageState, Files>) -> FilesystemResult<OwnedSemaphorePermit> {
    let calls = store.with(|mut access| access.data_mut().work.calls.clone());
    // Nobody closes it.
    calls
        .acquire_owned()
        .await
        .map_err(|_| ErrorCode::Io.into())
}

/// A limit ends the plugin: it cannot go on from there.
fn over(limit: Exceeded) -> FilesystemError {
    FilesystemError::trap(limit)
}

fn written(store: &Accessor<StageState, Files>) -> Written {
    store.with(|mut access| access.data_mut().written.clone())
}

/// The same handle again. The table keeps what it stands for.
fn same(fd: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(fd.rep())
}

/// Passes a call on.
macro_rules! call {
    ($store:ident.$name:ident($fd:expr $(, $arg:expr)*)) => {{
        let store = $store.with_getter::<WasiFilesystem>(StageState::filesystem);
        <WasiFilesystem as HostDescriptorWithStore<StageState>>::$name(&store, $fd $(, $arg)*).await
    }};
}

/// Makes an entry by a call, and counts it.
macro_rules! make {
    ($written:ident, $space:expr, $call:expr) => {{
        $written.add_entry($space).map_err(over)?;
        let made = $call;
        if made.is_err() {
            $written.remove_entry($space);
        }
        made
    }};
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
            call!(store.$name(fd $(, $arg)*))
        }
    )*};
}

impl HostDescriptorWithStore<StageState> for Files {
    pass_on! {
        advise(offset: Filesize, length: Filesize, advice: Advice) -> ();
        sync_data() -> ();
        get_flags() -> DescriptorFlags;
        get_type() -> DescriptorType;
        set_times(accessed: NewTimestamp, modified: NewTimestamp) -> ();
        sync() -> ();
        stat() -> DescriptorStat;
        metadata_hash() -> MetadataHashValue;
        stat_at(flags: PathFlags, path: String) -> DescriptorStat, checks path;
        set_times_at(flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) -> (), checks path;
        readlink_at(path: String) -> String, checks path;
        metadata_hash_at(flags: PathFlags, path: String) -> MetadataHashValue, checks path;
    }

    async fn set_size(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        size: Filesize,
    ) -> FilesystemResult<()> {
        let _turn = turn(store).await?;
        let before = call!(store.stat(same(&fd)))?.size;
        let written = written(store);
        let space = written.space(&fd);
        // The system refuses what is beyond any file. A hole takes no room, so it is early enough to count it afterwards.
        call!(store.set_size(fd, size))?;
        let more = size.saturating_sub(before);
        written.add_bytes(space, more).map_err(over)
    }

    async fn create_directory_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<()> {
        check_path(&path)?;
        let _turn = turn(store).await?;
        let written = written(store);
        make!(
            written,
            written.space(&fd),
            call!(store.create_directory_at(same(&fd), path))
        )
    }

    async fn link_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        old: String,
        folder: Resource<Descriptor>,
        new: String,
    ) -> FilesystemResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        let _turn = turn(store).await?;
        let written = written(store);
        if (written.space(&fd), written.space(&folder)) != (Space::Output, Space::Output) {
            return Err(ErrorCode::NotPermitted.into());
        }
        make!(
            written,
            Space::Output,
            call!(store.link_at(fd, flags, old, folder, new))
        )
    }

    async fn symlink_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        old: String,
        new: String,
    ) -> FilesystemResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        let _turn = turn(store).await?;
        let written = written(store);
        if written.space(&fd) != Space::Output {
            return Err(ErrorCode::NotPermitted.into());
        }
        make!(
            written,
            Space::Output,
            call!(store.symlink_at(fd, old, new))
        )
    }

    async fn open_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        open: OpenFlags,
        mode: DescriptorFlags,
    ) -> FilesystemResult<Resource<Descriptor>> {
        check_path(&path)?;
        let _turn = turn(store).await?;
        let written = written(store);
        let space = written.space(&fd);
        let makes = open.contains(OpenFlags::CREATE)
            && call!(store.stat_at(same(&fd), PathFlags::empty(), path.clone())).is_err();
        let opened = if makes {
            make!(
                written,
                space,
                call!(store.open_at(fd, flags, path, open, mode))
            )?
        } else {
            call!(store.open_at(fd, flags, path, open, mode))?
        };
        written.note(&opened, space);
        Ok(opened)
    }

    async fn remove_directory_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<()> {
        check_path(&path)?;
        let _turn = turn(store).await?;
        let written = written(store);
        let space = written.space(&fd);
        call!(store.remove_directory_at(fd, path))?;
        written.remove_entry(space);
        Ok(())
    }

    async fn unlink_file_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<()> {
        check_path(&path)?;
        let _turn = turn(store).await?;
        let written = written(store);
        let space = written.space(&fd);
        call!(store.unlink_file_at(fd, path))?;
        written.remove_entry(space);
        Ok(())
    }

    async fn rename_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        old: String,
        folder: Resource<Descriptor>,
        new: String,
    ) -> FilesystemResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        let _turn = turn(store).await?;
        let written = written(store);
        let space = written.space(&fd);
        if written.space(&folder) != space {
            return Err(ErrorCode::CrossDevice.into());
        }
        // What it replaces is an entry less, unless both are the same file: then nothing happens.
        let none = PathFlags::empty();
        let moved = call!(store.metadata_hash_at(same(&fd), none, old.clone()))?;
        let replaced = call!(store.metadata_hash_at(same(&folder), none, new.clone())).ok();
        call!(store.rename_at(fd, old, folder, new))?;
        if replaced.is_some_and(|it| (it.lower, it.upper) != (moved.lower, moved.upper)) {
            written.remove_entry(space);
        }
        Ok(())
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
        store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
        data: StreamReader<u8>,
        offset: Filesize,
    ) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
        write(store, &fd, data, Some(offset))
    }

    fn append_via_stream(
        store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
        write(store, &fd, data, None)
    }

    fn read_directory(
        mut store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
    ) -> wasmtime::Result<(
        StreamReader<DirectoryEntry>,
        FutureReader<Result<(), ErrorCode>>,
    )> {
        let listing = match store.get().inner.table.get(&fd)? {
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

/// Bytes that are written to a file at a time.
const BLOCK: usize = 256 << 10;

/// Writes a stream to a file: from `offset` on, or to its end.
fn write(
    mut store: Access<'_, StageState, Files>,
    fd: &Resource<Descriptor>,
    data: StreamReader<u8>,
    offset: Option<Filesize>,
) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
    let permit = store.data_mut().work.begin_drain()?;
    let view = store.get();
    let (written, space) = (view.written.clone(), view.written.space(fd));
    let file = match view.inner.table.get(fd)? {
        Descriptor::File(file) if file.perms.write_not_permitted() => Err(ErrorCode::NotPermitted),
        Descriptor::File(file) => Ok(file.file.clone()),
        Descriptor::Dir(_) => Err(ErrorCode::IsDirectory),
    };
    let (done, ended) = oneshot::channel();
    let writer = Writer {
        file,
        offset,
        task: None,
        written,
        space,
        end: Some((done, permit)),
    };
    data.pipe(&mut store, writer)?;
    FutureReader::new(&mut store, ended)
}

/// Drains a stream into a file, and counts what is written.
struct Writer {
    /// What is written to, or why nothing more is.
    file: Result<Arc<File>, ErrorCode>,
    /// Where the next bytes go; `None` for the end of the file.
    offset: Option<u64>,
    /// The write that is under way.
    task: Option<JoinHandle<io::Result<()>>>,
    written: Written,
    space: Space,
    /// Gets how it ended. The drain counts until then.
    end: Option<(oneshot::Sender<Result<(), ErrorCode>>, OwnedSemaphorePermit)>,
}

/// What became of a write.
fn ended(task: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), ErrorCode> {
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
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
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
        let (file, offset) = (file.clone(), this.offset);
        this.task = Some(tokio::task::spawn_blocking(move || {
            let offset = offset.map_or_else(|| Ok(file.metadata()?.len()), Ok::<_, io::Error>);
            write_at(&file, &bytes, offset?)
        }));
        this.offset = this.offset.map(|at| at.saturating_add(count as u64));
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some((done, permit)) = self.end.take() else {
            return;
        };
        let file = std::mem::replace(&mut self.file, Err(ErrorCode::Io)).map(|_| ());
        match self.task.take() {
            // The plugin hears of its end when the last write is through.
            Some(task) => drop(tokio::spawn(async move {
                let last = ended(task.await);
                let _ = done.send(file.and(last));
                drop(permit);
            })),
            // Nobody listens when the plugin does not ask how it went.
            None => drop(done.send(file)),
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
