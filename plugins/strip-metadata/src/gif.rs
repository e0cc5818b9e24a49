//! GIF: versions 87a and 89a of its specification.
//!
//! What stays: the screen, the colour tables, the pictures with how they are shown (delay, disposal, transparency), and how
//! often an animation is repeated (`NETSCAPE2.0`, `ANIMEXTS1.0`).
//!
//! All else goes: comments, XMP, colour profiles (no program heeds one in a GIF) and every other extension of an application,
//! plain text, which no program shows, what follows the end of a picture's compressed data, and what follows the file's end.

use crate::Error;
use crate::piece::Piece;
use crate::stripper::Parser;

/// Header and screen (sections 17 and 18), and an image descriptor without its first byte (20).
const SCREEN: usize = 13;
const DESCRIPTOR: usize = 9;
/// The block that says how the next picture is shown (23), without its first two bytes.
const CONTROL: usize = 6;
/// Identifiers of the extension that repeats an animation.
const LOOPS: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];
/// The most bits of a code, and the codes of so many bits (appendix F).
const MAX_BITS: u32 = 12;

/// A push parser that writes what stays.
#[derive(Debug)]
pub(crate) struct Gif {
    state: State,
    /// Where the current block stands.
    at: u64,
    held: Vec<u8>,
    /// How the next picture is shown; it goes if no picture comes.
    control: Option<Vec<u8>>,
    codes: Codes,
    pictures: u64,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Screen,
    /// A byte of a colour table.
    Table {
        left: u64,
        in_picture: bool,
    },
    /// The first byte of a block.
    Block,
    Descriptor,
    /// The number of bits that codes begin with.
    Bits,
    /// A byte of a sub-block of compressed data, or its length.
    Data,
    /// The kind of an extension.
    Kind,
    Control,
    /// A byte of an application's identifier, or of the sub-blocks that it owns.
    Application,
    Loop,
    /// A sub-block that goes: its length, or a byte of it.
    Skip {
        left: u64,
    },
    End,
}

impl Gif {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Screen,
            at: 0,
            held: Vec::new(),
            control: None,
            codes: Codes::new(2),
            pictures: 0,
        }
    }

    fn next(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<State, Error> {
        Ok(match self.state {
            State::Screen => {
                if !piece.fill(&mut self.held, SCREEN) {
                    return Ok(self.state);
                }
                if !self.held.starts_with(b"GIF87a") && !self.held.starts_with(b"GIF89a") {
                    return Err(Error::Unsupported);
                }
                let flags = self.held.get(10).copied().unwrap_or_default();
                output.append(&mut self.held);
                table(flags, false)
            }
            State::Table {
                mut left,
                in_picture,
            } => {
                output.extend_from_slice(piece.take_of(&mut left));
                match left {
                    0 if in_picture => State::Bits,
                    0 => State::Block,
                    _ => State::Table { left, in_picture },
                }
            }
            State::Block => {
                self.at = piece.offset();
                match piece.take(1) {
                    [0x2C] => State::Descriptor,
                    [0x21] => State::Kind,
                    [0x3B] => {
                        output.push(0x3B);
                        State::End
                    }
                    // A sub-block's end that is one too many: decoders pass over it.
                    [0] => State::Block,
                    _ => return Err(self.invalid("is no block")),
                }
            }
            State::Descriptor => {
                if !piece.fill(&mut self.held, DESCRIPTOR) {
                    return Ok(self.state);
                }
                if let Some(control) = self.control.take() {
                    output.extend([0x21, 0xF9]);
                    output.extend(control);
                }
                output.push(0x2C);
                let flags = self.held.get(8).copied().unwrap_or_default();
                output.append(&mut self.held);
                table(flags, true)
            }
            State::Bits => {
                let bits = piece.take(1);
                let [bits @ 1..=11] = *bits else {
                    return Err(self.invalid("is a picture with a wrong number of bits"));
                };
                self.codes = Codes::new(bits.into());
                output.push(bits);
                State::Data
            }
            State::Data => {
                let length = sub_block(&mut self.held, piece);
                let Some(length) = length else {
                    return Ok(self.state);
                };
                if length == 0 {
                    self.held.clear();
                    output.push(0);
                    self.pictures += 1;
                    return Ok(State::Block);
                }
                let data = self.held.get(1..).unwrap_or_default();
                let used = self.codes.read(data);
                if used > 0 {
                    output.push(used as u8);
                    output.extend_from_slice(data.get(..used).unwrap_or_default());
                }
                self.held.clear();
                State::Data
            }
            State::Kind => match piece.take(1) {
                [0xF9] => State::Control,
                [0xFF] => State::Application,
                // What a plain text is shown by goes with it.
                [0x01] => {
                    self.control = None;
                    State::Skip { left: 0 }
                }
                _ => State::Skip { left: 0 },
            },
            State::Control => {
                if !piece.fill(&mut self.held, CONTROL) {
                    return Ok(self.state);
                }
                let [4, .., 0] = self.held[..] else {
                    return Err(self.invalid("is a graphic control of a wrong length"));
                };
                self.control = Some(std::mem::take(&mut self.held));
                State::Block
            }
            State::Application => {
                if sub_block(&mut self.held, piece).is_none() {
                    return Ok(self.state);
                }
                if self.held == [0] {
                    self.held.clear();
                    return Ok(State::Block);
                }
                let name = self.held.get(1..).unwrap_or_default();
                if LOOPS.contains(&name) {
                    State::Loop
                } else {
                    self.held.clear();
                    State::Skip { left: 0 }
                }
            }
            State::Loop => {
                // Behind the identifier: a sub-block of a 1 and the number of repetitions.
                let name = 12;
                let Some(&length) = self.held.get(name) else {
                    piece.fill(&mut self.held, name + 1);
                    return Ok(self.state);
                };
                if length != 3 {
                    // Other things that the same name owns, such as how much to buffer.
                    self.held.truncate(name);
                    self.held.clear();
                    return Ok(match length {
                        0 => State::Block,
                        left => State::Skip { left: left.into() },
                    });
                }
                if !piece.fill(&mut self.held, name + 4) {
                    return Ok(self.state);
                }
                if self.held.get(name + 1) == Some(&1) {
                    output.extend([0x21, 0xFF]);
                    output.extend_from_slice(&self.held);
                    output.push(0);
                }
                self.held.clear();
                State::Skip { left: 0 }
            }
            State::Skip { left: 0 } => match piece.take(1) {
                [0] => State::Block,
                [left] => State::Skip {
                    left: (*left).into(),
                },
                _ => self.state,
            },
            State::Skip { mut left } => {
                piece.take_of(&mut left);
                State::Skip { left }
            }
            State::End => {
                piece.take(usize::MAX);
                State::End
            }
        })
    }

    /// An error about the current block.
    fn invalid(&self, what: &str) -> Error {
        Error::invalid(self.at, format!("what stands here {what}"))
    }
}

/// The colour table that these flags announce.
fn table(flags: u8, in_picture: bool) -> State {
    if flags & 0x80 != 0 {
        State::Table {
            left: 3 << ((flags & 7) + 1),
            in_picture,
        }
    } else if in_picture {
        State::Bits
    } else {
        State::Block
    }
}

/// Reads a sub-block into `held`, with its length before it. `None` if it is not all there.
fn sub_block(held: &mut Vec<u8>, piece: &mut Piece) -> Option<u8> {
    if !piece.fill(held, 1) {
        return None;
    }
    let length = *held.first()?;
    piece.fill(held, 1 + usize::from(length)).then_some(length)
}

/// Counts the codes of compressed data, to find the one that ends them.
#[derive(Debug)]
struct Codes {
    /// The number of bits that codes begin with, less one.
    least: u32,
    size: u32,
    /// How many codes the table has.
    known: u32,
    /// The code before was the one that clears the table, or there is none.
    is_first: bool,
    bits: u32,
    count: u32,
    is_done: bool,
}

impl Codes {
    fn new(least: u32) -> Self {
        Self {
            least,
            size: least + 1,
            known: (1 << least) + 2,
            is_first: true,
            bits: 0,
            count: 0,
            is_done: false,
        }
    }

    /// How many of these bytes are codes: all of them, unless the data end.
    fn read(&mut self, data: &[u8]) -> usize {
        for (index, byte) in data.iter().enumerate() {
            if self.is_done {
                return index;
            }
            self.bits |= u32::from(*byte) << self.count;
            self.count += 8;
            while self.count >= self.size && !self.is_done {
                let code = self.bits & ((1 << self.size) - 1);
                self.bits >>= self.size;
                self.count -= self.size;
                self.take(code);
            }
        }
        data.len()
    }

    fn take(&mut self, code: u32) {
        let clear = 1 << self.least;
        if code == clear {
            self.size = self.least + 1;
            self.known = clear + 2;
            self.is_first = true;
        } else if code == clear + 1 {
            self.is_done = true;
        } else if self.is_first {
            self.is_first = false;
        } else if self.known < 1 << MAX_BITS {
            // Each code but the first adds one to the table.
            self.known += 1;
            if self.known == 1 << self.size && self.size < MAX_BITS {
                self.size += 1;
            }
        }
    }
}

impl Parser for Gif {
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error> {
        self.state = self.next(piece, output)?;
        Ok(())
    }

    fn finish(&mut self, size: u64, output: &mut Vec<u8>) -> Result<(), Error> {
        match self.state {
            State::End if self.pictures > 0 => Ok(()),
            State::End => Err(Error::invalid(size, "the file has no picture")),
            // All pictures are there, and only the last byte is missing.
            State::Block if self.pictures > 0 && self.control.is_none() => {
                output.push(0x3B);
                Ok(())
            }
            _ => Err(Error::early(size, "picture")),
        }
    }
}
