//! What the calls of both versions work on.

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView as _};

use super::written::Written;
use crate::sandbox::state::StageState;

/// Bytes of a path. The same as the most that Linux takes.
const MAX_PATH: usize = 4096;

/// `wasi:filesystem`, of 0.2 and of 0.3, under the limits of a stage.
pub(crate) struct Files;

impl HasData for Files {
    type Data<'a> = View<'a>;
}

impl Files {
    /// What a store's calls work on.
    pub(crate) fn of(state: &mut StageState) -> View<'_> {
        let written = state.written.clone();
        View {
            inner: state.filesystem(),
            written,
        }
    }
}

/// What calls work on.
pub(crate) struct View<'a> {
    pub(super) inner: WasiFilesystemCtxView<'a>,
    pub(super) written: Written,
}

impl View<'_> {
    /// Notes where the folders lead that the plugin is given.
    pub(super) fn note_all(
        &self,
        folders: Vec<(Resource<Descriptor>, String)>,
    ) -> Vec<(Resource<Descriptor>, String)> {
        for (folder, path) in &folders {
            self.written.preopened(folder, path);
        }
        folders
    }
}

/// The same handle again. The table keeps what it stands for.
pub(super) fn same(descriptor: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}

/// Whether a path is longer than any file system takes.
pub(super) fn is_too_long(path: &str) -> bool {
    path.len() > MAX_PATH
}
