//! Whether the chunks of tracks that stay lie in the film's data: what is no data becomes free space, and a film whose
//! pictures lie there would show nothing.

use std::ops::Range;

use crate::bytes::be;

/// The first and the last place of a chunk, and the places between which there are data.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    chunks: Option<(u64, u64)>,
    data: Option<Range<u64>>,
    /// A number that is cut in two.
    held: Vec<u8>,
}

impl Offsets {
    /// Begins a table of chunks.
    pub(super) fn begin(&mut self) {
        self.held.clear();
    }

    /// Takes the next bytes of a table of chunks, whose numbers have so many bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8], length: usize) {
        if !self.held.is_empty() {
            let (more, rest) = bytes
                .split_at_checked(length.saturating_sub(self.held.len()))
                .unwrap_or((bytes, &[]));
            self.held.extend_from_slice(more);
            bytes = rest;
            if self.held.len() < length {
                return;
            }
            let held = std::mem::take(&mut self.held);
            self.add(&held);
        }
        let whole = bytes.chunks_exact(length);
        self.held.extend_from_slice(whole.remainder());
        for number in whole {
            self.add(number);
        }
    }

    fn add(&mut self, number: &[u8]) {
        let offset = be::<8>(number, 0).or_else(|| be::<4>(number, 0));
        if let Some(offset) = offset {
            let (first, last) = self.chunks.unwrap_or((offset, offset));
            self.chunks = Some((first.min(offset), last.max(offset)));
        }
    }

    /// Data lie here.
    pub(super) fn data(&mut self, range: Range<u64>) {
        let known = self.data.take().unwrap_or_else(|| range.clone());
        self.data = Some(known.start.min(range.start)..known.end.max(range.end));
    }

    /// Whether all chunks lie between the first and the last byte of data.
    pub(super) fn fit(&self) -> bool {
        self.chunks.is_none_or(|(first, last)| {
            let data = self.data.as_ref();
            data.is_some_and(|data| data.start <= first && last <= data.end)
        })
    }
}
