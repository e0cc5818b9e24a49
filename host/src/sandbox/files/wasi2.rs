//! `wasi:filesystem` 0.2.
//!
//! Every call goes to wasmtime-wasi. What is ours stands around it: writes are counted first, paths have a length, links and
//! moves stay in the output folder, and a directory is listed a batch at a time. wasmtime-wasi's listing holds all entries.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::{FileType, ReadDir};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, HostDescriptor, HostDirectoryEntryStream,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsError, FsResult, OutputStream, Pollable, StreamError,
    StreamResult,
};

use super::changes::Change;
use super::listing::{self, Batch, Entry};
use super::view::{View, is_too_long, same};
use super::written::{Space, Written};
use crate::sandbox::limits::Exceeded;
use crate::sandbox::state::HeldMemory;

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        preopens::Host::get_directories(&mut self.inner).map(|folders| self.note_all(folders))
    }
}

impl types::Host for View<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.inner, error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.filesystem_error_code(error)
    }
}

fn check_path(path: &str) -> FsResult<()> {
    if is_too_long(path) {
        return Err(ErrorCode::NameTooLong.into());
    }
    Ok(())
}

/// Whether it is a pipe, a socket or a device: a thread that opens or reads one may wait for ever.
fn may_wait(kind: DescriptorType) -> bool {
    use DescriptorType as Kind;
    !matches!(
        kind,
        Kind::RegularFile | Kind::Directory | Kind::SymbolicLink
    )
}

/// A limit ends the plugin: it cannot go on from there.
fn over(limit: Exceeded) -> FsError {
    FsError::trap(limit)
}

impl View<'_> {
    /// Makes an entry by a call, and counts it.
    async fn make<T>(
        &mut self,
        space: Space,
        call: impl AsyncFnOnce(&mut WasiFilesystemCtxView<'_>) -> FsResult<T>,
    ) -> FsResult<T> {
        self.written.add_entry(space).map_err(over)?;
        let made = call(&mut self.inner).await;
        if made.is_err() {
            self.written.remove_entry(space);
        }
        made
    }

    fn output(
        &mut self,
        (space, path): (Space, Arc<str>),
        stream: Resource<DynOutputStream>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.inner.table.delete(stream)?;
        let counted: DynOutputStream = Box::new(Counted {
            inner: Some(inner),
            space,
            path,
            written: self.written.clone(),
            busy: None,
        });
        Ok(self.inner.table.push(counted)?)
    }
}

/// Passes calls on, once the paths that are named behind each are short enough.
macro_rules! pass_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $ok:ty $(, checks $($path:ident),+)?;)*) => {$(
        async fn $name(&mut self, fd: Resource<Descriptor>, $($arg: $type),*) -> FsResult<$ok> {
            $($(check_path(&$path)?;)+)?
            self.inner.$name(fd, $($arg),*).await
        }
    )*};
}

/// Removes an entry by a call of the same name, and counts it less.
macro_rules! remove {
    ($($name:ident),*) => {$(
        async fn $name(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
            check_path(&path)?;
            let space = self.written.space(&fd);
            self.inner.$name(fd, path).await?;
            self.written.remove_entry(space);
            Ok(())
        }
    )*};
}

impl HostDescriptor for View<'_> {
    pass_on! {
        advise(offset: Filesize, length: Filesize, advice: Advice) -> ();
        sync_data() -> ();
        get_flags() -> DescriptorFlags;
        get_type() -> DescriptorType;
        set_times(accessed: NewTimestamp, modified: NewTimestamp) -> ();
        read(length: Filesize, offset: Filesize) -> (Vec<u8>, bool);
        sync() -> ();
        stat() -> DescriptorStat;
        metadata_hash() -> MetadataHashValue;
        stat_at(flags: PathFlags, path: String) -> DescriptorStat, checks path;
        set_times_at(flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) -> (), checks path;
        readlink_at(path: String) -> String, checks path;
        metadata_hash_at(flags: PathFlags, path: String) -> MetadataHashValue, checks path;
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        let before = self.inner.stat(same(&fd)).await?.size;
        let space = self.written.space(&fd);
        // The system refuses what is beyond any file. A hole takes no room, so it is early enough to count it afterwards.
        self.inner.set_size(fd, size).await?;
        let more = size.saturating_sub(before);
        self.written.add_bytes(space, more).map_err(over)
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let space = self.written.space(&fd);
        self.written
            .add_bytes(space, bytes.len() as u64)
            .map_err(over)?;
        self.inner.write(fd, bytes, offset).await
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        self.inner.read_via_stream(fd, offset)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let place = self.written.place(&fd);
        let stream = self.inner.write_via_stream(fd, offset)?;
        self.output(place, stream)
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let place = self.written.place(&fd);
        let stream = self.inner.append_via_stream(fd)?;
        self.output(place, stream)
    }

    async fn read_directory(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let folder = match self.inner.table.get(&fd)? {
            Descriptor::Dir(folder) => folder.dir.clone(),
            Descriptor::File(_) => return Err(ErrorCode::NotDirectory.into()),
        };
        let batch = in_background(move || listing::open(&folder)).await?;
        let listing = Listing::new(batch);
        // The table knows it by its own type; the interface names the one of wasmtime-wasi.
        let listing = self.inner.table.push(listing)?;
        Ok(Resource::new_own(listing.rep()))
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        check_path(&path)?;
        let space = self.written.space(&fd);
        let call =
            async |files: &mut WasiFilesystemCtxView<'_>| files.create_directory_at(fd, path).await;
        self.make(space, call).await
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        old: String,
        folder: Resource<Descriptor>,
        new: String,
    ) -> FsResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        if !self.written.may_link(&fd, &folder) {
            return Err(ErrorCode::NotPermitted.into());
        }
        let call = async |files: &mut WasiFilesystemCtxView<'_>| {
            files.link_at(fd, flags, old, folder, new).await
        };
        self.make(Space::Output, call).await
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        old: String,
        new: String,
    ) -> FsResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        if !self.written.may_link(&fd, &fd) {
            return Err(ErrorCode::NotPermitted.into());
        }
        let call =
            async |files: &mut WasiFilesystemCtxView<'_>| files.symlink_at(fd, old, new).await;
        self.make(Space::Output, call).await
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        open: OpenFlags,
        mode: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        check_path(&path)?;
        let (space, shown) = (self.written.space(&fd), self.written.path(&fd, &path));
        // Looked up as the call itself looks it up: through a link it may make what the link leads to.
        let there = self.inner.stat_at(same(&fd), flags, path.clone()).await;
        if there.as_ref().is_ok_and(|it| may_wait(it.type_)) {
            return Err(ErrorCode::NotPermitted.into());
        }
        let makes = open.contains(OpenFlags::CREATE) && there.is_err();
        let call = async |files: &mut WasiFilesystemCtxView<'_>| {
            files.open_at(fd, flags, path, open, mode).await
        };
        let opened = if makes {
            self.make(space, call).await?
        } else {
            call(&mut self.inner).await?
        };
        self.written.opened(&opened, (space, shown));
        Ok(opened)
    }

    remove! { remove_directory_at, unlink_file_at }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old: String,
        folder: Resource<Descriptor>,
        new: String,
    ) -> FsResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        let space = self.written.space(&fd);
        if self.written.space(&folder) != space {
            return Err(ErrorCode::CrossDevice.into());
        }
        // What it replaces is an entry less, unless both are the same file: then nothing happens.
        let none = PathFlags::empty();
        let moved = self.inner.metadata_hash_at(same(&fd), none, old.clone());
        let moved = moved.await?;
        let replaced = self
            .inner
            .metadata_hash_at(same(&folder), none, new.clone());
        let replaced = replaced.await.ok();
        self.inner.rename_at(fd, old, folder, new).await?;
        if replaced.is_some_and(|it| (it.lower, it.upper) != (moved.lower, moved.upper)) {
            self.written.remove_entry(space);
        }
        Ok(())
    }

    async fn is_same_object(
        &mut self,
        fd: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        self.inner.is_same_object(fd, other).await
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.written.forget(fd.rep());
        HostDescriptor::drop(&mut self.inner, fd)
    }
}

/// A stream of entries.
struct Listing {
    batch: VecDeque<Entry>,
    rest: Option<ReadDir>,
    /// The next entries could not be read.
    failed: Option<std::io::Error>,
}

impl Listing {
    fn new(batch: Batch) -> Self {
        let (batch, rest, failed) = match batch {
            Ok((batch, rest)) => (batch, rest, None),
            Err(error) => (VecDeque::new(), None, Some(error)),
        };
        Self {
            batch,
            rest,
            failed,
        }
    }
}

/// Runs what blocks on a thread for that.
async fn in_background(work: impl FnOnce() -> Batch + Send + 'static) -> FsResult<Batch> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ErrorCode::Io.into())
}

impl HostDirectoryEntryStream for View<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let stream = Resource::<Listing>::new_borrow(stream.rep());
        let listing = self.inner.table.get_mut(&stream)?;
        if listing.batch.is_empty()
            && let Some(rest) = listing.rest.take()
        {
            let next = Listing::new(in_background(move || listing::read(rest)).await?);
            *self.inner.table.get_mut(&stream)? = next;
        }
        let listing = self.inner.table.get_mut(&stream)?;
        if let Some(error) = listing.failed.take() {
            return Err(error.into());
        }
        let Some((kind, name)) = listing.batch.pop_front() else {
            return Ok(None);
        };
        let name = name.ok_or(ErrorCode::IllegalByteSequence)?;
        let type_ = type_of(kind);
        Ok(Some(DirectoryEntry { type_, name }))
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.inner
            .table
            .delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
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
        DescriptorType::Unknown
    }
}

/// A stream into a file that counts what is written.
struct Counted {
    /// None only while it is dropped.
    inner: Option<DynOutputStream>,
    space: Space,
    path: Arc<str>,
    written: Written,
    /// What the host holds of a write that may not have ended, or ended without the plugin being told. `check-write` does not
    /// bound it: a plugin that does not keep to that writes as much at a time as one call may carry.
    busy: Option<HeldMemory>,
}

impl Counted {
    fn count(&mut self, bytes: usize) -> StreamResult<()> {
        let counted = self.written.add_bytes(self.space, bytes as u64);
        let held = counted.and_then(|()| self.written.host_memory().hold(bytes as u64));
        self.busy = Some(held.map_err(|limit| StreamError::Trap(limit.into()))?);
        Ok(())
    }

    fn inner(&mut self) -> StreamResult<&mut DynOutputStream> {
        self.inner.as_mut().ok_or(StreamError::Closed)
    }

    /// Begins to wait for a write that the plugin does not wait for.
    fn left(&mut self) -> Option<(Change, HeldMemory)> {
        let held = self.busy.take()?;
        Some((self.written.changes().begin(self.path.clone()), held))
    }
}

/// Waits for a write that the plugin does not wait for. It is in the file then, or its failure is noted.
async fn wait_for((write, _held): (Change, HeldMemory), stream: &mut DynOutputStream) {
    stream.ready().await;
    if let Err(StreamError::LastOperationFailed(error)) = stream.check_write() {
        write.fail(error);
    }
}

#[async_trait::async_trait]
impl Pollable for Counted {
    async fn ready(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.ready().await;
        }
    }
}

#[async_trait::async_trait]
impl OutputStream for Counted {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        self.inner()?.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        let flushed = self.inner()?.flush();
        if flushed.is_err() {
            // The plugin is told.
            self.busy = None;
        }
        flushed
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let room = self.inner()?.check_write();
        if !matches!(room, Ok(0)) {
            // There is room, or an error, only when the write before has ended. The plugin is told.
            self.busy = None;
        }
        room
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        let written = self.inner()?.blocking_write_and_flush(bytes).await;
        self.busy = None;
        written
    }

    /// The plugin drops the stream. A write that it has begun is not taken back: it does not hear of it.
    async fn cancel(&mut self) {
        if let Some(write) = self.left()
            && let Some(inner) = &mut self.inner
        {
            wait_for(write, inner).await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((write, mut inner)) = self.left().zip(self.inner.take()) else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move { wait_for(write, &mut inner).await }));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use forebay_core::mutex::lock;
    use futures::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;
    use crate::sandbox::cause::{StageCause, StageEnd};
    use crate::sandbox::engine::Engine;
    use crate::sandbox::grants::Granted;
    use crate::sandbox::guest::Guest;
    use crate::sandbox::limits::Limits;
    use crate::sandbox::state::StageState;

    /// A file on a disk that is told when it has written, and how that went. A write that is cancelled is not in it.
    struct SlowFile {
        disk: Option<oneshot::Receiver<Result<(), String>>>,
        failed: Option<String>,
        content: Arc<Mutex<Vec<u8>>>,
        under_way: Bytes,
    }

    #[async_trait::async_trait]
    impl Pollable for SlowFile {
        async fn ready(&mut self) {
            if let Some(disk) = &mut self.disk {
                let written = disk.await.unwrap();
                self.disk = None;
                match written {
                    Ok(()) => lock(&self.content).extend_from_slice(&self.under_way),
                    Err(error) => self.failed = Some(error),
                }
            }
        }
    }

    #[async_trait::async_trait]
    impl OutputStream for SlowFile {
        fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
            self.under_way = bytes;
            Ok(())
        }

        fn flush(&mut self) -> StreamResult<()> {
            Ok(())
        }

        fn check_write(&mut self) -> StreamResult<usize> {
            match (self.failed.take(), &self.disk) {
                (Some(error), _) => Err(StreamError::LastOperationFailed(wasmtime::Error::msg(
                    error,
                ))),
                (None, Some(_)) => Ok(0),
                (None, None) => Ok(1),
            }
        }

        async fn cancel(&mut self) {
            self.disk = None;
        }
    }

    type Disk = oneshot::Sender<Result<(), String>>;

    /// A stream with a write under way, of a plugin with this state.
    fn writing(written: &Written) -> (Counted, Disk, Arc<Mutex<Vec<u8>>>) {
        let (disk, told) = oneshot::channel();
        let content = Arc::<Mutex<Vec<u8>>>::default();
        let file = SlowFile {
            disk: Some(told),
            failed: None,
            content: content.clone(),
            under_way: Bytes::new(),
        };
        let mut stream = Counted {
            inner: Some(Box::new(file)),
            space: Space::Output,
            path: "/out/a".into(),
            written: written.clone(),
            busy: None,
        };
        stream.write(Bytes::from_static(b"words")).unwrap();
        (stream, disk, content)
    }

    #[tokio::test]
    async fn a_plugin_that_has_returned_is_done_when_its_writes_are() {
        let engine = Engine::new(1).unwrap();
        for fails in [false, true] {
            let limits = Limits::default();
            let mut state = StageState::new(&limits, &Granted::default()).unwrap();
            let (stream, disk, content) = writing(&state.written);
            let stream: DynOutputStream = Box::new(stream);
            state.table.push(stream).unwrap();
            let mut done = Box::pin(Guest::new(&engine, state, limits).finish());
            assert!(done.as_mut().now_or_never().is_none(), "it is at work");
            let ended = if fails {
                Err("the disk is full".to_owned())
            } else {
                Ok(())
            };
            disk.send(ended).unwrap();
            match done.await {
                Ok(_) => assert_eq!((fails, &lock(&content)[..]), (false, &b"words"[..])),
                Err(end) => {
                    assert!(fails);
                    let path = "/out/a".to_owned();
                    let problem = "the disk is full".to_owned();
                    let cause = StageCause::Write { path, problem };
                    assert!(matches!(end, StageEnd::Failed(end) if end == cause));
                }
            }
        }
    }

    #[tokio::test]
    async fn a_write_is_not_taken_back_when_the_plugin_closes_the_stream() {
        let state = StageState::new(&Limits::default(), &Granted::default()).unwrap();
        let written = state.written.clone();
        let (mut stream, disk, content) = writing(&written);
        let mut close = stream.cancel();
        assert!(close.as_mut().now_or_never().is_none(), "it is at work");
        disk.send(Ok(())).unwrap();
        close.await;
        assert_eq!(*lock(&content), b"words");
        written.changes().check().unwrap();
    }

    #[tokio::test]
    async fn an_error_of_which_the_plugin_was_told_is_its_own() {
        let state = StageState::new(&Limits::default(), &Granted::default()).unwrap();
        let written = state.written.clone();
        let (mut stream, disk, _) = writing(&written);
        disk.send(Err("the disk is full".into())).unwrap();
        stream.ready().await;
        stream.check_write().unwrap_err();
        drop(stream);
        written.changes().ended().await;
        written.changes().check().unwrap();
    }
}
