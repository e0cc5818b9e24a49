//! What is known about a file without its bytes.

/// What is known about a file in a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileInfo {
    /// Base name with extension.
    pub name: String,
    /// Media type, sniffed.
    pub media_type: String,
    /// Length in bytes, if it is known in advance.
    pub size: Option<u64>,
}
