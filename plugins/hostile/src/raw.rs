//! The canonical ABI without the bindings that keep its rules.
//!
//! Each of these breaks one rule, and the host must trap. Whatever comes back all the same is told as an error.

#![allow(unsafe_code, reason = "breaking the rules is the point")]

use forebay_plugin::{Error, FileInfo};
use schemars::JsonSchema;
use wit_bindgen::StreamReader;

/// A rule of the canonical ABI to break.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Misuse {
    /// Arguments that lie beyond the end of memory.
    ArgumentsOutOfBounds,
    /// Arguments that are not aligned.
    ArgumentsMisaligned,
    /// A place for the result that lies beyond the end of memory.
    ResultOutOfBounds,
    /// A name that lies beyond the end of memory.
    NameOutOfBounds,
    /// A name with 4 GiB less one byte.
    NameTooLong,
    /// A name that is not UTF-8.
    NameNotUtf8,
    /// A media type that is not UTF-8.
    TypeNotUtf8,
    /// A case that the variant does not have.
    NoSuchCase,
    /// A stream handle that was never given out.
    NoSuchStream,
    /// The writing end of a stream in place of the reading end.
    WritingEnd,
    /// The same stream for two outputs.
    GivenTwice,
    /// A stream that was closed already.
    GivenAfterDrop,
    /// The same stream closed twice.
    DroppedTwice,
    /// A stream closed while a write to it is under way.
    DroppedInWrite,
    /// Two writes to a stream at the same time.
    WrittenTwice,
    /// A write from beyond the end of memory.
    WrittenOutOfBounds,
    /// A write of 4 GiB less one byte.
    WrittenTooLong,
    /// A read of the input to beyond the end of memory.
    ReadOutOfBounds,
    /// A write to the input.
    InputWritten,
    /// A resource that was never given out.
    NoSuchResource,
    /// A call on a resource that was never given out.
    CallOnNoSuchResource,
    /// The same resource closed twice.
    ResourceDroppedTwice,
    /// A call's handle that was never given out.
    NoSuchSubtask,
    /// Waiting for a handle that was never given out.
    NoSuchWaitable,
    /// Taking back a call of the host's that it has not taken back itself.
    CancelledUnasked,
    /// A returned message that is not UTF-8.
    MessageNotUtf8,
    /// A returned message that lies beyond the end of memory.
    MessageOutOfBounds,
    /// A returned error of a kind that does not exist.
    NoSuchError,
}

/// The imports as the bindings see them, but callable by anyone.
#[cfg(target_arch = "wasm32")]
mod import {
    #[link(wasm_import_module = "forebay:plugin/outputs@0.2.0")]
    unsafe extern "C" {
        #[link_name = "[async-lower]emit"]
        pub(super) fn emit(arguments: *const u8, result: *mut u8) -> u32;
        /// The writing end in the upper half, the reading end in the lower one.
        #[link_name = "[stream-new-0]emit"]
        pub(super) fn stream_new() -> u64;
        #[link_name = "[stream-drop-readable-0]emit"]
        pub(super) fn stream_drop_readable(handle: u32);
        #[link_name = "[stream-drop-writable-0]emit"]
        pub(super) fn stream_drop_writable(handle: u32);
        #[link_name = "[async-lower][stream-read-0]emit"]
        pub(super) fn stream_read(handle: u32, to: *mut u8, count: usize) -> u32;
        #[link_name = "[async-lower][stream-write-0]emit"]
        pub(super) fn stream_write(handle: u32, from: *const u8, count: usize) -> u32;
    }

    #[link(wasm_import_module = "[export]forebay:plugin/transform@0.2.0")]
    unsafe extern "C" {
        #[link_name = "[task-return]transform"]
        pub(super) fn task_return(failed: u32, case: u32, text: *const u8, length: usize);
    }

    #[link(wasm_import_module = "[export]$root")]
    unsafe extern "C" {
        #[link_name = "[task-cancel]"]
        pub(super) fn task_cancel();
    }

    #[link(wasm_import_module = "$root")]
    unsafe extern "C" {
        #[link_name = "[subtask-drop]"]
        pub(super) fn subtask_drop(handle: u32);
        #[link_name = "[waitable-join]"]
        pub(super) fn waitable_join(waitable: u32, set: u32);
        #[link_name = "[waitable-set-new]"]
        pub(super) fn waitable_set_new() -> u32;
        #[link_name = "[waitable-set-wait]"]
        pub(super) fn waitable_set_wait(set: u32, event: *mut [u32; 2]) -> u32;
    }

    #[link(wasm_import_module = "wasi:io/poll@0.2.12")]
    unsafe extern "C" {
        #[link_name = "[resource-drop]pollable"]
        pub(super) fn pollable_drop(handle: u32);
        #[link_name = "[method]pollable.ready"]
        pub(super) fn pollable_ready(handle: u32) -> u32;
    }
}

/// Natively there is no host to call.
#[cfg(not(target_arch = "wasm32"))]
#[rustfmt::skip]
mod import {
    pub(super) unsafe fn emit(_: *const u8, _: *mut u8) -> u32 { 0 }
    pub(super) unsafe fn stream_new() -> u64 { 0 }
    pub(super) unsafe fn stream_drop_readable(_: u32) {}
    pub(super) unsafe fn stream_drop_writable(_: u32) {}
    pub(super) unsafe fn stream_read(_: u32, _: *mut u8, _: usize) -> u32 { 0 }
    pub(super) unsafe fn stream_write(_: u32, _: *const u8, _: usize) -> u32 { 0 }
    pub(super) unsafe fn task_return(_: u32, _: u32, _: *const u8, _: usize) {}
    pub(super) unsafe fn task_cancel() {}
    pub(super) unsafe fn subtask_drop(_: u32) {}
    pub(super) unsafe fn waitable_join(_: u32, _: u32) {}
    pub(super) unsafe fn waitable_set_new() -> u32 { 0 }
    pub(super) unsafe fn waitable_set_wait(_: u32, _: *mut [u32; 2]) -> u32 { 0 }
    pub(super) unsafe fn pollable_drop(_: u32) {}
    pub(super) unsafe fn pollable_ready(_: u32) -> u32 { 0 }
}

/// `emit`'s arguments as they lie in memory, and its result behind them.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
struct Emit {
    name: Text,
    media_type: Text,
    size_is_given: u8,
    size: u64,
    content: u32,
    result: [u8; 4],
}

/// A string as it lies in memory.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Text {
    start: *const u8,
    length: usize,
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self {
            start: bytes.as_ptr(),
            length: bytes.len(),
        }
    }
}

/// An address that no memory reaches to: the limit of a stage is less than 4 GiB.
const BEYOND: usize = 0xffff_f000;

const NOT_UTF8: &[u8] = b"\xff\xfe not text \xc0\x80";

/// A handle that was never given out.
const NEVER: u32 = 54_321;

fn beyond<T>() -> *mut T {
    std::ptr::without_provenance_mut(BEYOND)
}

/// Tells the host that the plugin has succeeded, while it goes on.
pub(crate) fn return_ok() {
    // SAFETY: lets go of nothing that this guest still uses.
    unsafe { import::task_return(0, 0, std::ptr::null(), 0) }
}

/// Waits until one of no handles is ready.
pub(crate) fn wait_for_nothing() -> Result<(), Error> {
    let mut event = [0; 2];
    // SAFETY: the event has a place to go to.
    let code = unsafe { import::waitable_set_wait(import::waitable_set_new(), &mut event) };
    Err(Error::Failed(format!("event {code}: {event:?}")))
}

pub(crate) fn misuse(
    which: Misuse,
    info: &FileInfo,
    content: StreamReader<u8>,
) -> Result<(), Error> {
    // The host may write to these for as long as its calls last, which is longer than this function does.
    let honest = Box::leak(Box::new(Emit {
        name: info.name.as_bytes().into(),
        media_type: info.media_type.as_bytes().into(),
        size_is_given: 0,
        size: 0,
        content: 0,
        result: [0; 4],
    }));
    let buffer: &'static mut [u8] = Vec::leak(vec![b'.'; 4096]);
    // SAFETY: none is claimed. What the host makes of it stays within this guest.
    let came_back = unsafe { call(which, honest, buffer, content) };
    Err(Error::Failed(format!("nothing came of it but {came_back}")))
}

/// Makes the calls, and gives what the last one gave.
#[rustfmt::skip]
unsafe fn call(which: Misuse, emit: &mut Emit, buffer: &'static mut [u8], input: StreamReader<u8>) -> u32 {
    use Misuse as M;
    use import as i;

    let streams = unsafe { i::stream_new() };
    let (writer, reader) = ((streams >> 32) as u32, streams as u32);
    emit.content = reader;
    let result = (&raw mut emit.result).cast::<u8>();
    let send = |emit: &Emit| unsafe { i::emit((&raw const *emit).cast(), result) };
    let pollable = || wasip2::clocks::monotonic_clock::subscribe_duration(0).take_handle();
    unsafe {
        match which {
            M::ArgumentsOutOfBounds => i::emit(beyond(), result),
            M::ArgumentsMisaligned => i::emit((&raw const *emit).cast::<u8>().wrapping_add(1), result),
            M::ResultOutOfBounds => {
                // The result is written when the call ends: the output is empty, and ends at once.
                let called = i::emit((&raw const *emit).cast(), beyond());
                i::stream_drop_writable(writer);
                called
            }
            M::NameOutOfBounds => { emit.name = Text { start: beyond(), length: 4096 }; send(emit) }
            M::NameTooLong => { emit.name.length = usize::MAX; send(emit) }
            M::NameNotUtf8 => { emit.name = NOT_UTF8.into(); send(emit) }
            M::TypeNotUtf8 => { emit.media_type = NOT_UTF8.into(); send(emit) }
            M::NoSuchCase => { emit.size_is_given = 7; send(emit) }
            M::NoSuchStream => { emit.content = NEVER; send(emit) }
            M::WritingEnd => { emit.content = writer; send(emit) }
            M::GivenTwice => { send(emit); send(emit) }
            M::GivenAfterDrop => { i::stream_drop_readable(reader); send(emit) }
            M::DroppedTwice => { i::stream_drop_readable(reader); i::stream_drop_readable(reader); 0 }
            M::DroppedInWrite => {
                i::stream_write(writer, buffer.as_ptr(), buffer.len());
                i::stream_drop_writable(writer);
                0
            }
            M::WrittenTwice => {
                i::stream_write(writer, buffer.as_ptr(), buffer.len());
                i::stream_write(writer, buffer.as_ptr(), buffer.len())
            }
            M::WrittenOutOfBounds => { send(emit); i::stream_write(writer, beyond(), 8192) }
            M::WrittenTooLong => { send(emit); i::stream_write(writer, buffer.as_ptr(), usize::MAX) }
            M::ReadOutOfBounds => i::stream_read(input.take_handle(), beyond(), 8192),
            M::InputWritten => i::stream_write(input.take_handle(), buffer.as_ptr(), buffer.len()),
            M::NoSuchResource => { i::pollable_drop(NEVER); 0 }
            M::CallOnNoSuchResource => i::pollable_ready(NEVER),
            M::ResourceDroppedTwice => { let handle = pollable(); i::pollable_drop(handle); i::pollable_drop(handle); 0 }
            M::NoSuchSubtask => { i::subtask_drop(NEVER); 0 }
            M::NoSuchWaitable => { i::waitable_join(NEVER, NEVER); 0 }
            M::CancelledUnasked => { i::task_cancel(); 0 }
            M::MessageNotUtf8 => { i::task_return(1, 3, NOT_UTF8.as_ptr(), NOT_UTF8.len()); 0 }
            M::MessageOutOfBounds => { i::task_return(1, 3, beyond(), 8192); 0 }
            M::NoSuchError => { i::task_return(1, 7, buffer.as_ptr(), buffer.len()); 0 }
        }
    }
}
