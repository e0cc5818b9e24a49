//! One plugin over one file, in a store of its own.
//!
//! Promise: whatever a plugin does ends its stage and nothing else. Its store is dropped when it returns, traps, reaches
//! a limit or is no longer wanted, and with the store go its memory, its handles and its calls. An output counts only
//! once the plugin has returned ok and everything upstream has turned out whole.

mod file;
pub(crate) mod pipe;
mod stream;
mod types;

use forebay_core::FileInfo;
use forebay_core::channel::Content;

pub(crate) use types::{Done, Environment, StageOutputs, StoredFile};

use super::cause::{StageCause, StageEnd};
use super::pre::Pre;
use super::stage::Stage;

/// Runs a stage over a file. Dropping the future ends the plugin.
pub(crate) async fn run(
    stage: &Stage,
    info: FileInfo,
    content: Content,
    environment: Environment<'_>,
) -> Result<Done, StageEnd> {
    match &stage.pre {
        Some(Pre::Stream(pre)) => stream::run(stage, pre, info, content, environment).await,
        Some(Pre::File(pre)) => file::run(stage, pre, info, content, environment).await,
        // Pipelines refuse it when they are built.
        Some(Pre::Workflow(_)) => Err(StageCause::Host("a workflow is no stage".into()).into()),
        None => Err(StageCause::Host("the stage was not built into a pipeline".into()).into()),
    }
}
