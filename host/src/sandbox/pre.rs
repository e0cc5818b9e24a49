//! A component that is linked and ready to be instantiated.

use std::fmt;

use super::bindings;
use super::state::StageState;

/// The component, linked and ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Pre {
    Stream(bindings::stream::StreamPluginPre<StageState>),
    File(bindings::file::FilePluginPre<StageState>),
    Workflow(bindings::workflow::WorkflowExportsPre<StageState>),
}

impl fmt::Debug for Pre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pre")
    }
}
