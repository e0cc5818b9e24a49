//! What a job did, file by file. It serializes to JSON: times are in seconds, sizes in bytes.

mod failure;
#[cfg(feature = "workflow")]
mod workflow;

use std::time::Duration;

use forebay_core::{FileInfo, seconds};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::place::Place;
use crate::sandbox::limits::Limits;
use crate::sandbox::stage::Stage;
use crate::sandbox::usage::Usage;

pub use failure::Failure;
#[cfg(feature = "workflow")]
pub use workflow::{InputReport, WorkflowReport};

/// The report of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Name of the pipeline.
    pub pipeline: String,
    /// The source: its name, its type and, if it was known in advance, its size. The type is what the bytes show, unless
    /// [another was set](crate::Source::media_type).
    pub source: FileInfo,
    /// The type that the source's bytes show, if the source's type was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_type: Option<String>,
    /// Files that reached the sink, in the order in which the plugins emitted them.
    pub files: Vec<FileReport>,
    /// What failed, as text.
    pub failures: Vec<String>,
    /// What stages did, if the job failed and nothing that they made reached the sink. The stages of a file that reached
    /// it are listed with the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageReport>,
    /// What plugins printed whose stages succeeded: what they left out, repaired or guessed. The first 100 lines of a job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<StageMessage>,
    /// Time from start to end.
    #[serde(rename = "seconds", with = "seconds")]
    pub elapsed: Duration,
}

/// A line that a plugin printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageMessage {
    /// The stage, by its position and its name: `2 image-resize`.
    pub stage: String,
    /// Name of the file that the stage received.
    pub file: String,
    /// The line, as the plugin wrote it. It may hold anything: escape it before it is shown.
    pub text: String,
}

impl Report {
    /// The report of a job that has done nothing yet.
    pub(crate) fn new(pipeline: impl Into<String>) -> Self {
        Self {
            pipeline: pipeline.into(),
            source: FileInfo::default(),
            detected_type: None,
            files: Vec::new(),
            failures: Vec::new(),
            stages: Vec::new(),
            messages: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// The assets that were uploaded.
    #[cfg(feature = "assets")]
    pub fn assets(&self) -> impl Iterator<Item = &forebay_assets::Asset> {
        self.files.iter().filter_map(|file| match &file.place {
            Place::Asset { asset, .. } => Some(asset),
            _ => None,
        })
    }
}

/// A file that reached the sink.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileReport {
    /// Name as delivered.
    pub name: String,
    /// Media type: what its bytes show, or what was set for a source that no stage changed.
    pub media_type: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes that left the last stage, in hex. Absent if the sink does not compute it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The stages that it went through, in order.
    pub stages: Vec<StageReport>,
    /// Where it is now.
    #[serde(flatten)]
    pub place: Place,
}

/// What a stage did for a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageReport {
    /// The stage, by its position and its name: `2 image-resize`.
    pub stage: String,
    /// The plugin's own name.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
    /// SHA-256 of the component, in hex.
    pub digest: String,
    /// SHA-256 of its config, a JSON object without spaces and with its keys sorted, in hex.
    #[serde(default)]
    pub config_sha256: String,
    /// Name of the file that the stage received.
    pub input: String,
    /// SHA-256 of that file, in hex, if the job was set to [hash](crate::Job::hash_files).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_sha256: Option<String>,
    /// SHA-256 of what it made for this file, in hex, if the job was set to hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_sha256: Option<String>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What it used.
    #[serde(flatten)]
    pub usage: Usage,
    /// What it was allowed to use.
    #[serde(default)]
    pub limits: Limits,
    /// What it was granted, in the format of a pipeline file. Only the names of its environment variables are included.
    #[serde(default)]
    pub grants: Value,
}

impl StageReport {
    /// What a stage did, without the files' digests.
    pub(crate) fn new(label: String, stage: &Stage, input: String, usage: Usage) -> Self {
        let descriptor = stage.plugin.descriptor();
        Self {
            stage: label,
            plugin: descriptor.name.clone(),
            version: descriptor.version.clone(),
            digest: stage.plugin.digest().to_owned(),
            config_sha256: config_sha256(&stage.config),
            input,
            input_sha256: None,
            output_sha256: None,
            failure: None,
            usage,
            limits: stage.limits.clone(),
            grants: serde_json::json!(stage.grants),
        }
    }
}

pub(crate) fn config_sha256(config: &Value) -> String {
    hex::encode(Sha256::digest(config.to_string()))
}
