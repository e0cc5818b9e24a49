//! A component that is linked and ready to be instantiated.

use super::bindings;
use super::state::StageState;

/// The component, linked and ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Pre {
    Stream(bindings::stream::StreamPluginPre<StageState>),
    File(bindings::file::FilePluginPre<StageState>),
    Workflow(bindings::workflow::WorkflowExportsPre<StageState>),
}
