//! Why a plugin could not be loaded.

/// Why a plugin could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Its bytes are not those that were pinned.
    #[error(
        "has the SHA-256 {actual}, but {pinned} is pinned; pin the new one if the plugin was meant to change"
    )]
    Digest {
        /// What was asked for.
        pinned: String,
        /// What the bytes have, in hex.
        actual: String,
    },
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
    /// Its compilation takes more memory than the process that compiles it may have, in bytes.
    #[error("takes more than {} of memory to compile", bytesize::ByteSize(*.0))]
    CompileMemory(u64),
    /// One of its functions has more bytes of code than the host compiles.
    #[error(
        "has a function of {}; at most {} are compiled",
        bytesize::ByteSize(*bytes), bytesize::ByteSize(*most)
    )]
    FunctionTooLarge {
        /// Length of the function's code, in bytes.
        bytes: u64,
        /// The most that it may be.
        most: u64,
    },
    /// It makes more instances of components of itself than this.
    #[error("consists of more than {0} instances of components; put fewer together in one plugin")]
    TooManyInstances(u32),
    /// The process that compiles could not be started, or did not do its work.
    #[error("the compiler failed: {0}")]
    Compiler(String),
    /// It imports what no stage can be granted: what that is in words, with the interfaces.
    #[error(
        "asks for {}, which forebay never grants; what a plugin imports without using it can be left out when it is built \
         (Python: `componentize-py --stub-wasi`; Rust: no `std::net`)",
        .0.join(" and ")
    )]
    Imports(Vec<String>),
    /// It imports or exports what this host has in another version, with another type, or not at all.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It could not be asked what it is.
    #[error("`describe` failed: {0}")]
    Describe(String),
    /// What it says of itself makes no sense.
    #[error("its descriptor is not usable: {0}")]
    Descriptor(String),
}

/// What of a component does not fit this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// An interface of a version that this host does not have: a candidate of a release, or a later release.
    #[error("{what}, but this host has {has}; build the plugin for that")]
    Version {
        /// Which interface it imports or exports.
        what: String,
        /// The package with the versions that there are.
        has: String,
    },
    /// An interface or a function that the host does not have, or that the plugin lacks.
    #[error("{0}; build the plugin with the released WIT of that version")]
    Missing(String),
    /// A function or a type that differs from the host's.
    #[error(
        "{what} with another type than this host's ({problem}); build the plugin with the released WIT of that version"
    )]
    Type {
        /// Which function or interface it imports or exports.
        what: String,
        /// How the two differ; what is expected is the host's.
        problem: String,
    },
    /// Anything else that keeps it from being linked.
    #[error("cannot be linked: {0}")]
    Other(String),
}
