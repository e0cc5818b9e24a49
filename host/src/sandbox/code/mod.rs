//! Compiled code: where it comes from, and where it is kept.
//!
//! Promise: a component is compiled once, and no more than [`AT_A_TIME`] of them at a time. In a
//! process of its own, which the embedder names, time and memory are bounded as well, and a compilation that takes too long is
//! ended. Code that is kept lies in a folder that is this user's alone; nothing in it is run otherwise.

mod child;
mod folder;
mod instances;
mod scan;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    turns: Arc<Semaphore>,
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
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
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
        match &self.settings.program {
            Some(program) => {
                // The semaphore is never closed.
                let _turn = self.turns.acquire().await;
                let target = self.target()?;
                let program = Program {
                    path: program,
                    args: &self.settings.args,
                    time: self.settings.time,
                    memory: self.settings.memory,
                };
                program.compile(bytes, target.as_file()).await?;
                let component = self.map(target.path()).map_err(|error| {
                    LoadError::Compiler(format!("its code cannot be loaded: {}", in_words(&error)))
                })?;
                self.keep(digest, |folder| folder.keep(digest, target));
                Ok(component)
            }
            None => {
                let component = self.compile_here(bytes).await?;
                self.keep(digest, |folder| {
                    let mut target = folder.target()?;
                    target.write_all(&component.serialize().map_err(io::Error::other)?)?;
                    folder.keep(digest, target)
                });
                Ok(component)
            }
        }
    }

    /// Compiles in this process, where a compilation that takes too long cannot be ended.
    async fn compile_here(&self, bytes: Vec<u8>) -> Result<Component, LoadError> {
        let turn = self.turns.clone().acquire_owned().await;
        let (engine, time) = (self.engine.clone(), self.settings.time);
        // Compiling is CPU work of up to seconds: not on the async threads.
        let compiling = tokio::task::spawn_blocking(move || {
            // Held until it ends, whoever still waits for it.
            let _turn = turn;
            Component::from_binary(&engine, &bytes)
        });
        tokio::time::timeout(time, compiling)
            .await
            .map_err(|_| LoadError::CompileTime(time))?
            .map_err(|error| LoadError::NotAComponent(error.to_string()))?
            .map_err(|error| LoadError::NotAComponent(in_words(&error)))
    }

    /// Waits until nothing is compiled any more, also what took too long and is not waited for.
    pub(crate) async fn settle(&self) {
        // The semaphore is never closed.
        let _all = self.turns.acquire_many(AT_A_TIME as u32).await;
    }

    /// Keeps code, if there is a folder for it.
    fn keep(&self, digest: &str, keep: impl FnOnce(&Folder) -> io::Result<()>) {
        if let Some(folder) = &self.folder
            && let Err(error) = keep(folder)
        {
            // The plugin works as well; the next start compiles it anew.
            tracing::warn!("the compiled code of {digest} is not kept: {error}");
        }
    }

    /// A file for code that is being made: where it will be kept, or else in scratch.
    fn target(&self) -> io::Result<tempfile::NamedTempFile> {
        if let Some(Ok(target)) = self.folder.as_ref().map(Folder::target) {
            return Ok(target);
        }
        tempfile::Builder::new()
            .prefix("forebay-code-")
            .tempfile_in(&self.settings.scratch)
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
