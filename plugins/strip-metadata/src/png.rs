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
//! name that `iCCP` gives its profile is free text, and becomes `icc`.
//!
//! Each chunk that stays has a length that its type allows, and a checksum that was verified.

use crc32fast::Hasher;
use exif::Orientation;

use crate::piece::Piece;
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
    (b"iCCP", 4, MAX_LENGTH, Place::Head),
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
    /// The checksum to write instead, where the chunk is changed on its way.
    changed: Option<Hasher>,
    /// Read; what is written follows once the checksum has turned out right.
    orientation: Option<Orientation>,
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
    /// A byte of the part of `iCCP` that is looked into.
    ProfileHead {
        length: u32,
    },
    /// A byte of a chunk that stays.
    Copy {
        left: u64,
    },
    /// A byte of an `eXIf` that is looked into.
    Exif {
        left: u64,
    },
    /// A byte of the checksum of any of these.
    Checksum,
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
            changed: None,
            orientation: None,
            seen: 0,
            data: Data::Ahead,
        }
    }

    /// Whether the picture has ended.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// Parses on; consumes something of `piece`, or changes to a state that will.
    pub(crate) fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        self.state = self.next(piece, output)?;
        Ok(())
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
                self.header(length, output)?
            }
            State::ProfileHead { length } => {
                if !piece.fill(&mut self.held, (MAX_PROFILE_NAME + 2).min(length as usize)) {
                    return Ok(self.state);
                }
                self.profile(length, output)?
            }
            State::Copy { mut left } => {
                let bytes = piece.take_of(&mut left);
                self.checksum.update(bytes);
                if let Some(changed) = &mut self.changed {
                    changed.update(bytes);
                }
                output.extend_from_slice(bytes);
                if left == 0 {
                    State::Checksum
                } else {
                    State::Copy { left }
                }
            }
            State::Exif { mut left } => {
                let bytes = piece.take_of(&mut left);
                self.checksum.update(bytes);
                self.held
                    .extend(bytes.iter().take(MAX_HELD.saturating_sub(self.held.len())));
                if left > 0 {
                    return Ok(State::Exif { left });
                }
                self.orientation = Orientation::find(&self.held);
                self.held.clear();
                State::Checksum
            }
            State::Checksum => {
                if !piece.fill(&mut self.held, 4) {
                    return Ok(self.state);
                }
                self.verified(output)?
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
    fn header(&mut self, length: u32, output: &mut Vec<u8>) -> Result<State, Error> {
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
            b"iCCP" => State::ProfileHead { length },
            b"eXIf" => State::Exif {
                left: length.into(),
            },
            _ => {
                output.extend(length.to_be_bytes());
                output.extend(self.kind);
                State::Copy {
                    left: length.into(),
                }
            }
        })
    }

    /// Whether the current chunk is one that stays and stands where it may. An ancillary chunk in a wrong place goes, as a
    /// decoder ignores it too; a critical one is an error, and so is a length that the type does not allow.
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
            Some((&(_, least, most, place), bit)) if fits(place, bit) => {
                if !(least..=most).contains(&length) {
                    return Err(self.invalid("has a length that its type does not allow"));
                }
                self.seen |= bit;
                Ok(true)
            }
            _ if begun && self.kind.first().is_some_and(u8::is_ascii_lowercase) => Ok(false),
            _ => Err(self.invalid("may not stand here")),
        }
    }

    /// Writes what `iCCP` has before its data, with another name: name, zero, compression method.
    fn profile(&mut self, length: u32, output: &mut Vec<u8>) -> Result<State, Error> {
        let name_end = self
            .held
            .iter()
            .position(|byte| *byte == 0)
            .filter(|end| (1..=MAX_PROFILE_NAME).contains(end));
        let Some((name, rest @ [0, 0, ..])) =
            name_end.and_then(|end| self.held.split_at_checked(end))
        else {
            return Err(self.invalid("has no profile"));
        };
        let left = u64::from(length) - self.held.len() as u64;
        let new_length = length - name.len() as u32 + PROFILE_NAME.len() as u32;
        let mut changed = Hasher::new();
        output.extend(new_length.to_be_bytes());
        for part in [&self.kind, PROFILE_NAME, rest] {
            changed.update(part);
            output.extend_from_slice(part);
        }
        self.changed = Some(changed);
        self.checksum.update(&self.held);
        self.held.clear();
        Ok(State::Copy { left })
    }

    /// Ends a chunk whose checksum has arrived.
    fn verified(&mut self, output: &mut Vec<u8>) -> Result<State, Error> {
        let checksum = std::mem::take(&mut self.checksum);
        if big_endian(&self.held) != checksum.clone().finalize() {
            return Err(self.invalid("has a wrong checksum"));
        }
        self.held.clear();
        if self.kind != *b"eXIf" {
            output.extend(
                self.changed
                    .take()
                    .unwrap_or(checksum)
                    .finalize()
                    .to_be_bytes(),
            );
        } else if let Some(orientation) = self.orientation.take() {
            write(b"eXIf", &orientation.tiff(), output);
        }
        Ok(if self.kind == *b"IEND" {
            State::End
        } else {
            State::Header
        })
    }

    /// An error about the current chunk.
    fn invalid(&self, what: &str) -> Error {
        Error::invalid(
            self.chunk_at,
            format!("chunk {} {what}", self.kind.escape_ascii()),
        )
    }
}

/// Reads a number of four bytes.
fn big_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Writes a chunk of our own.
fn write(kind: &Kind, body: &[u8], output: &mut Vec<u8>) {
    let mut checksum = Hasher::new();
    checksum.update(kind);
    checksum.update(body);
    output.extend((body.len() as u32).to_be_bytes());
    output.extend_from_slice(kind);
    output.extend_from_slice(body);
    output.extend(checksum.finalize().to_be_bytes());
}
