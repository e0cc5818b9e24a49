//! Huffman codes (ITU-T T.81, annexes C and F.2.2.3), read for their lengths: what they stand for is not computed.

/// A table, ready to decode with.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// For the next 8 bits: the length of the code that they begin with, and its value; a length of 0 is a longer code.
    short: [(u8, u8); 256],
    /// For each length from 1 to 16: one more than the last code, and what to add to a code for the place of its value.
    long: [(u32, i32); 16],
    values: Vec<u8>,
}

impl Table {
    /// Builds a table from the number of codes of each length, and their values. `None` if there are too many codes.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: [(0, 0); 256],
            long: [(0, 0); 16],
            values: values.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0_i32);
        for ((length, count), long) in (1_u8..).zip(counts).zip(&mut table.long) {
            let offset = place - i32::try_from(code).ok()?;
            for _ in 0..*count {
                let value = *values.get(usize::try_from(place).ok()?)?;
                if length <= 8 {
                    let from = (code << (8 - length)) as usize;
                    let to = ((code + 1) << (8 - length)) as usize;
                    table.short.get_mut(from..to)?.fill((length, value));
                }
                code += 1;
                place += 1;
            }
            if code > 1 << length {
                return None;
            }
            *long = (code, offset);
            code <<= 1;
        }
        Some(table)
    }

    /// The bits that the next code takes, of which the first are the high bits of `next`, and its value. What is no code
    /// takes 17 bits and is 0, as in libjpeg.
    pub(super) fn decode(&self, next: u32) -> (u32, u8) {
        if let Some(&(length @ 1.., value)) = self.short.get((next >> 24) as usize) {
            return (length.into(), value);
        }
        for (length, (end, offset)) in (1_u32..).zip(&self.long).skip(8) {
            let code = next >> (32 - length);
            if code < *end {
                let place = usize::try_from(code as i32 + offset).unwrap_or_default();
                return (length, self.values.get(place).copied().unwrap_or_default());
            }
        }
        (17, 0)
    }
}

/// Bits that [`Runs`] looks at. Two tables of so many entries fit into the first cache of most processors.
const LOOK: u32 = 12;

/// For the next bits of a block: how many of them are codes with their values, and how many coefficients these are. So
/// several codes are read in one step, and a value is only passed over.
#[derive(Debug)]
pub(super) struct Runs {
    /// From the low bits on, 8 each: the bits of all codes; the coefficients before the last code; all coefficients. An end
    /// of block counts as 64 coefficients. 0 where nothing is known.
    entries: Box<[u32; 1 << LOOK]>,
}

impl Default for Runs {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            entries: Box::new([0; 1 << LOOK]),
        }
    }
}

impl Runs {
    /// Reads all that `LOOK` bits can hold, for each of their values.
    pub(super) fn of(table: &Table) -> Self {
        let mut runs = Self::default();
        for (next, entry) in (0_u32..).zip(runs.entries.iter_mut()) {
            let next = next << (32 - LOOK);
            let (mut bits, mut before, mut all) = (0, 0, 0);
            while bits < LOOK && all < 64 {
                let (length, value) = table.decode(next << bits);
                let (run, size) = (u32::from(value >> 4), u32::from(value & 15));
                // The code must be there; the bits of its value only where another code is to follow.
                if length + bits > LOOK || (bits > 0 && bits + length + size > LOOK) {
                    break;
                }
                bits += length + size;
                before = all;
                all += match (run, size) {
                    (15, 0) => 16,
                    (_, 0) => 64,
                    _ => run + 1,
                };
            }
            // Where not even one code is there, all are 0.
            *entry = bits | before << 8 | all << 16;
        }
        runs
    }

    /// The bits, the coefficients before the last code, and all coefficients of the codes that `bits` begin with.
    #[inline]
    pub(super) fn next(&self, bits: u64) -> (u32, u32, u32) {
        let entry = self
            .entries
            .get((bits >> (64 - LOOK)) as usize)
            .copied()
            .unwrap_or_default();
        (entry & 0xFF, entry >> 8 & 0xFF, entry >> 16)
    }
}

/// The tables that Motion JPEG leaves out (annex K.3.3): class and destination, the number of codes of each length, and
/// the values.
pub(super) const STANDARD: &[(u8, &[u8; 16], &[u8])] = &[
    (0x00, &[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC),
    (0x01, &[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC),
    (
        0x10,
        &[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D],
        &AC_LUMINANCE,
    ),
    (
        0x11,
        &[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
        &AC_CHROMINANCE,
    ),
];

const DC: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_LUMINANCE: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
    0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
    0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];
const AC_CHROMINANCE: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0,
    0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26,
    0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
    0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
    0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];
