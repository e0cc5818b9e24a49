//! WAV: RIFF/WAVE, and RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088), whose chunk `ds64` has the sizes that need 64 bits.
//!
//! What stays: `fmt `, `fact`, `ds64` and `data`. All else becomes `JUNK`: `LIST`, `bext`, `iXML`, `id3 `, `axml`, `cue `,
//! `smpl`, pictures, and what is in `JUNK` itself. What follows the end goes. Of `fmt ` and `fact` only the fields stay that
//! their kind of sound has.
//!
//! Sound whose length the header does not tell, as programs write it that cannot go back, is refused: chunks may follow it.

use super::{FILE_HEADER, HEADER, JUNK, Kind, UNKNOWN, fill_header, header, invalid};
use crate::Error;
use crate::bytes::{clear, le, zeros};
use crate::piece::Piece;
use crate::stripper::Parser;

/// The longest `fmt ` and `ds64` that are read.
const MAX_FORMAT: u64 = 4096;
/// `ds64` without its table, in bytes.
const SIZES: usize = 28;

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Wav {
    state: State,
    /// Where the current chunk stands.
    at: u64,
    kind: Kind,
    held: Vec<u8>,
    /// Where the file ends by its own account.
    end: u64,
    is_long: bool,
    /// The length of the sound, by `ds64`.
    long_data: Option<u64>,
    has_format: bool,
    has_data: bool,
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

impl Wav {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Start,
            at: 0,
            kind: [0; 4],
            held: Vec::new(),
            end: u64::MAX,
            is_long: false,
            long_data: None,
            has_format: false,
            has_data: false,
        }
    }

    fn next(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<State, Error> {
        Ok(match self.state {
            State::Start => {
                if !piece.fill(&mut self.held, FILE_HEADER) {
                    return Ok(self.state);
                }
                self.is_long = !self.held.starts_with(b"RIFF");
                let size = le::<4>(&self.held, 4).unwrap_or_default();
                // What cannot go back to its header leaves it empty.
                if !matches!(size, 0 | UNKNOWN) {
                    self.end = size + HEADER as u64;
                }
                output.append(&mut self.held);
                State::Header
            }
            State::Header => {
                if self.held.is_empty() {
                    self.at = piece.offset();
                    if self.at >= self.end {
                        return Ok(State::End);
                    }
                }
                if !fill_header(&mut self.held, piece) {
                    return Ok(self.state);
                }
                let head = std::mem::take(&mut self.held);
                self.header(&head, output)?
            }
            State::Body { length } => {
                if !piece.fill(&mut self.held, length) {
                    return Ok(self.state);
                }
                let mut body = std::mem::take(&mut self.held);
                self.body(&mut body)?;
                output.extend_from_slice(&body);
                pad(length as u64)
            }
            State::Keep { mut left } => {
                output.extend_from_slice(piece.take_of(&mut left));
                match left {
                    0 => self.pad_data(piece.offset()),
                    _ => State::Keep { left },
                }
            }
            State::Zeros { mut left } => {
                zeros(output, piece.take_of(&mut left).len());
                match left {
                    0 => self.pad_data(piece.offset()),
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
    fn pad_data(&self, offset: u64) -> State {
        pad(offset - self.at)
    }

    fn header(&mut self, head: &[u8], output: &mut Vec<u8>) -> Result<State, Error> {
        let Some((kind, mut size)) = header(head) else {
            return Err(Error::invalid(
                self.at,
                "what follows the sound is no chunk",
            ));
        };
        self.kind = kind;
        let is_again = match &kind {
            b"fmt " => std::mem::replace(&mut self.has_format, true),
            b"data" => std::mem::replace(&mut self.has_data, true),
            b"ds64" => self.long_data.is_some(),
            _ => false,
        };
        if is_again {
            return Err(invalid(self.at, &kind, "is there twice"));
        }
        if kind == *b"data" && size == UNKNOWN {
            size = self.long_data.ok_or_else(|| {
                let why = "the header does not tell how long the sound is. Write the file anew: `ffmpeg -i IN -c copy OUT`";
                Error::refused(self.at, why)
            })?;
        }
        let end = self
            .at
            .checked_add(HEADER as u64)
            .and_then(|at| at.checked_add(size));
        if end.is_none_or(|end| end > self.end) {
            return Err(invalid(
                self.at,
                &kind,
                "is longer than the file says it is",
            ));
        }
        let stays = match &kind {
            b"data" | b"fmt " | b"fact" => true,
            b"ds64" => self.is_long,
            _ => false,
        };
        if !stays {
            output.extend_from_slice(JUNK);
            output.extend(head.iter().skip(4));
            return Ok(match size {
                0 => State::Header,
                left => State::Zeros { left },
            });
        }
        if kind == *b"data" && !self.has_format {
            return Err(invalid(
                self.at,
                &kind,
                "stands before the format of the sound",
            ));
        }
        output.extend_from_slice(head);
        match &kind {
            _ if size == 0 => Ok(State::Header),
            b"data" => Ok(State::Keep { left: size }),
            _ if size > MAX_FORMAT => Err(invalid(
                self.at,
                &kind,
                "is longer than such a chunk can be",
            )),
            _ => Ok(State::Body {
                length: size as usize,
            }),
        }
    }

    /// Takes what is not needed from a chunk that has arrived whole.
    fn body(&mut self, body: &mut [u8]) -> Result<(), Error> {
        let used = match &self.kind {
            b"fmt " => {
                let tag = le::<2>(body, 0).filter(|_| body.len() >= 14);
                let tag = tag.ok_or_else(|| invalid(self.at, &self.kind, "is damaged"))?;
                // Behind 16 bytes the length of an extension, which plain samples have none of.
                match (tag, le::<2>(body, 16)) {
                    (1, _) | (_, None) => 16,
                    (_, Some(extension)) => 18 + usize::try_from(extension).unwrap_or_default(),
                }
            }
            b"fact" => 4,
            _ => {
                let sizes = (le::<8>(body, 0), le::<8>(body, 8), le::<4>(body, 24));
                let (Some(file), Some(data), Some(count)) = sizes else {
                    return Err(invalid(self.at, &self.kind, "is damaged"));
                };
                self.long_data = Some(data);
                if let Some(end) = file
                    .checked_add(HEADER as u64)
                    .filter(|_| self.end == u64::MAX)
                {
                    self.end = end;
                }
                SIZES + 12 * usize::try_from(count).unwrap_or_default().min(body.len())
            }
        };
        clear(body, used, usize::MAX);
        Ok(())
    }
}

/// What follows a chunk of this length.
fn pad(length: u64) -> State {
    if length.is_multiple_of(2) {
        State::Header
    } else {
        State::Pad
    }
}

impl Parser for Wav {
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        self.state = self.next(piece, output)?;
        Ok(())
    }

    fn finish(&mut self, size: u64, _output: &mut Vec<u8>) -> Result<(), Error> {
        let is_whole = match self.state {
            State::Header => self.held.is_empty() && (size >= self.end || self.end == u64::MAX),
            // Many programs leave out the last byte, and the size counts it or not.
            State::Pad => size + 1 >= self.end || self.end == u64::MAX,
            State::End => true,
            _ => false,
        };
        if !is_whole || !self.has_data {
            return Err(Error::early(size, "sound"));
        }
        Ok(())
    }

    fn pass(&mut self, bytes: &[u8], _offset: u64) -> bool {
        let State::Keep { left } = self.state else {
            return false;
        };
        let length = bytes.len() as u64;
        if length >= left {
            return false;
        }
        self.state = State::Keep {
            left: left - length,
        };
        true
    }
}
