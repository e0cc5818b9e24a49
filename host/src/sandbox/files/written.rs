//! Counts what a plugin writes to files, and where.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use forebay_core::mutex::lock;
use forebay_core::scratch::{BLOCK, Charge};
use forebay_core::text;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;

use super::changes::{Change, Changes};
use crate::sandbox::limits::{Exceeded, Limits};
use crate::sandbox::state::HostMemory;

/// Files and folders that may exist beside the outputs that are allowed.
const SPARE_ENTRIES: u64 = 1_000;

/// Characters of a path that are kept for messages.
const MAX_SHOWN: usize = 200;

/// Whose limits count what a descriptor leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// The folder of a file plugin's outputs.
    Output,
    /// A folder that was granted, or the folder of the input.
    Other,
}

/// Where a descriptor leads.
#[derive(Debug, Clone)]
struct Place {
    space: Space,
    /// Its path as the plugin knows it, for messages. A rename does not change it.
    path: Arc<str>,
}

/// What a plugin has written. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Written(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where each descriptor leads, by its place in the table.
    places: Mutex<HashMap<u32, Place>>,
    output: Counts,
    other: Counts,
    limits: Limits,
    /// Bytes of input that were taken.
    taken: Arc<AtomicU64>,
    /// What the output folder holds of the job's scratch.
    charge: Mutex<Option<Arc<Charge>>>,
    changes: Arc<Changes>,
    host_memory: HostMemory,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    /// Files, folders and links that were made, less those that were removed.
    entries: AtomicU64,
}

impl Written {
    /// Counts against these limits. `taken` is the number of bytes of input that the plugin has taken.
    pub(crate) fn new(limits: &Limits, taken: &Arc<AtomicU64>, host_memory: HostMemory) -> Self {
        Self(Arc::new(Inner {
            places: Mutex::default(),
            output: Counts::default(),
            other: Counts::default(),
            limits: limits.clone(),
            taken: taken.clone(),
            charge: Mutex::default(),
            changes: Arc::default(),
            host_memory,
        }))
    }

    /// Changes that the plugin has begun.
    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.0.changes
    }

    /// What the host holds for the plugin.
    pub(super) fn host_memory(&self) -> &HostMemory {
        &self.0.host_memory
    }

    /// Begins a change of what a descriptor leads to.
    pub(super) fn begin(&self, descriptor: &Resource<Descriptor>) -> Change {
        self.0.changes.begin(self.place(descriptor).1)
    }

    /// Charges what is written to the output folder to the job's scratch, too.
    pub(crate) fn charge(&self, charge: Arc<Charge>) {
        *lock(&self.0.charge) = Some(charge);
    }

    /// Notes a folder that the plugin was given under this path.
    pub(super) fn preopened(&self, folder: &Resource<Descriptor>, path: &str) {
        let space = if path == "/out" {
            Space::Output
        } else {
            Space::Other
        };
        let path = shown(path);
        lock(&self.0.places).insert(folder.rep(), Place { space, path });
    }

    /// Notes where a descriptor leads that was opened under this path in a folder.
    pub(super) fn opened(
        &self,
        descriptor: &Resource<Descriptor>,
        (space, path): (Space, Arc<str>),
    ) {
        lock(&self.0.places).insert(descriptor.rep(), Place { space, path });
    }

    /// Where this path in a folder leads, for messages.
    pub(super) fn path(&self, folder: &Resource<Descriptor>, path: &str) -> Arc<str> {
        let places = lock(&self.0.places);
        let above = places.get(&folder.rep());
        shown(&format!("{}/{path}", above.map_or("", |above| &above.path)))
    }

    /// Forgets a descriptor that is closed.
    pub(super) fn forget(&self, descriptor: u32) {
        lock(&self.0.places).remove(&descriptor);
    }

    /// Where a descriptor leads.
    pub(super) fn space(&self, descriptor: &Resource<Descriptor>) -> Space {
        let places = lock(&self.0.places);
        places
            .get(&descriptor.rep())
            .map_or(Space::Other, |place| place.space)
    }

    /// Where a descriptor leads, for what is to be kept longer than it.
    pub(super) fn place(&self, descriptor: &Resource<Descriptor>) -> (Space, Arc<str>) {
        let places = lock(&self.0.places);
        let place = places.get(&descriptor.rep()).cloned();
        place.map_or_else(
            || (Space::Other, Arc::default()),
            |Place { space, path }| (space, path),
        )
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

/// As much of a path as is kept. A plugin may go down through any number of folders.
fn shown(path: &str) -> Arc<str> {
    text::tidy(path, MAX_SHOWN).into()
}
