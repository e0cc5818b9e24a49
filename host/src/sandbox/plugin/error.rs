//! Why a plugin could not be loaded.

/// Why a plugin could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// These bytes are no component that this engine can compile.
    #[error("not a component: {0}")]
    NotAComponent(String),
    /// It exports none of the plugin worlds.
    #[error(
        "exports no plugin world; a plugin exports `transform`, `file-transform` or `workflow` of `forebay:plugin`"
    )]
    NoWorld,
    /// It is a workflow, and this host was built without the feature `workflow`.
    #[error("a workflow plugin, and this host was built without workflows")]
    NoWorkflows,
    /// It has more bytes than the host takes of a component.
    #[error("larger than the {} that a component may have", bytesize::ByteSize(*.0))]
    TooLarge(u64),
    /// It was not compiled within the time that the host gives it.
    #[error("not compiled within {}", humantime::format_duration(*.0))]
    CompileTime(std::time::Duration),
    /// It imports what no stage can be granted: what that is in words, with the interfaces.
    #[error(
        "asks for {}, which forebay never grants; what a plugin imports without using it can be left out when it is built \
         (Python: `componentize-py --stub-wasi`; Rust: no `std::net`)",
        .0.join(" and ")
    )]
    Imports(Vec<String>),
    /// It could not be asked what it is.
    #[error("`describe` failed: {0}")]
    Describe(String),
    /// What it says of itself makes no sense.
    #[error("its descriptor is not usable: {0}")]
    Descriptor(String),
}
