//! MP3: MPEG audio layer III (ISO/IEC 11172-3 and 13818-3, and MPEG 2.5), and the tags around it.
//!
//! What stays: the frames, byte for byte. The first of them may hold no sound but a header (Xing, Info, VBRI) that tells how
//! long the file is, where to seek and how many samples at its ends are silence; it stays too, with the encoder's name, as
//! players read from that how to skip the silence.
//!
//! All else goes: ID3v2 wherever it stands, ID3v1, APEv2, Lyrics3, and whatever else is no frame.
//!
//! A frame is taken for one if another one of the same kind, a tag that is known, or the end of the file follows it. Where
//! something else follows, as behind a frame that is cut off, it stays only if no tag begins within it.
//!
//! Layers I and II and free bit rates are refused, and so is what has no two frames of one kind.

use memchr::{memchr_iter, memmem};

use crate::Error;
use crate::bytes::le;
use crate::piece::Piece;
use crate::stripper::Parser;

/// The longest frame: 320 kbit/s at 32 kHz, or 160 kbit/s at 8 kHz, and a byte of padding.
const MAX_FRAME: usize = 1441;
/// The header of a frame.
const HEADER: usize = 4;
/// The headers of ID3v2 and of APEv2; of ID3v1 the whole tag, and what stands before it where it is long.
const ID3V2: usize = 10;
const APE: usize = 32;
const ID3V1: usize = 128;
const LONG_ID3V1: usize = 227;
/// Bytes behind a frame that tell whether it is one: those of another frame, and the header of a tag.
const AHEAD: usize = MAX_FRAME + APE;
/// What tags begin with.
const TAGS: [&[u8]; 5] = [b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"3DI"];
/// What ends Lyrics3, in its versions 1 and 2.
const LYRICS_END: [&[u8]; 2] = [b"LYRICSEND", b"LYRICS200"];

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Mp3 {
    /// What has been read and not been decided.
    held: Vec<u8>,
    /// Where the first of these bytes stands in the file.
    at: u64,
    /// Bytes of a tag that go, before those.
    skip: u64,
    /// Within Lyrics3, up to its end.
    in_lyrics: bool,
    /// What all frames of the file have in common.
    common: Option<u32>,
    /// The bytes before those were a frame.
    in_step: bool,
    frames: u64,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Frame(Frame),
    /// A tag of so many bytes.
    Tag(u64),
    Lyrics,
    /// Anything else.
    Junk,
    /// More bytes are needed.
    Open,
}

/// A frame: its length in bytes, and what all frames of a stream have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    length: usize,
    common: u32,
}

impl Mp3 {
    pub(crate) fn new() -> Self {
        Self {
            held: Vec::new(),
            at: 0,
            skip: 0,
            in_lyrics: false,
            common: None,
            in_step: false,
            frames: 0,
        }
    }

    /// Decides on what is held, as far as that can be told; at the end of the file on all of it.
    fn decide(&mut self, is_last: bool, output: &mut Vec<u8>) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        // Frames that follow each other are written at once.
        let mut from = 0;
        while at < held.len() {
            let rest = held.get(at..).unwrap_or_default();
            if self.skip > 0 {
                let count = usize::try_from(self.skip)
                    .unwrap_or(usize::MAX)
                    .min(rest.len());
                self.skip -= count as u64;
                at += count;
                from = at;
                continue;
            }
            if self.in_lyrics {
                let end = LYRICS_END
                    .iter()
                    .filter_map(|end| memmem::find(rest, end))
                    .min();
                match end {
                    Some(end) => {
                        self.in_lyrics = false;
                        at += end + LYRICS_END.first().map_or(0, |end| end.len());
                    }
                    None if is_last => at = held.len(),
                    // The end may be cut in two.
                    None => at += rest.len().saturating_sub(LONG_ID3V1),
                }
                from = at;
                if self.in_lyrics {
                    break;
                }
                continue;
            }
            match self.at(rest, is_last)? {
                Found::Open => break,
                Found::Frame(frame) => {
                    self.common = Some(frame.common);
                    self.frames += 1;
                    self.in_step = true;
                    at += frame.length;
                    continue;
                }
                found => {
                    output.extend_from_slice(held.get(from..at).unwrap_or_default());
                    match found {
                        Found::Tag(length) => self.skip = length,
                        Found::Lyrics => {
                            self.in_lyrics = true;
                            at += 1;
                        }
                        _ => {
                            // To the next byte with which anything can begin.
                            self.in_step = false;
                            let next = rest.iter().skip(1).position(|byte| {
                                matches!(byte, 0xFF | b'I' | b'T' | b'A' | b'L' | b'3')
                            });
                            at += next.map_or(rest.len(), |next| next + 1);
                        }
                    }
                    from = at;
                }
            }
        }
        output.extend_from_slice(held.get(from..at).unwrap_or_default());
        self.at += at as u64;
        self.held = held;
        self.held.drain(..at);
        Ok(())
    }

    /// What stands at the start of `rest`.
    fn at(&self, rest: &[u8], is_last: bool) -> Result<Found, Error> {
        if !is_last && rest.len() < MAX_FRAME + AHEAD {
            return Ok(Found::Open);
        }
        if let Some(tag) = tag(rest, is_last) {
            return Ok(tag);
        }
        let Some(frame) = self.frame(rest)? else {
            return Ok(Found::Junk);
        };
        let Some((body, after)) = rest.split_at_checked(frame.length) else {
            // It is cut off: the file ends within it.
            return Ok(Found::Junk);
        };
        // At the end of the file, a tag that fits there is one, also where it would be the end of a frame.
        let is_sure = if after.is_empty() {
            !ends_in_tag(body)
        } else {
            read(after).is_some_and(|next| next.common == frame.common) && self.fits(&frame)
        };
        let is_likely = || {
            let is_before_tag = tag(after, is_last).is_some();
            let is_in_step = self.common.is_some() && self.in_step;
            (is_before_tag || is_in_step) && !has_tag(body) && !self.has_frame(rest, frame)
        };
        Ok(if is_sure || is_likely() {
            Found::Frame(frame)
        } else {
            Found::Junk
        })
    }

    /// Whether another frame begins within this one, and one more follows that.
    fn has_frame(&self, rest: &[u8], frame: Frame) -> bool {
        memchr_iter(0xFF, rest.get(..frame.length).unwrap_or_default()).any(|at| {
            let inner = rest.get(at..).unwrap_or_default();
            let read_one = |bytes: &[u8]| read(bytes).filter(|one| one.common == frame.common);
            let next = read_one(inner).and_then(|one| inner.get(one.length..));
            at > 0 && next.and_then(read_one).is_some()
        })
    }

    fn fits(&self, frame: &Frame) -> bool {
        self.common.is_none_or(|common| common == frame.common)
    }

    /// The frame that `rest` begins with, if it is of the file's kind.
    fn frame(&self, rest: &[u8]) -> Result<Option<Frame>, Error> {
        let Some(frame) = read(rest) else {
            if self.frames == 0 && self.at == 0 {
                // The file's first bytes.
                match rest {
                    [0xFF, second, third, ..]
                        if second & 0xE6 == 0xE2 && second & 0x18 != 0x08 && third >> 4 == 0 =>
                    {
                        return Err(Error::refused(
                            self.at,
                            "the sound has a free bit rate, which is not supported",
                        ));
                    }
                    _ => {}
                }
            }
            return Ok(None);
        };
        Ok(Some(frame).filter(|frame| self.fits(frame)))
    }
}

/// Whether a tag begins within a frame.
fn has_tag(body: &[u8]) -> bool {
    TAGS.iter().any(|tag| memmem::find(body, tag).is_some())
}

/// Whether the last bytes of a frame, which are the last of the file, look like a tag.
fn ends_in_tag(body: &[u8]) -> bool {
    let ends = |length: usize, tag: &[u8]| {
        let start = body.len().checked_sub(length);
        start
            .and_then(|start| body.get(start..))
            .is_some_and(|end| end.starts_with(tag))
    };
    ends(ID3V1, b"TAG")
        || ends(APE, b"APETAGEX")
        || LYRICS_END.iter().any(|end| body.ends_with(end))
        || ends(ID3V2, b"3DI")
}

/// The tag that `rest` begins with.
fn tag(rest: &[u8], is_last: bool) -> Option<Found> {
    match rest {
        [
            b'I',
            b'D',
            b'3',
            version @ 2..=4,
            0..=0xFE,
            flags,
            a @ ..=127,
            b @ ..=127,
            c @ ..=127,
            d @ ..=127,
            ..,
        ] => {
            let size = [a, b, c, d]
                .iter()
                .fold(0, |sum, byte| sum << 7 | u64::from(**byte));
            // A footer is as long as the header (ID3v2.4.0 structure, 3.4).
            let footer = if *version == 4 && flags & 0x10 != 0 {
                ID3V2
            } else {
                0
            };
            Some(Found::Tag(size + (ID3V2 + footer) as u64))
        }
        [b'3', b'D', b'I', 4, ..] => Some(Found::Tag(ID3V2 as u64)),
        _ if rest.starts_with(b"APETAGEX") => {
            let (size, flags) = (le::<4>(rest, 12)?, le::<4>(rest, 20)?);
            // The size counts the items and the footer. This is the header if its flag 29 says so.
            let is_header = flags & 1 << 29 != 0;
            Some(Found::Tag(if is_header {
                size + APE as u64
            } else {
                APE as u64
            }))
        }
        _ if rest.starts_with(b"LYRICSBEGIN") => Some(Found::Lyrics),
        // These two stand at the end of a file, and nothing tells them apart elsewhere.
        _ if is_last && rest.starts_with(b"TAG+") && rest.len() >= LONG_ID3V1 => {
            Some(Found::Tag(LONG_ID3V1 as u64))
        }
        _ if rest.starts_with(b"TAG") => Some(Found::Tag(ID3V1 as u64)),
        _ => None,
    }
}

/// The frame whose header `bytes` begin with, as in [`crate`]'s host: `None` for other layers, free and forbidden bit rates,
/// and reserved values.
fn read(bytes: &[u8]) -> Option<Frame> {
    let [sync, version, rates, last] = *bytes.first_chunk::<HEADER>()?;
    if sync != 0xFF || version & 0xE6 != 0xE2 || last & 3 == 2 {
        return None;
    }
    let is_first = version & 0x18 == 0x18;
    let kbits: [usize; 14] = if is_first {
        [
            32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
        ]
    } else {
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    };
    let kbits = kbits.get(usize::from(rates >> 4).checked_sub(1)?)?;
    let hertz = [44_100_usize, 48_000, 32_000].get(usize::from(rates >> 2 & 3))?;
    let (samples, hertz) = match version & 0x18 {
        0x18 => (1152, *hertz),
        0x10 => (576, hertz / 2),
        0x00 => (576, hertz / 4),
        _ => return None,
    };
    Some(Frame {
        length: samples / 8 * kbits * 1000 / hertz + usize::from(rates >> 1 & 1),
        common: u32::from(version & 0x1E) << 8 | u32::from(rates & 0x0C),
    })
}

impl Parser for Mp3 {
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        let bytes = piece.take(usize::MAX);
        // Long tags are not held.
        let count = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        if self.held.is_empty() && count == bytes.len() {
            self.skip -= count as u64;
            self.at += count as u64;
            return Ok(());
        }
        self.held.extend_from_slice(bytes);
        self.decide(false, output)
    }

    fn finish(&mut self, size: u64, output: &mut Vec<u8>) -> Result<(), Error> {
        self.decide(true, output)?;
        if self.frames < 2 {
            return Err(Error::refused(size, "no sound of MPEG layer III was found"));
        }
        Ok(())
    }
}
