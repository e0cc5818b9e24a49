//! Counts what a plugin writes to files, and where.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use forebay_core::mutex::lock;
use forebay_core::scratch::{BLOCK, Charge};
use tokio::sync::watch;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;

use crate::sandbox::limits::{Exceeded, Limits};

/// Files and folders that may exist beside the outputs that are allowed.
const SPARE_ENTRIES: u64 = 1_000;

/// Where a descriptor leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// The folder of a file plugin's outputs.
    Output,
    /// A folder that was granted, or the folder of the input.
    Other,
}

/// What a plugin has written. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Written(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where each descriptor leads, by its place in the table.
    spaces: Mutex<HashMap<u32, Space>>,
    output: Counts,
    other: Counts,
    limits: Limits,
    /// Bytes of input that were taken.
    taken: Arc<AtomicU64>,
    /// What the output folder holds of the job's scratch.
    charge: Mutex<Option<Arc<Charge>>>,
    /// Dropped with the last clone.
    gone: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    /// Files, folders and links that were made, less those that were removed.
    entries: AtomicU64,
}

impl Written {
    /// Counts against these limits. `taken` is the number of bytes of input that the plugin has taken.
    pub(crate) fn new(limits: &Limits, taken: &Arc<AtomicU64>) -> Self {
        Self(Arc::new(Inner {
            spaces: Mutex::default(),
            output: Counts::default(),
            other: Counts::default(),
            limits: limits.clone(),
            taken: taken.clone(),
            charge: Mutex::default(),
            gone: watch::Sender::new(()),
        }))
    }

    /// Waits until nothing is written any more: until all clones are dropped. A write that the plugin has begun and not
    /// waited for has a clone of its own.
    pub(crate) fn idle(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut gone = self.0.gone.subscribe();
        // Nothing is ever sent.
        async move { while gone.changed().await.is_ok() {} }
    }

    /// Charges what is written to the output folder to the job's scratch, too.
    pub(crate) fn charge(&self, charge: Arc<Charge>) {
        *lock(&self.0.charge) = Some(charge);
    }

    /// Notes a folder that the plugin was given under this path.
    pub(super) fn preopened(&self, folder: &Resource<Descriptor>, path: &str) {
        self.note(
            folder,
            if path == "/out" {
                Space::Output
            } else {
                Space::Other
            },
        );
    }

    /// Notes where a descriptor leads.
    pub(super) fn note(&self, descriptor: &Resource<Descriptor>, space: Space) {
        lock(&self.0.spaces).insert(descriptor.rep(), space);
    }

    /// Forgets a descriptor that is closed.
    pub(super) fn forget(&self, descriptor: u32) {
        lock(&self.0.spaces).remove(&descriptor);
    }

    /// Where a descriptor leads.
    pub(super) fn space(&self, descriptor: &Resource<Descriptor>) -> Space {
        let spaces = lock(&self.0.spaces);
        spaces
            .get(&descriptor.rep())
            .copied()
            .unwrap_or(Space::Other)
    }

    /// Whether a link to what is in one folder may be made in the other: in the output folder alone.
    pub(super) fn may_link(&self, from: &Resource<Descriptor>, to: &Resource<Descriptor>) -> bool {
        (self.space(from), self.space(to)) == (Space::Output, Space::Output)
    }

    /// Counts bytes that are about to be written.
    pub(super) fn add_bytes(&self, space: Space, bytes: u64) -> Result<(), Exceeded> {
        let counts = self.counts(space);
        let before = counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.check(space, before.saturating_add(bytes))?;
        self.add_to_charge(space, bytes)
    }

    /// Counts a file, a folder or a link that is about to be made. It takes a block of the disk at least.
    pub(super) fn add_entry(&self, space: Space) -> Result<(), Exceeded> {
        let Limits { output_files, .. } = self.0.limits;
        let before = self.counts(space).entries.fetch_add(1, Ordering::Relaxed);
        if before >= output_files.saturating_add(SPARE_ENTRIES) {
            return Err(Exceeded::OutputFiles(output_files));
        }
        self.add_to_charge(space, BLOCK)
    }

    /// Counts an entry less: it was removed, or was not made after all.
    pub(super) fn remove_entry(&self, space: Space) {
        let entries = &self.counts(space).entries;
        // The plugin may remove what others have made.
        let _ = entries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            count.checked_sub(1)
        });
    }

    fn counts(&self, space: Space) -> &Counts {
        match space {
            Space::Output => &self.0.output,
            Space::Other => &self.0.other,
        }
    }

    fn check(&self, space: Space, bytes: u64) -> Result<(), Exceeded> {
        let Inner { limits, taken, .. } = &*self.0;
        match space {
            Space::Output => limits.check_output(taken.load(Ordering::Relaxed), bytes),
            Space::Other if bytes > limits.granted_bytes => {
                Err(Exceeded::GrantedBytes(limits.granted_bytes))
            }
            Space::Other => Ok(()),
        }
    }

    fn add_to_charge(&self, space: Space, bytes: u64) -> Result<(), Exceeded> {
        match (&*lock(&self.0.charge), space) {
            (Some(charge), Space::Output) => Ok(charge.add(bytes)?),
            _ => Ok(()),
        }
    }
}
