//! What `bindgen!` makes of the contract in `wit/`: the only calls of it.

/// The world of stream plugins, and the types that all worlds share.
pub(crate) mod stream {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "stream-plugin",
        imports: { default: store | trappable },
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

/// The world of file plugins. Its guests block, so their calls are not concurrent.
pub(crate) mod file {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "file-plugin",
        exports: { default: async },
        require_store_data_send: true,
        with: { "forebay:plugin/types": super::stream::forebay::plugin::types },
    });
}

pub(crate) use stream::forebay::plugin::types::{Descriptor, Error as GuestError, FileInfo};
