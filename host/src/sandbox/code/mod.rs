//! Compiled code: where it comes from, and where it is kept.
//!
//! Promise: a component is compiled once, and no more than [`AT_A_TIME`] of them at a time. In a
//! process of its own, which the embedder names, time and memory are bounded as well, and a compilation that takes too long is
//! ended. Code that is kept lies in a folder that is this user's alone; nothing in it is run otherwise.

mod child;
mod folder;
mod scan;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::component::Component;

use super::engine::{Engine, EngineError};
use super::plugin::{LoadError, in_words};

pub(crate) use child::Program;
pub use child::run as run_compiler;
pub(crate) use folder::Kept;
pub(crate) use scan::Scan;

use folder::Folder;

/// Components that are compiled at a time. One takes all processors and hundreds of megabytes.
const AT_A_TIME: usize = 2;

/// What compilation may take, and where it happens.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Compiles in a process of this program. Without one it happens in this process.
    pub(crate) program: Option<PathBuf>,
    /// Arguments of the program, in front of its own.
    pub(crate) args: Vec<OsString>,
    /// The longest that it may take.
    pub(crate) time: Duration,
    /// Memory of the other process, in bytes.
    pub(crate) memory: u64,
    /// The folder in which code is kept.
    pub(crate) folder: Option<PathBuf>,
    /// The folder for code that is not kept.
    pub(crate) scratch: PathBuf,
}

/// Compiles components, and keeps what comes of it.
pub(crate) struct Code {
    engine: wasmtime::Engine,
    folder: Option<Folder>,
    settings: Settings,
    turns: Semaphore,
}

impl Code {
    /// # Errors
    /// When the folder cannot be used: others can write to it, say.
    pub(crate) fn new(engine: &Engine, settings: Settings) -> Result<Self, EngineError> {
        let folder = match &settings.folder {
            None => None,
            Some(path) => Some(Folder::open(path, engine).map_err(|problem| {
                EngineError::new(format!(
                    "the folder of compiled code {}: {problem}",
                    path.display()
                ))
            })?),
        };
        Ok(Self {
            engine: wasmtime::Engine::clone(engine),
            folder,
            settings,
            turns: Semaphore::new(AT_A_TIME),
        })
    }

    /// What is kept of a component with this digest.
    pub(crate) fn kept(&self, digest: &str) -> Option<Kept> {
        Some(self.folder.as_ref()?.kept(digest))
    }

    /// The compiled component.
    pub(crate) async fn component(
        &self,
        digest: &str,
        bytes: Vec<u8>,
    ) -> Result<Component, LoadError> {
        if let Some(kept) = self.kept(digest)
            && let Some(component) = self.load_kept(&kept)
        {
            return Ok(component);
        }
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let time = self.settings.time;
        match &self.settings.program {
            Some(program) => {
                let target = self.target()?;
                let program = Program {
                    path: program,
                    args: &self.settings.args,
                    time,
                    memory: self.settings.memory,
                };
                program.compile(bytes, target.as_file()).await?;
                self.keep(digest, target)
            }
            None => {
                let engine = self.engine.clone();
                let keeps = self.folder.is_some();
                // Compiling is CPU work of up to seconds: not on the async threads.
                let compiling = tokio::task::spawn_blocking(move || {
                    if keeps {
                        let code = engine.precompile_component(&bytes);
                        code.map(Compiled::Code)
                    } else {
                        let component = Component::from_binary(&engine, &bytes);
                        component.map(Compiled::Component)
                    }
                });
                let compiled = tokio::time::timeout(time, compiling)
                    .await
                    .map_err(|_| LoadError::CompileTime(time))?
                    .map_err(|error| LoadError::NotAComponent(error.to_string()))?
                    .map_err(|error| LoadError::NotAComponent(in_words(&error)))?;
                match compiled {
                    Compiled::Component(component) => Ok(component),
                    Compiled::Code(code) => {
                        let mut target = self.target()?;
                        target.write_all(&code)?;
                        self.keep(digest, target)
                    }
                }
            }
        }
    }

    /// A file for code that is being made.
    fn target(&self) -> io::Result<tempfile::NamedTempFile> {
        match &self.folder {
            Some(folder) => folder.target(),
            None => tempfile::Builder::new()
                .prefix("forebay-code-")
                .tempfile_in(&self.settings.scratch),
        }
    }

    /// Loads the code of a file, and moves it to where it is kept.
    fn keep(&self, digest: &str, target: tempfile::NamedTempFile) -> Result<Component, LoadError> {
        let component = self.map(target.path()).map_err(|error| {
            LoadError::Compiler(format!("its code cannot be loaded: {}", in_words(&error)))
        })?;
        if let Some(folder) = &self.folder
            && let Err(error) = folder.keep(digest, target)
        {
            // It works as well; the next start compiles anew.
            tracing::warn!("compiled code is not kept: {error}");
        }
        Ok(component)
    }

    /// Loads code that is kept. Damaged code is as good as none.
    fn load_kept(&self, kept: &Kept) -> Option<Component> {
        let path = kept.code()?;
        match self.map(&path) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(
                    "compiled code {} is not usable, and is made anew: {}",
                    path.display(),
                    in_words(&error)
                );
                kept.remove();
                None
            }
        }
    }

    /// Maps a file of compiled code.
    #[expect(
        unsafe_code,
        reason = "code that was compiled before cannot be run otherwise"
    )]
    fn map(&self, path: &Path) -> wasmtime::Result<Component> {
        // SAFETY: the file holds what this program's own compiler has written: into a folder that is this user's alone and is
        // checked for that, or into a new file that nobody else may write to. wasmtime checks that it was made by the same
        // version with the same settings. Nobody changes it while it is mapped: it is replaced and removed by name only.
        unsafe { Component::deserialize_file(&self.engine, path) }
    }
}

/// What compiling gives.
enum Compiled {
    Component(Component),
    Code(Vec<u8>),
}
