//! WebP (RFC 9649).
//!
//! What stays: the picture (`VP8 `, `VP8L`, `ALPH`), the frames of an animation (`ANIM`, `ANMF`), and the colour profile,
//! written anew with what colours need. If asked, the orientation in `EXIF`, as a block that holds nothing else; as the first
//! chunk, `VP8X`, has told whether there is one, that block says "as it is" where nothing is to be turned.
//!
//! All else becomes `JUNK`: the rest of `EXIF`, `XMP `, and every chunk that is unknown. What follows the end goes.

use exif::Orientation;

use super::{FILE_HEADER, HEADER, JUNK, Kind, fill_header, header, invalid};
use crate::bytes::{clear, le, set, zeros};
use crate::icc::{self, MAX_PROFILE};
use crate::piece::Piece;
use crate::stripper::Parser;
use crate::{Error, MAX_HELD};

/// The header of an extended file (2.7), and that of a frame.
const EXTENDED: usize = 10;
const FRAME: usize = 16;
/// Flags of the former.
const HAS_PROFILE: u8 = 0x20;
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;
const KNOWN_FLAGS: u8 = 0x3E;
/// An Exif block that says that the picture stands as it is.
const UPRIGHT: &[u8; 26] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0";

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Webp {
    keep_orientation: bool,
    state: State,
    /// Where the current chunk stands, and its header.
    at: u64,
    kind: Kind,
    head: Vec<u8>,
    held: Vec<u8>,
    /// Where the file ends by its own account.
    end: u64,
    /// Where the current frame ends.
    frame_end: Option<u64>,
    /// The extended header: what it says of a profile is known when the next chunk has come.
    extended: Option<Vec<u8>>,
    chunks: u64,
    has_exif: bool,
    has_profile: bool,
    pictures: u64,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy)]
enum State {
    Start,
    Header,
    /// A byte of a chunk that is held whole.
    Body {
        length: usize,
    },
    /// A byte of an Exif block of which the start is held.
    Exif {
        left: u64,
    },
    Keep {
        left: u64,
    },
    Zeros {
        left: u64,
    },
    /// A byte that makes the length of a chunk even.
    Pad,
    End,
}

impl Webp {
    pub(crate) fn new(keep_orientation: bool) -> Self {
        Self {
            keep_orientation,
            state: State::Start,
            at: 0,
            kind: [0; 4],
            head: Vec::new(),
            held: Vec::new(),
            end: 0,
            frame_end: None,
            extended: None,
            chunks: 0,
            has_exif: false,
            has_profile: false,
            pictures: 0,
        }
    }

    fn next(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<State, Error> {
        Ok(match self.state {
            State::Start => {
                if !piece.fill(&mut self.held, FILE_HEADER) {
                    return Ok(self.state);
                }
                self.end = le::<4>(&self.held, 4).unwrap_or_default() + HEADER as u64;
                output.append(&mut self.held);
                State::Header
            }
            State::Header => {
                if self.held.is_empty() {
                    self.at = piece.offset();
                    if self.frame_end == Some(self.at) {
                        self.frame_end = None;
                    }
                    if self.at >= self.end {
                        self.write_extended(false, output);
                        return Ok(State::End);
                    }
                }
                if !fill_header(&mut self.held, piece) {
                    return Ok(self.state);
                }
                self.head = std::mem::take(&mut self.held);
                self.header(output)?
            }
            State::Body { length } => {
                if !piece.fill(&mut self.held, length) {
                    return Ok(self.state);
                }
                let body = std::mem::take(&mut self.held);
                self.body(body, output)?
            }
            State::Exif { mut left } => {
                let bytes = piece.take_of(&mut left);
                self.held
                    .extend(bytes.iter().take(MAX_HELD.saturating_sub(self.held.len())));
                if left > 0 {
                    return Ok(State::Exif { left });
                }
                let held = std::mem::take(&mut self.held);
                let tiff = Orientation::find(&held).map_or(*UPRIGHT, Orientation::tiff);
                let length = (piece.offset() - self.at) as usize - HEADER;
                let shown = tiff.get(..length).unwrap_or(&tiff);
                output.extend_from_slice(&self.head);
                output.extend_from_slice(shown);
                zeros(output, length - shown.len());
                self.after(piece.offset())
            }
            State::Keep { mut left } => {
                output.extend_from_slice(piece.take_of(&mut left));
                match left {
                    0 => self.after(piece.offset()),
                    _ => State::Keep { left },
                }
            }
            State::Zeros { mut left } => {
                zeros(output, piece.take_of(&mut left).len());
                match left {
                    0 => self.after(piece.offset()),
                    _ => State::Zeros { left },
                }
            }
            State::Pad => {
                if self.end <= piece.offset() {
                    return Ok(State::End);
                }
                piece.take(1);
                output.push(0);
                State::Header
            }
            State::End => {
                piece.take(usize::MAX);
                State::End
            }
        })
    }

    /// What follows a chunk that ends here.
    fn after(&self, offset: u64) -> State {
        // Chunks begin at even places, and so does the file.
        if offset.is_multiple_of(2) {
            State::Header
        } else {
            State::Pad
        }
    }

    fn header(&mut self, output: &mut Vec<u8>) -> Result<State, Error> {
        let Some((kind, size)) = header(&self.head) else {
            return Err(Error::invalid(
                self.at,
                "what follows the picture is no chunk",
            ));
        };
        self.kind = kind;
        self.chunks += 1;
        let end = self.at + HEADER as u64 + size;
        if end > self.frame_end.unwrap_or(self.end) {
            return Err(invalid(self.at, &kind, "is longer than what it stands in"));
        }
        if self.chunks > 1 && kind != *b"ICCP" {
            self.write_extended(false, output);
        }
        let in_frame = self.frame_end.is_some();
        Ok(match &kind {
            b"VP8X" if self.chunks == 1 && size == EXTENDED as u64 => {
                State::Body { length: EXTENDED }
            }
            b"VP8X" => return Err(invalid(self.at, &kind, "may not stand here")),
            b"ICCP" if self.extended.is_some() => {
                if size > MAX_PROFILE as u64 {
                    return Err(invalid(self.at, &kind, "has a profile that is too long"));
                }
                match size {
                    0 => {
                        self.write_extended(false, output);
                        self.junk(size, output)
                    }
                    length => State::Body {
                        length: length as usize,
                    },
                }
            }
            b"ANIM" if size == 6 => self.keep(size, output),
            b"ANMF" if !in_frame && size > FRAME as u64 => State::Body { length: FRAME },
            b"VP8 " | b"VP8L" => {
                self.pictures += 1;
                self.keep(size, output)
            }
            b"ALPH" => self.keep(size, output),
            b"EXIF" if self.keep_orientation && !self.has_exif && !in_frame && size > 0 => {
                self.has_exif = true;
                State::Exif { left: size }
            }
            b"ANIM" | b"ANMF" => {
                return Err(invalid(
                    self.at,
                    &kind,
                    "may not stand here, or has a wrong length",
                ));
            }
            _ => self.junk(size, output),
        })
    }

    fn keep(&self, size: u64, output: &mut Vec<u8>) -> State {
        output.extend_from_slice(&self.head);
        match size {
            0 => State::Header,
            left => State::Keep { left },
        }
    }

    /// Writes a chunk that says nothing.
    fn junk(&self, size: u64, output: &mut Vec<u8>) -> State {
        output.extend_from_slice(JUNK);
        output.extend(self.head.iter().skip(4));
        match size {
            0 => State::Header,
            left => State::Zeros { left },
        }
    }

    /// Writes the extended header, if it has not been written.
    fn write_extended(&mut self, has_profile: bool, output: &mut Vec<u8>) {
        let Some(mut body) = self.extended.take() else {
            return;
        };
        if let [flags, ..] = &mut body[..] {
            *flags &= KNOWN_FLAGS & !HAS_XMP;
            if !has_profile {
                *flags &= !HAS_PROFILE;
            }
            if !self.keep_orientation {
                *flags &= !HAS_EXIF;
            }
        }
        // Three reserved bytes.
        clear(&mut body, 1, 4);
        output.extend_from_slice(b"VP8X");
        output.extend((EXTENDED as u32).to_le_bytes());
        output.extend(body);
    }

    /// Acts on a chunk, or the start of one, that has arrived.
    fn body(&mut self, mut body: Vec<u8>, output: &mut Vec<u8>) -> Result<State, Error> {
        let size = le::<4>(&self.head, 4).unwrap_or_default();
        match &self.kind {
            b"VP8X" => {
                self.extended = Some(body);
                Ok(State::Header)
            }
            b"ANMF" => {
                self.frame_end = Some(self.at + HEADER as u64 + size);
                output.extend_from_slice(&self.head);
                // Six reserved bits, and how the frame is shown.
                if let Some(flags) = body.get_mut(15) {
                    *flags &= 3;
                }
                output.extend_from_slice(&body);
                Ok(State::Header)
            }
            _ => {
                let clean = icc::clean(&body)
                    .filter(|clean| clean.len() <= body.len() && !self.has_profile);
                self.has_profile = true;
                self.write_extended(clean.is_some(), output);
                let length = body.len();
                match clean {
                    Some(clean) => {
                        // What is left of the room becomes a chunk of its own, if it is long enough for one.
                        let room = length.next_multiple_of(2) - clean.len().next_multiple_of(2);
                        let kept = if room >= HEADER { clean.len() } else { length };
                        clear(&mut body, clean.len(), length);
                        set(&mut body, 0, &clean);
                        output.extend_from_slice(b"ICCP");
                        output.extend((kept as u32).to_le_bytes());
                        if kept < length {
                            output.extend_from_slice(&clean);
                            zeros(output, clean.len() % 2);
                            output.extend_from_slice(JUNK);
                            // With the byte that made the old chunk even, where there is one.
                            output.extend(((room - HEADER - length % 2) as u32).to_le_bytes());
                            zeros(output, room - HEADER - length % 2);
                        } else {
                            output.extend_from_slice(&body);
                        }
                    }
                    None => {
                        self.junk(size, output);
                        zeros(output, length);
                    }
                }
                Ok(self.after(self.at + HEADER as u64 + size))
            }
        }
    }
}

impl Parser for Webp {
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        self.state = self.next(piece, output)?;
        Ok(())
    }

    fn finish(&mut self, size: u64, output: &mut Vec<u8>) -> Result<(), Error> {
        let is_whole = match self.state {
            State::Header => self.held.is_empty() && size >= self.end,
            State::Pad => size + 1 >= self.end,
            State::End => true,
            _ => false,
        };
        if !is_whole || self.pictures == 0 {
            return Err(Error::early(size, "picture"));
        }
        self.write_extended(false, output);
        Ok(())
    }
}
