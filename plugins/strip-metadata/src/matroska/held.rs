//! Elements that are read whole: what goes becomes `Void` or zeros in its place.

use std::collections::BTreeSet;

use super::ebml::{self, Header, Read};
use super::rule::{self, Place, Rule, rule};
use crate::Subtitles;
use crate::bytes::{clear, set};

/// The longest text that stays.
const MAX_TEXT: usize = 64;
/// What a text becomes that must be there.
const NEUTRAL: &[u8] = b"-";
/// The kinds of additions to frames that show: opaque ones such as alpha, ITU-T T.35 for HDR10+, and the layers of Dolby
/// Vision and of stereo pictures (Matroska's registry of block additional mappings).
const ADDITIONS: [u64; 6] = [1, 4, 0x6476_6343, 0x6476_7643, 0x6876_6345, 0x6D76_6343];

/// Why a held element cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    Damaged,
    Encrypted,
    Subtitles,
}

/// The tracks that stay, and what is known of them.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) stay: BTreeSet<u64>,
    /// The frames of some track have additions of an unknown kind.
    pub(super) has_unknown_additions: bool,
}

/// Cleans what is in an element.
pub(super) fn clean(
    place: Place,
    mut bytes: &mut [u8],
    subtitles: Subtitles,
    tracks: &mut Tracks,
) -> Result<(), Problem> {
    while !bytes.is_empty() {
        let Read::Whole(Header {
            id,
            length,
            size: Some(size),
        }) = ebml::header(bytes)
        else {
            return Err(Problem::Damaged);
        };
        let size = usize::try_from(size).map_err(|_| Problem::Damaged)?;
        let end = length.checked_add(size).ok_or(Problem::Damaged)?;
        let (element, rest) = bytes.split_at_mut_checked(end).ok_or(Problem::Damaged)?;
        let content = element.get_mut(length..).unwrap_or_default();
        let stays = match rule(place, id) {
            Rule::Enter(inner) => {
                clean(inner, content, subtitles, tracks)?;
                inner != Place::Mapping || is_known_addition(content, tracks)
            }
            Rule::Number => size <= 8,
            Rule::Text => size <= MAX_TEXT,
            Rule::Bytes => true,
            Rule::Neutral => {
                content.fill(0);
                set(content, 0, NEUTRAL);
                true
            }
            Rule::Seek => find(content, 0x53AB).is_some_and(|id| rule::stays(be(id) as u32)),
            Rule::Track => track(content, subtitles, tracks)?,
            Rule::Uid => {
                // Not zero, and no other track's (RFC 9559, 5.1.4.1.2).
                let number = tracks.stay.len() as u64;
                let bytes = number.to_be_bytes();
                let from = bytes.len().saturating_sub(size);
                clear(content, 0, size);
                set(
                    content,
                    size.saturating_sub(8),
                    bytes.get(from..).unwrap_or_default(),
                );
                true
            }
            Rule::Encrypted => return Err(Problem::Encrypted),
            Rule::Hold(..) | Rule::Block | Rule::Group | Rule::Void => false,
        };
        if !stays {
            let (head, _) = ebml::void(length, size as u64);
            element.fill(0);
            set(element, 0, &head);
        }
        bytes = rest;
    }
    Ok(())
}

/// Cleans a track, and tells whether it stays.
fn track(content: &mut [u8], subtitles: Subtitles, tracks: &mut Tracks) -> Result<bool, Problem> {
    // Longer ones are no numbers, and go.
    let number = |id| find(content, id).filter(|number| number.len() <= 8).map(be);
    let (Some(number), Some(kind)) = (number(0xD7), number(0x83)) else {
        return Err(Problem::Damaged);
    };
    let stays = match kind {
        // Pictures, sound, both.
        1..=3 => true,
        0x11 => match subtitles {
            Subtitles::Keep => true,
            Subtitles::Drop => false,
            Subtitles::Refuse => return Err(Problem::Subtitles),
        },
        _ => false,
    };
    if !stays {
        return Ok(false);
    }
    if !tracks.stay.insert(number) {
        return Err(Problem::Damaged);
    }
    clean(Place::TrackEntry, content, subtitles, tracks)?;
    let codec = find(content, 0x86).unwrap_or_default().to_vec();
    if let Some(range) = find_range(content, 0x63A2)
        && let Some(private) = content.get_mut(range)
    {
        let is_sound = match &codec[..] {
            b"A_VORBIS" => xiph(private, 1),
            b"V_THEORA" => xiph(private, 0),
            b"A_FLAC" => flac(private),
            _ => Some(()),
        };
        is_sound.ok_or(Problem::Damaged)?;
    }
    Ok(true)
}

/// Whether additions of this mapping show.
fn is_known_addition(content: &[u8], tracks: &mut Tracks) -> bool {
    let is_known = find(content, 0x41E7).is_none_or(|kind| ADDITIONS.contains(&be(kind)));
    tracks.has_unknown_additions |= !is_known;
    is_known
}

/// The content of the first element of this id.
pub(super) fn find(bytes: &[u8], id: u32) -> Option<&[u8]> {
    bytes.get(find_range(bytes, id)?)
}

fn find_range(bytes: &[u8], id: u32) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    while let Read::Whole(header) = ebml::header(bytes.get(at..)?) {
        let from = at.checked_add(header.length)?;
        let to = from.checked_add(usize::try_from(header.size?).ok()?)?;
        if header.id == id {
            return Some(from..to);
        }
        at = to;
    }
    None
}

fn be(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Empties the comments among the three packets that Vorbis and Theora begin with, which Xiph's lacing joins. The vendor's
/// name becomes zeros that fill all the room. `framing` bytes follow the comments.
fn xiph(private: &mut [u8], framing: usize) -> Option<()> {
    let mut at = 1;
    let mut sizes = [0_usize; 2];
    for size in &mut sizes {
        loop {
            let byte = *private.get(at)?;
            at += 1;
            *size += usize::from(byte);
            if byte < 255 {
                break;
            }
        }
    }
    let [first, second] = sizes;
    let from = at.checked_add(first)?;
    let comments = private.get_mut(from..from.checked_add(second)?)?;
    // A byte for the kind and six letters; the length of the vendor's name; the number of comments.
    let vendor = comments.len().checked_sub(7 + 4 + 4 + framing)?;
    clear(comments, 7, usize::MAX);
    set(comments, 7, &u32::try_from(vendor).ok()?.to_le_bytes());
    if framing > 0 {
        let last = comments.last_mut()?;
        *last = 1;
    }
    Some(())
}

/// Turns the blocks of a FLAC header into padding that tell nothing about the samples (RFC 9639, 8).
fn flac(private: &mut [u8]) -> Option<()> {
    let mut rest = match private.first_chunk() {
        Some(b"fLaC") => private.get_mut(4..)?,
        _ => private,
    };
    while !rest.is_empty() {
        let [kind, a, b, c] = *rest.first_chunk()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let (block, next) = rest.split_at_mut_checked(length.checked_add(4)?)?;
        // What stays is about the stream, and points for seeking.
        if !matches!(kind & 0x7F, 0 | 3) {
            set(block, 0, &[kind & 0x80 | 1]);
            clear(block, 4, usize::MAX);
        }
        rest = next;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn comments_of_codecs_go() {
        let comment = [
            &b"\x03vorbis\x06\0\0\0vendor\x01\0\0\0\x06\0\0\0a=song"[..],
            b"\x01",
        ]
        .concat();
        let mut private = [&[2, 3, comment.len() as u8][..], b"one", &comment, b"three"].concat();
        xiph(&mut private, 1).unwrap();
        let room = comment.len() - 16;
        let empty = [
            &b"\x03vorbis"[..],
            &[room as u8, 0, 0, 0],
            &vec![0; room],
            &[0; 4],
            &[1],
        ]
        .concat();
        assert_eq!(
            private,
            [&[2, 3, comment.len() as u8][..], b"one", &empty, b"three"].concat()
        );
        assert_eq!(xiph(&mut [2, 255, 255], 1), None);

        let mut private = b"fLaC\0\0\0\x02ab\x04\0\0\x04song\x86\0\0\x01p".to_vec();
        flac(&mut private).unwrap();
        assert_eq!(
            private,
            b"fLaC\0\0\0\x02ab\x01\0\0\x04\0\0\0\0\x81\0\0\x01\0"
        );
        assert_eq!(flac(&mut b"fLaC\x04\0\0\x09song".to_vec()), None);
    }
}
