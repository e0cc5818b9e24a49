//! The entry: finds out which format a file has, and hands it to that format's parser.

use crate::Config;
use crate::jpeg::Jpeg;
use crate::piece::Piece;
use crate::png::Png;

/// The most bytes of a file's pixels that a [`Stripper`] holds between two pieces: one JPEG segment, whose length field has
/// 16 bits. Beside these it holds at most 4 MiB of colour profile, and 8 bytes for each block of a progressive JPEG, up to
/// 32 MiB.
pub const MAX_HELD: usize = u16::MAX as usize;

/// Why a file was refused. Nothing that was written before counts then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first bytes are neither a JPEG's nor a PNG's.
    #[error("neither JPEG nor PNG")]
    Unsupported,
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
}

/// Strips one file, piece by piece. It does no input or output of its own, and how the file is cut into pieces does not
/// change what comes out.
///
/// ```
/// use strip_metadata::{Config, Stripper};
///
/// let photo = std::fs::read("../../cli/demo/photo.jpg")?;
/// let mut stripper = Stripper::new(Config { keep_orientation: true });
/// let mut output = Vec::new();
/// for piece in photo.chunks(4096) {
///     stripper.push(piece, &mut output)?;
/// }
/// stripper.finish()?;
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
    Unknown,
    Jpeg(Box<Jpeg>),
    Png(Box<Png>),
    Refused(Error),
}

impl Stripper {
    /// Begins a file.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            format: Format::Unknown,
            offset: 0,
        }
    }

    /// Takes the next bytes of the file and appends what stays of them to `output`, which grows by little more than the
    /// length of `input` and of what was held.
    ///
    /// # Errors
    /// When the file is refused; every later call then gives the same error.
    pub fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if let (Format::Unknown, Some(first)) = (&self.format, input.first()) {
            self.format = match first {
                0xFF => Format::Jpeg(Box::new(Jpeg::new(self.config.keep_orientation))),
                0x89 => Format::Png(Box::new(Png::new(self.config.keep_orientation))),
                _ => Format::Refused(Error::Unsupported),
            };
        }
        let result = self.parse(input, output);
        if let Err(error) = &result {
            self.format = Format::Refused(error.clone());
        }
        result
    }

    fn parse(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let mut piece = Piece::new(input, self.offset);
        while !piece.rest().is_empty() {
            match &mut self.format {
                Format::Jpeg(jpeg) => jpeg.step(&mut piece, output)?,
                Format::Png(png) => png.step(&mut piece, output)?,
                Format::Unknown => return Err(Error::Unsupported),
                Format::Refused(error) => return Err(error.clone()),
            }
        }
        self.offset = piece.offset();
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the file was refused before, or ends before its picture does.
    pub fn finish(self) -> Result<(), Error> {
        let is_complete = match self.format {
            Format::Jpeg(jpeg) => jpeg.is_complete(),
            Format::Png(png) => png.is_complete(),
            Format::Unknown => return Err(Error::Unsupported),
            Format::Refused(error) => return Err(error),
        };
        if is_complete {
            Ok(())
        } else {
            Err(Error::invalid(
                self.offset,
                "the file ends before its picture does",
            ))
        }
    }
}
