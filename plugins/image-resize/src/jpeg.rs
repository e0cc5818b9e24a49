//! JPEG, with a decoder that follows libjpeg-turbo: in the order in which JFIF, Adobe's marker and component ids decide
//! the colours, with junk between segments, with a missing end-of-image marker, and with Huffman tables that Motion
//! JPEG leaves out. Its pixels are equal to those of `djpeg`. It can decode at a smaller scale, without the detail that
//! resizing would discard. This saves most of the memory and some of the time for a photo.
//!
//! It decodes strictly: a scan that ends before its last block, or that cannot be read, is an error.

use forebay_plugin::Error;
use image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits, JpegError, PixelFormat, ScalingFactor};

use crate::decode::Decoded;
use crate::orientation;
use crate::raster::{Layout, Raster};
use crate::scans;

/// A JPEG file whose header was read.
pub(crate) struct Decoder<'a> {
    inner: libjpeg_turbo_rs::Decoder<'a>,
    size: (u32, u32),
}

/// Adds an end-of-image marker to a JPEG that does not end with one, as libjpeg does. A decoder of several scans needs
/// it. Files of other types stay as they are.
///
/// # Errors
/// [`Error::InvalidInput`] for a JPEG that lacks scans.
pub(crate) fn end(file: &mut Vec<u8>) -> Result<(), Error> {
    const START: &[u8] = b"\xff\xd8\xff";
    const END: &[u8] = b"\xff\xd9";
    if file.starts_with(START) {
        if !scans::are_complete(file) {
            return Err(ends_early());
        }
        if !file.ends_with(END) {
            file.reserve_exact(END.len());
            file.extend_from_slice(END);
        }
    }
    Ok(())
}

/// The most scans that are read. Encoders write about ten. Each costs a pass over all blocks.
const MAX_SCANS: usize = 500;

impl<'a> Decoder<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        // The caller checks the number of pixels.
        let limits = DecodeLimits {
            max_width: usize::from(u16::MAX),
            max_height: usize::from(u16::MAX),
            max_pixels: u64::MAX,
            max_scans: MAX_SCANS,
            max_memory: None,
        };
        let inner = libjpeg_turbo_rs::Decoder::new_with_limits(bytes, limits).map_err(refused)?;
        let frame = inner.header();
        if frame.is_lossless {
            return Err(Error::Unsupported("lossless JPEG".into()));
        }
        if frame.precision != 8 {
            return Err(Error::Unsupported(format!(
                "JPEG with {} bits a channel; only 8 are read",
                frame.precision
            )));
        }
        if !matches!(frame.components.len(), 1 | 3 | 4) {
            return Err(Error::Unsupported(format!(
                "JPEG with {} channels",
                frame.components.len()
            )));
        }
        let size = (frame.width.into(), frame.height.into());
        Ok(Self { inner, size })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The orientation of the first Exif segment, at any place before the first scan.
    pub(crate) fn orientation(&self) -> Orientation {
        orientation::of(self.inner.exif_data())
    }

    /// Decodes at the smallest scale that still has enough detail for the resampler.
    pub(crate) fn decode(mut self, needed: f64) -> Result<Decoded, Error> {
        let divisor = scale_for(needed);
        let scale = ScalingFactor::try_new(1, divisor)
            .map_err(|error| Error::Failed(format!("cannot scale JPEG: {error}")))?;
        self.inner.set_scale(scale);
        let image = self.inner.decode_image().map_err(refused)?;
        let mut samples = image.data;
        let layout = match image.pixel_format {
            PixelFormat::Grayscale => Layout::Grey,
            PixelFormat::Rgb => Layout::Rgb,
            PixelFormat::Cmyk => {
                // Adobe's programs wrote nearly all such files and store 255 for no ink. So every reader inverts them.
                samples.iter_mut().for_each(|ink| *ink = !*ink);
                Layout::Cmyk
            }
            other => return Err(Error::Failed(format!("JPEG decoded as {other:?}"))),
        };
        let (Ok(width), Ok(height)) = (u32::try_from(image.width), u32::try_from(image.height))
        else {
            return Err(Error::Failed("JPEG of an impossible size".into()));
        };
        Ok(Decoded {
            raster: Raster {
                width,
                height,
                layout,
                premultiplied: false,
                samples,
            },
            full: (self.size.0.into(), self.size.1.into()),
            scale: 1.0 / f64::from(divisor),
            profile: image.icc_profile,
        })
    }
}

/// The divisor of the sides for decoding a picture that will be resized by the factor `needed`.
fn scale_for(needed: f64) -> u32 {
    /// The decoder scales each block of 8x8 separately. The result is good only if the resampler then still shrinks it
    /// by at least this factor. The difference is then invisible (48 dB and more, compared with resampling all pixels).
    const HEADROOM: f64 = 2.0;
    [8, 4, 2]
        .into_iter()
        .find(|&divisor| needed * HEADROOM * f64::from(divisor) <= 1.0)
        .unwrap_or(1)
}

fn ends_early() -> Error {
    Error::InvalidInput("damaged JPEG: it ends too early".into())
}

fn refused(error: JpegError) -> Error {
    match error {
        JpegError::Unsupported(feature) => Error::Unsupported(format!("JPEG: {feature}")),
        JpegError::UnexpectedEof => ends_early(),
        JpegError::LimitExceeded {
            what,
            actual,
            limit,
        } => Error::Unsupported(format!("JPEG: {what} {actual} exceeds {limit}")),
        error @ JpegError::AllocationFailed { .. } => Error::Failed(format!(
            "JPEG that needs more memory than there is: {error}"
        )),
        error => Error::InvalidInput(format!("damaged JPEG: {error}")),
    }
}
