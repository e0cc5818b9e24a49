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
    /// Whether the colours were multiplied by alpha.
    pub(crate) premultiplied: bool,
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
            premultiplied: false,
            samples,
        }
    }

    /// Divides the colours by alpha, if they were multiplied by it.
    pub(crate) fn unmultiply(&mut self) {
        if !std::mem::take(&mut self.premultiplied) {
            return;
        }
        let channels = match self.layout {
            Layout::GreyAlpha => 2,
            Layout::Rgba => 4,
            Layout::Grey | Layout::Rgb | Layout::Cmyk => return,
        };
        for pixel in self.samples.chunks_exact_mut(channels) {
            if let Some((&mut alpha, colours)) = pixel.split_last_mut() {
                let alpha = u32::from(alpha);
                for colour in colours {
                    let whole = u32::from(*colour) * 255 + alpha / 2;
                    *colour = whole.checked_div(alpha).unwrap_or(0).min(255) as u8;
                }
            }
        }
    }

    /// The same pixels as an image. CMYK must be converted before.
    pub(crate) fn into_image(self) -> Result<DynamicImage, Error> {
        let Self {
            width,
            height,
            layout,
            samples,
            ..
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
