//! PNG: the W3C's third edition, APNG included.
//!
//! What stays:
//!
//! - the picture: `IHDR`, `PLTE`, `IDAT`, `IEND`, and the frames of an animation, `acTL`, `fcTL` and `fdAT`;
//! - what its pixels mean: `tRNS`, `bKGD`, `gAMA`, `cHRM`, `sRGB`, `iCCP`, `cICP`, `mDCV`, `cLLI`, `sBIT`, `pHYs`;
//! - the orientation in `eXIf`, if asked, as an EXIF block that holds nothing else. One that old writers put into a text
//!   chunk is not looked for.
//!
//! Every other ancillary chunk goes, text, time and manifests among them, and so does everything behind `IEND`. An unknown
//! chunk that calls itself critical is an error: the picture cannot be shown without it, and nobody knows what it says. The
//! name that `iCCP` gives its profile is free text, and becomes `icc`; the profile is written anew with what colours need.
//!
//! Each chunk that stays has a length that its type allows, and a checksum that was verified. An ancillary one that has not
//! goes, as decoders pass over it; in a critical one that is an error, and in a frame of an animation. What follows the end
//! of a compressed stream in `IDAT` or `fdAT` goes. A chunk of data that is longer than what is held comes out as several.

mod stream;

use crc32fast::Hasher;
use exif::Orientation;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use self::stream::Stream;
use crate::icc::{self, MAX_PROFILE};
use crate::piece::Piece;
use crate::stripper::Parser;
use crate::{Error, MAX_HELD};

/// The first bytes of every PNG (5.2).
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// The longest that a chunk may be (5.3).
const MAX_LENGTH: u32 = 0x7FFF_FFFF;
/// The longest name of a profile in `iCCP`; a zero and the compression method follow it (11.3.2.3).
const MAX_PROFILE_NAME: usize = 79;
/// What that name becomes.
const PROFILE_NAME: &[u8] = b"icc";

type Kind = [u8; 4];

/// Where a chunk may stand (5.6).
#[derive(Debug, Clone, Copy)]
enum Place {
    /// First of all.
    Start,
    /// Once, before the first `IDAT`.
    Head,
    /// In one run.
    Data,
    /// Anywhere.
    Frame,
    /// Anywhere, once.
    Once,
    /// Behind the data.
    End,
}

/// The chunks that stay, with the least and the most bytes that they can have.
const KEPT: &[(&Kind, u32, u32, Place)] = &[
    (b"IHDR", 13, 13, Place::Start),
    (b"PLTE", 3, 3 * 256, Place::Head),
    (b"IDAT", 0, MAX_LENGTH, Place::Data),
    (b"IEND", 0, 0, Place::End),
    (b"acTL", 8, 8, Place::Head),
    (b"fcTL", 26, 26, Place::Frame),
    (b"fdAT", 4, MAX_LENGTH, Place::Frame),
    (b"tRNS", 1, 256, Place::Head),
    (b"bKGD", 1, 6, Place::Head),
    (b"gAMA", 4, 4, Place::Head),
    (b"cHRM", 32, 32, Place::Head),
    (b"sRGB", 1, 1, Place::Head),
    (b"iCCP", 4, MAX_PROFILE as u32, Place::Head),
    (b"cICP", 4, 4, Place::Head),
    (b"mDCV", 24, 24, Place::Head),
    (b"cLLI", 8, 8, Place::Head),
    (b"sBIT", 1, 4, Place::Head),
    (b"pHYs", 9, 9, Place::Head),
    (b"eXIf", 0, MAX_LENGTH, Place::Once),
];

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Png {
    keep_orientation: bool,
    state: State,
    /// Where the current chunk stands in the file.
    chunk_at: u64,
    kind: Kind,
    /// What has arrived of the signature, the header, the checksum or the part of a chunk that is looked into.
    held: Vec<u8>,
    /// The checksum of the current chunk.
    checksum: Hasher,
    /// The compressed data of the picture, or of the current frame.
    stream: Option<Stream>,
    /// The sequence number that the next chunk of the animation has, and the one that it gets.
    sequence: (u32, u32),
    /// A bit for each entry of [`KEPT`] that was there.
    seen: u32,
    data: Data,
}

/// How far the run of `IDAT` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    Ahead,
    Here,
    Past,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy)]
enum State {
    Signature,
    /// A byte of a chunk's length or type.
    Header,
    /// A byte of a chunk that is held whole.
    Body {
        length: u32,
    },
    /// A byte of the sequence number of `fdAT`.
    Sequence {
        left: u64,
    },
    /// A byte of compressed data.
    Data {
        left: u64,
    },
    /// A byte of an `eXIf` that is looked into.
    Exif {
        left: u64,
    },
    /// A byte of the checksum of any of these, and what there is of it.
    Checksum {
        sum: u32,
        left: u64,
    },
    /// A byte of a chunk that goes, or of its checksum.
    Skip {
        left: u64,
    },
    /// What follows `IEND`.
    End,
}

impl Png {
    pub(crate) fn new(keep_orientation: bool) -> Self {
        Self {
            keep_orientation,
            state: State::Signature,
            chunk_at: 0,
            kind: [0; 4],
            held: Vec::new(),
            checksum: Hasher::new(),
            stream: None,
            sequence: (0, 0),
            seen: 0,
            data: Data::Ahead,
        }
    }

    fn next(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<State, Error> {
        Ok(match self.state {
            State::Signature => {
                if !piece.fill(&mut self.held, SIGNATURE.len()) {
                    return Ok(self.state);
                }
                if self.held != SIGNATURE {
                    return Err(Error::Unsupported);
                }
                output.append(&mut self.held);
                State::Header
            }
            State::Header => {
                if self.held.is_empty() {
                    self.chunk_at = piece.offset();
                }
                if !piece.fill(&mut self.held, 8) {
                    return Ok(self.state);
                }
                let (length, kind) = self.held.split_at_checked(4).unwrap_or_default();
                let length = big_endian(length);
                self.kind = kind.try_into().unwrap_or_default();
                self.held.clear();
                self.header(length)?
            }
            State::Body { length } => {
                if !piece.fill(&mut self.held, length as usize) {
                    return Ok(self.state);
                }
                self.checksum.update(&self.held);
                State::Checksum { sum: 0, left: 4 }
            }
            State::Sequence { left } => {
                if !piece.fill(&mut self.held, 4) {
                    return Ok(self.state);
                }
                self.checksum.update(&self.held);
                self.in_sequence()?;
                self.held.clear();
                State::Data { left }
            }
            State::Data { mut left } => {
                let bytes = piece.take_of(&mut left);
                self.checksum.update(bytes);
                self.data(bytes, output)?;
                if left > 0 {
                    return Ok(State::Data { left });
                }
                State::Checksum { sum: 0, left: 4 }
            }
            State::Exif { mut left } => {
                let bytes = piece.take_of(&mut left);
                self.checksum.update(bytes);
                self.held
                    .extend(bytes.iter().take(MAX_HELD.saturating_sub(self.held.len())));
                if left > 0 {
                    return Ok(State::Exif { left });
                }
                State::Checksum { sum: 0, left: 4 }
            }
            State::Checksum { mut sum, mut left } => {
                let bytes = piece.take_of(&mut left);
                sum = bytes
                    .iter()
                    .fold(sum, |sum, byte| sum << 8 | u32::from(*byte));
                if left > 0 {
                    return Ok(State::Checksum { sum, left });
                }
                let is_right = sum == std::mem::take(&mut self.checksum).finalize();
                let next = self.end(is_right, output)?;
                self.held.clear();
                next
            }
            State::Skip { mut left } => {
                piece.take_of(&mut left);
                if left == 0 {
                    State::Header
                } else {
                    State::Skip { left }
                }
            }
            State::End => {
                piece.take(usize::MAX);
                State::End
            }
        })
    }

    /// Begins a chunk: decides whether it stays, and writes its header if so.
    fn header(&mut self, length: u32) -> Result<State, Error> {
        if length > MAX_LENGTH || !self.kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(self.invalid("is not a chunk"));
        }
        self.checksum = Hasher::new();
        self.checksum.update(&self.kind);
        if !self.stays(length)? || (self.kind == *b"eXIf" && !self.keep_orientation) {
            return Ok(State::Skip {
                left: u64::from(length) + 4,
            });
        }
        self.data = match (&self.kind, self.data) {
            (b"IDAT", _) => Data::Here,
            (_, Data::Here) => Data::Past,
            (_, data) => data,
        };
        Ok(match &self.kind {
            _ if length == 0 => State::Checksum { sum: 0, left: 4 },
            b"eXIf" => State::Exif {
                left: length.into(),
            },
            b"IDAT" => State::Data {
                left: length.into(),
            },
            b"fdAT" => State::Sequence {
                left: u64::from(length) - 4,
            },
            _ => State::Body { length },
        })
    }

    /// Whether the current chunk is one that stays and stands where it may. An ancillary chunk in a wrong place or with a
    /// length that its type does not allow goes, as a decoder ignores it too; a critical one is an error.
    fn stays(&mut self, length: u32) -> Result<bool, Error> {
        let begun = self.seen != 0;
        let fits = |place: Place, bit: u32| match place {
            Place::Start => !begun,
            Place::Head => begun && self.data == Data::Ahead && self.seen & bit == 0,
            Place::Data => begun && self.data != Data::Past,
            Place::Frame => begun,
            Place::Once => begun && self.seen & bit == 0,
            Place::End => self.data != Data::Ahead,
        };
        let kept = KEPT
            .iter()
            .zip(0..)
            .find(|((kind, ..), _)| **kind == self.kind);
        match kept.map(|(kept, index)| (kept, 1 << index)) {
            // Without `acTL` there is no animation.
            _ if matches!(&self.kind, b"fcTL" | b"fdAT") && !self.has(b"acTL") => Ok(false),
            Some((&(_, least, most, place), bit)) if fits(place, bit) => {
                if (least..=most).contains(&length) {
                    Ok(true)
                } else if self.kind == *b"iCCP" && length > most {
                    Err(self.invalid("has a profile that is too long"))
                } else if self.is_needed() {
                    Err(self.invalid("has a length that its type does not allow"))
                } else {
                    Ok(false)
                }
            }
            _ if begun && self.kind.first().is_some_and(u8::is_ascii_lowercase) => Ok(false),
            _ => Err(self.invalid("may not stand here")),
        }
    }

    /// The bit of a kind in `seen`.
    fn bit(kind: &Kind) -> u32 {
        let index = KEPT.iter().position(|(kept, ..)| *kept == kind);
        index.map_or(0, |index| 1 << index)
    }

    fn has(&self, kind: &Kind) -> bool {
        self.seen & Self::bit(kind) != 0
    }

    /// Whether the picture or its animation cannot be shown without the current chunk.
    fn is_needed(&self) -> bool {
        self.kind.first().is_some_and(u8::is_ascii_uppercase)
            || matches!(&self.kind, b"fcTL" | b"fdAT")
    }

    /// Checks the sequence number that is held.
    fn in_sequence(&mut self) -> Result<(), Error> {
        if self.held.get(..4).map(big_endian) != Some(self.sequence.0) {
            return Err(self.invalid("is out of sequence"));
        }
        self.sequence.0 += 1;
        Ok(())
    }

    /// Gives the next sequence number that is written.
    fn next_number(&mut self) -> [u8; 4] {
        let number = self.sequence.1;
        self.sequence.1 += 1;
        number.to_be_bytes()
    }

    /// Takes compressed data, and writes a chunk whenever enough are held.
    fn data(&mut self, mut bytes: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let stream = self.stream.get_or_insert_with(Stream::new);
        let Ok(used) = stream.push(bytes) else {
            return Err(self.invalid("has data that cannot be decompressed"));
        };
        bytes = bytes.get(..used).unwrap_or_default();
        while !bytes.is_empty() {
            if self.held.len() == MAX_HELD {
                self.write_data(output);
            }
            let room = MAX_HELD.saturating_sub(self.held.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn write_data(&mut self, output: &mut Vec<u8>) {
        if self.held.is_empty() {
            return;
        }
        if self.kind == *b"fdAT" {
            let number = self.next_number();
            write(&self.kind, &[&number, &self.held], output);
        } else {
            write(&self.kind, &[&self.held], output);
        }
        self.held.clear();
    }

    /// Ends a chunk whose checksum has arrived, and writes what stays of it.
    fn end(&mut self, is_right: bool, output: &mut Vec<u8>) -> Result<State, Error> {
        if !is_right {
            return if self.is_needed() {
                Err(self.invalid("has a wrong checksum"))
            } else {
                Ok(State::Header)
            };
        }
        self.seen |= Self::bit(&self.kind);
        match &self.kind {
            b"eXIf" => {
                if let Some(orientation) = Orientation::find(&self.held) {
                    write(b"eXIf", &[&orientation.tiff()], output);
                }
            }
            b"iCCP" => {
                if let Some(profile) = self.profile()? {
                    write(b"iCCP", &[PROFILE_NAME, &[0, 0], &profile], output);
                }
            }
            b"IDAT" | b"fdAT" => self.write_data(output),
            b"fcTL" => {
                self.stream = None;
                self.in_sequence()?;
                let number = self.next_number();
                let rest = self.held.get(4..).unwrap_or_default();
                write(b"fcTL", &[&number, rest], output);
            }
            kind => write(kind, &[&self.held], output),
        }
        Ok(if self.kind == *b"IEND" {
            State::End
        } else {
            State::Header
        })
    }

    /// The profile that `iCCP` holds (name, zero, compression method, zlib stream), written anew and compressed. `None` if
    /// there is none that can be read.
    fn profile(&self) -> Result<Option<Vec<u8>>, Error> {
        let name_end = self.held.iter().position(|byte| *byte == 0);
        let data = name_end
            .filter(|end| (1..=MAX_PROFILE_NAME).contains(end))
            .and_then(|end| self.held.get(end..));
        let Some([0, 0, data @ ..]) = data else {
            return Ok(None);
        };
        match decompress_to_vec_zlib_with_limit(data, MAX_PROFILE) {
            Ok(profile) => Ok(icc::clean(&profile).map(|clean| compress_to_vec_zlib(&clean, 6))),
            Err(error) if error.status == TINFLStatus::HasMoreOutput => {
                Err(self.invalid("has a profile that is too long"))
            }
            Err(_) => Ok(None),
        }
    }

    /// An error about the current chunk.
    fn invalid(&self, what: &str) -> Error {
        Error::invalid(
            self.chunk_at,
            format!("chunk {} {what}", self.kind.escape_ascii()),
        )
    }
}

impl Parser for Png {
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        self.state = self.next(piece, output)?;
        Ok(())
    }

    fn finish(&mut self, size: u64, _output: &mut Vec<u8>) -> Result<(), Error> {
        match self.state {
            State::End => Ok(()),
            _ => Err(Error::early(size, "picture")),
        }
    }
}

/// Reads a number of four bytes.
fn big_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Writes a chunk.
fn write(kind: &Kind, parts: &[&[u8]], output: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut checksum = Hasher::new();
    checksum.update(kind);
    output.extend((length as u32).to_be_bytes());
    output.extend_from_slice(kind);
    for part in parts {
        checksum.update(part);
        output.extend_from_slice(part);
    }
    output.extend(checksum.finalize().to_be_bytes());
}
