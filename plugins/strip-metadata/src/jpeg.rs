//! JPEG: ITU-T T.81, with the application segments that are in use.
//!
//! What stays:
//!
//! - the frame (`SOF` of every process), its tables (`DQT`, `DHT`, `DAC`), `DRI`, `DNL`, the hierarchical `DHP` and `EXP`,
//!   and every scan with its `SOS`, byte for byte;
//! - the JFIF header in `APP0`, with its density and without its thumbnail;
//! - the ICC profile in `APP2`, byte for byte;
//! - the 12 bytes of Adobe's `APP14` that name the colour transform;
//! - the orientation in `APP1`, if asked, as an EXIF block that holds nothing else.
//!
//! Every other `APPn` goes, and so do comments, fill bytes, and everything behind `EOI`: the second picture of an MPF file
//! (of an Ultra HDR photo, that is the gain map: the standard picture is left), the video of a motion photo, an appended
//! archive. Behind the first scan no `APPn` stays at all.
//!
//! A segment that stays must have exactly the bytes that its syntax gives it, so nothing rides along behind a table.

mod segment;

use exif::{Orientation, PREFIX as EXIF};
use memchr::memchr;

use crate::Error;
use crate::piece::Piece;

/// The second byte of a marker (T.81, table B.1).
mod marker {
    pub(super) const DHT: u8 = 0xC4;
    pub(super) const DAC: u8 = 0xCC;
    /// The first and last of the frame headers; `DHT`, `JPG` and `DAC` lie between them.
    pub(super) const SOF0: u8 = 0xC0;
    pub(super) const SOF15: u8 = 0xCF;
    pub(super) const JPG: u8 = 0xC8;
    pub(super) const RST0: u8 = 0xD0;
    pub(super) const RST7: u8 = 0xD7;
    pub(super) const SOI: u8 = 0xD8;
    pub(super) const EOI: u8 = 0xD9;
    pub(super) const SOS: u8 = 0xDA;
    pub(super) const DQT: u8 = 0xDB;
    pub(super) const DNL: u8 = 0xDC;
    pub(super) const DRI: u8 = 0xDD;
    pub(super) const DHP: u8 = 0xDE;
    pub(super) const EXP: u8 = 0xDF;
    pub(super) const APP0: u8 = 0xE0;
    pub(super) const APP1: u8 = 0xE1;
    pub(super) const APP2: u8 = 0xE2;
    pub(super) const APP14: u8 = 0xEE;
    pub(super) const APP15: u8 = 0xEF;
    pub(super) const COM: u8 = 0xFE;
}

use marker::*;

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Jpeg {
    keep_orientation: bool,
    state: State,
    /// Where the current marker stands in the file.
    marker_at: u64,
    /// What has arrived of the start, the length or the segment that is being read.
    held: Vec<u8>,
    /// Read, and not written yet.
    orientation: Option<Orientation>,
    /// A hierarchical file has many frames, any other has one.
    hierarchical: bool,
    framed: bool,
    scanned: bool,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy)]
enum State {
    /// A byte of `SOI`.
    Start,
    /// The `FF` of a marker.
    Marker,
    /// What follows that `FF`: more of the same, which fill, and then the marker's code.
    Code { in_scan: bool },
    /// A byte of a segment's length.
    Length { code: u8 },
    /// A byte of a segment that is looked into.
    Segment { code: u8, length: usize },
    /// A byte of a segment that goes.
    Skip { left: u64 },
    /// Entropy-coded data.
    Scan,
    /// What follows an `FF` in entropy-coded data.
    ScanEscape,
    /// What follows `EOI`.
    End,
}

impl Jpeg {
    pub(crate) fn new(keep_orientation: bool) -> Self {
        Self {
            keep_orientation,
            state: State::Start,
            marker_at: 0,
            held: Vec::new(),
            orientation: None,
            hierarchical: false,
            framed: false,
            scanned: false,
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
            State::Start => {
                if !piece.fill(&mut self.held, 2) {
                    return Ok(State::Start);
                }
                if self.held != [0xFF, SOI] {
                    return Err(Error::Unsupported);
                }
                output.append(&mut self.held);
                State::Marker
            }
            State::Marker => {
                self.marker_at = piece.offset();
                if piece.take(1) != [0xFF] {
                    return Err(self.invalid("no marker where one is due"));
                }
                State::Code { in_scan: false }
            }
            State::Code { in_scan } => match piece.take(1) {
                [0xFF] => State::Code { in_scan },
                [code] => self.code(*code, in_scan, output)?,
                _ => self.state,
            },
            State::Length { code } => {
                if !piece.fill(&mut self.held, 2) {
                    return Ok(self.state);
                }
                let length = self
                    .held
                    .drain(..)
                    .fold(0, |length, byte| length << 8 | usize::from(byte));
                // The length counts its own two bytes (T.81, B.1.1.4).
                let Some(length) = length.checked_sub(2) else {
                    return Err(self.invalid("a segment is shorter than its own length field"));
                };
                if self.looks_into(code) {
                    State::Segment { code, length }
                } else {
                    State::Skip {
                        left: length as u64,
                    }
                }
            }
            State::Segment { code, length } => {
                if !piece.fill(&mut self.held, length) {
                    return Ok(self.state);
                }
                let body = std::mem::take(&mut self.held);
                let next = self.segment(code, &body, output)?;
                self.held = body;
                self.held.clear();
                next
            }
            State::Skip { mut left } => {
                piece.take_of(&mut left);
                if left == 0 {
                    State::Marker
                } else {
                    State::Skip { left }
                }
            }
            State::Scan => self.scan(piece, output),
            State::ScanEscape => match piece.rest() {
                [byte @ (0 | RST0..=RST7), ..] => {
                    output.extend([0xFF, *byte]);
                    piece.take(1);
                    State::Scan
                }
                _ => State::Code { in_scan: true },
            },
            State::End => {
                piece.take(usize::MAX);
                State::End
            }
        })
    }

    /// Copies entropy-coded data up to the marker that ends it, stuffed zeros and restart markers included.
    fn scan(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> State {
        let bytes = piece.rest();
        let mut end = 0;
        loop {
            let tail = bytes.get(end..).unwrap_or_default();
            let Some(at) = memchr(0xFF, tail) else {
                output.extend_from_slice(piece.take(bytes.len()));
                return State::Scan;
            };
            match tail.get(at + 1) {
                Some(0 | RST0..=RST7) => end += at + 2,
                follower => {
                    output.extend_from_slice(piece.take(end + at));
                    self.marker_at = piece.offset();
                    piece.take(1);
                    return if follower.is_some() {
                        State::Code { in_scan: true }
                    } else {
                        State::ScanEscape
                    };
                }
            }
        }
    }

    /// Acts on a marker whose code has arrived, and checks that it may stand here.
    fn code(&mut self, code: u8, in_scan: bool, output: &mut Vec<u8>) -> Result<State, Error> {
        let fits = match code {
            RST0..=RST7 => in_scan,
            EOI | DNL => self.scanned,
            SOS | EXP => self.framed,
            DHP => !self.framed,
            JPG => false,
            DHT | DAC | DQT | DRI | APP0..=APP15 | COM => true,
            SOF0..=SOF15 => !self.framed || self.hierarchical,
            _ => false,
        };
        if !fits {
            return Err(self.invalid(format!("marker FF{code:02X} may not stand here")));
        }
        Ok(match code {
            RST0..=RST7 => {
                output.extend([0xFF, code]);
                State::Scan
            }
            EOI => {
                output.extend([0xFF, EOI]);
                State::End
            }
            _ => State::Length { code },
        })
    }

    /// Whether anything of a segment may stay.
    fn looks_into(&self, code: u8) -> bool {
        match code {
            APP0 | APP2 | APP14 => !self.scanned,
            APP1 => !self.scanned && self.keep_orientation,
            APP0..=APP15 | COM => false,
            _ => true,
        }
    }

    /// Writes what stays of a segment.
    fn segment(&mut self, code: u8, body: &[u8], output: &mut Vec<u8>) -> Result<State, Error> {
        match code {
            APP0 => {
                if let Some(header) = segment::jfif(body) {
                    write(APP0, &header, output);
                }
            }
            APP1 => {
                if let Some(tiff) = body.strip_prefix(EXIF) {
                    self.orientation = self.orientation.or_else(|| Orientation::find(tiff));
                }
            }
            _ => {
                let body = match code {
                    APP2 => segment::icc(body),
                    APP14 => segment::adobe(body),
                    _ if segment::is_exact(code, body) => Some(body),
                    _ => {
                        return Err(
                            self.invalid(format!("the segment of marker FF{code:02X} is damaged"))
                        );
                    }
                };
                let Some(body) = body else {
                    return Ok(State::Marker);
                };
                // EXIF comes right behind the start, or behind JFIF where both are there.
                if let Some(orientation) = self.orientation.take() {
                    write(APP1, &[EXIF, &orientation.tiff()].concat(), output);
                }
                write(code, body, output);
            }
        }
        Ok(match code {
            SOS => {
                self.scanned = true;
                State::Scan
            }
            DHP => {
                self.hierarchical = true;
                State::Marker
            }
            _ => {
                self.framed |= segment::is_frame(code);
                State::Marker
            }
        })
    }

    /// An error at the current marker.
    fn invalid(&self, what: impl Into<String>) -> Error {
        Error::invalid(self.marker_at, what)
    }
}

/// Writes a segment. No body that stays is longer than the one that was read, so its length fits.
fn write(code: u8, body: &[u8], output: &mut Vec<u8>) {
    let length = u16::try_from(body.len() + 2).unwrap_or(u16::MAX);
    output.extend([0xFF, code]);
    output.extend(length.to_be_bytes());
    output.extend_from_slice(body);
}
