//! What `bindgen!` makes of the contract in `wit/`: the only calls of it.

/// The world of stream plugins, and the types that all worlds share.
pub(crate) mod stream {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "stream-plugin",
        imports: { default: store | trappable },
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

/// The world of file plugins. Its guests block, so their calls are not concurrent.
pub(crate) mod file {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "file-plugin",
        exports: { default: async },
        require_store_data_send: true,
        with: { "forebay:plugin/types": super::stream::forebay::plugin::types },
    });
}

/// The world of workflow plugins.
pub(crate) mod workflow {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "workflow-plugin",
        imports: {
            "forebay:plugin/files.[method]file.read": store | trappable,
            default: trappable,
        },
        exports: { default: async | store },
        require_store_data_send: true,
        with: {
            "forebay:plugin/types": super::stream::forebay::plugin::types,
            "forebay:plugin/files.file": crate::workflow::files::Handle,
            "forebay:plugin/uploads.direct-upload": crate::workflow::uploads::Upload,
        },
    });
}

pub(crate) use stream::forebay::plugin::types::{Descriptor, Error as GuestError, FileInfo};
