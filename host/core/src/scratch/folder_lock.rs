//! The file lock that shows other processes that a scratch folder is in use.

use std::fs::File;
use std::io;
use std::path::Path;

/// Prefix of the names of scratch folders.
pub const PREFIX: &str = "forebay-job-";

/// The file in each scratch folder that its process keeps locked.
pub const LOCK: &str = ".lock";

/// Locks a folder for as long as the returned file is open.
pub(super) fn lock_folder(folder: &Path) -> io::Result<File> {
    let lock = File::create_new(folder.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// Whether this is a scratch folder, of this or any other process.
pub fn is_scratch(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX)) && folder.join(LOCK).is_file()
}
