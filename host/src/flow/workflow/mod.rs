//! Workflows: plugins that decide for themselves what to transform, what to upload and what to hand back.
//!
//! Promise: a workflow reaches the files that it was given and what its stages make of them, by handle; the stages that it
//! was lent; and of the Assets API what it was [granted](Grants). The API key, presigned URLs and their headers never enter
//! it. What it uploads stays with the service only if it returns ok: otherwise every asset that it made is deleted.

mod bindings;
mod definition;
mod error;
mod file_inputs;
mod files;
mod job_file;
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

/// Adds what workflows import to a linker, as far as it is granted.
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
