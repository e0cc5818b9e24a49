//! Resampling: Lanczos with three lobes, on the stored (non-linear) samples, with colour weighted by alpha.
//! ImageMagick's `-filter Lanczos -resize` does the same by default, so results agree except for rounding.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use forebay_plugin::Error;

use crate::decode::Decoded;
use crate::geometry::Geometry;
use crate::raster::{Layout, Raster};

/// Resamples the part that `geometry` keeps. `geometry` is in pixels of the stored picture at its full size.
pub(crate) fn resize(decoded: Decoded, geometry: Geometry) -> Result<Raster, Error> {
    let Decoded { raster, scale, .. } = decoded;
    let (have_width, have_height) = (f64::from(raster.width), f64::from(raster.height));
    let (width, height) = geometry.size;
    // The kept part, in pixels of the raster. A decoder that scales rounds the last column and row up. Only the part of
    // them that belongs to the picture is used.
    let kept_width = (geometry.kept.0 * scale).min(have_width);
    let kept_height = (geometry.kept.1 * scale).min(have_height);
    let left = ((decoded.full.0 * scale - kept_width) / 2.0).clamp(0.0, have_width - kept_width);
    let top = ((decoded.full.1 * scale - kept_height) / 2.0).clamp(0.0, have_height - kept_height);
    if (raster.width, raster.height) == (width, height)
        && (kept_width, kept_height) == (have_width, have_height)
    {
        return Ok(raster);
    }

    let pixel = match raster.layout {
        Layout::Grey => PixelType::U8,
        Layout::GreyAlpha => PixelType::U8x2,
        Layout::Rgb => PixelType::U8x3,
        Layout::Rgba | Layout::Cmyk => PixelType::U8x4,
    };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .use_alpha(raster.layout != Layout::Cmyk && !raster.premultiplied)
        .crop(left, top, kept_width, kept_height);
    let failed = |error: &dyn std::fmt::Display| Error::Failed(format!("cannot resize: {error}"));
    let source = ImageRef::new(raster.width, raster.height, &raster.samples, pixel)
        .map_err(|error| failed(&error))?;
    let mut resized = Image::new(width, height, pixel);
    Resizer::new()
        .resize(&source, &mut resized, &options)
        .map_err(|error| failed(&error))?;
    Ok(Raster {
        width,
        height,
        layout: raster.layout,
        premultiplied: raster.premultiplied,
        samples: resized.into_vec(),
    })
}
