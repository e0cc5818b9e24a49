//! Removal of scratch folders that killed processes have left.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::folder_lock::{LOCK, PREFIX};
use super::removal::remove;

/// Removes from `parent` the folders that killed processes have left. These have a scratch folder's name, belong to our
/// user, are older than a minute, and no process holds their lock.
///
/// # Errors
/// When `parent` cannot be read or written.
pub fn sweep(parent: &Path) -> io::Result<()> {
    // A folder exists for a moment before it is locked.
    const SETTLED: Duration = Duration::from_secs(60);
    let mut own = None;
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        // Most files in a shared folder are not ours. They cost no further system call.
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else {
            // It was removed in the meantime.
            continue;
        };
        let own = match own {
            Some(own) => own,
            None => *own.insert(owner(&tempfile::tempdir_in(parent)?.path().metadata()?)),
        };
        let ours = metadata.is_dir() && owner(&metadata) == own;
        let age = metadata.modified()?.elapsed().unwrap_or_default();
        if !ours || age < SETTLED {
            continue;
        }
        // A folder without the lock file is not a scratch folder, whatever its name is.
        let free = |lock: File| lock.try_lock().is_ok();
        if File::open(entry.path().join(LOCK)).is_ok_and(free) {
            tracing::info!(
                "removing {}, which a killed process left",
                entry.path().display()
            );
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The user who owns a file.
#[cfg(unix)]
pub fn owner(metadata: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

/// On other systems each user has a temporary folder of their own.
#[cfg(not(unix))]
pub fn owner(_: &std::fs::Metadata) -> u32 {
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::SystemTime;

    use super::super::Scratch;
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let scratch = Scratch::new(parent.path(), 10);
        let running = scratch.path().unwrap();
        let named = |name: &str| at(&format!("{PREFIX}{name}"));
        for (folder, lock) in [
            (named("old"), true),
            (named("new"), true),
            (named("not-ours"), false),
            (at("other-old"), true),
        ] {
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("file"), "x").unwrap();
            if lock {
                std::fs::write(folder.join(LOCK), "").unwrap();
            }
        }
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let aged = [named("old"), named("not-ours"), at("other-old")];
        for folder in aged.into_iter().chain([running.clone()]) {
            File::open(folder).unwrap().set_modified(hour_ago).unwrap();
        }
        sweep(parent.path()).unwrap();
        assert!(!named("old").exists());
        for kept in [named("new"), named("not-ours"), at("other-old"), running] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }
}
