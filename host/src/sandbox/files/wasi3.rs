//! `wasi:filesystem` 0.3.
//!
//! Every call goes to wasmtime-wasi. What is ours stands around it, as for 0.2, and more:
//!
//! - A stream that the host drains into a file is no handle of the plugin, and the call that began it has returned. So such
//!   streams are counted: see [`Work`](crate::sandbox::state::StageState::work).
//! - Calls overlap, and each holds its path and may take a thread. So few run at a time.
//! - wasmtime-wasi's listing of a directory holds a thread for as long as the plugin keeps it open, and all of a process share
//!   512 of these.

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::AsContextMut as _;
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p3::bindings::filesystem::preopens;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    Filesize, HostDescriptor, HostDescriptorWithStore, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

use super::changes::Change;
use super::streams3::{Ended, Listing, Writer};
use super::view::{Files, View, is_too_long, same};
use super::written::{Space, Written};
use crate::sandbox::limits::Exceeded;
use crate::sandbox::state::StageState;

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        preopens::Host::get_directories(&mut self.inner).map(|folders| self.note_all(folders))
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
    if is_too_long(path) {
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

/// Whether it is a pipe, a socket or a device: a thread that opens or reads one may wait for ever.
fn may_wait(kind: &DescriptorType) -> bool {
    use DescriptorType as Kind;
    !matches!(
        kind,
        Kind::RegularFile | Kind::Directory | Kind::SymbolicLink
    )
}

/// A limit ends the plugin: it cannot go on from there.
fn over(limit: Exceeded) -> FilesystemError {
    FilesystemError::trap(limit)
}

fn written(store: &Accessor<StageState, Files>) -> Written {
    store.with(|mut access| access.data_mut().written.clone())
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

/// Passes on calls that change a file, once the paths that are named behind each are short enough.
macro_rules! pass_on_change {
    ($($name:ident($($arg:ident: $type:ty),*) -> $ok:ty $(, checks $($path:ident),+)?;)*) => {$(
        async fn $name(
            store: &Accessor<StageState, Self>,
            fd: Resource<Descriptor>,
            $($arg: $type),*
        ) -> FilesystemResult<$ok> {
            $($(check_path(&$path)?;)+)?
            let folder = same(&fd);
            change(store, &folder, async |_| call!(store.$name(fd $(, $arg)*))).await
        }
    )*};
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

/// Removes an entry by a call of the same name, and counts it less.
macro_rules! remove {
    ($($name:ident),*) => {$(
        async fn $name(
            store: &Accessor<StageState, Self>,
            fd: Resource<Descriptor>,
            path: String,
        ) -> FilesystemResult<()> {
            check_path(&path)?;
            let folder = same(&fd);
            change(store, &folder, async |written| {
                let space = written.space(&fd);
                call!(store.$name(fd, path))?;
                written.remove_entry(space);
                Ok(())
            })
            .await
        }
    )*};
}

impl HostDescriptorWithStore<StageState> for Files {
    pass_on! {
        advise(offset: Filesize, length: Filesize, advice: Advice) -> ();
        sync_data() -> ();
        get_flags() -> DescriptorFlags;
        get_type() -> DescriptorType;
        sync() -> ();
        stat() -> DescriptorStat;
        metadata_hash() -> MetadataHashValue;
        stat_at(flags: PathFlags, path: String) -> DescriptorStat, checks path;
        readlink_at(path: String) -> String, checks path;
        metadata_hash_at(flags: PathFlags, path: String) -> MetadataHashValue, checks path;
    }

    pass_on_change! {
        set_times(accessed: NewTimestamp, modified: NewTimestamp) -> ();
        set_times_at(flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) -> (), checks path;
    }

    async fn set_size(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        size: Filesize,
    ) -> FilesystemResult<()> {
        let file = same(&fd);
        change(store, &file, async |written| {
            let before = call!(store.stat(same(&fd)))?.size;
            let space = written.space(&fd);
            // The system refuses what is beyond any file. A hole takes no room, so it is early enough to count it afterwards.
            call!(store.set_size(fd, size))?;
            let more = size.saturating_sub(before);
            written.add_bytes(space, more).map_err(over)
        })
        .await
    }

    async fn create_directory_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<()> {
        check_path(&path)?;
        change(store, &same(&fd), async |written| {
            make!(
                written,
                written.space(&fd),
                call!(store.create_directory_at(same(&fd), path))
            )
        })
        .await
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
        change(store, &same(&fd), async |written| {
            if !written.may_link(&fd, &folder) {
                return Err(ErrorCode::NotPermitted.into());
            }
            make!(
                written,
                Space::Output,
                call!(store.link_at(fd, flags, old, folder, new))
            )
        })
        .await
    }

    async fn symlink_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        old: String,
        new: String,
    ) -> FilesystemResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        change(store, &same(&fd), async |written| {
            if !written.may_link(&fd, &fd) {
                return Err(ErrorCode::NotPermitted.into());
            }
            make!(
                written,
                Space::Output,
                call!(store.symlink_at(fd, old, new))
            )
        })
        .await
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
        let written = written(store);
        let (space, shown) = (written.space(&fd), written.path(&fd, &path));
        let call = async |written: &Written| {
            // Looked up as the call itself looks it up: through a link it may make what the link leads to.
            let there = call!(store.stat_at(same(&fd), flags, path.clone()));
            if there.as_ref().is_ok_and(|it| may_wait(&it.type_)) {
                return Err(ErrorCode::NotPermitted.into());
            }
            if open.contains(OpenFlags::CREATE) && there.is_err() {
                make!(
                    written,
                    space,
                    call!(store.open_at(same(&fd), flags, path, open, mode))
                )
            } else {
                call!(store.open_at(same(&fd), flags, path, open, mode))
            }
        };
        let opened = if open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) {
            change(store, &fd, call).await?
        } else {
            let _turn = turn(store).await?;
            call(&written).await?
        };
        written.opened(&opened, (space, shown));
        Ok(opened)
    }

    remove! { remove_directory_at, unlink_file_at }

    async fn rename_at(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        old: String,
        folder: Resource<Descriptor>,
        new: String,
    ) -> FilesystemResult<()> {
        check_path(&old)?;
        check_path(&new)?;
        change(store, &same(&fd), async |written| {
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
        })
        .await
    }

    async fn is_same_object(
        store: &Accessor<StageState, Self>,
        fd: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let _turn = turn(store).await.ok();
        let store = store.with_getter::<WasiFilesystem>(StageState::filesystem);
        WasiFilesystem::is_same_object(&store, fd, other).await
    }

    fn read_via_stream(
        mut store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Ended>)> {
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
    ) -> wasmtime::Result<FutureReader<Ended>> {
        write(store, &fd, data, Some(offset))
    }

    fn append_via_stream(
        store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Ended>> {
        write(store, &fd, data, None)
    }

    fn read_directory(
        mut store: Access<'_, StageState, Self>,
        fd: Resource<Descriptor>,
    ) -> wasmtime::Result<(StreamReader<DirectoryEntry>, FutureReader<Ended>)> {
        let listing = match store.get().inner.table.get(&fd)? {
            Descriptor::Dir(folder) => Ok(folder.dir.clone()),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory),
        };
        let (done, ended) = oneshot::channel();
        let listing = Listing::new(listing, done);
        Ok((
            StreamReader::new(&mut store, listing)?,
            FutureReader::new(&mut store, ended)?,
        ))
    }
}

/// Writes a stream to a file: from `offset` on, or to its end.
fn write(
    mut store: Access<'_, StageState, Files>,
    fd: &Resource<Descriptor>,
    data: StreamReader<u8>,
    offset: Option<Filesize>,
) -> wasmtime::Result<FutureReader<Ended>> {
    let permit = store.data_mut().work.begin_drain()?;
    let view = store.get();
    let (written, place) = (view.written.clone(), view.written.place(fd));
    let file = match view.inner.table.get(fd)? {
        Descriptor::File(file) if file.perms.write_not_permitted() => Err(ErrorCode::NotPermitted),
        Descriptor::File(file) => Ok(file.file.clone()),
        Descriptor::Dir(_) => Err(ErrorCode::IsDirectory),
    };
    let (writer, outcome) = Writer::new(file, offset, written, place, permit);
    data.pipe(&mut store, writer)?;
    FutureReader::new(&mut store, outcome)
}

/// Makes a change by a call. It is waited for if the plugin returns before.
async fn change<T>(
    store: &Accessor<StageState, Files>,
    fd: &Resource<Descriptor>,
    call: impl AsyncFnOnce(&Written) -> FilesystemResult<T>,
) -> FilesystemResult<T> {
    let written = written(store);
    let mut begun = Begun {
        change: written.begin(fd),
        may_break_off: true,
    };
    let _turn = turn(store).await?;
    begun.may_break_off = false;
    let done = call(&written).await;
    begun.may_break_off = true;
    if let Err(error) = &done
        && begun.change.changes().has_returned()
    {
        begun.change.fail(error);
    }
    done
}

/// A change that the plugin may take back while it waits for its turn, and not any more when it is at work: a thread goes on
/// with it then, and nobody knows for how long.
struct Begun {
    change: Change,
    may_break_off: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.may_break_off {
            self.change
                .fail("it took its call back while that was at work");
        }
    }
}
