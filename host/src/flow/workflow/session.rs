//! The state that the calls of a plugin share in one run of a workflow.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::definition::Workflow;
use super::job_file::JobFile;
use super::result::Allowed;
use crate::flow::event::{Event, Observers, Progress};
use crate::flow::place::Place;
use crate::flow::report::FileReport;
use crate::flow::runtime::Runtime;
use crate::sandbox::cause::StageCause;
use crate::sandbox::grants::Grants;
use crate::sandbox::limits::Exceeded;
use crate::sandbox::state::StageState;
use forebay_assets::{Asset, Assets, DeleteOnDrop, Flow};
use forebay_core::FileInfo;
use forebay_core::mutex::lock;
use forebay_core::scratch::Scratch;

/// How many calls of a workflow may run a stage or wait for one at the same time. One more call ends the workflow.
const CALLS: usize = 256;

/// How many stages a workflow may run at the same time. Further calls wait.
const STAGES: usize = 16;

/// How many uploads may receive bytes from a workflow at the same time. Further calls wait.
const STREAMS: usize = 8;

/// How many files a workflow may read at the same time. Each holds an open file and up to 1 MiB. One more ends the
/// workflow.
const READINGS: usize = 128;

/// The host's state for one run of a workflow. Dropping it deletes every asset that was not kept.
pub(crate) struct Session {
    pub(super) host: Arc<Runtime>,
    pub(super) workflow: Workflow,
    pub(super) inputs: Vec<Arc<JobFile>>,
    pub(super) assets: Assets,
    pub(super) scratch: Scratch,
    pub(super) observers: Observers,
    pub(super) hash_files: bool,
    /// Permits for calls that run a stage or wait for one.
    pub(super) calls: Semaphore,
    /// Permits for stages that run.
    pub(super) stages: Semaphore,
    /// Permits for uploads whose bytes the plugin writes.
    pub(super) streams: Semaphore,
    /// Permits for files that the plugin reads.
    pub(super) readings: Arc<Semaphore>,
    deliveries: AtomicU64,
    spent: Arc<Mutex<Spent>>,
    made: Mutex<Vec<(FileReport, DeleteOnDrop)>>,
    /// The assets of this run.
    known: Mutex<Known>,
}

/// What a workflow has used up of its grants.
#[derive(Debug, Default)]
struct Spent {
    /// Assets that are there, or under way.
    assets: u64,
    /// Their bytes.
    bytes: u64,
    /// Assets that were created, with those that were given up, and steps of direct uploads that were repeated.
    created: u64,
    /// Bytes that were sent, also those of assets that were given up.
    sent: u64,
}

/// Why a workflow may not use the service again.
#[derive(Debug)]
pub(super) enum Unspendable {
    /// The grants are used up. The workflow is told, and can go another way.
    Denied(String),
    /// The grants would last if the workflow gave up nothing. It ends, since it may go on so for ever.
    Limit(Exceeded),
}

/// A part of the grants that is in use. It is returned when this is dropped, unless an asset was created.
#[derive(Debug)]
pub(super) struct Spending {
    spent: Arc<Mutex<Spent>>,
    bytes: u64,
}

impl Spending {
    /// No request was made, so nothing counts.
    pub(super) fn unused(self, sent: u64) {
        let mut spent = lock(&self.spent);
        spent.created = spent.created.saturating_sub(1);
        spent.sent = spent.sent.saturating_sub(sent);
    }

    /// The asset exists, so its part of the grants stays used up.
    pub(super) fn keep(mut self) {
        self.spent = Arc::default();
    }
}

impl Drop for Spending {
    fn drop(&mut self) {
        let mut spent = lock(&self.spent);
        spent.assets = spent.assets.saturating_sub(1);
        spent.bytes = spent.bytes.saturating_sub(self.bytes);
    }
}

impl Session {
    pub(super) fn new(
        host: Arc<Runtime>,
        workflow: Workflow,
        inputs: Vec<Arc<JobFile>>,
        assets: Assets,
        scratch: Scratch,
        observers: Observers,
        hash_files: bool,
    ) -> Self {
        Self {
            host,
            workflow,
            inputs,
            assets,
            scratch,
            observers,
            hash_files,
            calls: Semaphore::new(CALLS),
            stages: Semaphore::new(STAGES),
            streams: Semaphore::new(STREAMS),
            readings: Arc::new(Semaphore::new(READINGS)),
            deliveries: AtomicU64::new(0),
            spent: Arc::default(),
            made: Mutex::default(),
            known: Mutex::default(),
        }
    }

    pub(super) fn grants(&self) -> &Grants {
        self.workflow.grants()
    }

    /// Takes one asset of this many bytes from the grants. Otherwise returns the reason why not.
    pub(super) fn spend(&self, bytes: u64) -> Result<Spending, Unspendable> {
        let Grants {
            max_assets,
            max_bytes,
            ..
        } = *self.grants();
        let mut spent = lock(&self.spent);
        if spent.assets >= max_assets {
            return Err(Unspendable::Denied(format!(
                "this workflow may make at most {max_assets} assets"
            )));
        }
        if spent.bytes.saturating_add(bytes) > max_bytes {
            return Err(Unspendable::Denied(format!(
                "this workflow may upload at most {max_bytes} bytes, and {} are used up",
                spent.bytes
            )));
        }
        self.repeat(&mut spent)?;
        spent.assets += 1;
        spent.bytes += bytes;
        Ok(Spending {
            spent: self.spent.clone(),
            bytes,
        })
    }

    /// Counts a step of a direct upload that is repeated. Each makes a request, as a creation does.
    pub(super) fn spend_again(&self) -> Result<(), Unspendable> {
        self.repeat(&mut lock(&self.spent))
    }

    fn repeat(&self, spent: &mut Spent) -> Result<(), Unspendable> {
        let most = self.grants().max_assets;
        if spent.created >= most {
            return Err(Unspendable::Limit(Exceeded::MaxAssets(most)));
        }
        spent.created += 1;
        Ok(())
    }

    /// Counts bytes that are about to be sent.
    pub(super) fn send(&self, bytes: u64) -> Result<(), Unspendable> {
        let most = self.grants().max_bytes;
        let mut spent = lock(&self.spent);
        let sent = spent.sent.saturating_add(bytes);
        if sent > most {
            return Err(Unspendable::Limit(Exceeded::MaxBytes(most)));
        }
        spent.sent = sent;
        Ok(())
    }

    /// Remembers an asset that was created.
    pub(super) fn created(&self, asset_id: &str) {
        lock(&self.known).created.insert(asset_id.to_owned());
    }

    /// Asks what the workflow may name.
    pub(super) fn with_allowed<T>(&self, ask: impl FnOnce(Allowed<'_>) -> T) -> T {
        ask(Allowed {
            grants: self.grants(),
            hosts: self.workflow.url_hosts(),
            known: &lock(&self.known),
        })
    }

    /// Reports to the observer that the upload of a file starts.
    pub(super) fn delivering(&self, info: &FileInfo) -> Progress {
        let delivery = self.deliveries.fetch_add(1, Ordering::Relaxed) + 1;
        self.observers.emit(|| Event::Delivering {
            delivery,
            info: info.clone(),
        });
        Progress::new(self.observers.clone(), delivery)
    }

    /// Adds an asset to the report. The asset is deleted if the workflow does not succeed.
    pub(super) fn made(&self, file: MadeFile<'_>, progress: &Progress, claim: DeleteOnDrop) {
        let report = FileReport {
            name: file.info.name.clone(),
            media_type: file.info.media_type.clone(),
            size: file.asset.size_bytes,
            sha256: Some(file.sha256),
            stages: file.file.map_or_else(Vec::new, |file| file.stages.clone()),
            place: Place::Asset {
                asset: file.asset.clone(),
                flow: file.flow,
            },
        };
        lock(&self.known).complete(file.asset);
        self.observers.emit(|| Event::Delivered {
            delivery: progress.delivery(),
            report: Box::new(report.clone()),
        });
        lock(&self.made).push((report, claim));
    }

    /// For a workflow that has failed: waits until its assets are deleted.
    pub(super) async fn discard(&self) {
        let made = std::mem::take(&mut *lock(&self.made));
        futures::future::join_all(made.into_iter().map(|(_, claim)| claim.delete())).await;
    }

    /// For a workflow that has succeeded: keeps its assets.
    pub(super) fn keep(&self) -> Vec<FileReport> {
        let made = std::mem::take(&mut *lock(&self.made));
        made.into_iter()
            .map(|(report, claim)| {
                claim.keep();
                report
            })
            .collect()
    }
}

/// The assets of a run.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Ids of all that were created.
    pub(super) created: BTreeSet<String>,
    /// Ids of those that are complete.
    pub(super) complete: BTreeSet<String>,
    /// Where the service serves those.
    pub(super) urls: BTreeSet<String>,
}

impl Known {
    fn complete(&mut self, asset: &Asset) {
        self.created.insert(asset.asset_id.clone());
        self.complete.insert(asset.asset_id.clone());
        self.urls.insert(asset.url.clone());
    }
}

/// A file that has become an asset.
pub(super) struct MadeFile<'a> {
    pub(super) info: &'a FileInfo,
    /// The file, if it belongs to this run.
    pub(super) file: Option<&'a JobFile>,
    pub(super) asset: &'a Asset,
    pub(super) flow: Flow,
    pub(super) sha256: String,
}

impl StageState {
    /// The session of the workflow. Only workflows import the interfaces that call this.
    pub(super) fn session(&self) -> wasmtime::Result<Arc<Session>> {
        let session = self.extension.clone().map(Arc::downcast::<Session>);
        match session {
            Some(Ok(session)) => Ok(session),
            _ => Err(StageCause::Host("called outside of a workflow's run".into()).into()),
        }
    }
}
