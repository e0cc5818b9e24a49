//! The ISO base media file format (ISO/IEC 14496-12) and QuickTime, on which it is based: MP4, MOV, M4A, 3GP, HEIF,
//! AVIF, CR3.
//!
//! The brands in the first box, `ftyp`, decide the type. The major brand decides if it is known. Otherwise any
//! compatible brand does: cameras write major brands of their own (`XAVC`, `CAEP`, `niko`) and list the standard ones
//! after them.

use super::{array, at, be32, index};

/// The type that the brands stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Kind {
    Mp4,
    QuickTime,
    Audio,
    ThreeGpp,
    ThreeGpp2,
    Heic,
    Heif,
    Avif,
    CanonRaw,
    /// A segment of a stream, which is not a complete file.
    Segment,
}

/// Longest `ftyp` box that is accepted, in bytes. Real ones have under 100.
const MAX_FTYP: u32 = 1024;

/// The kind of a file that starts with these bytes.
pub(in crate::media) fn kind(head: &[u8]) -> Option<Kind> {
    match &array(head, 4)? {
        b"ftyp" => brands(head),
        b"styp" => has_brands(head).then_some(Kind::Segment),
        _ => is_quicktime(head).then_some(Kind::QuickTime),
    }
}

/// Whether the first box has a valid size for a list of brands, and a brand of printable letters.
fn has_brands(head: &[u8]) -> bool {
    let size = be32(head, 0).unwrap_or(0);
    let letters = head.get(8..12).unwrap_or_default();
    (16..=MAX_FTYP).contains(&size)
        && size.is_multiple_of(4)
        && letters.len() == 4
        && letters.iter().all(|b| (b' '..=b'~').contains(b))
}

fn brands(head: &[u8]) -> Option<Kind> {
    if !has_brands(head) {
        return None;
    }
    let size = index(be32(head, 0)?);
    let listed = head.get(16..size.min(head.len())).unwrap_or_default();
    let listed = || listed.chunks_exact(4).filter_map(brand);
    let lists = |kind| listed().any(|other| other == kind);
    match brand(head.get(8..12)?) {
        // A general brand of pictures: a compatible brand shows the codec.
        Some(Kind::Heif) if lists(Kind::Avif) => Some(Kind::Avif),
        Some(Kind::Heif) if lists(Kind::Heic) => Some(Kind::Heic),
        // Phones write 3GP as the major brand of files that are also MP4.
        Some(Kind::ThreeGpp | Kind::ThreeGpp2) if lists(Kind::Mp4) => Some(Kind::Mp4),
        Some(kind) => Some(kind),
        None => [
            Kind::Avif,
            Kind::Heic,
            Kind::Heif,
            Kind::CanonRaw,
            Kind::Mp4,
            Kind::QuickTime,
            Kind::Audio,
            Kind::ThreeGpp,
            Kind::ThreeGpp2,
        ]
        .into_iter()
        .find(|kind| lists(*kind))
        .or_else(|| by_next_box(head, size)),
    }
}

/// The kind of a file without a known brand, from its next box.
fn by_next_box(head: &[u8], at: usize) -> Option<Kind> {
    match &array(head, at.checked_add(4)?)? {
        b"moov" | b"mdat" | b"moof" | b"free" | b"skip" | b"wide" | b"uuid" | b"sidx" | b"pdin" => {
            Some(Kind::Mp4)
        }
        b"meta" => Some(Kind::Heif),
        _ => None,
    }
}

/// The kind that a brand stands for. The brands are registered (mp4ra.org), or written by cameras and programs.
fn brand(brand: &[u8]) -> Option<Kind> {
    let brand: [u8; 4] = brand.try_into().ok()?;
    Some(match &brand {
        b"avif" | b"avis" => Kind::Avif,
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Kind::Heic,
        b"mif1" | b"mif2" | b"msf1" | b"miaf" => Kind::Heif,
        b"crx " => Kind::CanonRaw,
        b"qt  " => Kind::QuickTime,
        b"M4A " | b"M4B " | b"M4P " | b"F4A " | b"F4B " => Kind::Audio,
        b"kddi" => Kind::ThreeGpp2,
        [b'3', b'g', b'2', _] => Kind::ThreeGpp2,
        [b'3', b'g', _, _] => Kind::ThreeGpp,
        // iso2 to isoc, isom; mp41, mp42, mp4v, mp71; M4V, M4VH, M4VP; CMAF's cmfc to cmff; Nero's NDxx.
        [b'i', b's', b'o', _]
        | [b'm', b'p', b'4', _]
        | [b'M', b'4', b'V', _]
        | [b'c', b'm', b'f', _]
        | [b'N', b'D', _, _] => Kind::Mp4,
        b"mp21" | b"mp71" | b"mmp4" | b"avc1" | b"avc3" | b"hvc1" | b"hev1" | b"av01" | b"vp09"
        | b"dash" | b"msdh" | b"msix" | b"f4v " | b"F4V " | b"f4p " | b"F4P " | b"MSNV"
        | b"NSDC" | b"XAVC" | b"CAEP" | b"niko" | b"pana" | b"PANA" | b"LCAG" | b"ccff"
        | b"piff" | b"dby1" | b"lmsg" | b"sims" | b"isml" => Kind::Mp4,
        _ => return None,
    })
}

/// QuickTime before it had `ftyp`: a movie, or its data, possibly after empty space. At most four boxes are read.
fn is_quicktime(head: &[u8]) -> bool {
    let mut start = 0_usize;
    for _ in 0..4 {
        let (Some(size), Some(name)) = (be32(head, start), array(head, start.saturating_add(4)))
        else {
            return false;
        };
        match &name {
            // A movie starts with its header, or is compressed as a whole, or has references to other movies.
            b"moov" => {
                return [&b"mvhd"[..], b"cmov", b"rmra"]
                    .iter()
                    .any(|first| at(head, start + 12, first));
            }
            // 0: up to the end of the file; 1: the size follows, in 64 bits.
            b"mdat" => return size <= 1 || size >= 8,
            b"wide" | b"free" | b"skip" | b"pnot" if size >= 8 => {
                start = start.saturating_add(index(size));
            }
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn file(brands: &[&[u8; 4]]) -> Vec<u8> {
        let size = u32::try_from(brands.len() * 4 + 12).unwrap();
        let mut head = size.to_be_bytes().to_vec();
        head.extend(b"ftyp");
        for (at, brand) in brands.iter().enumerate() {
            head.extend(*brand);
            if at == 0 {
                head.extend([0; 4]);
            }
        }
        head.extend(b"\0\0\0\x08????");
        head
    }

    #[test]
    fn brands_of_every_kind() {
        for (brands, expected) in [
            (&[b"isom"][..], Some(Kind::Mp4)),
            (&[b"iso9", b"iso9"], Some(Kind::Mp4)),
            (&[b"M4V ", b"M4A "], Some(Kind::Mp4)),
            (&[b"XAVC", b"XAVC", b"mp42"], Some(Kind::Mp4)),
            (&[b"CAEP"], Some(Kind::Mp4)),
            (&[b"3gp4", b"isom", b"3gp4"], Some(Kind::Mp4)),
            (&[b"3gp4", b"3gp4"], Some(Kind::ThreeGpp)),
            (&[b"3g2a"], Some(Kind::ThreeGpp2)),
            (&[b"qt  ", b"mp42"], Some(Kind::QuickTime)),
            (&[b"M4A ", b"mp42", b"isom"], Some(Kind::Audio)),
            (&[b"????", b"????", b"mp42"], Some(Kind::Mp4)),
            (&[b"mif1", b"mif1", b"heic"], Some(Kind::Heic)),
            (&[b"mif1", b"avif"], Some(Kind::Avif)),
            (&[b"mif1"], Some(Kind::Heif)),
            (&[b"heix", b"mif1"], Some(Kind::Heic)),
            (&[b"avis"], Some(Kind::Avif)),
            (&[b"crx ", b"isom"], Some(Kind::CanonRaw)),
            (&[b"????"], None),
        ] {
            assert_eq!(kind(&file(brands)), expected, "{brands:?}");
        }
    }

    #[test]
    fn a_brand_that_nobody_knows_is_what_its_next_box_says() {
        let mut head = file(&[b"newc"]);
        let at = head.len() - 4;
        head[at..].copy_from_slice(b"moov");
        assert_eq!(kind(&head), Some(Kind::Mp4));
        head[at..].copy_from_slice(b"meta");
        assert_eq!(kind(&head), Some(Kind::Heif));
    }

    #[test]
    fn the_box_must_be_sane() {
        for size in [0_u32, 1, 12, 17, 0x2020_2020, u32::MAX] {
            let mut head = file(&[b"isom", b"isom"]);
            head[..4].copy_from_slice(&size.to_be_bytes());
            assert_eq!(kind(&head), None, "{size}");
        }
    }

    #[test]
    fn quicktime_without_brands() {
        for head in [
            &b"\0\0\x01\0moov\0\0\0\x6cmvhd"[..],
            b"\0\0\0\x08wide\0\0\x10\0mdat",
            b"\0\0\0\x01mdat\0\0\0\0\0\0\x10\0",
            b"\0\0\0\x0cfree\0\0\0\0\0\0\x01\0moov\0\0\0\x6cmvhd",
        ] {
            assert_eq!(kind(head), Some(Kind::QuickTime), "{head:?}");
        }
        for head in [
            &b"\0\0\x01\0moovxxxxyyyy"[..],
            b"\0\0\0\x02mdat",
            b"\0\0\0\x08freexxxxmore",
        ] {
            assert_eq!(kind(head), None, "{head:?}");
        }
    }
}
