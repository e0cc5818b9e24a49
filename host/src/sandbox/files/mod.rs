//! The files that a plugin reaches: `wasi:filesystem` 0.2 and 0.3, where wasmtime-wasi's own would get around a limit.
//!
//! Promise: bytes that a plugin writes are counted in the call that writes them, before they are written. So it does not
//! matter whether the file is renamed, replaced or removed afterwards. A listing holds a few entries of a directory at a
//! time, however many it has. A folder that is granted for writing gets no links, and nothing moves between it and the
//! output folder. Changes that the plugin began and did not wait for are waited for when it has returned.

mod changes;
mod listing;
mod streams3;
mod view;
mod wasi2;
mod wasi3;
mod written;

pub(crate) use view::Files;
pub(crate) use written::Written;
