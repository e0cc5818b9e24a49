//! JPEG, by a decoder that can leave out detail that resizing would throw away: most of the memory and some of the
//! time that a photo takes. Its arithmetic uses the SIMD instructions of wasm, which makes it the faster of the two
//! decoders in Rust there even at full size, though the other is faster natively; and it needs an end-of-image marker,
//! so it takes no file that was cut off.

use forebay_plugin::Error;
use image::metadata::Orientation;
use jpeg_decoder::{CodingProcess, PixelFormat};

use crate::decode::Decoded;
use crate::raster::{Layout, Raster};

/// A JPEG file whose header was read.
pub(crate) struct Decoder<'a> {
    inner: jpeg_decoder::Decoder<&'a [u8]>,
    size: (u16, u16),
}

impl<'a> Decoder<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut inner = jpeg_decoder::Decoder::new(bytes);
        inner.read_info().map_err(refused)?;
        let info = inner
            .info()
            .ok_or_else(|| Error::InvalidInput("damaged JPEG: no frame".into()))?;
        if info.coding_process == CodingProcess::Lossless {
            return Err(Error::Unsupported("lossless JPEG".into()));
        }
        Ok(Self {
            inner,
            size: (info.width, info.height),
        })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.size.0.into(), self.size.1.into())
    }

    /// The orientation of the Exif data, which precede the frame.
    pub(crate) fn orientation(&self) -> Orientation {
        self.inner
            .exif_data()
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms)
    }

    /// Decodes at the least scale that leaves the resampler enough to work with.
    pub(crate) fn decode(mut self, needed: f64) -> Result<Decoded, Error> {
        let (width, height) = self.size;
        let eighths = scale_for(needed);
        // The decoder takes the smallest scale at which one side is long enough, so it is asked for the longer one,
        // where no two scales give the same length, and for more than it can give of the other.
        let at = |side: u16| (u32::from(side) * u32::from(eighths)).div_ceil(8) as u16;
        let (ask_width, ask_height) = if width >= height {
            (at(width), u16::MAX)
        } else {
            (u16::MAX, at(height))
        };
        let scaled = match eighths {
            8 => (width, height),
            _ => self.inner.scale(ask_width, ask_height).map_err(refused)?,
        };
        let samples = self.inner.decode().map_err(refused)?;
        let layout = match self.inner.info().map(|info| info.pixel_format) {
            Some(PixelFormat::L8) => Layout::Grey,
            Some(PixelFormat::RGB24) => Layout::Rgb,
            Some(PixelFormat::CMYK32) => Layout::Cmyk,
            _ => {
                return Err(Error::Unsupported(
                    "JPEG with more than 8 bits a channel".into(),
                ));
            }
        };
        Ok(Decoded {
            raster: Raster {
                width: scaled.0.into(),
                height: scaled.1.into(),
                layout,
                samples,
            },
            full: (width.into(), height.into()),
            scale: f64::from(eighths) / 8.0,
            profile: self.inner.icc_profile(),
        })
    }
}

/// Scale to decode at, in eighths, for a picture that will be resized by the factor `needed`.
fn scale_for(needed: f64) -> u8 {
    /// The decoder scales each block of 8x8 by itself, so its result is good only where the resampler still has to
    /// shrink it by this factor: then the difference is beyond sight (48 dB and more, against resampling all pixels).
    const HEADROOM: f64 = 2.0;
    [1, 2, 4]
        .into_iter()
        .find(|&eighths| f64::from(eighths) / 8.0 >= needed * HEADROOM)
        .unwrap_or(8)
}

fn refused(error: jpeg_decoder::Error) -> Error {
    match error {
        jpeg_decoder::Error::Unsupported(feature) => {
            Error::Unsupported(format!("JPEG with {feature:?}"))
        }
        // What is read lies in memory: nothing but its end can go wrong.
        jpeg_decoder::Error::Io(_) => Error::InvalidInput("damaged JPEG: it ends too early".into()),
        error => Error::InvalidInput(format!("damaged JPEG: {error}")),
    }
}
