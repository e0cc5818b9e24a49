//! Workflows: plugins that decide what to transform, what to upload and what to return.
//!
//! Promise: a workflow can use the files that it received and the files that its stages make from them, by handle; the
//! stages that it was lent; and the parts of the Assets API that it was [granted](Grants). The API key, presigned URLs
//! and their headers never enter it. Its result names no files but those of its run and those that it was granted, unless
//! the embedder takes it as it is. Its uploads stay in the service only if it returns ok. Otherwise every asset that it
//! created is deleted.

mod bindings;
mod bounded_json;
mod definition;
mod error;
mod file_inputs;
mod files;
mod job_file;
mod result;
mod run;
mod session;
mod transforms;
mod uploads;

pub use definition::{Workflow, WorkflowBuilder};
pub use error::WorkflowError;
pub use run::WorkflowJob;

use wasmtime::component::{HasSelf, Linker};

use crate::sandbox::plugin::Reach;
use crate::sandbox::state::StageState;

/// Adds the imports of workflows to a linker, as far as they are granted.
pub(crate) fn add_imports(linker: &mut Linker<StageState>, reach: Reach) -> wasmtime::Result<()> {
    use bindings::forebay::plugin;

    plugin::files::add_to_linker::<_, HasSelf<StageState>>(linker, |state| state)?;
    plugin::transforms::add_to_linker::<_, HasSelf<StageState>>(linker, |state| state)?;
    if reach.uploads {
        plugin::uploads::add_to_linker::<_, HasSelf<StageState>>(linker, |state| state)?;
    }
    if reach.file_inputs {
        plugin::file_inputs::add_to_linker::<_, HasSelf<StageState>>(linker, |state| state)?;
    }
    Ok(())
}
