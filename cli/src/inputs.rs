//! The inputs that a command line names.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::select::Filter;

/// An input as the command line named it.
pub(crate) struct Input {
    pub(crate) shown: String,
    pub(crate) path: PathBuf,
    /// Folders between the folder that was named and the file.
    pub(crate) beneath: PathBuf,
}

/// Returns files as they are, all files in folders and their subfolders, and the paths that cannot be read.
///
/// Files that forebay itself left in a folder when it was killed are not inputs.
pub(crate) fn expand(named: &[PathBuf], filter: &Filter) -> Result<(Vec<Input>, Vec<String>)> {
    let mut inputs = Vec::new();
    let mut problems = Vec::new();
    for path in named {
        if !path.is_dir() {
            inputs.push(Input {
                shown: path.display().to_string(),
                path: path.clone(),
                beneath: PathBuf::new(),
            });
            continue;
        }
        let walk = walkdir::WalkDir::new(path).sort_by_file_name();
        let is_input = |entry: &walkdir::DirEntry| {
            let is_left_out = || {
                let beneath = entry.path().strip_prefix(path).unwrap_or(entry.path());
                entry.file_type().is_dir() && !filter.enters(beneath)
            };
            entry.depth() == 0 || !(forebay::is_work_in_progress(entry.path()) || is_left_out())
        };
        for entry in walk.into_iter().filter_entry(is_input) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    problems.push(error.to_string());
                    continue;
                }
            };
            if entry.file_type().is_file() {
                let beneath = entry
                    .path()
                    .strip_prefix(path)?
                    .parent()
                    .unwrap_or(Path::new(""))
                    .to_owned();
                inputs.push(Input {
                    shown: entry.path().display().to_string(),
                    path: entry.into_path(),
                    beneath,
                });
            }
        }
    }
    ensure!(
        !inputs.is_empty() || !problems.is_empty() || filter.has_left_out(),
        "there are no files in what was named"
    );
    Ok((inputs, problems))
}
