//! JPEG: ITU-T T.81, with the application segments that are in use.
//!
//! What stays:
//!
//! - the frame (`SOF` of the baseline, extended and progressive Huffman processes), its tables (`DQT`, `DHT`), `DRI`, and
//!   every scan with its `SOS`, byte for byte;
//! - the JFIF header in `APP0`, with its density and without its thumbnail;
//! - the ICC profile in `APP2`, written anew with what colours need, if all its pieces are there and fit each other;
//! - the 12 bytes of Adobe's `APP14` that name the colour transform;
//! - the orientation in the first Exif block of `APP1`, if asked, as a block that holds nothing else.
//!
//! Every other `APPn` goes, and so do comments, fill bytes, what stands between segments, and everything behind the picture:
//! the second picture of an MPF file (of an Ultra HDR photo, that is the gain map: the standard picture is left), the video
//! of a motion photo, an appended archive. Behind the first scan no `APPn` stays at all.
//!
//! A segment that stays must have exactly the bytes that its syntax gives it, so nothing rides along behind a table. A scan
//! is read up to its last MCU, and what follows is no part of it; the module `scan` tells why. `EOI` follows where the picture is
//! complete, whether the file has one or not. The tables that Motion JPEG leaves out are put in.
//!
//! Arithmetic coding, lossless and hierarchical pictures are refused: where their scans end is not told by what is here,
//! and hardly a program shows them. So is a scan that lacks more than its last MCU.

mod frame;
mod huffman;
mod profile;
mod scan;
mod segment;

use exif::{Orientation, PREFIX as EXIF};
use memchr::memchr;

use self::frame::{Frame, Scan};
use self::profile::Profile;
use self::scan::{Decoder, End, History, Tables};
use crate::Error;
use crate::piece::Piece;
use crate::stripper::Parser;

/// The second byte of a marker (T.81, table B.1).
mod marker {
    pub(super) const DHT: u8 = 0xC4;
    pub(super) const DAC: u8 = 0xCC;
    /// The first and last of the frame headers; `DHT`, `JPG` and `DAC` lie between them.
    pub(super) const SOF0: u8 = 0xC0;
    pub(super) const SOF2: u8 = 0xC2;
    pub(super) const SOF3: u8 = 0xC3;
    pub(super) const SOF15: u8 = 0xCF;
    pub(super) const TEM: u8 = 0x01;
    pub(super) const RST0: u8 = 0xD0;
    pub(super) const RST7: u8 = 0xD7;
    pub(super) const SOI: u8 = 0xD8;
    pub(super) const EOI: u8 = 0xD9;
    pub(super) const SOS: u8 = 0xDA;
    pub(super) const DQT: u8 = 0xDB;
    pub(super) const DNL: u8 = 0xDC;
    pub(super) const DRI: u8 = 0xDD;
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
    /// An Exif block was there: no other one counts.
    has_exif: bool,
    profile: Profile,
    /// A profile was written: no other one counts.
    has_profile: bool,
    tables: Tables,
    /// MCUs between two restart markers.
    interval: u16,
    frame: Option<Frame>,
    scan: Option<(Scan, Decoder)>,
    history: History,
    scanned: bool,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy)]
enum State {
    /// A byte of `SOI`.
    Start,
    /// The `FF` of a marker, or what goes because it is none.
    Marker { in_scan: bool },
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
            has_exif: false,
            profile: Profile::default(),
            has_profile: false,
            tables: Tables::default(),
            interval: 0,
            frame: None,
            scan: None,
            history: History::default(),
            scanned: false,
        }
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
                State::Marker { in_scan: false }
            }
            State::Marker { in_scan } => {
                let Some(junk) = memchr(0xFF, piece.rest()) else {
                    piece.take(usize::MAX);
                    return Ok(self.state);
                };
                piece.take(junk);
                self.marker_at = piece.offset();
                piece.take(1);
                State::Code { in_scan }
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
                    State::Marker { in_scan: false }
                } else {
                    State::Skip { left }
                }
            }
            State::Scan => {
                let Some((_, decoder)) = &mut self.scan else {
                    return Err(self.invalid("there is no scan"));
                };
                let (used, end) = decoder.run(piece.rest(), &mut self.history, output);
                piece.take(used);
                match end {
                    End::Open => State::Scan,
                    End::Complete => self.end_scan(output),
                    End::Restart => State::Marker { in_scan: true },
                    End::Short => {
                        self.marker_at = piece.offset().saturating_sub(1);
                        State::Code { in_scan: true }
                    }
                    End::TooLarge => {
                        return Err(self.invalid(
                            "the picture has too many pixels for a progressive one: save it as a baseline JPEG",
                        ));
                    }
                }
            }
            State::End => {
                piece.take(usize::MAX);
                State::End
            }
        })
    }

    /// Ends a scan. Writes `EOI` if nothing of the picture can follow: what the file has instead may be a trailer.
    fn end_scan(&mut self, output: &mut Vec<u8>) -> State {
        if let (Some(frame), Some((scan, _))) = (&mut self.frame, self.scan.take()) {
            frame.end(&scan);
            if frame.is_complete() {
                output.extend([0xFF, EOI]);
                return State::End;
            }
        }
        State::Marker { in_scan: false }
    }

    /// Acts on a marker whose code has arrived, and checks that it may stand here.
    fn code(&mut self, code: u8, in_scan: bool, output: &mut Vec<u8>) -> Result<State, Error> {
        if let (true, Some((_, decoder))) = (in_scan, &mut self.scan) {
            if (RST0..=RST7).contains(&code) {
                if decoder.restart() {
                    output.extend([0xFF, code]);
                    return Ok(State::Scan);
                }
                return Ok(self.end_scan(output));
            }
            if code == 0 && decoder.restart_due {
                return Ok(State::Marker { in_scan });
            }
            if !decoder.is_nearly_complete() {
                return Err(self.invalid("the scan ends before the picture does"));
            }
            if let State::End = self.end_scan(output) {
                return Ok(State::End);
            }
        }
        let fits = match code {
            // Decoders pass over these, and over a stuffed zero.
            0 | TEM | RST0..=RST7 => return Ok(State::Marker { in_scan: false }),
            EOI | DNL => self.scanned,
            SOS => self.frame.is_some(),
            DHT | DAC | DQT | DRI | APP0..=APP15 | COM => true,
            SOF0..=SOF2 => self.frame.is_none(),
            SOF3..=SOF15 => {
                return Err(self.invalid(
                    "the picture is lossless, hierarchical or arithmetically coded, which is not supported",
                ));
            }
            _ => false,
        };
        if !fits {
            return Err(self.invalid(format!("marker FF{code:02X} may not stand here")));
        }
        Ok(match code {
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
            // The number of lines is known from the frame.
            APP0..=APP15 | COM | DAC | DNL => false,
            _ => true,
        }
    }

    /// Writes what stays of a segment.
    fn segment(&mut self, code: u8, body: &[u8], output: &mut Vec<u8>) -> Result<State, Error> {
        let next = State::Marker { in_scan: false };
        match code {
            APP0 => {
                if let Some(header) = segment::jfif(body) {
                    write(APP0, &header, output);
                }
                return Ok(next);
            }
            APP1 => {
                if body.starts_with(EXIF) && !self.has_exif {
                    self.has_exif = true;
                    self.orientation = Orientation::find(body);
                }
                return Ok(next);
            }
            APP2 => {
                self.profile
                    .push(body)
                    .map_err(|profile::TooLong| self.invalid("the colour profile is too long"))?;
                return Ok(next);
            }
            _ => {}
        }
        let body = match code {
            APP14 => match segment::adobe(body) {
                Some(body) => body,
                None => return Ok(next),
            },
            _ if segment::is_exact(code, body) => body,
            _ => return Err(self.damaged(code)),
        };
        // EXIF comes right behind the start, or behind JFIF where both are there.
        if let Some(orientation) = self.orientation.take() {
            write(APP1, &[EXIF, &orientation.tiff()].concat(), output);
        }
        if !self.has_profile && self.profile.is_whole() {
            for piece in self.profile.take() {
                self.has_profile = true;
                write(APP2, &piece, output);
            }
        }
        match code {
            SOS => return self.begin_scan(body, output),
            DHT if !self.tables.define(body) => return Err(self.damaged(code)),
            DRI => {
                self.interval = body
                    .iter()
                    .fold(0, |interval, byte| interval << 8 | u16::from(*byte));
            }
            SOF0..=SOF2 => {
                let frame = Frame::new(code == SOF2, body);
                self.frame = Some(frame.ok_or_else(|| self.damaged(code))?);
            }
            _ => {}
        }
        write(code, body, output);
        Ok(next)
    }

    /// Writes the header of a scan, and the tables before it that Motion JPEG leaves out.
    fn begin_scan(&mut self, body: &[u8], output: &mut Vec<u8>) -> Result<State, Error> {
        let frame = self.frame.as_ref().ok_or_else(|| self.damaged(SOS))?;
        let scan = frame.scan(body).ok_or_else(|| self.damaged(SOS))?;
        let mut decoder = Decoder::new(frame, &scan, &self.tables, self.interval);
        if decoder.is_none() {
            let standard = self.tables.complete();
            if !standard.is_empty() {
                write(DHT, &standard, output);
            }
            decoder = Decoder::new(frame, &scan, &self.tables, self.interval);
        }
        let Some(decoder) = decoder else {
            return Err(self.invalid("the scan has a Huffman table that is not defined"));
        };
        write(SOS, body, output);
        self.scan = Some((scan, decoder));
        self.scanned = true;
        Ok(State::Scan)
    }

    fn damaged(&self, code: u8) -> Error {
        self.invalid(format!("the segment of marker FF{code:02X} is damaged"))
    }

    /// An error at the current marker.
    fn invalid(&self, what: impl Into<String>) -> Error {
        Error::invalid(self.marker_at, what)
    }
}

impl Parser for Jpeg {
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

/// Writes a segment. No body that stays is longer than the one that was read, so its length fits.
fn write(code: u8, body: &[u8], output: &mut Vec<u8>) {
    let length = u16::try_from(body.len() + 2).unwrap_or(u16::MAX);
    output.extend([0xFF, code]);
    output.extend(length.to_be_bytes());
    output.extend_from_slice(body);
}
