//! One stage over one file, for the report.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::flow::pipeline::Pipeline;
use crate::flow::report::StageReport;
use crate::sandbox::usage::UsageSlot;

/// One stage over one file.
pub(super) struct StageRun {
    /// Index of the stage.
    at: usize,
    /// Name of the file that it received.
    input: String,
    /// What the plugin used. Set when its store is dropped.
    pub(super) usage: UsageSlot,
    /// Set when the stage has succeeded, which is before the content of its outputs ends.
    pub(super) report: OnceLock<StageReport>,
    /// Why the stage did not succeed.
    pub(super) failure: OnceLock<String>,
    /// Whether a file that it made was delivered. Then its report is with that file.
    delivered: AtomicBool,
}

impl StageRun {
    pub(super) fn new(at: usize, input: &str) -> Self {
        Self {
            at,
            input: input.to_owned(),
            usage: UsageSlot::default(),
            report: OnceLock::new(),
            failure: OnceLock::new(),
            delivered: AtomicBool::new(false),
        }
    }

    pub(super) fn deliver(&self) {
        self.delivered.store(true, Ordering::Relaxed);
    }

    /// What the stage did, if no delivered file tells it. Called when the job has ended.
    pub(super) fn unreported(&self, pipeline: &Pipeline) -> Option<StageReport> {
        if self.delivered.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(report) = self.report.get() {
            return Some(report.clone());
        }
        let stage = pipeline.stages().get(self.at)?;
        let (label, usage) = (pipeline.label(self.at), self.usage.get());
        let mut report = StageReport::new(label, stage, self.input.clone(), usage);
        let failure = self.failure.get().map_or("cancelled", String::as_str);
        report.failure = Some(failure.to_owned());
        Some(report)
    }
}
