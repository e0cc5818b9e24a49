//! Plugins: loading, digest, descriptor.
//!
//! Promise: a [`Plugin`] that exists can run. Its bytes are a component of a known world, it imports nothing that a
//! stage could not be given, and its descriptor was read, with no grants at all, and makes sense.

mod descriptor;
mod error;
mod imports;
mod schema;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::sandbox::bindings;
use crate::sandbox::describe::describe;
use crate::sandbox::engine::Engine;
use crate::sandbox::grants::Grants;
use crate::sandbox::limits::Limits;
use crate::sandbox::pre::Pre;
use crate::sandbox::state::StageState;
use crate::sandbox::world::World;
use forebay_core::media;
use forebay_core::text;

pub use descriptor::Descriptor;
pub use error::LoadError;

/// Prefix of the interfaces of forebay's own contract.
const CONTRACT: &str = "forebay:plugin/";

/// A loaded plugin. Cheap to clone; the compiled code is shared.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    digest: String,
    descriptor: Descriptor,
    imports: Vec<String>,
    pre: Pre,
}

impl Plugin {
    /// Compiles, links and asks.
    pub(crate) async fn load(
        engine: &Engine,
        bytes: Vec<u8>,
        bounds: Bounds,
    ) -> Result<Self, LoadError> {
        if bytes.len() as u64 > bounds.component_bytes {
            return Err(LoadError::TooLarge(bounds.component_bytes));
        }
        let digest = hex::encode(Sha256::digest(&bytes));
        let compiler = wasmtime::Engine::clone(engine);
        // Compiling is CPU work of up to seconds: not on the async threads.
        let compiling =
            tokio::task::spawn_blocking(move || Component::from_binary(&compiler, &bytes));
        let component = tokio::time::timeout(bounds.compile_time, compiling)
            .await
            .map_err(|_| LoadError::CompileTime(bounds.compile_time))?
            .map_err(|error| LoadError::NotAComponent(error.to_string()))?
            .map_err(|error| LoadError::NotAComponent(in_words(&error)))?;
        let shape = component.component_type();
        let imports: Vec<String> = shape
            .imports(engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let exports: Vec<String> = shape
            .exports(engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let exports_interface = |name: &str| {
            exports.iter().any(|e| {
                e.strip_prefix(CONTRACT)
                    .is_some_and(|e| e.split('@').next() == Some(name))
            })
        };
        let world = if exports_interface("transform") {
            World::Stream
        } else if exports_interface("file-transform") {
            World::File
        } else if exports_interface("workflow") {
            World::Workflow
        } else {
            return Err(LoadError::NoWorld);
        };
        if world == World::Workflow && bounds.workflow_imports.is_none() {
            return Err(LoadError::NoWorkflows);
        }
        imports::refuse(&imports)?;
        let pre = link(engine, &component, world, bounds.workflow_imports)
            .map_err(|error| LoadError::NotAComponent(in_words(&error)))?;
        let descriptor = describe(engine, &pre, Limits::describe())
            .await
            .map_err(LoadError::Describe)?;
        let descriptor = Descriptor::check(descriptor).map_err(LoadError::Descriptor)?;
        Ok(Self(Arc::new(Inner {
            digest,
            descriptor,
            imports,
            pre,
        })))
    }

    /// What the plugin says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// The plugin's own name.
    pub fn name(&self) -> &str {
        &self.0.descriptor.name
    }

    /// SHA-256 of the component's bytes, in hex.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Which world it exports.
    pub fn world(&self) -> World {
        match self.0.pre {
            Pre::Stream(_) => World::Stream,
            Pre::File(_) => World::File,
            Pre::Workflow(_) => World::Workflow,
        }
    }

    /// The interfaces that it imports, such as `wasi:io/streams@0.2.6`.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// What its imports let it do, in plain words, each with the interfaces that it stands for.
    pub fn imports_in_words(&self) -> Vec<(&'static str, Vec<&str>)> {
        imports::in_words(self.imports(), self.world())
    }

    /// What it imports beyond these grants, in words; `None` where they suffice.
    pub(crate) fn not_granted(&self, grants: &Grants) -> Option<String> {
        imports::not_granted(self.imports(), grants)
    }

    /// Whether it takes files of this type.
    pub fn accepts(&self, media_type: &str) -> bool {
        self.descriptor()
            .accepts
            .iter()
            .any(|range| media::in_range(media_type, range))
    }

    pub(crate) fn pre(&self) -> &Pre {
        &self.0.pre
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("descriptor", self.descriptor())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

fn link(
    engine: &Engine,
    component: &Component,
    world: World,
    workflow_imports: Option<AddImports>,
) -> wasmtime::Result<Pre> {
    let mut linker = Linker::<StageState>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(match world {
        World::Stream => {
            bindings::stream::StreamPlugin::add_to_linker::<_, HasSelf<StageState>>(
                &mut linker,
                |state| state,
            )?;
            Pre::Stream(bindings::stream::StreamPluginPre::new(
                linker.instantiate_pre(component)?,
            )?)
        }
        World::Workflow => {
            bindings::stream::forebay::plugin::types::add_to_linker::<_, HasSelf<StageState>>(
                &mut linker,
                |state| state,
            )?;
            if let Some(add) = workflow_imports {
                add(&mut linker)?;
            }
            Pre::Workflow(bindings::workflow::WorkflowExportsPre::new(
                linker.instantiate_pre(component)?,
            )?)
        }
        World::File => Pre::File(bindings::file::FilePluginPre::new(
            linker.instantiate_pre(component)?,
        )?),
    })
}

/// Adds the interfaces that workflows import to a linker.
pub(crate) type AddImports = fn(&mut Linker<StageState>) -> wasmtime::Result<()>;

/// What may be loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) component_bytes: u64,
    pub(crate) compile_time: Duration,
    /// What the layer above gives workflows; without it none can be loaded.
    pub(crate) workflow_imports: Option<AddImports>,
}

/// Reads a plugin's bytes, no more of them than may be loaded.
pub(crate) async fn read(path: &Path, bounds: Bounds) -> Result<Vec<u8>, LoadError> {
    let file = tokio::fs::File::open(path).await?;
    let mut bytes = Vec::new();
    let most = bounds.component_bytes.saturating_add(1);
    file.take(most).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > bounds.component_bytes {
        return Err(LoadError::TooLarge(bounds.component_bytes));
    }
    Ok(bytes)
}

/// The first line of an error, which may quote names from the component.
fn in_words(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text::tidy(text.lines().next().unwrap_or_default(), 1000)
}
