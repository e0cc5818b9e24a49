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

/// Takes from the body of an `stsd` what is not needed.
pub(super) fn clean(body: &mut [u8], shows: Shows) -> Result<(), &'static str> {
    const DAMAGED: &str = "the description of a track is damaged";
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
            boxes(entry, VISUAL, MAX_DEPTH);
        }
        Shows::Sound => {
            let version = be::<2>(entry, 16).and_then(|version| usize::try_from(version).ok());
            let start = version.and_then(|version| AUDIO.get(version)).copied();
            let start = start.ok_or("the description of a sound track has an unknown version")?;
            clear(entry, 18, 24);
            boxes(entry, start, MAX_DEPTH);
        }
        // The caller asked for subtitles to stay as they are.
        Shows::Text => {}
    }
    Ok(())
}

/// What is in a box of a description.
enum Rule {
    /// Boxes, behind so many other bytes.
    Boxes(usize),
    Keep,
    /// A colour: by number it stays, by profile it goes.
    Colour,
    Free,
}

fn rule(kind: &Kind) -> Rule {
    match kind {
        b"wave" | b"sv3d" | b"proj" | b"vexu" | b"eyes" | b"cams" | b"cmfy" => Rule::Boxes(0),
        b"colr" => Rule::Colour,
        // How samples are coded.
        b"avcC" | b"hvcC" | b"lhvC" | b"vvcC" | b"evcC" | b"av1C" | b"vpcC" | b"esds" | b"dOps"
        | b"dfLa" | b"dac3" | b"dec3" | b"dac4" | b"ddts" | b"udts" | b"dmlp" | b"mhaC"
        | b"alac" | b"damr" | b"d263" | b"bitr" | b"glbl" | b"pcmC" | b"frma" | b"enda"
        | b"mp4a" | b"samr" | b"mjqt" | b"mjht" | b"SmDm" | b"dvcC" | b"dvvC" | b"dvwC"
        | b"apvC" | b"iacb" | b"jp2h" => Rule::Keep,
        // How pictures and sound are meant.
        b"pasp" | b"clap" | b"fiel" | b"gama" | b"CoLL" | b"mdcv" | b"clli" | b"cclv" | b"amve"
        | b"btrt" | b"chan" | b"chnl" | b"srat" | b"SA3D" | b"st3d" | b"prhd" | b"equi"
        | b"cbmp" | b"mshp" | b"stri" | b"hero" | b"blin" | b"dadj" | b"hfov" => Rule::Keep,
        // The end of QuickTime's `wave`.
        [0, 0, 0, 0] => Rule::Keep,
        _ => Rule::Free,
    }
}

/// Frees the boxes from `at` on that do not stay. Bytes that are no box become zeros.
fn boxes(bytes: &mut [u8], at: usize, depth: usize) {
    let Some(mut rest) = bytes.get_mut(at..) else {
        return;
    };
    while let (Some(size), Some(kind)) = (be::<4>(rest, 0), letters(rest, 4)) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size < 8 || size > rest.len() {
            break;
        }
        let (one, next) = rest.split_at_mut(size);
        match rule(&kind) {
            Rule::Keep if kind == [0; 4] && size > 8 => clear(one, 8, size),
            Rule::Keep => {}
            Rule::Boxes(skip) if depth > 1 => boxes(one, 8 + skip, depth - 1),
            Rule::Colour if matches!(letters(one, 8), Some(kind) if &kind == b"nclx" || &kind == b"nclc") =>
                {}
            Rule::Boxes(_) | Rule::Colour | Rule::Free => {
                set(one, 4, b"free");
                clear(one, 8, size);
            }
        }
        rest = next;
    }
    rest.fill(0);
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
