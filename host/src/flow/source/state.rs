//! How a journal tells whether a source is still the same.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Kind, Source};

impl Source {
    /// Where the source is and what it is like, to tell later whether it is still the same.
    pub(crate) fn state(
        &self,
    ) -> impl Future<Output = io::Result<(String, String)>> + Send + use<> {
        let name = self.name.clone();
        let work: Box<dyn FnOnce() -> io::Result<(String, String)> + Send> = match &self.kind {
            Kind::Path(path) => {
                let path = path.clone();
                Box::new(move || file_state(&path))
            }
            Kind::Bytes(bytes) => {
                let bytes = bytes.clone();
                Box::new(move || Ok((name, hex::encode(Sha256::digest(bytes)))))
            }
            Kind::Reader(_) => Box::new(|| {
                Err(io::Error::other(
                    "cannot be told from what it was before, so no journal can note it",
                ))
            }),
        };
        async {
            tokio::task::spawn_blocking(work)
                .await
                .map_err(io::Error::other)?
        }
    }
}

/// How a file on disk is told from what it was: its place, and its size and time of change.
fn file_state(path: &Path) -> io::Result<(String, String)> {
    let place = std::fs::canonicalize(path)?;
    let metadata = place.metadata()?;
    let changed = metadata
        .modified()?
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    Ok((
        place.to_string_lossy().into_owned(),
        format!("{} {changed}", metadata.len()),
    ))
}
