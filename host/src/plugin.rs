//! Plugins: loading, digest, descriptor.
//!
//! Promise: a [`Plugin`] that exists can run. Its bytes are a component of a known world, it imports nothing that a
//! stage could not be given, and its descriptor was read, with no grants at all, and makes sense.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::{self, Descriptor as GuestDescriptor};
use crate::engine::Engine;
use crate::error::LoadError;
use crate::limits::Limits;
use crate::media;
use crate::stage::state::StageState;

/// Prefix of the interfaces of forebay's own contract.
const CONTRACT: &str = "forebay:plugin/";

/// The part of WASI that toolchains import whether or not it is used. Everything in it is there for every plugin and
/// gives nothing away: empty arguments and environment, standard error into the log, no folders but a file plugin's own.
const INERT: [&str; 5] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];

/// Longest text of a descriptor that is taken, in bytes; a schema may have eight times as many.
const MAX_TEXT: usize = 4096;

/// A loaded plugin. Cheap to clone; the compiled code is shared.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    digest: String,
    descriptor: Descriptor,
    imports: Vec<String>,
    pre: Pre,
}

/// The component, linked and ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Pre {
    Stream(bindings::stream::StreamPluginPre<StageState>),
    File(bindings::file::FilePluginPre<StageState>),
    Workflow(bindings::workflow::WorkflowPluginPre<StageState>),
}

/// Which world a plugin exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum World {
    /// Bytes in, bytes out.
    Stream,
    /// A file in, files out.
    File,
    /// Files in, assets and a JSON document out.
    Workflow,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stream => "stream",
            Self::File => "file",
            Self::Workflow => "workflow",
        })
    }
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Descriptor {
    /// Name, as reports and messages show it.
    pub name: String,
    /// Version.
    pub version: String,
    /// One line on what it does.
    pub summary: String,
    /// Media ranges that it takes.
    pub accepts: Vec<String>,
    /// Media types that it can emit; empty when outputs keep the type of their input.
    pub produces: Vec<String>,
    /// JSON Schema (2020-12) of the config; `None` when it takes none.
    pub config_schema: Option<Value>,
}

impl Plugin {
    /// Reads, compiles, links and asks. `name` is only for messages.
    pub(crate) async fn load(engine: &Engine, bytes: Vec<u8>) -> Result<Self, LoadError> {
        let digest = hex::encode(Sha256::digest(&bytes));
        let compiler = wasmtime::Engine::clone(engine);
        // Compiling is CPU work of up to seconds: not on the async threads.
        let component =
            tokio::task::spawn_blocking(move || Component::from_binary(&compiler, &bytes))
                .await
                .map_err(|error| LoadError::NotAComponent(error.to_string()))?
                .map_err(|error| LoadError::NotAComponent(first_line(&format!("{error:#}"))))?;
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
        let refused: Vec<String> = imports
            .iter()
            .filter(|i| !i.starts_with(CONTRACT) && !INERT.iter().any(|inert| i.starts_with(inert)))
            .cloned()
            .collect();
        if !refused.is_empty() {
            return Err(LoadError::Imports(refused));
        }
        let pre = link(engine, &component, world)
            .map_err(|error| LoadError::NotAComponent(format!("{error:#}")))?;
        let descriptor = crate::stage::describe(engine, &pre, Limits::describe())
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

fn link(engine: &Engine, component: &Component, world: World) -> wasmtime::Result<Pre> {
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
            bindings::workflow::WorkflowPlugin::add_to_linker::<_, HasSelf<StageState>>(
                &mut linker,
                |state| state,
            )?;
            Pre::Workflow(bindings::workflow::WorkflowPluginPre::new(
                linker.instantiate_pre(component)?,
            )?)
        }
        World::File => Pre::File(bindings::file::FilePluginPre::new(
            linker.instantiate_pre(component)?,
        )?),
    })
}

impl Descriptor {
    /// Takes what a plugin says only as far as it makes sense.
    fn check(said: GuestDescriptor) -> Result<Self, String> {
        let plain = |field: &str, text: &str, most: usize| {
            if text.len() > most {
                return Err(format!(
                    "{field} has {} bytes, at most {most} are taken",
                    text.len()
                ));
            }
            if text.chars().any(char::is_control) {
                return Err(format!("{field} holds control characters"));
            }
            Ok(())
        };
        plain("name", &said.name, 64)?;
        if said.name.is_empty() {
            return Err("name is empty".into());
        }
        plain("version", &said.version, 64)?;
        plain("summary", &said.summary, MAX_TEXT)?;
        if said.accepts.is_empty() {
            return Err("accepts is empty, so it would take no file".into());
        }
        for (field, list) in [("accepts", &said.accepts), ("produces", &said.produces)] {
            if list.len() > 256 {
                return Err(format!(
                    "{field} has {} entries, at most 256 are taken",
                    list.len()
                ));
            }
            for entry in list {
                plain(field, entry, 128)?;
                if !media::is_range(entry) || (field == "produces" && entry.contains('*')) {
                    return Err(format!("{field}: `{entry}` is no media type"));
                }
            }
        }
        let config_schema = match said.config_schema.as_str() {
            "" => None,
            text if text.len() > 8 * MAX_TEXT => {
                return Err(format!(
                    "config-schema has {} bytes, at most {} are taken",
                    text.len(),
                    8 * MAX_TEXT
                ));
            }
            text => {
                let schema: Value = serde_json::from_str(text)
                    .map_err(|error| format!("config-schema: {error}"))?;
                jsonschema::validator_for(&schema)
                    .map_err(|error| format!("config-schema: {error}"))?;
                Some(schema)
            }
        };
        Ok(Self {
            name: said.name,
            version: said.version,
            summary: said.summary,
            accepts: said.accepts,
            produces: said.produces,
            config_schema,
        })
    }
}

/// Reads a plugin's bytes.
pub(crate) async fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    Ok(tokio::fs::read(path).await?)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
