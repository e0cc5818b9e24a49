//! The boxes that stay, by the box that they stand in. Every other one becomes free space.

pub(super) type Kind = [u8; 4];

/// A box that has boxes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    Moov,
    Trak,
    Edts,
    Tref,
    Tapt,
    Mdia,
    Minf,
    Gmhd,
    Dinf,
    Stbl,
    Mvex,
    Moof,
    Traf,
    Mfra,
}

/// What becomes of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// It stays, and has boxes.
    Enter(Place),
    /// It stays, and is looked into. The most bytes that it may have.
    Hold(usize),
    /// It stays, as far as its own count says; see [`used`].
    Table,
    /// The film's data.
    Media,
    /// It becomes free space.
    Free,
    /// It becomes free space, unless it holds pictures.
    Meta,
    /// Nobody can tell what the film would be without it.
    Refuse(&'static str),
}

/// The longest sample description that is read. Those of films have under 1 kB.
const MAX_DESCRIPTION: usize = 1 << 20;
/// The longest table of a fragment that is read.
const MAX_RUN: usize = 4 << 20;
/// The longest table of a track that goes.
pub(super) const MAX_TABLE: usize = 16 << 20;

/// What becomes of a box in this place.
pub(super) fn rule(place: Place, kind: &Kind) -> Rule {
    use Rule::{Enter, Free, Hold, Media, Meta, Refuse, Table};
    match place {
        Place::Top => match kind {
            b"ftyp" | b"styp" => Hold(1024),
            b"moov" => Enter(Place::Moov),
            b"moof" => Enter(Place::Moof),
            b"mfra" => Enter(Place::Mfra),
            b"mdat" => Media,
            b"sidx" => Table,
            b"meta" => Meta,
            b"imda" => Refuse("film data in `imda` boxes are not supported"),
            _ => Free,
        },
        Place::Moov => match kind {
            b"mvhd" => Hold(120),
            b"trak" => Enter(Place::Trak),
            b"mvex" => Enter(Place::Mvex),
            b"cmov" => Refuse("the index is compressed, which is not supported"),
            b"rmra" => Refuse("the film only refers to other films"),
            _ => Free,
        },
        Place::Trak => match kind {
            b"tkhd" => Hold(120),
            b"edts" => Enter(Place::Edts),
            b"tref" => Enter(Place::Tref),
            b"tapt" => Enter(Place::Tapt),
            b"mdia" => Enter(Place::Mdia),
            _ => Free,
        },
        Place::Edts => match kind {
            b"elst" => Table,
            _ => Free,
        },
        // Layers, depth and alpha of pictures, fallbacks of sound, forced subtitles (mp4ra.org, "Track references").
        Place::Tref => match kind {
            b"auxl" | b"vdep" | b"vplx" | b"subt" | b"font" | b"scal" | b"sbas" | b"tbas"
            | b"fall" | b"folw" | b"forc" | b"adda" => Hold(1024),
            _ => Free,
        },
        Place::Tapt => match kind {
            b"clef" | b"prof" | b"enof" => Hold(12),
            _ => Free,
        },
        Place::Mdia => match kind {
            b"mdhd" => Hold(64),
            b"hdlr" => Hold(4096),
            b"elng" => Hold(64),
            b"minf" => Enter(Place::Minf),
            _ => Free,
        },
        Place::Minf => match kind {
            b"vmhd" | b"smhd" | b"nmhd" | b"sthd" => Hold(12),
            b"hdlr" => Hold(4096),
            b"gmhd" => Enter(Place::Gmhd),
            b"dinf" => Enter(Place::Dinf),
            b"stbl" => Enter(Place::Stbl),
            _ => Free,
        },
        Place::Gmhd => match kind {
            b"gmin" => Hold(16),
            b"text" => Hold(36),
            _ => Free,
        },
        Place::Dinf => match kind {
            b"dref" => Hold(1 << 16),
            _ => Free,
        },
        Place::Stbl => match kind {
            b"stsd" => Hold(MAX_DESCRIPTION),
            b"stts" | b"ctts" | b"cslg" | b"stss" | b"stps" | b"stsc" | b"stsz" | b"stz2"
            | b"stco" | b"co64" | b"sdtp" | b"sbgp" | b"sgpd" | b"subs" | b"stsh" | b"stdp"
            | b"padb" => Table,
            _ => Free,
        },
        Place::Mvex => match kind {
            b"mehd" => Hold(12),
            b"trex" => Hold(24),
            _ => Free,
        },
        Place::Moof => match kind {
            b"mfhd" => Hold(8),
            b"traf" => Enter(Place::Traf),
            _ => Free,
        },
        Place::Traf => match kind {
            b"tfhd" => Hold(64),
            b"tfdt" => Hold(12),
            b"trun" => Hold(MAX_RUN),
            b"sdtp" | b"sbgp" | b"sgpd" | b"subs" => Table,
            _ => Free,
        },
        Place::Mfra => match kind {
            b"tfra" | b"mfro" => Table,
            _ => Free,
        },
    }
}

/// Bytes at the start of a table that tell how long it is.
pub(super) const TABLE_HEAD: usize = 40;

/// How many bytes of a table's body its own count gives it; `None` where it has none that can be read. `head` is what the
/// body begins with, and `length` all that it has.
pub(super) fn used(kind: &Kind, head: &[u8], length: u64) -> Option<u64> {
    use crate::bytes::be;
    let version = *head.first()?;
    let (fixed, count, entry): (u64, u64, u64) = match kind {
        b"stts" | b"ctts" | b"stsh" => (8, be::<4>(head, 4)?, 8),
        b"stss" | b"stps" | b"stco" => (8, be::<4>(head, 4)?, 4),
        b"co64" => (8, be::<4>(head, 4)?, 8),
        b"stsc" => (8, be::<4>(head, 4)?, 12),
        b"elst" => (8, be::<4>(head, 4)?, if version == 1 { 20 } else { 12 }),
        b"stsz" => match be::<4>(head, 4)? {
            0 => (12, be::<4>(head, 8)?, 4),
            _ => (12, 0, 0),
        },
        b"stz2" => {
            let (bits, count) = (be::<1>(head, 7)?, be::<4>(head, 8)?);
            if !matches!(bits, 4 | 8 | 16) {
                return None;
            }
            return Some(12 + (count * bits).div_ceil(8));
        }
        b"sbgp" => {
            let fixed = if version == 1 { 12 } else { 8 };
            (fixed + 4, be::<4>(head, usize::try_from(fixed).ok()?)?, 8)
        }
        b"cslg" => (if version == 1 { 44 } else { 24 }, 0, 0),
        b"sidx" => {
            let fixed = if version == 0 { 24 } else { 32 };
            (fixed, be::<2>(head, usize::try_from(fixed).ok()? - 2)?, 12)
        }
        b"mfro" => (8, 0, 0),
        // A byte for each sample, or groups that are described by what they are.
        _ => (length, 0, 0),
    };
    count.checked_mul(entry)?.checked_add(fixed)
}
