//! Digests that identify jobs and attempts.

use sha2::{Digest as _, Sha256};

use crate::sandbox::stage::Stage;

/// A digest of parts. Each part is preceded by its length, so that no two lists of parts give the same digest.
#[derive(Default)]
pub(super) struct PartsHash(Sha256);

impl PartsHash {
    pub(super) fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Adds everything about a stage that decides what it makes of a file.
    pub(super) fn add_stage(&mut self, stage: &Stage) {
        self.add(stage.plugin.digest());
        self.add(stage.config.to_string());
        let grants = &stage.grants;
        for folders in [&grants.read, &grants.write] {
            self.add(folders.len().to_string());
            for (path, folder) in folders {
                self.add(path);
                self.add(folder.as_os_str().as_encoded_bytes());
            }
        }
        self.add(grants.env.len().to_string());
        for (name, value) in &grants.env {
            self.add(name);
            self.add(value);
        }
        self.add(format!("{:?} {:?}", grants.clock, grants.random));
    }

    /// The first 128 bits, in hex.
    pub(super) fn finish(self) -> String {
        let mut hex = hex::encode(self.0.finalize());
        hex.truncate(32);
        hex
    }
}

pub(super) fn digest<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hash = PartsHash::default();
    parts.into_iter().for_each(|part| hash.add(part));
    hash.finish()
}
