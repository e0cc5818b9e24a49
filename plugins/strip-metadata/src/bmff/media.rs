//! The film's data, and what of them becomes zeros.

use std::collections::VecDeque;
use std::ops::Range;

use memchr::memmem;

use super::Bmff;
use super::track::MAX_RANGES;
use crate::Error;

/// What stands in each block that dash cameras with Novatek's chip write among a film's data: position, time and speed.
const DASH_CAMERA: &[u8] = b"freeGPS ";

impl Bmff {
    /// Makes a part of the film's data zeros, now or when it comes.
    pub(super) fn blank(&mut self, range: Range<u64>) -> Result<(), Error> {
        if range.is_empty() {
            return Ok(());
        }
        if range.start >= self.at {
            self.blank.push_back(range);
            if self.blank.len() > MAX_RANGES {
                return Err(self.invalid("has more samples than can be taken out"));
            }
            return Ok(());
        }
        if range.start < self.window.base() {
            return Err(Error::refused(
                self.at,
                "a track of the film is metadata, such as positions, and lies before the index of the film, which tells where. \
                 Let more of the film wait for its index (`film_memory=200`, in MiB), or move the index first, which leaves \
                 that track out: `ffmpeg -i IN -c copy -movflags +faststart OUT`",
            ));
        }
        if !self
            .data
            .iter()
            .any(|data| data.start <= range.start && range.end <= data.end)
        {
            return Err(self.invalid("has samples that lie outside of the film's data"));
        }
        match self.window.part(range) {
            Some(bytes) => bytes.fill(0),
            None => return Err(self.invalid("has samples that lie outside of the film's data")),
        }
        Ok(())
    }

    /// Puts what is to be zeros into order.
    pub(super) fn sort(&mut self) {
        let ranges = self.blank.make_contiguous();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut merged: VecDeque<Range<u64>> = VecDeque::new();
        for range in self.blank.drain(..) {
            match merged.back_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => merged.push_back(range),
            }
        }
        self.blank = merged;
    }

    /// Writes data of the film. `left` more bytes of the same run follow.
    pub(super) fn media(
        &mut self,
        bytes: &[u8],
        offset: u64,
        left: u64,
        output: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.look_for_dash_camera(bytes, offset)?;
        let here = offset + bytes.len() as u64;
        let run_end = here.saturating_add(left);
        let (mut rest, mut at) = (bytes, offset);
        while let Some(range) = self.blank.front_mut() {
            if range.start >= here {
                break;
            }
            if range.start < at || range.end > run_end {
                return Err(Error::invalid(
                    range.start,
                    "a metadata track has samples that lie outside of the film's data",
                ));
            }
            let (before, inside) = rest
                .split_at_checked(usize::try_from(range.start - at).unwrap_or(usize::MAX))
                .unwrap_or((rest, &[]));
            let count = usize::try_from(range.end - range.start)
                .unwrap_or(usize::MAX)
                .min(inside.len());
            self.window.write(before);
            self.window.zeros(count);
            at = range.start + count as u64;
            rest = inside.get(count..).unwrap_or_default();
            range.start = at;
            if range.is_empty() {
                self.blank.pop_front();
            } else {
                break;
            }
        }
        if self.window.is_open() {
            output.extend_from_slice(rest);
            self.window.skip(rest.len());
        } else {
            self.window.write(rest);
        }
        Ok(())
    }

    /// Refuses the film if there is a block of a dash camera among its data.
    pub(super) fn look_for_dash_camera(&mut self, bytes: &[u8], offset: u64) -> Result<(), Error> {
        let most = DASH_CAMERA.len() - 1;
        let known = self.tail.len();
        self.tail
            .extend_from_slice(bytes.get(..most).unwrap_or(bytes));
        let before = offset - known as u64;
        let cut = memmem::find(&self.tail, DASH_CAMERA).map(|at| before + at as u64);
        let whole = memmem::find(bytes, DASH_CAMERA).map(|at| offset + at as u64);
        if let Some(at) = cut.or(whole) {
            return Err(Error::refused(
                at,
                "a dash camera has written positions among the film's data. Leave them out: `ffmpeg -i IN -c copy OUT`",
            ));
        }
        if bytes.len() >= most {
            self.tail = bytes.get(bytes.len() - most..).unwrap_or_default().to_vec();
        } else {
            let more = self.tail.len().saturating_sub(most);
            self.tail.drain(..more);
        }
        Ok(())
    }
}
