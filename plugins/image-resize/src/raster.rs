//! Pixels between the decoder and the encoder.

use forebay_plugin::Error;
use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};

/// The channels of a pixel, one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// Amounts of ink: 0 is none, 255 is full.
    Cmyk,
}

/// Rows of pixels, top to bottom, without padding.
#[derive(Debug)]
pub(crate) struct Raster {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) layout: Layout,
    pub(crate) samples: Vec<u8>,
}

impl Raster {
    /// Pixels of any depth, rounded to eight bits a channel.
    pub(crate) fn from_image(image: DynamicImage) -> Self {
        let (width, height) = (image.width(), image.height());
        let colour = image.color();
        let (layout, samples) = match (colour.has_color(), colour.has_alpha()) {
            (false, false) => (Layout::Grey, image.into_luma8().into_raw()),
            (false, true) => (Layout::GreyAlpha, image.into_luma_alpha8().into_raw()),
            (true, false) => (Layout::Rgb, image.into_rgb8().into_raw()),
            (true, true) => (Layout::Rgba, image.into_rgba8().into_raw()),
        };
        Self {
            width,
            height,
            layout,
            samples,
        }
    }

    /// The same pixels as an image; CMYK has to be converted before.
    pub(crate) fn into_image(self) -> Result<DynamicImage, Error> {
        let Self {
            width,
            height,
            layout,
            samples,
        } = self;
        match layout {
            Layout::Grey => GrayImage::from_raw(width, height, samples).map(Into::into),
            Layout::GreyAlpha => GrayAlphaImage::from_raw(width, height, samples).map(Into::into),
            Layout::Rgb => RgbImage::from_raw(width, height, samples).map(Into::into),
            Layout::Rgba => RgbaImage::from_raw(width, height, samples).map(Into::into),
            Layout::Cmyk => None,
        }
        .ok_or_else(|| {
            Error::Failed(format!(
                "{layout:?} pixels do not make an image of {width}x{height}"
            ))
        })
    }
}
