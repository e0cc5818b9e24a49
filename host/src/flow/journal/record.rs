//! The lines of a journal, and what they add up to.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::flow::report::Report;
use forebay_assets::journal::Known;

/// The version of the format.
pub(super) const VERSION: u32 = 2;

/// The first line.
#[derive(Serialize, Deserialize)]
pub(super) enum Head {
    #[serde(rename = "forebay-journal")]
    Journal { version: u32, id: String },
}

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Record {
    /// A job began, over a source in this state.
    Begun { place: String, state: String },
    /// The storage has a file's bytes, or the service has the asset.
    Known { file: String, known: Known },
    /// The asset of a file is about to be deleted, or its creation was refused.
    Abandoned {
        file: String,
        asset_id: Option<String>,
    },
    /// That asset is deleted.
    Deleted { file: String, asset_id: String },
    /// A job is done.
    Done { job: String, report: Box<Report> },
}

/// What the records add up to, and which jobs run.
#[derive(Default)]
pub(super) struct State {
    /// The state of a source when its job last began. The key is a digest of the pipeline and the source's place.
    pub(super) sources: HashMap<String, String>,
    /// By job and position: `JOB/0/2`.
    pub(super) files: BTreeMap<String, FileState>,
    pub(super) done: HashMap<String, Report>,
    /// Jobs that run in this process.
    pub(super) active: HashSet<String>,
}

/// What is known about one file of a job.
#[derive(Debug, Clone, Default)]
pub(super) struct FileState {
    /// Attempts whose asset was deleted or refused. Each used up an Idempotency-Key.
    pub(super) abandoned: u32,
    /// Assets that are to be deleted and are not deleted yet.
    pub(super) doomed: Vec<String>,
    pub(super) known: Option<Known>,
}

impl State {
    pub(super) fn take_in(&mut self, record: Record) {
        match record {
            Record::Begun { place, state } => {
                self.sources.insert(place, state);
            }
            Record::Known { file, known } => {
                self.files.entry(file).or_default().known = Some(known);
            }
            Record::Abandoned { file, asset_id } => {
                if let Some((job, _)) = file.split_once('/') {
                    self.done.remove(job);
                }
                let file = self.files.entry(file).or_default();
                file.abandoned += 1;
                file.doomed.extend(asset_id);
                file.known = None;
            }
            Record::Deleted { file, asset_id } => {
                let file = self.files.entry(file).or_default();
                file.doomed.retain(|doomed| *doomed != asset_id);
            }
            Record::Done { job, report } => {
                self.done.insert(job, *report);
            }
        }
    }
}
