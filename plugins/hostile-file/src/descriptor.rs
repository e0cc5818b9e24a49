//! WASI's own handles of files, for what the standard library cannot do: reach places that no path is long enough for.

use forebay_plugin::Error;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// The output folder.
pub(crate) fn out() -> Result<Descriptor, Error> {
    let folders = preopens::get_directories().into_iter();
    let mut out = folders.filter(|(_, path)| path == "/out");
    let (folder, _) = out
        .next()
        .ok_or_else(|| Error::Failed("there is no /out".into()))?;
    Ok(folder)
}

/// Makes a folder, or takes the one that is there.
pub(crate) fn enter(folder: &Descriptor, name: &str) -> Result<Descriptor, ErrorCode> {
    match folder.create_directory_at(name) {
        Ok(()) | Err(ErrorCode::Exist) => {}
        Err(error) => return Err(error),
    }
    let rights = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    folder.open_at(PathFlags::empty(), name, OpenFlags::DIRECTORY, rights)
}

/// Opens a file to write to, and makes it if it is not there.
pub(crate) fn create(folder: &Descriptor, name: &str) -> Result<Descriptor, ErrorCode> {
    let rights = DescriptorFlags::READ | DescriptorFlags::WRITE;
    folder.open_at(PathFlags::empty(), name, OpenFlags::CREATE, rights)
}
