//! The contract between host and plugins, and its copies.
//!
//! `wit/` is the one that people edit. A published crate can read only files in its own folder, so each crate that
//! generates bindings has an equal copy. These are copies and not symbolic links, because a checkout on Windows may
//! have no links.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

const ORIGINAL: &str = "wit";
const COPIES: [&str; 2] = ["host/wit", "plugins/sdk/wit"];

/// Fails if a copy differs from `wit/`, and says how to fix it.
pub(crate) fn check(workspace: &Path) -> Result<()> {
    let original = read(&workspace.join(ORIGINAL))?;
    for copy in COPIES {
        // A folder that does not exist differs as well.
        let equal = read(&workspace.join(copy)).is_ok_and(|files| files == original);
        ensure!(
            equal,
            "{copy}/ differs from {ORIGINAL}/: edit {ORIGINAL}/ only, then run `cargo xtask sync-wit`"
        );
    }
    Ok(())
}

/// Makes every copy equal to `wit/`.
pub(crate) fn sync(workspace: &Path) -> Result<()> {
    let original = read(&workspace.join(ORIGINAL))?;
    for copy in COPIES {
        let folder = workspace.join(copy);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        for (name, text) in &original {
            fs::write(folder.join(name), text)?;
        }
    }
    Ok(())
}

/// The files of a folder, by name.
fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read(entry.path())?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn copies_of_the_contract_are_equal_to_it() {
        check(&crate::workspace().unwrap()).unwrap();
    }

    #[test]
    fn a_copy_that_differs_is_named_and_mended() {
        let workspace = std::env::temp_dir().join(format!("xtask-wit-{}", std::process::id()));
        fs::create_dir_all(workspace.join(ORIGINAL)).unwrap();
        fs::write(workspace.join("wit/types.wit"), "package a:b;").unwrap();
        sync(&workspace).unwrap();
        check(&workspace).unwrap();

        let stray = workspace.join("plugins/sdk/wit/stray.wit");
        fs::write(&stray, "").unwrap();
        fs::write(workspace.join("plugins/sdk/wit/types.wit"), "package a:c;").unwrap();
        let error = check(&workspace).unwrap_err().to_string();
        assert!(
            error.contains("plugins/sdk/wit/") && error.contains("sync-wit"),
            "{error}"
        );

        sync(&workspace).unwrap();
        check(&workspace).unwrap();
        assert!(!stray.exists());
        fs::remove_dir_all(&workspace).unwrap();
    }
}
