//! A job's private folder.
//!
//! Promise: it is gone when the job is, however the job ends short of a killed process; then it lies in the host's scratch
//! folder under a name that begins with `forebay-`.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tempfile::{TempDir, TempPath};

/// Shared by everything that may still write into it; the last one to go removes it.
#[derive(Debug, Clone)]
pub(crate) struct Scratch(Arc<TempDir>);

impl Scratch {
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(
            tempfile::Builder::new()
                .prefix("forebay-")
                .tempdir_in(parent)?,
        )))
    }

    /// A folder of its own, removed when dropped.
    pub(crate) fn folder(&self) -> io::Result<TempDir> {
        tempfile::tempdir_in(self.0.path())
    }

    /// A file to write to, and the way to open it again.
    pub(crate) fn file(&self) -> io::Result<(File, TempFile)> {
        let (file, path) = tempfile::NamedTempFile::new_in(self.0.path())?.into_parts();
        Ok((file, TempFile(path)))
    }
}

/// A complete file in scratch that nothing holds open, so that any number may wait; removed when dropped or opened.
#[derive(Debug)]
pub(crate) struct TempFile(TempPath);

impl TempFile {
    /// Takes over a file that is there already.
    pub(crate) fn adopt(path: &Path) -> io::Result<Self> {
        TempPath::try_from_path(path).map(Self)
    }

    /// Where it lies, for as long as this is there.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Opens it for reading and takes its name away: its bytes go when the handle does.
    pub(crate) fn open(self) -> io::Result<File> {
        File::open(&self.0)
    }
}
