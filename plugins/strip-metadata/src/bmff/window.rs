//! What has been read of a film and may still change: bytes that wait for what follows them.

use std::ops::Range;

use crate::bytes::{clear, zeros};

/// Why bytes wait.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hold {
    /// The index of the film has not come yet.
    Index = 0,
    /// Whether the track, or the fragment of one, stays is not known yet.
    Track = 1,
}

/// The bytes that have been made and not been handed out. Each stands where it stood in the input.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// The most bytes that wait for the index of the film.
    most: usize,
    /// Where the first of them stands in the file.
    base: u64,
    /// From where on nothing may be handed out, for each reason.
    holds: [Option<u64>; 2],
    /// All that is written becomes zeros.
    pub(super) is_muted: bool,
}

/// Bytes that may come at once, beyond the most that wait.
const SLACK: usize = 1 << 20;
/// The most bytes for which room is made at once.
const AT_ONCE: usize = 65 << 20;

impl Window {
    pub(super) fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            most,
            base: 0,
            holds: [None; 2],
            is_muted: false,
        }
    }

    /// Whether no more bytes may wait for the index.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() > self.most
    }

    /// Makes room for more bytes. What waits for the index gets all of its room at once: memory that is never written takes
    /// none, and what is moved while it grows takes it twice.
    fn reserve(&mut self, count: usize) {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        if length + count > capacity {
            let most = self.most + SLACK;
            let enough = if length > SLACK && most <= AT_ONCE {
                most
            } else {
                (2 * capacity).min(most)
            };
            self.bytes
                .reserve_exact(enough.max(length + count) - length);
        }
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(super) fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether what is written next can be handed out at once.
    pub(super) fn is_open(&self) -> bool {
        self.bytes.is_empty() && self.holds == [None; 2] && !self.is_muted
    }

    /// Whether it holds for this reason.
    pub(super) fn has(&self, hold: Hold) -> bool {
        self.holds.get(hold as usize).is_some_and(Option::is_some)
    }

    /// Holds everything from here on, or lets it go.
    pub(super) fn set(&mut self, hold: Hold, from: Option<u64>) {
        if let Some(slot) = self.holds.get_mut(hold as usize) {
            *slot = from;
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        if self.is_muted {
            zeros(&mut self.bytes, bytes.len());
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn zeros(&mut self, count: usize) {
        self.reserve(count);
        zeros(&mut self.bytes, count);
    }

    /// Bytes went from the input to the output by another way.
    pub(super) fn skip(&mut self, count: usize) {
        self.base += count as u64;
    }

    /// The bytes of a part of the file. `None` if not all of them are here any more.
    pub(super) fn part(&mut self, range: Range<u64>) -> Option<&mut [u8]> {
        let from = usize::try_from(range.start.checked_sub(self.base)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(self.base)?).ok()?;
        self.bytes.get_mut(from..to)
    }

    /// Turns everything from a box's start on into free space, and all that follows. `false` if it is not here any more.
    pub(super) fn free_from(&mut self, from: u64, header: usize) -> bool {
        let end = self.end();
        let Some(bytes) = self.part(from..end) else {
            return false;
        };
        crate::bytes::set(bytes, 4, b"free");
        let length = bytes.len();
        clear(bytes, header, length);
        self.is_muted = true;
        true
    }

    /// Hands out what may leave.
    pub(super) fn release(&mut self, output: &mut Vec<u8>) {
        let hold = self.holds.iter().flatten().min();
        let count = match hold {
            None => self.bytes.len(),
            Some(from) => usize::try_from(from.saturating_sub(self.base))
                .unwrap_or(usize::MAX)
                .min(self.bytes.len()),
        };
        if count == 0 {
            return;
        }
        self.base += count as u64;
        if count == self.bytes.len() && output.is_empty() && count > SLACK {
            *output = std::mem::take(&mut self.bytes);
        } else if count == self.bytes.len() {
            output.append(&mut self.bytes);
        } else {
            output.extend(self.bytes.drain(..count));
        }
    }
}
