//! What a workflow did.

use std::time::Duration;

use forebay_core::{FileInfo, seconds};
use serde::Serialize;
use serde_json::Value;

use super::{FileReport, StageReport};
use crate::sandbox::limits::Limits;
use crate::sandbox::usage::Usage;

/// The report of a workflow.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct WorkflowReport {
    /// Name of the workflow.
    pub workflow: String,
    /// The plugin's own name.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
    /// SHA-256 of the component, in hex.
    pub digest: String,
    /// SHA-256 of its config, a JSON object without spaces and with its keys sorted, in hex.
    pub config_sha256: String,
    /// The files that it received.
    pub inputs: Vec<InputReport>,
    /// The assets that it created, in the order in which they were complete.
    pub files: Vec<FileReport>,
    /// The result that it returned.
    pub result: Value,
    /// Whether the result was taken as it is. The files that it names are then those that the plugin chose.
    #[serde(skip_serializing_if = "is_false")]
    pub raw_result: bool,
    /// What failed, as text.
    pub failures: Vec<String>,
    /// What it printed, line by line.
    pub messages: Vec<String>,
    /// What the plugin itself used. The stages that it ran are listed with their files.
    #[serde(flatten)]
    pub usage: Usage,
    /// What it was allowed to use.
    pub limits: Limits,
    /// What it was granted, in the format of a pipeline file. Only the names of its environment variables are included.
    pub grants: Value,
    /// Time from start to end.
    #[serde(rename = "seconds", with = "seconds")]
    pub elapsed: Duration,
}

// What serde hands over is a reference.
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A file that a workflow received.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct InputReport {
    /// Name, type and size.
    #[serde(flatten)]
    pub info: FileInfo,
    /// SHA-256 in hex, if the run was set to hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The stages that it went through first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageReport>,
}
