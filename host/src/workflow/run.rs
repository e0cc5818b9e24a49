//! One run of a workflow: its inputs taken in, its plugin run, its assets kept or deleted.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use serde_json::Value;

use super::transforms::{Collect, passing_on};
use super::{Session, Workflow};
use crate::assets::Assets;
use crate::error::{Error, PluginError, StageCause, WorkflowError};
use crate::held::Held;
use crate::host::Shared;
use crate::job::{AbortOnDrop, Event, Job, Observer};
use crate::plugin::Pre;
use crate::report::WorkflowReport;
use crate::scratch::Scratch;
use crate::source::Source;
use crate::stage::state::StageState;
use crate::stage::{FileInfo, Guest, StageEnd};

/// Sources that are taken in at a time.
const TAKEN_IN: usize = 4;

/// Longest result that is taken, in bytes. Assets are named by their ids; a few small files may stand in it as they are.
const MAX_RESULT: usize = 16 << 20;

/// A run that is ready to go. [`Host::run_workflow`](crate::Host::run_workflow) is the short form.
#[must_use = "a workflow does nothing until it is run"]
pub struct WorkflowJob {
    host: Arc<Shared>,
    workflow: Workflow,
    sources: Vec<Source>,
    assets: Assets,
    observer: Observer,
}

impl WorkflowJob {
    pub(crate) fn new(
        host: Arc<Shared>,
        workflow: Workflow,
        sources: Vec<Source>,
        assets: Assets,
    ) -> Self {
        Self {
            host,
            workflow,
            sources,
            assets,
            observer: Arc::new(|_| {}),
        }
    }

    /// Calls this for every [`Event`], from whichever thread it happens on. It must not block.
    pub fn observe(mut self, observer: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Runs the workflow over all of its sources. Must be called within a tokio runtime; dropping the future cancels the
    /// run and deletes the assets that it had made ([`Assets::settle`] waits for that).
    ///
    /// # Errors
    /// When a source could not be taken in, before the plugin has begun; or when the plugin did not succeed. Either way
    /// nothing is left with the service.
    pub async fn run(self) -> Result<WorkflowReport, WorkflowError> {
        // In a task of its own, as jobs are.
        let (mut report, session) = AbortOnDrop(tokio::spawn(self.go())).wait().await?;
        // Here and not in the task: whoever gets the report keeps the assets, and nobody else does.
        report.files = session.keep();
        Ok(report)
    }

    async fn go(self) -> Result<(WorkflowReport, Arc<Session>), WorkflowError> {
        let started = Instant::now();
        let _last_to_go = self.assets.under_way();
        let scratch = Scratch::new(&self.host.scratch).map_err(|reason| Error::Scratch {
            file: self.workflow.name().to_owned(),
            reason,
        })?;
        let inputs = take_in(
            &self.host,
            &self.workflow,
            self.sources,
            &scratch,
            &self.observer,
        )
        .await?;
        let session = Arc::new(Session::new(
            self.host,
            self.workflow,
            inputs,
            self.assets,
            scratch,
            self.observer,
        ));
        // A host that is being torn down has no places left; then nothing waits for this either.
        let host = session.host.clone();
        let place = host.workflows.acquire().await;
        match run(&session).await {
            Ok((result, mut report)) => {
                report.result = result;
                report.elapsed = started.elapsed();
                drop(place);
                Ok((report, session))
            }
            Err(cause) => {
                let error = Error::Workflow {
                    workflow: session.workflow.name().to_owned(),
                    plugin: session.workflow.plugin().name().to_owned(),
                    cause,
                };
                (session.observer)(Event::Failed(&error));
                session.discard().await;
                Err(error.into())
            }
        }
    }
}

impl fmt::Debug for WorkflowJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowJob")
            .field("workflow", &self.workflow.name())
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

/// Makes the workflow's inputs of the sources: all of them, or none.
async fn take_in(
    host: &Arc<Shared>,
    workflow: &Workflow,
    sources: Vec<Source>,
    scratch: &Scratch,
    observer: &Observer,
) -> Result<Vec<Arc<Held>>, WorkflowError> {
    let taken = sources.into_iter().map(|source| async {
        let Some(pipeline) = workflow.pipeline() else {
            let file = source.name().to_owned();
            let held = source.hold(scratch).await;
            return held
                .map(|held| vec![held])
                .map_err(|reason| vec![Error::Source { file, reason }]);
        };
        let sink = Arc::new(Collect::new(scratch.clone()));
        let report = Job::new(host.clone(), pipeline.clone(), source, sink.clone())
            .observe(passing_on(observer.clone()))
            .run()
            .await
            .map_err(|error| error.errors)?;
        Ok(sink.files(&report))
    });
    let taken: Vec<Result<Vec<Held>, Vec<Error>>> = futures::stream::iter(taken)
        .buffered(TAKEN_IN)
        .collect()
        .await;
    let mut inputs = Vec::new();
    let mut errors = Vec::new();
    let plugin = workflow.plugin();
    for taken in taken {
        match taken {
            Err(failed) => errors.extend(failed),
            Ok(files) => {
                for held in files {
                    (observer)(Event::Opened(&held.info));
                    let FileInfo {
                        name, media_type, ..
                    } = &held.info;
                    if plugin.accepts(media_type) {
                        inputs.push(Arc::new(held));
                        continue;
                    }
                    let accepts = plugin.descriptor().accepts.join(", ");
                    errors.push(Error::Input {
                        file: name.clone(),
                        workflow: workflow.name().to_owned(),
                        media_type: media_type.clone(),
                        accepts,
                    });
                }
            }
        }
    }
    for error in &errors {
        (observer)(Event::Failed(error));
    }
    if errors.is_empty() {
        Ok(inputs)
    } else {
        Err(WorkflowError { errors })
    }
}

/// Runs the plugin. What it gives must be JSON.
async fn run(session: &Arc<Session>) -> Result<(Value, WorkflowReport), StageCause> {
    let workflow = &session.workflow;
    let Pre::Workflow(pre) = workflow.plugin().pre() else {
        return Err(StageCause::Host("not a workflow".into()));
    };
    let mut state = StageState::new(workflow.limits());
    state.session = Some(session.clone());
    let config = workflow.config().to_string();
    let mut guest = Guest::new(&session.host.engine, state, workflow.limits().clone());
    let returned = guest
        .run(async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| {
                    plugin
                        .forebay_plugin_workflow()
                        .call_run(accessor, config)
                        .await
                })
                .await?
        })
        .await
        .map_err(|end| match end {
            StageEnd::Failed(cause) => cause,
            StageEnd::Interrupted => StageCause::Host("interrupted".into()),
        })?;
    let text = returned.map_err(PluginError::from)?;
    if text.len() > MAX_RESULT {
        return Err(StageCause::Result(format!(
            "has {} bytes, at most {MAX_RESULT} are taken",
            text.len()
        )));
    }
    let result = serde_json::from_str(&text)
        .map_err(|error| StageCause::Result(format!("is not JSON: {error}")))?;
    let descriptor = workflow.plugin().descriptor();
    let report = WorkflowReport {
        workflow: workflow.name().to_owned(),
        plugin: descriptor.name.clone(),
        version: descriptor.version.clone(),
        digest: workflow.plugin().digest().to_owned(),
        inputs: session
            .inputs
            .iter()
            .map(|held| held.info.clone())
            .collect(),
        files: Vec::new(),
        result: Value::Null,
        messages: guest.messages(),
        usage: guest.usage(),
        elapsed: std::time::Duration::ZERO,
    };
    Ok((result, report))
}
