//! Counts what a stage puts out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay_core::{media, text};

use crate::sandbox::cause::StageCause;
use crate::sandbox::limits::{Exceeded, Limits};

/// Counts what goes out, over all outputs of a stage.
#[derive(Debug)]
pub(crate) struct Tally {
    bytes: AtomicU64,
    files: AtomicU64,
    /// Bytes of input that were taken.
    taken: Arc<AtomicU64>,
    limits: Limits,
}

impl Tally {
    /// Counts against these limits. `taken` is the number of bytes of input that the plugin has taken.
    pub(super) fn new(limits: &Limits, taken: &Arc<AtomicU64>) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            taken: taken.clone(),
            limits: limits.clone(),
        }
    }

    /// Bytes of all outputs.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts bytes of an output.
    pub(crate) fn add_bytes(&self, bytes: u64) -> Result<(), Exceeded> {
        let sum = self
            .bytes
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        self.limits
            .check_output(self.taken.load(Ordering::Relaxed), sum)
    }

    /// Counts an output.
    pub(crate) fn add_file(&self) -> Result<(), Exceeded> {
        let most = self.limits.output_files;
        if self.files.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Exceeded::OutputFiles(most));
        }
        Ok(())
    }
}

/// Counts an output and checks the name and the media type that a plugin gave it, before anything of it is kept. `input` is
/// the name of its input.
pub(crate) fn admit(
    tally: &Tally,
    name: &str,
    input: &str,
    media_type: &str,
) -> Result<(), StageCause> {
    tally.add_file()?;
    if media_type.len() > media::MAX_TYPE {
        return Err(StageCause::OutputMediaType {
            name: text::tidy(name, 80),
            bytes: media_type.len(),
        });
    }
    media::check_output_name(name, input).map_err(|problem| {
        let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
        StageCause::OutputName(format!("`{shown}` {problem}"))
    })
}
