//! From bytes to pixels. First reads the format, the size and the orientation of a file. If these are accepted, decodes
//! its pixels.
//!
//! A file that ends early is an error, even if its format would allow a decoder to fill in the rest.

use std::io::Cursor;

use forebay_plugin::Error;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::raster::Raster;
use crate::tiff::Tiff;
use crate::{jpeg, orientation, png, raw};

/// A file whose header was read.
pub(crate) struct Source<'a> {
    pub(crate) format: ImageFormat,
    /// Width and height as stored, before the orientation is applied.
    pub(crate) size: (u32, u32),
    pub(crate) orientation: Orientation,
    decoder: Decoder<'a>,
}

enum Decoder<'a> {
    Jpeg(Box<jpeg::Decoder<'a>>),
    Tiff(Box<Tiff<'a>>),
    /// A decoder and the picture's profile.
    Other(Box<dyn ImageDecoder + 'a>, Option<Vec<u8>>),
}

/// The pixels of a file.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) raster: Raster,
    /// Width and height before the decoder scaled them.
    pub(crate) full: (f64, f64),
    /// Pixels of the raster per pixel of the file, along each axis: 1, 1/2, 1/4 or 1/8.
    pub(crate) scale: f64,
    /// The ICC profile from the file.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Bytes that a decoder may allocate besides the pixels: for metadata, tables and rows.
pub(crate) const OVERHEAD: u64 = 64 << 20;

impl<'a> Source<'a> {
    /// Reads a header. Pixels are neither decoded nor allocated.
    pub(crate) fn open(bytes: &'a mut [u8]) -> Result<Self, Error> {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff as TiffFile, WebP};
        raw::refuse(bytes)?;
        let format = match format_of(bytes) {
            Some(format @ (Bmp | Gif | Jpeg | Png | TiffFile | WebP)) => format,
            _ => {
                return Err(Error::Unsupported(
                    "not a PNG, JPEG, WebP, GIF, BMP or TIFF picture".into(),
                ));
            }
        };
        match format {
            Jpeg => {
                let decoder = jpeg::Decoder::open(bytes)?;
                Ok(Self {
                    format,
                    size: decoder.size(),
                    orientation: decoder.orientation(),
                    decoder: Decoder::Jpeg(Box::new(decoder)),
                })
            }
            TiffFile => {
                let decoder = Tiff::open(bytes)?;
                Ok(Self {
                    format,
                    size: decoder.size(),
                    orientation: decoder.orientation(),
                    decoder: Decoder::Tiff(Box::new(decoder)),
                })
            }
            _ => Self::open_other(format, bytes),
        }
    }

    fn open_other(format: ImageFormat, bytes: &'a [u8]) -> Result<Self, Error> {
        let chunks = match format {
            ImageFormat::Png => png::Chunks::read(bytes)?,
            _ => png::Chunks::default(),
        };
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(allocating(OVERHEAD));
        let mut decoder = reader
            .into_decoder()
            .map_err(|error| refused(format, error))?;
        let exif = decoder.exif_metadata().unwrap_or_default();
        let profile = chunks.profile(decoder.icc_profile().unwrap_or_default());
        Ok(Self {
            format,
            size: decoder.dimensions(),
            orientation: orientation::of(exif.as_deref().or(chunks.exif)),
            decoder: Decoder::Other(Box::new(decoder), profile),
        })
    }

    /// Decodes. `needed` is the factor by which the kept part will be resized. If a decoder can do part of the
    /// resizing at less cost, it does so.
    pub(crate) fn decode(self, needed: f64) -> Result<Decoded, Error> {
        match self.decoder {
            Decoder::Jpeg(decoder) => decoder.decode(needed),
            Decoder::Tiff(decoder) => decoder.decode(),
            Decoder::Other(mut decoder, profile) => decoder
                .set_limits(allocating(
                    decoder
                        .total_bytes()
                        .saturating_mul(2)
                        .saturating_add(OVERHEAD),
                ))
                .and_then(|()| DynamicImage::from_decoder(decoder))
                .map(|image| Decoded {
                    full: (f64::from(image.width()), f64::from(image.height())),
                    raster: Raster::from_image(image),
                    scale: 1.0,
                    profile,
                })
                .map_err(|error| refused(self.format, error)),
        }
    }
}

fn allocating(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

fn refused(format: ImageFormat, error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(_) => Error::Unsupported(format!("{format:?}: {error}")),
        ImageError::Limits(_) => {
            Error::Unsupported(format!("{format:?} that needs too much memory: {error}"))
        }
        _ => Error::InvalidInput(format!("damaged {format:?}: {error}")),
    }
}

/// The format that the first bytes show. BigTIFF is TIFF with longer offsets.
pub(crate) fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    if bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+") {
        return Some(ImageFormat::Tiff);
    }
    image::guess_format(bytes).ok()
}
