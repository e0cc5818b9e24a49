//! `wasi:filesystem` 0.2.
//!
//! Every call goes to wasmtime-wasi. What is ours stands around it: writes are counted first, paths have a length, links and
//! moves stay in the output folder, and a directory is listed a batch at a time. wasmtime-wasi's listing holds all entries.

use std::collections::VecDeque;

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

use super::listing::{self, Batch, Entry};
use super::view::{View, is_too_long, same};
use super::written::{Space, Written};
use crate::sandbox::limits::Exceeded;

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
        space: Space,
        stream: Resource<DynOutputStream>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.inner.table.delete(stream)?;
        let counted: DynOutputStream = Box::new(Counted {
            inner: Some(inner),
            space,
            written: self.written.clone(),
            busy: false,
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
        let space = self.written.space(&fd);
        let stream = self.inner.write_via_stream(fd, offset)?;
        self.output(space, stream)
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let space = self.written.space(&fd);
        let stream = self.inner.append_via_stream(fd)?;
        self.output(space, stream)
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
        let space = self.written.space(&fd);
        // Looked up as the call itself looks it up: through a link it may make what the link leads to.
        let makes = open.contains(OpenFlags::CREATE)
            && (self.inner.stat_at(same(&fd), flags, path.clone()).await).is_err();
        let call = async |files: &mut WasiFilesystemCtxView<'_>| {
            files.open_at(fd, flags, path, open, mode).await
        };
        let opened = if makes {
            self.make(space, call).await?
        } else {
            call(&mut self.inner).await?
        };
        self.written.note(&opened, space);
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
    written: Written,
    /// Whether a write may have begun that has not ended.
    busy: bool,
}

impl Counted {
    fn count(&self, bytes: usize) -> StreamResult<()> {
        let counted = self.written.add_bytes(self.space, bytes as u64);
        counted.map_err(|limit| StreamError::Trap(limit.into()))
    }

    fn inner(&mut self) -> StreamResult<&mut DynOutputStream> {
        self.inner.as_mut().ok_or(StreamError::Closed)
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
        self.busy = true;
        self.inner()?.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner()?.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let room = self.inner()?.check_write()?;
        // There is room only when the write before has ended.
        self.busy &= room == 0;
        Ok(room)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        self.busy = true;
        let written = self.inner()?.blocking_write_and_flush(bytes).await;
        self.busy = false;
        written
    }

    async fn cancel(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.cancel().await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take().filter(|_| self.busy) else {
            return;
        };
        // What a plugin has written is in the file, though it did not wait for that.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let written = self.written.clone();
            drop(runtime.spawn(async move {
                inner.ready().await;
                drop((inner, written));
            }));
        }
    }
}
