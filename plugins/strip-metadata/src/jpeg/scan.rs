//! Where a scan ends: its entropy-coded data are decoded, as far as it takes to count its MCUs (T.81, annexes F.2 and G.2).
//!
//! Markers alone do not tell. Some cameras leave `EOI` out and put a trailer behind the last MCU, and programs that miss
//! the marker append one: the trailer then looks like more of the scan.

use std::sync::Arc;

use super::frame::{Frame, Scan};
use super::huffman::{self, Runs, Table};

/// The most blocks of a progressive picture whose coefficients are remembered, 8 bytes each.
const MAX_BLOCKS: usize = 4 << 20;
/// The fewest MCUs for which a table of many codes at once is made: it takes as long as to read about 2,000 blocks.
const MIN_MCUS: u64 = 4096;

/// What [`Decoder::run`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// More bytes are needed.
    Open,
    /// The last MCU has been read.
    Complete,
    /// A marker is next, and the scan or the restart interval has MCUs left.
    Short,
    /// A marker is due next: the restart interval is complete.
    Restart,
    /// The picture has more blocks than can be remembered.
    TooLarge,
}

/// For each component of a progressive picture, and each of its blocks: a bit for each coefficient that is not zero.
#[derive(Debug, Default)]
pub(super) struct History {
    components: [Vec<u64>; 4],
    blocks: usize,
}

impl History {
    fn get(&self, component: usize, block: usize) -> u64 {
        let blocks = self.components.get(component);
        blocks
            .and_then(|blocks| blocks.get(block))
            .copied()
            .unwrap_or_default()
    }

    /// Remembers coefficients; tells whether there is room.
    fn add(&mut self, component: usize, block: usize, bits: u64) -> bool {
        if bits == 0 {
            return true;
        }
        let Some(blocks) = self.components.get_mut(component) else {
            return false;
        };
        if blocks.len() <= block {
            self.blocks += block + 1 - blocks.len();
            if self.blocks > MAX_BLOCKS {
                return false;
            }
            blocks.resize(block + 1, 0);
        }
        if let Some(known) = blocks.get_mut(block) {
            *known |= bits;
        }
        true
    }
}

/// How one block is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Sequential,
    FirstDc,
    RefinedDc,
    FirstAc,
    RefinedAc,
}

/// A table of AC codes, and what it gives for many codes at once.
type AcTable = (Arc<Table>, Arc<Runs>);

/// Reads one scan.
#[derive(Debug)]
pub(super) struct Decoder {
    coding: Coding,
    /// The DC and AC table of each block of an MCU.
    blocks: Vec<(Option<Arc<Table>>, Option<AcTable>)>,
    /// The component of a scan that has but one.
    component: usize,
    band: (u32, u32),
    mcus: u64,
    interval: u64,
    /// MCUs that have been read.
    done: u64,
    /// The interval is complete.
    pub(super) restart_due: bool,
    /// Blocks to come that have no new coefficients (G.1.2.2).
    end_of_band: u32,
    /// Bits of the last byte that has been read: their number, and the byte.
    bits: u32,
    last: u64,
    /// Raw bytes of an MCU that has not arrived whole.
    held: Vec<u8>,
}

impl Decoder {
    /// Begins a scan. `None` if a table is missing.
    pub(super) fn new(frame: &Frame, scan: &Scan, tables: &Tables, interval: u16) -> Option<Self> {
        let coding = match (frame.progressive, scan.from, scan.high) {
            (false, ..) => Coding::Sequential,
            (true, 0, 0) => Coding::FirstDc,
            (true, 0, _) => Coding::RefinedDc,
            (true, _, 0) => Coding::FirstAc,
            (true, ..) => Coding::RefinedAc,
        };
        let (with_dc, with_ac) = match coding {
            Coding::Sequential => (true, true),
            Coding::FirstDc => (true, false),
            Coding::RefinedDc => (false, false),
            Coding::FirstAc | Coding::RefinedAc => (false, true),
        };
        let mut blocks = Vec::new();
        for part in &scan.components {
            let dc = tables.dc.get(part.dc).and_then(Option::as_ref);
            let ac = tables.ac.get(part.ac).and_then(Option::as_ref);
            if (with_dc && dc.is_none()) || (with_ac && ac.is_none()) {
                return None;
            }
            let count = if scan.components.len() == 1 {
                1
            } else {
                frame.blocks_of_mcu(part.index)
            };
            // What is read for its codes only has a table of many codes at once, if that is worth to make.
            let is_long = frame.mcus(scan) >= MIN_MCUS && coding == Coding::Sequential;
            let ac = ac.filter(|_| with_ac).map(|table| {
                let known = blocks.iter().find_map(|(_, ac): &(_, Option<AcTable>)| {
                    ac.as_ref().filter(|(known, _)| Arc::ptr_eq(known, table))
                });
                known.cloned().unwrap_or_else(|| {
                    let runs = if is_long {
                        Runs::of(table)
                    } else {
                        Runs::default()
                    };
                    (Arc::clone(table), Arc::new(runs))
                })
            });
            for _ in 0..count {
                blocks.push((dc.filter(|_| with_dc).cloned(), ac.clone()));
            }
        }
        Some(Self {
            coding,
            blocks,
            component: scan.components.first()?.index,
            band: (scan.from.into(), scan.to.into()),
            mcus: frame.mcus(scan),
            interval: interval.into(),
            done: 0,
            restart_due: false,
            end_of_band: 0,
            bits: 0,
            last: 0,
            held: Vec::new(),
        })
    }

    /// Whether no more than one MCU is missing: some encoders leave the last bits out.
    pub(super) fn is_nearly_complete(&self) -> bool {
        self.done + 1 >= self.mcus
    }

    /// Reads on from `input`, and appends what is part of the scan to `output`. Gives how many bytes of `input` it used;
    /// with [`End::Short`], the `FF` of the marker is one of them.
    pub(super) fn run(
        &mut self,
        input: &[u8],
        history: &mut History,
        output: &mut Vec<u8>,
    ) -> (usize, End) {
        let before = self.held.len();
        let joined;
        let bytes = if before == 0 {
            input
        } else {
            self.held.extend_from_slice(input);
            joined = std::mem::take(&mut self.held);
            &joined
        };
        let mut reader = Reader {
            bytes,
            at: 0,
            bits: self.last,
            count: self.bits,
        };
        let end = self.mcus_of(&mut reader, history);
        if end != End::Short {
            // All that stands before a marker was asked for; otherwise whole bytes go back.
            reader.unread();
        }
        let used = reader.at;
        output.extend_from_slice(bytes.get(..used).unwrap_or_default());
        (self.last, self.bits) = match end {
            End::Open => (reader.bits, reader.count),
            _ => (0, 0),
        };
        if end == End::Open {
            self.held = bytes.get(used..).unwrap_or_default().to_vec();
            return (input.len(), end);
        }
        // An MCU that is complete now was not before, so nothing that was held is left over. The marker's first byte may
        // have been held, so it counts as used.
        let used = used + usize::from(end == End::Short);
        (used.saturating_sub(before), end)
    }

    fn mcus_of(&mut self, reader: &mut Reader, history: &mut History) -> End {
        loop {
            if self.done >= self.mcus {
                return End::Complete;
            }
            let (start, end_of_band) = (reader.clone(), self.end_of_band);
            match self.mcu(reader, history) {
                Some(true) => self.done += 1,
                Some(false) => return End::TooLarge,
                None if reader.marker().is_some() => return End::Short,
                None => {
                    *reader = start;
                    self.end_of_band = end_of_band;
                    return End::Open;
                }
            }
            if self.interval != 0
                && self.done < self.mcus
                && self.done.is_multiple_of(self.interval)
            {
                self.end_of_band = 0;
                self.restart_due = true;
                return End::Restart;
            }
        }
    }

    /// Acts on a restart marker: what the interval before it lacks is missing, and the next one begins. `false` if there
    /// is no next one.
    pub(super) fn restart(&mut self) -> bool {
        self.end_of_band = 0;
        self.restart_due = false;
        if self.interval == 0 {
            self.done = self.mcus;
        } else {
            self.done = self.done.next_multiple_of(self.interval).min(self.mcus);
        }
        self.done < self.mcus
    }

    /// Reads an MCU. `None` if its bits are not all there, `false` if there is no room for what must be remembered.
    fn mcu(&mut self, reader: &mut Reader, history: &mut History) -> Option<bool> {
        let block = usize::try_from(self.done).ok()?;
        let (from, to) = self.band;
        match self.coding {
            Coding::Sequential => {
                for (dc, ac) in &self.blocks {
                    let size = reader.value(dc.as_ref()?)?;
                    reader.skip(u32::from(size & 15))?;
                    let (table, runs) = ac.as_ref()?;
                    reader.block(table, runs)?;
                }
            }
            Coding::FirstDc => {
                for (dc, _) in &self.blocks {
                    let size = reader.value(dc.as_ref()?)?;
                    reader.skip(u32::from(size & 15))?;
                }
            }
            Coding::RefinedDc => {
                for _ in &self.blocks {
                    reader.skip(1)?;
                }
            }
            Coding::FirstAc => {
                if self.end_of_band > 0 {
                    self.end_of_band -= 1;
                    return Some(true);
                }
                let table = &self.blocks.first()?.1.as_ref()?.0;
                let (mut place, mut found) = (from, 0_u64);
                while place <= to {
                    let (run, size) = reader.run_and_size(table)?;
                    match (run, size) {
                        (15, 0) => place += 16,
                        (_, 0) => {
                            self.end_of_band = (1 << run) + reader.take(run)? - 1;
                            break;
                        }
                        _ => {
                            place += run;
                            reader.skip(size)?;
                            found |= 1 << place.min(63);
                            place += 1;
                        }
                    }
                }
                return Some(history.add(self.component, block, found));
            }
            Coding::RefinedAc => {
                let known = history.get(self.component, block);
                let is_known = |place: u32| known >> place.min(63) & 1 == 1;
                let (mut place, mut found) = (from, 0_u64);
                if self.end_of_band == 0 {
                    let table = &self.blocks.first()?.1.as_ref()?.0;
                    while place <= to {
                        let (mut run, size) = reader.run_and_size(table)?;
                        if size != 0 {
                            reader.skip(1)?;
                        } else if run != 15 {
                            self.end_of_band = (1 << run) + reader.take(run)?;
                            break;
                        }
                        while place <= to {
                            if is_known(place) {
                                reader.skip(1)?;
                            } else if run == 0 {
                                break;
                            } else {
                                run -= 1;
                            }
                            place += 1;
                        }
                        if size != 0 {
                            found |= 1 << place.min(63);
                        }
                        place += 1;
                    }
                }
                if self.end_of_band > 0 {
                    let rest = (place..=to).filter(|place| is_known(*place)).count();
                    for _ in 0..rest {
                        reader.skip(1)?;
                    }
                    self.end_of_band -= 1;
                }
                return Some(history.add(self.component, block, found));
            }
        }
        Some(true)
    }
}

/// The Huffman tables that are defined.
#[derive(Debug, Default)]
pub(super) struct Tables {
    dc: [Option<Arc<Table>>; 4],
    ac: [Option<Arc<Table>>; 4],
}

impl Tables {
    /// Takes the tables of a `DHT` whose form has been checked. `false` if one has too many codes.
    pub(super) fn define(&mut self, mut body: &[u8]) -> bool {
        while let Some((&[head, ref counts @ ..], rest)) = body.split_first_chunk::<17>() {
            let total = counts.iter().map(|count| usize::from(*count)).sum();
            let Some((values, rest)) = rest.split_at_checked(total) else {
                return false;
            };
            let tables = if head >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            let Some(slot) = tables.get_mut(usize::from(head & 15)) else {
                return false;
            };
            let Some(table) = Table::new(counts, values) else {
                return false;
            };
            *slot = Some(Arc::new(table));
            body = rest;
        }
        true
    }

    /// Defines those of the standard tables that are not defined. Gives them as the body of a `DHT`.
    pub(super) fn complete(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        for (head, counts, values) in huffman::STANDARD {
            let tables = if head >> 4 == 0 { &self.dc } else { &self.ac };
            if let Some(None) = tables.get(usize::from(head & 15)) {
                let table = [&[*head], &counts[..], values].concat();
                self.define(&table);
                body.extend(table);
            }
        }
        body
    }
}

/// Reads bits from entropy-coded data, without their stuffed zeros (F.2.2.5).
#[derive(Debug, Clone)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The bits that have been read ahead are the high `count` ones. Those below are zeros, or already what follows.
    bits: u64,
    count: u32,
}

impl Reader<'_> {
    /// Where the marker stands that is next, if that is next.
    fn marker(&self) -> Option<usize> {
        match self.bytes.get(self.at..)? {
            [0xFF, 1..=0xFF, ..] => Some(self.at),
            _ => None,
        }
    }

    /// Reads ahead, to 56 bits and more if they are there.
    #[inline]
    fn refill(&mut self) {
        if let Some(next) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let next = u64::from_be_bytes(*next);
            // Whether a byte is FF: only then, and without a carry from below, its inverse less 1 has a new high bit.
            let inverse = !next;
            let is_plain =
                inverse.wrapping_sub(0x0101_0101_0101_0101) & next & 0x8080_8080_8080_8080 == 0;
            if is_plain {
                self.bits |= next >> self.count;
                self.at += (63 - self.count as usize) / 8;
                self.count |= 56;
                return;
            }
        }
        self.refill_slowly();
    }

    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at..) {
                Some([0xFF, 0, ..]) => {
                    self.at += 2;
                    0xFF
                }
                Some([byte, ..]) if *byte != 0xFF => {
                    self.at += 1;
                    *byte
                }
                _ => return,
            };
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Gives whole bytes back that have been read ahead.
    fn unread(&mut self) {
        while self.count >= 8 {
            let last = (self.bits >> (64 - self.count)) & 0xFF;
            let raw = if last == 0xFF { 2 } else { 1 };
            self.at = self.at.saturating_sub(raw);
            self.count -= 8;
        }
        self.bits &= !(u64::MAX >> self.count);
    }

    /// The next 32 bits, with zeros behind the last one.
    #[inline]
    fn peek(&mut self) -> u32 {
        if self.count < 32 {
            self.refill();
        }
        (self.bits >> 32) as u32
    }

    #[inline]
    fn skip(&mut self, count: u32) -> Option<()> {
        if self.count < count {
            self.refill();
        }
        self.count = self.count.checked_sub(count)?;
        self.bits <<= count;
        Some(())
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let next = self.peek();
        self.skip(count)?;
        Some(next.checked_shr(32 - count).unwrap_or_default())
    }

    #[inline]
    fn value(&mut self, table: &Table) -> Option<u8> {
        let next = self.peek();
        let (length, value) = table.decode(next);
        self.skip(length)?;
        Some(value)
    }

    #[inline]
    fn run_and_size(&mut self, table: &Table) -> Option<(u32, u32)> {
        let value = self.value(table)?;
        Some((u32::from(value >> 4), u32::from(value & 15)))
    }

    /// Reads the AC coefficients of a block of a sequential picture.
    fn block(&mut self, table: &Table, runs: &Runs) -> Option<()> {
        let mut place = 1;
        while place < 64 {
            if self.count < 32 {
                self.refill();
            }
            let (bits, before, places) = runs.next(self.bits);
            // As many codes at once as are known to be of this block.
            if bits > 0 && place + before < 64 && self.count >= bits {
                self.count -= bits;
                self.bits <<= bits;
                place += places;
                continue;
            }
            let (run, size) = self.run_and_size(table)?;
            match (run, size) {
                (15, 0) => place += 16,
                (_, 0) => break,
                _ => place += run + 1,
            }
            self.skip(size)?;
        }
        Some(())
    }
}
