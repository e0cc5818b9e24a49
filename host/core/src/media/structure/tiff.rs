//! TIFF 6.0, and the raw files of cameras, most of which are TIFF with other content.

use super::{at, be16, be32, index, le16, le32};

/// What a TIFF holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Kind {
    Picture,
    Canon,
    Nikon,
    Sony,
    Pentax,
    Samsung,
    Dng,
    Raw,
}

/// Tags of the first directory that identify a raw file.
const SUBFILE_TYPE: u16 = 0x00fe;
const COMPRESSION: u16 = 0x0103;
const PHOTOMETRIC: u16 = 0x0106;
const MAKE: u16 = 0x010f;
const SUB_DIRECTORIES: u16 = 0x014a;
const DNG_VERSION: u16 = 0xc612;

/// Most entries of a directory that are read.
const MAX_ENTRIES: u16 = 200;

/// The kind of a file that starts with these bytes. A directory beyond the head cannot be read. The file then counts as
/// a picture.
pub(in crate::media) fn kind(head: &[u8]) -> Option<Kind> {
    // BigTIFF: offsets of eight bytes. No camera writes it.
    if at(head, 0, b"II\x2b\0\x08\0\0\0") || at(head, 0, b"MM\0\x2b\0\x08\0\0") {
        return Some(Kind::Picture);
    }
    let tiff = Tiff {
        head,
        big_endian: at(head, 0, b"MM\0\x2a"),
    };
    let known = tiff.big_endian || at(head, 0, b"II\x2a\0");
    let first = tiff.u32(4)?;
    if !known || first < 8 {
        return None;
    }
    if at(head, 8, b"CR\x02") {
        return Some(Kind::Canon);
    }
    Some(tiff.directory(index(first)))
}

struct Tiff<'a> {
    head: &'a [u8],
    big_endian: bool,
}

impl Tiff<'_> {
    fn u16(&self, offset: usize) -> Option<u16> {
        if self.big_endian {
            be16(self.head, offset)
        } else {
            le16(self.head, offset)
        }
    }

    fn u32(&self, offset: usize) -> Option<u32> {
        if self.big_endian {
            be32(self.head, offset)
        } else {
            le32(self.head, offset)
        }
    }

    /// The first directory of a raw file shows one of these: sensor data, a compression of the maker's own, or a
    /// preview with the real picture in another directory. A picture that a program made from a raw file keeps the
    /// camera's name, but has none of these.
    fn directory(&self, start: usize) -> Kind {
        let mut make: &[u8] = b"";
        let (mut dng, mut preview, mut elsewhere, mut sensor) = (false, false, false, false);
        let count = self.u16(start).unwrap_or(0).min(MAX_ENTRIES);
        for number in 0..usize::from(count) {
            let entry = start.saturating_add(2 + 12 * number);
            let Some(tag) = self.u16(entry) else { break };
            let (long, short) = (self.u32(entry + 8), self.u16(entry + 8));
            match tag {
                DNG_VERSION => dng = true,
                SUBFILE_TYPE => preview = long.is_some_and(|kind| kind & 1 == 1),
                SUB_DIRECTORIES => elsewhere = true,
                // A colour filter array, or linear raw.
                PHOTOMETRIC => sensor |= matches!(short, Some(32_803 | 34_892)),
                // Sony, Samsung, Kodak, Nikon, Pentax.
                COMPRESSION => {
                    sensor |= matches!(short, Some(32_767 | 32_770 | 65_000 | 34_713 | 65_535));
                }
                MAKE => {
                    let at = long.map_or(usize::MAX, index);
                    make = self.head.get(at..).unwrap_or_default();
                }
                _ => {}
            }
        }
        let from = |name: &[u8]| {
            make.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        match () {
            () if dng => Kind::Dng,
            () if !(sensor || preview && elsewhere) => Kind::Picture,
            () if from(b"NIKON") => Kind::Nikon,
            () if from(b"SONY") => Kind::Sony,
            () if from(b"PENTAX") || from(b"RICOH") => Kind::Pentax,
            () if from(b"SAMSUNG") => Kind::Samsung,
            () => Kind::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TIFF with these entries (tag, value), and a maker's name after them.
    fn tiff(entries: &[(u16, u32)], make: &[u8]) -> Vec<u8> {
        let mut head = b"II\x2a\0\x08\0\0\0".to_vec();
        let count = entries.len() as u16 + 1;
        head.extend(count.to_le_bytes());
        let make_at = 8 + 2 + 12 * u32::from(count) + 4;
        for (tag, value) in entries.iter().copied().chain([(MAKE, make_at)]) {
            head.extend(tag.to_le_bytes());
            head.extend(4_u16.to_le_bytes());
            head.extend(1_u32.to_le_bytes());
            head.extend(value.to_le_bytes());
        }
        head.extend([0; 4]);
        head.extend(make);
        head
    }

    #[test]
    fn raw_files_say_so() {
        let preview = [(SUBFILE_TYPE, 1), (SUB_DIRECTORIES, 500)];
        for (entries, make, expected) in [
            (&preview[..], &b"NIKON CORPORATION\0"[..], Kind::Nikon),
            (&preview, b"SONY\0", Kind::Sony),
            (&preview, b"Maker\0", Kind::Raw),
            (
                &[(COMPRESSION, 65_535)],
                b"PENTAX Corporation\0",
                Kind::Pentax,
            ),
            (&[(PHOTOMETRIC, 32_803)], b"SAMSUNG\0", Kind::Samsung),
            (&[(DNG_VERSION, 0x0401)], b"LEICA\0", Kind::Dng),
            // A picture that a program made from a raw file, and a picture with smaller versions of itself.
            (&[(SUBFILE_TYPE, 0)], b"NIKON CORPORATION\0", Kind::Picture),
            (
                &[(SUBFILE_TYPE, 0), (SUB_DIRECTORIES, 500)],
                b"",
                Kind::Picture,
            ),
        ] {
            assert_eq!(kind(&tiff(entries, make)), Some(expected), "{entries:?}");
        }
        assert_eq!(kind(b"II\x2a\0\x10\0\0\0CR\x02\0"), Some(Kind::Canon));
        assert_eq!(kind(b"MM\0\x2a\0\x01\0\0"), Some(Kind::Picture));
        assert_eq!(kind(b"II\x2a\0\0\0\0\0"), None);
    }
}
