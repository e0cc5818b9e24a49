//! Plugins: loading, digest, descriptor.
//!
//! Promise: a [`Plugin`] that exists can run. Its bytes are a component of a known world, it imports nothing that a
//! stage could not be given, and its descriptor was read, with no grants at all, and makes sense.

mod descriptor;
mod error;
mod imports;
mod link;
mod schema;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;
use wasmtime::component::Component;

use crate::sandbox::code::{Code, Kept, Scan};
use crate::sandbox::describe::describe;
use crate::sandbox::engine::{self, Engine};
use crate::sandbox::grants::Grants;
use crate::sandbox::limits::Limits;
use crate::sandbox::pre::Pre;
use crate::sandbox::world::World;
use forebay_core::media;
use forebay_core::mutex::lock;
use forebay_core::text;

pub use descriptor::Descriptor;
pub use error::{LinkError, LoadError};
pub(crate) use link::{AddImports, Reach};

/// Prefix of the interfaces of forebay's own contract.
const CONTRACT: &str = "forebay:plugin/";

/// A loaded plugin. Cheap to clone; the compiled code is shared.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    digest: String,
    descriptor: Descriptor,
    imports: Vec<String>,
    world: World,
    /// Places of the pool that it takes.
    places: u32,
    component: Component,
    /// What the layer above links workflows with.
    workflow_imports: Option<AddImports>,
    /// The component linked, by what it may reach. Stages of equal grants share one.
    linked: Mutex<Vec<(Reach, Pre)>>,
}

impl Plugin {
    /// Compiles, links with all that can be granted, and asks with nothing granted. `places_to_describe` has permits for
    /// places of the pool: as many as the largest plugin takes. `pinned` is the digest that the bytes must have.
    pub(crate) async fn load(
        engine: &Engine,
        code: &Code,
        bytes: Vec<u8>,
        pinned: Option<&str>,
        bounds: Bounds,
        places_to_describe: &Semaphore,
    ) -> Result<Self, LoadError> {
        if bytes.len() as u64 > bounds.component_bytes {
            return Err(LoadError::TooLarge(bounds.component_bytes));
        }
        let digest = hex::encode(Sha256::digest(&bytes));
        if let Some(pinned) = pinned
            && !pinned.eq_ignore_ascii_case(&digest)
        {
            return Err(LoadError::Digest {
                pinned: text::tidy(pinned, 64),
                actual: digest,
            });
        }
        let Scan {
            imports,
            exports,
            instances: within,
        } = Scan::of(&bytes)?;
        let places = engine::places(within);
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
        link::check_versions(&imports, &exports)?;
        let component = code.component(&digest, bytes).await?;
        let workflow_imports = bounds.workflow_imports;
        let kept = code.kept(&digest);
        let said = match kept.as_ref().and_then(Kept::descriptor) {
            Some(said) => said,
            None => {
                // Whether every import and export fits is known from here on. What is granted is another matter.
                link::link(engine, &component, world, Reach::ALL, workflow_imports)?;
                let pre = link::link_to_describe(engine, &component, world, workflow_imports)?;
                // The semaphore is never closed.
                let _places = places_to_describe.acquire_many(places).await;
                let said = describe(engine, &pre, Limits::describe()).await;
                let said = said.map_err(LoadError::Describe)?;
                if let Some(kept) = &kept
                    && Descriptor::check(said.clone()).is_ok()
                {
                    kept.keep_descriptor(&said);
                }
                said
            }
        };
        let descriptor = Descriptor::check(said).map_err(LoadError::Descriptor)?;
        Ok(Self(Arc::new(Inner {
            digest,
            descriptor,
            imports,
            world,
            places,
            component,
            workflow_imports,
            linked: Mutex::default(),
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
        self.0.world
    }

    /// How many places of the pool it takes while it runs.
    pub(crate) fn places(&self) -> u32 {
        self.0.places
    }

    /// The interfaces that it imports, such as `wasi:io/streams@0.2.6`.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// What its imports let it do, in plain words, each with the interfaces that it stands for.
    pub fn imports_in_words(&self) -> Vec<(&'static str, Vec<&str>)> {
        imports::in_words(self.imports(), self.world())
    }

    /// The plugin linked with what it is granted, and with nothing else.
    ///
    /// # Errors
    /// What it imports beyond its grants, in words.
    pub(crate) fn link(&self, grants: &Grants) -> Result<Pre, String> {
        let granted = Reach::of(self.world(), grants);
        if let Some(problem) = imports::not_granted(self.imports(), granted) {
            return Err(problem);
        }
        // What is granted and not imported makes no difference.
        let reach = granted.and(imports::reach(self.imports()));
        let mut linked = lock(&self.0.linked);
        if let Some((_, pre)) = linked.iter().find(|(known, _)| *known == reach) {
            return Ok(pre.clone());
        }
        let component = &self.0.component;
        let pre = link::link(
            component.engine(),
            component,
            self.world(),
            reach,
            self.0.workflow_imports,
        )
        .map_err(|error| error.to_string())?;
        linked.push((reach, pre.clone()));
        Ok(pre)
    }

    /// Whether it takes files of this type.
    pub fn accepts(&self, media_type: &str) -> bool {
        self.descriptor()
            .accepts
            .iter()
            .any(|range| media::in_range(media_type, range))
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

/// What may be loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) component_bytes: u64,
    /// What the layer above links workflows with; without it none can be loaded.
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
pub(crate) fn in_words(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text::tidy(text.lines().next().unwrap_or_default(), 1000)
}
