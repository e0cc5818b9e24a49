//! One stage over one file.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::run::Run;
use crate::flow::event::Event;
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
    /// Set when the stage has ended. If it has succeeded, that is before the content of its outputs ends.
    report: OnceLock<StageReport>,
    /// Whether a file that it made was delivered. Then its report is with that file.
    delivered: AtomicBool,
}

impl StageRun {
    /// A stage that starts.
    pub(super) fn start(run: &Run, at: usize, input: &str) -> Self {
        run.observers.emit(|| Event::Started {
            stage: run.pipeline.label(at),
            plugin: run.plugin(at).to_owned(),
            file: input.to_owned(),
        });
        Self {
            at,
            input: input.to_owned(),
            usage: UsageSlot::default(),
            report: OnceLock::new(),
            delivered: AtomicBool::new(false),
        }
    }

    /// Ends it: with a failure, or with the digest of its input, if that was computed.
    pub(super) fn end(&self, run: &Run, ended: Result<Option<String>, String>) {
        let Some(stage) = run.pipeline.stages().get(self.at) else {
            return;
        };
        let (label, usage) = (run.pipeline.label(self.at), self.usage.get());
        let mut report = StageReport::new(label, stage, self.input.clone(), usage);
        match ended {
            Ok(sha256) => report.input_sha256 = sha256,
            Err(failure) => report.failure = Some(failure),
        }
        if self.report.set(report.clone()).is_ok() {
            run.observers.emit(|| Event::Ended {
                report: Box::new(report),
            });
        }
    }

    /// Ends it if it has not ended: the job is over.
    pub(super) fn cancelled(&self, run: &Run) {
        self.end(run, Err("cancelled".into()));
    }

    /// What it did, if it has succeeded.
    pub(super) fn succeeded(&self) -> Option<StageReport> {
        let report = self.report.get().filter(|report| report.failure.is_none());
        report.cloned()
    }

    pub(super) fn deliver(&self) {
        self.delivered.store(true, Ordering::Relaxed);
    }

    /// What it did, if no delivered file tells it. Called when the job has ended.
    pub(super) fn unreported(&self) -> Option<StageReport> {
        if self.delivered.load(Ordering::Relaxed) {
            return None;
        }
        self.report.get().cloned()
    }
}
