//! RIFF, the container of WAV and WebP: chunks with four letters, a little-endian size and so many bytes.
//!
//! Its first bytes say how long all of it is, before anything else is known. So nothing moves: a chunk that goes becomes
//! `JUNK` of the same size, filled with zeros, which every reader passes over.

mod wav;
mod webp;

pub(crate) use wav::Wav;
pub(crate) use webp::Webp;

use crate::Error;
use crate::bytes::{le, letters};
use crate::piece::Piece;

/// The name of a chunk that says nothing.
const JUNK: &[u8; 4] = b"JUNK";
/// The name and the size of a chunk; of the file itself, they are followed by what it is.
const HEADER: usize = 8;
const FILE_HEADER: usize = 12;

type Kind = [u8; 4];

/// The size that says "not known", or "in another place".
const UNKNOWN: u64 = 0xFFFF_FFFF;

/// Reads the header of a chunk: its letters, which may be any bytes as some writers have odd ones, and its size.
fn header(head: &[u8]) -> Option<(Kind, u64)> {
    Some((letters(head, 0)?, le::<4>(head, 4)?))
}

/// Holds the header of a chunk. Tells whether it has arrived.
fn fill_header(held: &mut Vec<u8>, piece: &mut Piece) -> bool {
    piece.fill(held, HEADER)
}

fn invalid(at: u64, kind: &Kind, what: &str) -> Error {
    Error::invalid(at, format!("chunk {} {what}", kind.escape_ascii()))
}
