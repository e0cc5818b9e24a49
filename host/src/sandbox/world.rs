//! The worlds of the contract in `wit/`.

use std::fmt;

/// Which world a plugin exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum World {
    /// Bytes in, bytes out.
    Stream,
    /// A file in, files out.
    File,
    /// Files in, assets and a JSON document out.
    Workflow,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stream => "stream",
            Self::File => "file",
            Self::Workflow => "workflow",
        })
    }
}
