//! How files are processed: pipelines and jobs, workflows, sources and sinks, reports and the journal.
//!
//! This layer uses `sandbox` to run plugins and `forebay-assets` to upload.

pub(crate) mod cancel;
pub(crate) mod error;
pub(crate) mod error_kind;
pub(crate) mod event;
pub(crate) mod job;
#[cfg(feature = "journal")]
pub(crate) mod journal;
pub(crate) mod pipeline;
#[cfg(feature = "toml")]
pub(crate) mod pipeline_file;
pub(crate) mod place;
pub(crate) mod places;
pub(crate) mod report;
pub(crate) mod runtime;
pub(crate) mod sink;
pub(crate) mod source;
#[cfg(feature = "workflow")]
pub(crate) mod workflow;
