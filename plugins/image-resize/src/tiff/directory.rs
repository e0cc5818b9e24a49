//! Reads the directories of a TIFF (TIFF 6.0, section 2; BigTIFF), which describe its pictures.
//!
//! Tags are read here. Samples are read by the crate `tiff`.

/// Tags, with their names from the specifications.
pub(super) mod tag {
    pub(crate) const NEW_SUBFILE_TYPE: u16 = 254;
    pub(crate) const WIDTH: u16 = 256;
    pub(crate) const HEIGHT: u16 = 257;
    pub(crate) const BITS_PER_SAMPLE: u16 = 258;
    pub(crate) const COMPRESSION: u16 = 259;
    pub(crate) const PHOTOMETRIC: u16 = 262;
    pub(crate) const FILL_ORDER: u16 = 266;
    pub(crate) const STRIP_OFFSETS: u16 = 273;
    pub(crate) const ORIENTATION: u16 = 274;
    pub(crate) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(crate) const STRIP_BYTE_COUNTS: u16 = 279;
    pub(crate) const PLANAR: u16 = 284;
    pub(crate) const TILE_WIDTH: u16 = 322;
    pub(crate) const COLOR_MAP: u16 = 320;
    pub(crate) const TILE_OFFSETS: u16 = 324;
    pub(crate) const TILE_BYTE_COUNTS: u16 = 325;
    pub(crate) const SUB_IFDS: u16 = 330;
    pub(crate) const EXTRA_SAMPLES: u16 = 338;
    pub(crate) const SAMPLE_FORMAT: u16 = 339;
    pub(crate) const SUBSAMPLING: u16 = 530;
    pub(crate) const ICC_PROFILE: u16 = 34675;
    /// DNG 1.7, section 5.
    pub(crate) const DNG_VERSION: u16 = 50706;
}

/// The most directories that are read: the pictures of the first pages.
pub(super) const MOST_DIRECTORIES: usize = 256;

/// The byte order and width of numbers in one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    big_endian: bool,
    /// BigTIFF has 64-bit offsets.
    big: bool,
}

/// An entry of a directory.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where it begins.
    at: usize,
    tag: u16,
    /// The type of its values.
    kind: u16,
    count: usize,
    /// Where its values begin.
    values: usize,
}

/// A directory, which describes one picture.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    /// Where it begins.
    pub(super) at: u64,
    entries: Vec<Entry>,
    /// Where the offset of the next directory is.
    next: usize,
}

impl Numbers {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        Some(match bytes.first_chunk::<4>()? {
            b"II*\0" => Self {
                big_endian: false,
                big: false,
            },
            b"MM\0*" => Self {
                big_endian: true,
                big: false,
            },
            b"II+\0" => Self {
                big_endian: false,
                big: true,
            },
            b"MM\0+" => Self {
                big_endian: true,
                big: true,
            },
            _ => return None,
        })
    }

    /// An unsigned number of `width` bytes.
    fn read(self, bytes: &[u8], at: usize, width: usize) -> Option<u64> {
        let number = bytes.get(at..at.checked_add(width)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big_endian {
            number.iter().fold(0, add)
        } else {
            number.iter().rev().fold(0, add)
        })
    }

    /// Writes a number of `width` bytes, at most eight.
    fn write(self, bytes: &mut [u8], at: usize, width: usize, number: u64) {
        let target = at
            .checked_add(width)
            .and_then(|end| bytes.get_mut(at..end))
            .unwrap_or_default();
        let digits = number.to_le_bytes();
        if self.big_endian {
            for (byte, digit) in target.iter_mut().rev().zip(digits) {
                *byte = digit;
            }
        } else {
            for (byte, digit) in target.iter_mut().zip(digits) {
                *byte = digit;
            }
        }
    }

    /// Where the header has the offset of the first directory, and the width of an offset, in bytes.
    fn first(self) -> (usize, usize) {
        if self.big { (8, 8) } else { (4, 4) }
    }

    /// Makes a directory the only one of the chain.
    pub(super) fn set_only(self, bytes: &mut [u8], directory: &Directory) {
        let (at, width) = self.first();
        self.write(bytes, at, width, directory.at);
        self.write(bytes, directory.next, width, 0);
    }

    /// The directories of the chain. Each is followed by those that its `SubIFDs` name.
    pub(super) fn directories(self, bytes: &[u8]) -> Vec<Directory> {
        let (at, width) = self.first();
        let mut found: Vec<Directory> = Vec::new();
        let mut next = self.read(bytes, at, width);
        while let Some(offset) = next.filter(|&offset| offset != 0) {
            let Some(after) = self.add(bytes, offset, &mut found, 0) else {
                break;
            };
            next = after;
        }
        found
    }

    /// Adds the directory at `offset` and those below it. Returns the offset of the next one, or `None` if this one was
    /// added before or cannot be read.
    fn add(
        self,
        bytes: &[u8],
        offset: u64,
        found: &mut Vec<Directory>,
        depth: usize,
    ) -> Option<Option<u64>> {
        const DEEPEST: usize = 3;
        if found.len() >= MOST_DIRECTORIES || found.iter().any(|known| known.at == offset) {
            return None;
        }
        let (directory, next) = self.directory(bytes, offset)?;
        let below = directory.all(bytes, self, tag::SUB_IFDS);
        found.push(directory);
        if depth < DEEPEST {
            for offset in below.into_iter().take(MOST_DIRECTORIES) {
                self.add(bytes, offset, found, depth + 1);
            }
        }
        Some(next)
    }

    fn directory(self, bytes: &[u8], offset: u64) -> Option<(Directory, Option<u64>)> {
        let at = usize::try_from(offset).ok()?;
        let (count_width, entry_width, value_width) =
            if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let count = usize::try_from(self.read(bytes, at, count_width)?).ok()?;
        let start = at.checked_add(count_width)?;
        let end = start.checked_add(count.checked_mul(entry_width)?)?;
        let table = bytes.get(start..end)?;
        let mut entries = Vec::new();
        for index in 0..table.len() / entry_width {
            let entry = start + index * entry_width;
            let kind = self.read(bytes, entry + 2, 2)? as u16;
            let count = self.read(bytes, entry + 4, value_width)?;
            let inline = entry + 4 + value_width;
            let (Some(width), Ok(count)) = (width_of(kind), usize::try_from(count)) else {
                continue;
            };
            let length = count.saturating_mul(width);
            let values = if length <= value_width {
                inline
            } else {
                usize::try_from(self.read(bytes, inline, value_width)?).unwrap_or(usize::MAX)
            };
            entries.push(Entry {
                at: entry,
                tag: self.read(bytes, entry, 2)? as u16,
                kind,
                count,
                values,
            });
        }
        Some((
            Directory {
                at: offset,
                entries,
                next: end,
            },
            self.read(bytes, end, value_width),
        ))
    }
}

/// Number of bytes of one value of a type.
fn width_of(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}

impl Directory {
    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    pub(super) fn has(&self, tag: u16) -> bool {
        self.entry(tag).is_some()
    }

    /// The unsigned integers of a tag. Empty if it has another type, or if its values are beyond the end of the file.
    pub(super) fn all(&self, bytes: &[u8], numbers: Numbers, tag: u16) -> Vec<u64> {
        let Some(entry) = self
            .entry(tag)
            .filter(|entry| matches!(entry.kind, 1 | 3 | 4 | 7 | 13 | 16 | 18))
        else {
            return Vec::new();
        };
        let Some(width) = width_of(entry.kind) else {
            return Vec::new();
        };
        let length = entry.count.saturating_mul(width);
        if bytes
            .get(entry.values..entry.values.saturating_add(length))
            .is_none()
        {
            return Vec::new();
        }
        (0..entry.count)
            .map_while(|index| numbers.read(bytes, entry.values + index * width, width))
            .collect()
    }

    /// The first integer of a tag.
    pub(super) fn one(&self, bytes: &[u8], numbers: Numbers, tag: u16) -> Option<u64> {
        let entry = self.entry(tag)?;
        if !matches!(entry.kind, 1 | 3 | 4 | 13 | 16 | 18) || entry.count == 0 {
            return None;
        }
        numbers.read(bytes, entry.values, width_of(entry.kind)?)
    }

    /// Replaces the first integer of a tag.
    pub(super) fn set(&self, bytes: &mut [u8], numbers: Numbers, tag: u16, value: u64) {
        if let Some(entry) = self.entry(tag)
            && let Some(width) = width_of(entry.kind)
        {
            numbers.write(bytes, entry.values, width, value);
        }
    }

    /// Changes a tag into another one with the same values.
    pub(super) fn rename(&self, bytes: &mut [u8], numbers: Numbers, from: u16, to: u16) {
        if let Some(entry) = self.entry(from) {
            numbers.write(bytes, entry.at, 2, to.into());
        }
    }

    /// The bytes of a tag.
    pub(super) fn bytes<'a>(&self, bytes: &'a [u8], tag: u16) -> Option<&'a [u8]> {
        let entry = self
            .entry(tag)
            .filter(|entry| matches!(entry.kind, 1 | 7))?;
        bytes.get(entry.values..entry.values.checked_add(entry.count)?)
    }
}
