//! Where the compressed stream of a picture ends: it is decompressed, and what comes out is thrown away.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_IGNORE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// The farthest that deflate reaches back (RFC 1951, 2).
const WINDOW: usize = 32 << 10;

/// The stream is damaged.
#[derive(Debug)]
pub(super) struct Damaged;

/// A zlib stream that arrives in pieces.
pub(super) struct Stream {
    inflater: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
    is_done: bool,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("is_done", &self.is_done)
            .finish_non_exhaustive()
    }
}

impl Stream {
    pub(super) fn new() -> Self {
        Self {
            inflater: Box::default(),
            window: vec![0; WINDOW],
            at: 0,
            is_done: false,
        }
    }

    /// How many of these bytes are part of the stream: all of them, unless it ends. Its checksum is not compared, as
    /// decoders have the whole picture by then.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<usize, Damaged> {
        const FLAGS: u32 =
            TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_IGNORE_ADLER32;
        let mut used = 0;
        while !self.is_done {
            let rest = bytes.get(used..).unwrap_or_default();
            let (status, read, written) =
                decompress(&mut self.inflater, rest, &mut self.window, self.at, FLAGS);
            used += read;
            self.at = (self.at + written) % WINDOW;
            match status {
                TINFLStatus::Done => self.is_done = true,
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => break,
                _ => return Err(Damaged),
            }
        }
        Ok(used)
    }
}
