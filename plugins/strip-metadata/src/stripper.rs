//! The entry: finds out which format a file has, and hands it to that format's parser.

use crate::Config;
use crate::bmff::Bmff;
use crate::gif::Gif;
use crate::jpeg::Jpeg;
use crate::matroska::Matroska;
use crate::mp3::Mp3;
use crate::piece::Piece;
use crate::png::Png;
use crate::riff::{Wav, Webp};

/// The most bytes of a file's pixels that a [`Stripper`] holds between two pieces: one JPEG segment, whose length field has
/// 16 bits. Beside these it holds at most 4 MiB of colour profile, and 8 bytes for each block of a progressive JPEG, up to
/// 32 MiB. Of a film whose index follows its data it holds the
/// first [`Config::film_memory`].
pub const MAX_HELD: usize = u16::MAX as usize;

/// Bytes that tell the format of a file.
const HEAD: usize = 12;

/// Why a file was refused. Nothing that was written before counts then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first bytes are not those of a format that is known here.
    #[error("none of JPEG, PNG, WebP, GIF, MP4, MOV, WebM, Matroska, MP3 and WAV")]
    Unsupported,
    /// The file is sound, but its metadata cannot be taken out as its bytes pass by.
    #[error("at byte {offset}: {what}")]
    Refused {
        /// Where the part stands, counted from the start of the file.
        offset: u64,
        /// What it is, and what can be done.
        what: String,
    },
    /// The file breaks its own format.
    #[error("at byte {offset}: {what}")]
    Invalid {
        /// Where the part stands that could not be parsed, counted from the start of the file.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    pub(crate) fn invalid(offset: u64, what: impl Into<String>) -> Self {
        Self::Invalid {
            offset,
            what: what.into(),
        }
    }

    pub(crate) fn refused(offset: u64, what: impl Into<String>) -> Self {
        Self::Refused {
            offset,
            what: what.into(),
        }
    }

    /// A file that ends where more must follow.
    pub(crate) fn early(offset: u64, of: &str) -> Self {
        Self::invalid(offset, format!("the file ends before its {of} does"))
    }
}

/// A push parser of one format, which writes what stays.
pub(crate) trait Parser: std::fmt::Debug + Send {
    /// Parses on; consumes something of `piece`, or changes to a state that will.
    fn step(&mut self, piece: &mut Piece, output: &mut Vec<u8>) -> Result<(), Error>;

    /// Ends the file, which has `size` bytes: writes what was held, or tells what is missing.
    fn finish(&mut self, size: u64, output: &mut Vec<u8>) -> Result<(), Error>;

    /// Takes all of `bytes`, which stand at `offset`, if every one of them stays as it is and nothing is held before them.
    fn pass(&mut self, _bytes: &[u8], _offset: u64) -> bool {
        false
    }
}

/// Strips one file, piece by piece. It does no input or output of its own, and how the file is cut into pieces does not
/// change what comes out.
///
/// ```
/// use strip_metadata::{Config, Stripper};
///
/// let photo = std::fs::read("../../cli/demo/photo.jpg")?;
/// let mut stripper = Stripper::new(Config::default());
/// let mut output = Vec::new();
/// for piece in photo.chunks(4096) {
///     stripper.push(piece, &mut output)?;
/// }
/// stripper.finish(&mut output)?;
/// assert!(output.len() < photo.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Stripper {
    config: Config,
    format: Format,
    /// Where the next byte stands in the file.
    offset: u64,
}

#[derive(Debug)]
enum Format {
    /// The first bytes of the file, which are not enough.
    Unknown(Vec<u8>),
    Known(Box<dyn Parser>),
    Refused(Error),
}

impl Stripper {
    /// Begins a file.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            format: Format::Unknown(Vec::new()),
            offset: 0,
        }
    }

    /// Takes the next bytes of the file and appends what stays of them to `output`, which grows by little more than the
    /// length of `input` and of what was held.
    ///
    /// # Errors
    /// When the file is refused; every later call then gives the same error.
    pub fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let result = self.parse(input, output);
        if let Err(error) = &result {
            self.format = Format::Refused(error.clone());
        }
        result
    }

    /// Takes the next bytes of the file if all of them stay as they are and come next in the output: then the caller writes
    /// them itself, without a copy. If not, nothing has happened, and they are to be pushed.
    pub fn pass(&mut self, input: &[u8]) -> bool {
        let Format::Known(parser) = &mut self.format else {
            return false;
        };
        let passes = parser.pass(input, self.offset);
        if passes {
            self.offset += input.len() as u64;
        }
        passes
    }

    fn parse(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if let Format::Unknown(head) = &mut self.format {
            let (more, rest) = input
                .split_at_checked(HEAD.saturating_sub(head.len()))
                .unwrap_or((input, &[]));
            head.extend_from_slice(more);
            input = rest;
            if head.len() < HEAD {
                return Ok(());
            }
            let head = std::mem::take(head);
            self.format = Format::Known(parser(&head, self.config).ok_or(Error::Unsupported)?);
            self.run(&head, output)?;
        }
        self.run(input, output)
    }

    fn run(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let mut piece = Piece::new(input, self.offset);
        while !piece.rest().is_empty() {
            match &mut self.format {
                Format::Known(parser) => parser.step(&mut piece, output)?,
                Format::Unknown(_) => return Err(Error::Unsupported),
                Format::Refused(error) => return Err(error.clone()),
            }
        }
        self.offset = piece.offset();
        Ok(())
    }

    /// Ends the file, and appends what was still held of it to `output`.
    ///
    /// # Errors
    /// When the file was refused before, or ends early.
    pub fn finish(self, output: &mut Vec<u8>) -> Result<(), Error> {
        match self.format {
            Format::Known(mut parser) => parser.finish(self.offset, output),
            Format::Unknown(_) => Err(Error::Unsupported),
            Format::Refused(error) => Err(error),
        }
    }
}

/// The parser of the format that a file with these first bytes has.
fn parser(head: &[u8], config: Config) -> Option<Box<dyn Parser>> {
    let orientation = config.keep_orientation;
    Some(match head {
        [0xFF, 0xD8, ..] => Box::new(Jpeg::new(orientation)),
        [0x89, b'P', b'N', b'G', ..] => Box::new(Png::new(orientation)),
        [b'G', b'I', b'F', b'8', ..] => Box::new(Gif::new()),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Box::new(Matroska::new(config.subtitles)),
        [b'R', b'I', b'F', b'F', .., b'W', b'E', b'B', b'P'] => Box::new(Webp::new(orientation)),
        [b'R', b'I', b'F', b'F', .., b'W', b'A', b'V', b'E']
        | [b'R', b'F', b'6', b'4', .., b'W', b'A', b'V', b'E']
        | [b'B', b'W', b'6', b'4', .., b'W', b'A', b'V', b'E'] => Box::new(Wav::new()),
        [b'I', b'D', b'3', ..] | [0xFF, 0xE0..=0xFF, ..] => Box::new(Mp3::new()),
        [_, _, _, _, kind @ ..] if Bmff::begins_with(kind) => Box::new(Bmff::new(config)),
        _ => return None,
    })
}
