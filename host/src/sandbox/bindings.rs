//! What `bindgen!` makes of the contract in `wit/`, as far as the sandbox needs it: the worlds of stream and file plugins, and
//! what a workflow exports. What a workflow imports is the matter of the layer above.

/// The world of stream plugins, and the types that all worlds share.
pub(crate) mod stream {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "stream-plugin",
        imports: { default: store | trappable },
        exports: { default: async | store },
        require_store_data_send: true,
        // The descriptor is kept beside the compiled code.
        additional_derives: [serde::Serialize, serde::Deserialize],
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

/// What workflow plugins export.
pub(crate) mod workflow {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package forebay:host;
            world workflow-exports {
                export forebay:plugin/workflow@0.2.0;
            }
        ",
        world: "forebay:host/workflow-exports",
        exports: { default: async | store },
        require_store_data_send: true,
        with: { "forebay:plugin/types": super::stream::forebay::plugin::types },
    });
}

pub(crate) use stream::forebay::plugin::types::{Descriptor, Error as GuestError, FileInfo};
