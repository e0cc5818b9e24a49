//! How a journal detects that a source has changed.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Kind, Source};

impl Source {
    /// Returns the place of the source and its state, so that a later run can detect whether it has changed.
    pub(crate) fn state(
        &self,
    ) -> impl Future<Output = io::Result<(String, String)>> + Send + use<> {
        let name = self.name.clone();
        let declared = self.media_type.clone();
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
            let (place, state) = tokio::task::spawn_blocking(work)
                .await
                .map_err(io::Error::other)??;
            Ok(match declared {
                Some(media_type) => (place, format!("{state} {media_type}")),
                None => (place, state),
            })
        }
    }
}

/// Returns the place of a file on disk, and its size and modification time as its state.
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
