//! Fragments of a film, `moof`: where the samples of a track that goes lie (ISO/IEC 14496-12, 8.8).

use std::ops::Range;

use crate::bytes::be;

/// A fragment that is being read.
#[derive(Debug)]
pub(super) struct Fragment {
    /// Where its `moof` stands.
    pub(super) at: u64,
    /// Where the data of the runs so far end; those of the next run begin there, unless it says so.
    end: Option<u64>,
    pub(super) part: Option<Part>,
}

/// A part of a fragment, `traf`, of one track.
#[derive(Debug)]
pub(super) struct Part {
    /// Where its box stands, and the length of that box's header.
    pub(super) at: u64,
    pub(super) header: usize,
    /// Of `tfhd`, once that is there.
    track: Option<Header>,
}

#[derive(Debug)]
struct Header {
    base: u64,
    sample_size: u64,
    goes: bool,
}

impl Part {
    pub(super) fn new(at: u64, header: usize) -> Self {
        Self {
            at,
            header,
            track: None,
        }
    }

    pub(super) fn has_header(&self) -> bool {
        self.track.is_some()
    }
}

/// The id of the track that a `tfhd` is of.
pub(super) fn track(body: &[u8]) -> Option<u32> {
    u32::try_from(be::<4>(body, 4)?).ok()
}

impl Fragment {
    pub(super) fn new(at: u64) -> Self {
        Self {
            at,
            end: None,
            part: None,
        }
    }

    /// Reads a `tfhd`. `default` is the size that samples of its track have where nothing else is said, and `goes` whether
    /// the track goes. `None` if it is damaged or not the first.
    pub(super) fn header(&mut self, body: &[u8], default: u64, goes: bool) -> Option<()> {
        let part = self.part.as_mut().filter(|part| part.track.is_none())?;
        let flags = be::<4>(body, 0)?;
        let mut at = 8;
        let mut field = |flag: u64, length: usize| {
            let is_there = flags & flag != 0;
            let start = at;
            at += if is_there { length } else { 0 };
            is_there.then_some(start)
        };
        let base = field(0x1, 8);
        field(0x2, 4);
        field(0x8, 4);
        let size = field(0x10, 4);
        let base = match base {
            Some(at) => be::<8>(body, at)?,
            // From the fragment's own start, or behind the part before.
            None if flags & 0x02_0000 != 0 => self.at,
            None => self.end.unwrap_or(self.at),
        };
        let sample_size = match size {
            Some(at) => be::<4>(body, at)?,
            None => default,
        };
        self.end = Some(base);
        part.track = Some(Header {
            base,
            sample_size,
            goes,
        });
        Some(())
    }

    /// Reads a `trun`. Gives how long it is by its own count, and where the data of its samples lie, if they go. `None` if
    /// it is damaged.
    pub(super) fn run(&mut self, body: &[u8]) -> Option<(usize, Option<Range<u64>>)> {
        let header = self.part.as_ref()?.track.as_ref()?;
        let (flags, count) = (be::<4>(body, 0)?, be::<4>(body, 4)?);
        let mut at = 8;
        let mut start = self.end?;
        if flags & 0x1 != 0 {
            let offset = i64::from(u32::try_from(be::<4>(body, at)?).ok()?.cast_signed());
            start = header.base.checked_add_signed(offset)?;
            at += 4;
        }
        if flags & 0x4 != 0 {
            at += 4;
        }
        let has = |flag: u64| usize::from(flags & flag != 0);
        let length = 4 * (has(0x100) + has(0x200) + has(0x400) + has(0x800));
        let rows = length.checked_mul(usize::try_from(count).ok()?)?;
        let used = at.checked_add(rows)?;
        let rows = body.get(at..used)?;
        let sum = if flags & 0x200 == 0 {
            count.checked_mul(header.sample_size)?
        } else {
            let sizes = rows
                .chunks_exact(length)
                .filter_map(|row| be::<4>(row, 4 * has(0x100)));
            sizes.sum()
        };
        let range = start..start.checked_add(sum)?;
        self.end = Some(range.end);
        Some((used, header.goes.then_some(range)))
    }
}
