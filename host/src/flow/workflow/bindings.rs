//! What `bindgen!` generates for the interfaces that workflow plugins import.

wasmtime::component::bindgen!({
    path: "wit",
    inline: "
        package forebay:host;
        world workflow-imports {
            import forebay:plugin/files@0.2.0;
            import forebay:plugin/transforms@0.2.0;
            import forebay:plugin/uploads@0.2.0;
            import forebay:plugin/file-inputs@0.2.0;
        }
    ",
    world: "forebay:host/workflow-imports",
    imports: {
        "forebay:plugin/files.[method]file.read": store | trappable,
        default: trappable,
    },
    require_store_data_send: true,
    with: {
        "forebay:plugin/types": crate::sandbox::bindings::stream::forebay::plugin::types,
        "forebay:plugin/files.file": super::files::Handle,
        "forebay:plugin/uploads.direct-upload": super::uploads::Upload,
    },
});
