//! Sample descriptions, `stsd`: what a decoder needs stays, and everything else becomes zeros or free space, in its place.

use super::rule::Kind;
use crate::bytes::{be, clear, letters, set};

/// How deep boxes of a description may lie: `wave` has boxes, and so has `sv3d` with `proj`.
const MAX_DEPTH: usize = 4;

/// Where the boxes of an entry of pictures begin (ISO/IEC 14496-12, 12.1.3).
const VISUAL: usize = 86;
/// Where the boxes of an entry of sound begin (12.2.3); QuickTime's versions 1 and 2 have more numbers before them.
const AUDIO: [usize; 3] = [36, 52, 72];

/// What a track shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    Pictures,
    Sound,
    Text,
}

const DAMAGED: &str = "the description of a track is damaged";

/// Takes from the body of an `stsd` what is not needed.
pub(super) fn clean(body: &mut [u8], shows: Shows) -> Result<(), &'static str> {
    let count = be::<4>(body, 4).ok_or(DAMAGED)?;
    let mut rest = body.get_mut(8..).ok_or(DAMAGED)?;
    for _ in 0..count {
        let size = be::<4>(rest, 0).and_then(|size| usize::try_from(size).ok());
        let size = size.filter(|size| *size >= 16).ok_or(DAMAGED)?;
        let (entry, next) = rest.split_at_mut_checked(size).ok_or(DAMAGED)?;
        self::entry(entry, shows)?;
        rest = next;
    }
    rest.fill(0);
    Ok(())
}

fn entry(entry: &mut [u8], shows: Shows) -> Result<(), &'static str> {
    let kind = letters(entry, 4).unwrap_or_default();
    if matches!(
        &kind,
        b"encv" | b"enca" | b"enct" | b"encs" | b"drms" | b"drmi" | b"drmt" | b"p608"
    ) {
        return Err("the film is encrypted, which is not supported");
    }
    clear(entry, 8, 14);
    match shows {
        Shows::Pictures => {
            // Revision and vendor; the compressor's name.
            clear(entry, 18, 24);
            clear(entry, 50, 82);
            boxes(entry, VISUAL, MAX_DEPTH).ok_or(DAMAGED)?;
        }
        Shows::Sound => {
            let version = be::<2>(entry, 16).and_then(|version| usize::try_from(version).ok());
            let start = version.and_then(|version| AUDIO.get(version)).copied();
            let start = start.ok_or("the description of a sound track has an unknown version")?;
            clear(entry, 18, 24);
            boxes(entry, start, MAX_DEPTH).ok_or(DAMAGED)?;
        }
        // The caller asked for subtitles to stay as they are.
        Shows::Text => {}
    }
    Ok(())
}

/// What is in a box of a description.
enum Rule {
    /// Boxes.
    Boxes,
    Keep,
    /// A colour: by number it stays, by profile it goes.
    Colour,
    /// Four letters of a vendor, a version, and then what a decoder needs.
    Vendor,
    /// What a decoder of HEVC needs, and at times what the encoder was told.
    Hevc,
    Free,
}

fn rule(kind: &Kind) -> Rule {
    match kind {
        b"wave" | b"sv3d" | b"proj" | b"vexu" | b"eyes" | b"cams" | b"cmfy" => Rule::Boxes,
        b"colr" => Rule::Colour,
        // These two begin with the vendor of the coder and its version (3GPP TS 26.244, 6.7 and 6.8).
        b"damr" | b"d263" => Rule::Vendor,
        // How samples are coded.
        b"hvcC" | b"lhvC" => Rule::Hevc,
        b"avcC" | b"vvcC" | b"evcC" | b"av1C" | b"vpcC" | b"esds" | b"dOps" | b"dfLa" | b"dac3"
        | b"dec3" | b"dac4" | b"ddts" | b"udts" | b"dmlp" | b"mhaC" | b"alac" | b"bitr"
        | b"glbl" | b"pcmC" | b"frma" | b"enda" | b"mp4a" | b"samr" | b"mjqt" | b"mjht"
        | b"SmDm" | b"dvcC" | b"dvvC" | b"dvwC" | b"apvC" | b"iacb" | b"jp2h" => Rule::Keep,
        // How pictures and sound are meant.
        b"pasp" | b"clap" | b"fiel" | b"gama" | b"CoLL" | b"mdcv" | b"clli" | b"cclv" | b"amve"
        | b"btrt" | b"chan" | b"chnl" | b"srat" | b"SA3D" | b"st3d" | b"prhd" | b"equi"
        | b"cbmp" | b"mshp" | b"stri" | b"hero" | b"blin" | b"dadj" | b"hfov" => Rule::Keep,
        // The end of QuickTime's `wave`.
        [0, 0, 0, 0] => Rule::Keep,
        _ => Rule::Free,
    }
}

/// Frees the boxes from `at` on that do not stay. A few bytes that are no box become zeros, and what follows a size of zero,
/// which ends a list in QuickTime. `None` if a box does not fit.
fn boxes(bytes: &mut [u8], at: usize, depth: usize) -> Option<()> {
    let mut rest = bytes.get_mut(at..)?;
    while let (Some(size @ 1..), Some(kind)) = (be::<4>(rest, 0), letters(rest, 4)) {
        let (size, header) = match size {
            1 => (be::<8>(rest, 8)?, 16),
            size => (size, 8),
        };
        let size = usize::try_from(size).ok()?;
        let (one, next) = rest.split_at_mut_checked(size).filter(|_| size >= header)?;
        match rule(&kind) {
            Rule::Keep if kind == [0; 4] => clear(one, header, size),
            Rule::Keep => {}
            Rule::Boxes if depth > 1 => boxes(one, header, depth - 1)?,
            Rule::Colour if matches!(letters(one, header), Some(kind) if &kind == b"nclx" || &kind == b"nclc") =>
                {}
            Rule::Vendor => clear(one, header, header + 5),
            Rule::Hevc if header == 8 => hevc(one)?,
            Rule::Boxes | Rule::Colour | Rule::Hevc | Rule::Free => {
                set(one, 4, b"free");
                clear(one, header, size);
            }
        }
        rest = next;
    }
    rest.fill(0);
    Some(())
}

/// Takes from an `hvcC` or `lhvC` box the messages in which encoders write their settings (ISO/IEC 14496-15, 8.3.2; Rec.
/// ITU-T H.265, annex D: payloads 4 and 5). The room that is left becomes free space behind it. `None` if it is damaged.
fn hevc(one: &mut [u8]) -> Option<()> {
    let is_layered = letters(one, 4)? == *b"lhvC";
    // The box's header, and what stands before the number of arrays.
    let head = 8 + if is_layered { 5 } else { 22 };
    let count = *one.get(head)?;
    let mut rest = one.get(head + 1..)?;
    let (mut kept, mut arrays) = (Vec::new(), 0_u8);
    let mut goes = false;
    for _ in 0..count {
        let (&[kind, high, low], mut units) = rest.split_first_chunk::<3>()?;
        let mut stay: Vec<&[u8]> = Vec::new();
        for _ in 0..u16::from_be_bytes([high, low]) {
            let length = usize::try_from(be::<2>(units, 0)?).ok()?;
            let (unit, next) = units.split_at_checked(2 + length)?;
            // A prefix or suffix message, by its type of unit; behind two bytes the kind of its first payload.
            let is_settings = matches!(kind & 0x3F, 39 | 40) && matches!(unit.get(4), Some(4 | 5));
            goes |= is_settings;
            if !is_settings {
                stay.push(unit);
            }
            units = next;
        }
        if !stay.is_empty() || u16::from_be_bytes([high, low]) == 0 {
            arrays += 1;
            kept.push(kind);
            kept.extend(u16::try_from(stay.len()).ok()?.to_be_bytes());
            kept.extend(stay.concat());
        }
        rest = units;
    }
    let end = one.len() - rest.len();
    clear(one, end, usize::MAX);
    let size = head + 1 + kept.len();
    let room = one.len().checked_sub(size)?;
    if !goes || room < 8 {
        return Some(());
    }
    set(one, 0, &u32::try_from(size).ok()?.to_be_bytes());
    set(one, head, &[arrays]);
    set(one, head + 1, &kept);
    clear(one, size, usize::MAX);
    set(one, size, &u32::try_from(room).ok()?.to_be_bytes());
    set(one, size + 4, b"free");
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn boxed(kind: &Kind, body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
    }

    #[test]
    fn what_a_decoder_needs_stays() {
        let mut visual = vec![0; VISUAL - 8];
        set(&mut visual, 12, b"appl");
        set(&mut visual, 42, b"\x07Encoder");
        let kept = boxed(b"avcC", b"config");
        let sound = [
            &[0; AUDIO[0] - 8][..],
            &boxed(
                b"wave",
                &[boxed(b"frma", b"mp4a"), boxed(b"name", b"secret")].concat(),
            ),
        ]
        .concat();
        for (shows, entry, expected) in [
            (
                Shows::Pictures,
                boxed(
                    b"avc1",
                    &[&visual[..], &kept, &boxed(b"xmp!", b"secret"), b"tail"].concat(),
                ),
                boxed(
                    b"avc1",
                    &[
                        &[0; VISUAL - 8][..],
                        &kept,
                        &boxed(b"free", &[0; 6]),
                        &[0; 4],
                    ]
                    .concat(),
                ),
            ),
            (
                Shows::Sound,
                boxed(b"mp4a", &sound),
                boxed(
                    b"mp4a",
                    &[
                        &[0; AUDIO[0] - 8][..],
                        &boxed(
                            b"wave",
                            &[boxed(b"frma", b"mp4a"), boxed(b"free", &[0; 6])].concat(),
                        ),
                    ]
                    .concat(),
                ),
            ),
        ] {
            let mut body = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat();
            clean(&mut body, shows).unwrap();
            assert_eq!(body.get(8..).unwrap(), expected, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn settings_of_an_encoder_go() {
        let head = [&[1][..], &[0; 21]].concat();
        let array = |kind: u8, units: &[&[u8]]| {
            let mut array = vec![kind, 0, units.len() as u8];
            for unit in units {
                array.extend([0, unit.len() as u8]);
                array.extend(*unit);
            }
            array
        };
        let (sets, alpha) = (
            array(0xA0, &[b"sets"]),
            array(0x27, &[b"\x4E\x01\xA5\x01a"]),
        );
        let both = array(0x27, &[b"\x4E\x01\xA5\x01a", b"\x4E\x01\x05\x09x265 0000"]);
        let mut before = boxed(b"hvcC", &[&head[..], &[2], &sets, &both].concat());
        let clean = boxed(b"hvcC", &[&head[..], &[2], &sets, &alpha].concat());
        let room = before.len() - clean.len();
        hevc(&mut before).unwrap();
        assert_eq!(before, [clean, boxed(b"free", &vec![0; room - 8])].concat());
        assert_eq!(
            hevc(&mut boxed(b"hvcC", &[&head[..], &[2], &sets].concat())),
            None
        );
    }

    #[test]
    fn what_is_encrypted_or_damaged_is_refused() {
        for entry in [
            boxed(b"encv", &[0; 100]),
            b"\0\0\0\x08avc1".to_vec(),
            b"\x7F\0\0\0avc1\0\0\0\0\0\0\0\0".to_vec(),
        ] {
            let mut body = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat();
            assert!(clean(&mut body, Shows::Pictures).is_err());
        }
    }
}
