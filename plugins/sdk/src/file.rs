//! File plugins: for formats that need random access.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::file::exports::forebay::plugin::file_transform::{self, Guest};
use crate::{About, Descriptor, Error, FileInfo, parse_config};

/// A plugin that works on a file on disk. Export it with [`export_file!`](crate::export_file).
pub trait FilePlugin {
    /// The config, read from JSON. Its JSON Schema becomes part of the descriptor.
    type Config: DeserializeOwned + JsonSchema;
    /// The plugin's description of itself.
    const ABOUT: About;

    /// Reads the input and writes its results as regular files under `output_dir`, which is empty. Returns one entry
    /// for each file that the next stage receives, in order.
    ///
    /// # Errors
    /// Any problem that the plugin finds with the file or its config. The error becomes the host's report of this file.
    fn transform(
        input: &InputFile,
        output_dir: &Path,
        config: Self::Config,
    ) -> Result<Vec<OutputFile>, Error>;
}

/// The file that a plugin was given.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// The file's name, its media type and, if known in advance, its size.
    pub info: FileInfo,
    /// Path of the file. The folder that contains it is read-only.
    pub path: PathBuf,
}

/// A file that a plugin returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Path of the file, relative to the output folder.
    pub path: String,
    /// The name that the next stage or the upload uses.
    pub name: String,
}

/// Implements the component's exports for a plugin.
pub struct FileExport<P>(PhantomData<P>);

impl<P: FilePlugin + 'static> Guest for FileExport<P> {
    fn describe() -> Descriptor {
        P::ABOUT.descriptor::<P::Config>()
    }

    fn transform(
        info: FileInfo,
        input_path: String,
        output_dir: String,
        config: String,
    ) -> Result<Vec<file_transform::OutputFile>, Error> {
        let input = InputFile {
            info,
            path: input_path.into(),
        };
        let outputs = P::transform(&input, Path::new(&output_dir), parse_config(&config)?)?;
        Ok(outputs
            .into_iter()
            .map(|OutputFile { path, name }| file_transform::OutputFile { path, name })
            .collect())
    }
}
