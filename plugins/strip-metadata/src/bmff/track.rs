//! Where the samples of a track that goes lie in the film's data (ISO/IEC 14496-12, 8.7).

use std::ops::Range;

use super::description::Shows;
use crate::bytes::be;

/// The most ranges of data that can be blanked, and samples that a track which goes can have.
pub(super) const MAX_RANGES: usize = 1 << 20;

/// What has been read of a track.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Where its box stands, and the length of that box's header.
    pub(super) at: u64,
    pub(super) header: usize,
    pub(super) id: Option<u32>,
    /// What it shows; `None` inside for a track that goes.
    pub(super) shows: Option<Option<Shows>>,
    pub(super) tables: Tables,
}

/// The tables that say where samples are.
#[derive(Debug, Default)]
pub(super) struct Tables {
    sizes: Option<Sizes>,
    /// For runs of chunks: the first chunk, counted from 1, and the samples of each.
    runs: Option<Vec<(u64, u64)>>,
    chunks: Option<Vec<u64>>,
}

#[derive(Debug)]
enum Sizes {
    All(u64, u64),
    Each(Vec<u64>),
}

impl Tables {
    /// Reads a table, if it is one of those that are needed. `false` if it is damaged.
    pub(super) fn read(&mut self, kind: &[u8; 4], body: &[u8]) -> bool {
        self.try_read(kind, body).is_some()
    }

    fn try_read(&mut self, kind: &[u8; 4], body: &[u8]) -> Option<()> {
        let entries = |from: usize, length: usize, count: u64| {
            let count = usize::try_from(count).ok()?;
            let bytes = body.get(from..)?.get(..count.checked_mul(length)?)?;
            Some(bytes.chunks_exact(length))
        };
        // A table that is there twice contradicts itself.
        let is_new = match kind {
            b"stsz" | b"stz2" => self.sizes.is_none(),
            b"stsc" => self.runs.is_none(),
            b"stco" | b"co64" => self.chunks.is_none(),
            _ => return Some(()),
        };
        is_new.then_some(())?;
        match kind {
            b"stsz" => {
                let (size, count) = (be::<4>(body, 4)?, be::<4>(body, 8)?);
                self.sizes = Some(if size > 0 {
                    Sizes::All(size, count)
                } else {
                    let each = entries(12, 4, count)?;
                    Sizes::Each(each.filter_map(|entry| be::<4>(entry, 0)).collect())
                });
            }
            b"stz2" => {
                let (bits, count) = (be::<1>(body, 7)?, be::<4>(body, 8)?);
                let each: Vec<u64> = match bits {
                    4 => {
                        let bytes = entries(12, 1, count.div_ceil(2))?.flatten();
                        let halves = bytes.flat_map(|byte| [byte >> 4, byte & 15]);
                        halves
                            .take(usize::try_from(count).ok()?)
                            .map(u64::from)
                            .collect()
                    }
                    8 => entries(12, 1, count)?
                        .flatten()
                        .map(|byte| u64::from(*byte))
                        .collect(),
                    16 => entries(12, 2, count)?
                        .filter_map(|entry| be::<2>(entry, 0))
                        .collect(),
                    _ => return None,
                };
                self.sizes = Some(Sizes::Each(each));
            }
            b"stsc" => {
                let runs = entries(8, 12, be::<4>(body, 4)?)?;
                let runs = runs.filter_map(|entry| Some((be::<4>(entry, 0)?, be::<4>(entry, 4)?)));
                self.runs = Some(runs.collect());
            }
            b"stco" => {
                let chunks = entries(8, 4, be::<4>(body, 4)?)?;
                self.chunks = Some(chunks.filter_map(|entry| be::<4>(entry, 0)).collect());
            }
            _ => {
                let chunks = entries(8, 8, be::<4>(body, 4)?)?;
                self.chunks = Some(chunks.filter_map(|entry| be::<8>(entry, 0)).collect());
            }
        }
        Some(())
    }

    /// Where the samples are. `None` if the tables do not fit each other, or are longer than what is held.
    pub(super) fn ranges(self) -> Option<Vec<Range<u64>>> {
        let (runs, chunks) = (self.runs?, self.chunks?);
        let mut sizes: Box<dyn Iterator<Item = u64>> = match self.sizes? {
            Sizes::All(size, count) => Box::new((0..count).map(move |_| size)),
            Sizes::Each(each) => Box::new(each.into_iter()),
        };
        if chunks.len() > MAX_RANGES {
            return None;
        }
        let mut ranges = Vec::new();
        let mut runs = runs.into_iter().peekable();
        let mut samples = 0;
        let mut total = 0;
        for (number, start) in (1..).zip(chunks) {
            while let Some((_, of_each)) = runs.next_if(|(first, _)| *first <= number) {
                samples = of_each;
            }
            let mut end = start;
            for _ in 0..samples {
                total += 1;
                if total > 16 * MAX_RANGES {
                    return None;
                }
                end = end.checked_add(sizes.next()?)?;
            }
            // Chunks mostly follow each other only where nothing else lies between them.
            match ranges.last_mut() {
                Some(Range { end: last, .. }) if *last == start => *last = end,
                _ if start == end => {}
                _ => ranges.push(start..end),
            }
        }
        sizes.next().is_none().then_some(ranges)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn table(head: &[u32], entries: &[u32]) -> Vec<u8> {
        let all = head.iter().chain(entries);
        all.flat_map(|number| number.to_be_bytes()).collect()
    }

    fn read(tables: &[(&[u8; 4], Vec<u8>)]) -> Option<Vec<Range<u64>>> {
        let mut read = Tables::default();
        for (kind, body) in tables {
            if !read.read(kind, body) {
                return None;
            }
        }
        read.ranges()
    }

    #[test]
    fn samples_are_found_by_their_chunks() {
        // Two chunks of two samples, and one of one.
        let runs = (b"stsc", table(&[0, 2], &[1, 2, 1, 3, 1, 1]));
        let chunks = (b"stco", table(&[0, 3], &[100, 200, 300]));
        let sizes = (b"stsz", table(&[0, 0, 5], &[1, 2, 3, 4, 5]));
        let all = [runs.clone(), chunks.clone(), sizes];
        assert_eq!(read(&all).unwrap(), [100..103, 200..207, 300..305]);

        let equal = (b"stsz", table(&[0, 10, 5], &[]));
        assert_eq!(
            read(&[runs.clone(), chunks.clone(), equal]).unwrap(),
            [100..120, 200..220, 300..310]
        );
        let halves = (
            b"stz2",
            [&table(&[0, 4, 5], &[])[..], b"\x12\x34\x50"].concat(),
        );
        assert_eq!(
            read(&[runs.clone(), chunks.clone(), halves]).unwrap(),
            [100..103, 200..207, 300..305]
        );
        let long = (b"co64", table(&[0, 3], &[1, 100, 1, 200, 1, 300]));
        let sizes = (b"stsz", table(&[0, 1, 5], &[]));
        assert_eq!(
            read(&[runs.clone(), long, sizes]).unwrap().first(),
            Some(&(0x1_0000_0064..0x1_0000_0066))
        );

        for count in [4, 6] {
            let wrong = (b"stsz", table(&[0, 1, count], &[]));
            assert_eq!(read(&[runs.clone(), chunks.clone(), wrong]), None);
        }
        assert_eq!(
            read(&[runs.clone(), runs, chunks]),
            None,
            "a table that is there twice"
        );
        assert_eq!(read(&[(b"stsz", table(&[0, 0, u32::MAX], &[1]))]), None);
    }
}
