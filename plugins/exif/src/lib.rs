//! The orientation of a picture in Exif, which is the only field that plugins use. This is an ordinary library and not
//! a plugin.
//!
//! Only this field is searched, in the only directory that can have it. A general reader would follow pointers from
//! directory to directory. In a hostile file, directories can overlap so that 64 KiB stand for gigabytes of fields.

/// Tag of the field, in the first directory (Exif 2.32, 4.6.4).
const TAG: u16 = 0x0112;
/// Field type of a 16-bit number (TIFF 6.0, section 2). For this field, browsers accept no other type, and neither does
/// this crate.
const SHORT: u16 = 3;

/// Bytes that may precede the TIFF header (Exif 2.32, 4.7.2). JPEG requires them. Some programs also write them into
/// WebP and PNG.
pub const PREFIX: &[u8] = b"Exif\0\0";

/// How a picture must be rotated or mirrored when it is shown: 2 to 8. The value 1, which means "as it is", is not one
/// of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    /// Finds the orientation in Exif data: a TIFF header and its directories, with or without [`PREFIX`]. Returns
    /// `None` for "as it is", if there is no orientation, and if the TIFF cannot be read. The TIFF may be cut off after
    /// the first directory.
    pub fn find(exif: &[u8]) -> Option<Self> {
        let tiff = exif.strip_prefix(PREFIX).unwrap_or(exif);
        let big_endian = match tiff.get(..4)? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        };
        let short = |bytes: &[u8], at: usize| {
            let bytes = *bytes.get(at..)?.first_chunk()?;
            Some(if big_endian {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            })
        };
        let start = *tiff.get(4..)?.first_chunk()?;
        let start = if big_endian {
            u32::from_be_bytes(start)
        } else {
            u32::from_le_bytes(start)
        };

        let directory = tiff.get(usize::try_from(start).ok()?..)?;
        let (_, fields) = directory.split_at_checked(2)?;
        let field = fields
            .chunks_exact(12)
            .take(short(directory, 0)?.into())
            .find(|field| short(field, 0) == Some(TAG) && short(field, 2) == Some(SHORT))?;
        match u8::try_from(short(field, 8)?) {
            Ok(value @ 2..=8) => Some(Self(value)),
            _ => None,
        }
    }

    /// Its number in Exif, from 2 to 8.
    pub fn value(self) -> u8 {
        self.0
    }

    /// A TIFF with this one field, without [`PREFIX`].
    pub fn tiff(self) -> [u8; 26] {
        let mut tiff = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
        let [.., value, _, _, _, _, _, _] = &mut tiff;
        *value = self.0;
        tiff
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_written_is_found() {
        for value in 2..=8 {
            assert_eq!(
                Orientation::find(&Orientation(value).tiff()),
                Some(Orientation(value))
            );
            let prefixed = [PREFIX, &Orientation(value).tiff()].concat();
            let found = Orientation::find(&prefixed).unwrap();
            assert_eq!(found.value(), value);
        }
    }

    #[test]
    fn little_endian_behind_another_field() {
        let tiff = b"II*\0\x0A\0\0\0\xFF\xFF\x02\0\x0F\x01\x02\0\x02\0\0\0M\0\0\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        assert_eq!(Orientation::find(tiff), Some(Orientation(6)));
    }

    #[test]
    fn nothing_to_keep() {
        let with = |change: fn(&mut [u8; 26])| {
            let mut tiff = Orientation(6).tiff();
            change(&mut tiff);
            Orientation::find(&tiff)
        };
        assert_eq!(with(|tiff| tiff[19] = 1), None, "as it is");
        assert_eq!(with(|tiff| tiff[19] = 0), None, "out of range");
        assert_eq!(with(|tiff| tiff[19] = 9), None, "out of range");
        assert_eq!(with(|tiff| tiff[18] = 1), None, "out of range");
        assert_eq!(with(|tiff| tiff[13] = 2), None, "not a number");
        assert_eq!(with(|tiff| tiff[13] = 4), None, "a LONG");
        assert_eq!(with(|tiff| tiff[9] = 0), None, "no field");
        assert_eq!(
            with(|tiff| tiff[4] = 0xFF),
            None,
            "the directory is elsewhere"
        );
        assert_eq!(with(|tiff| tiff[0] = b'I'), None, "no byte order");
        for length in 0..22 {
            assert_eq!(
                Orientation::find(&Orientation(6).tiff()[..length]),
                None,
                "{length} bytes"
            );
        }
    }
}
