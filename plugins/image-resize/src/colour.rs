//! Colours: the output is sRGB, whatever profile the input has.
//!
//! A profile that cannot be read, or that is not for this kind of pixel, is ignored, as browsers do.

use forebay_plugin::Error;
use moxcms::{
    ColorProfile, DataColorSpace, Layout as Channels, TransformExecutor, TransformOptions,
};

use crate::raster::{Layout, Raster};

/// Converts to sRGB, with the profile if there is one for this kind of pixel. CMYK without one is converted by the
/// simple formula.
pub(crate) fn to_srgb(raster: Raster, profile: Option<&[u8]>) -> Result<Raster, Error> {
    let profile = profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok());
    let space = profile.as_ref().map(|profile| profile.color_space);
    match (raster.layout, profile, space) {
        (Layout::Rgb | Layout::Rgba | Layout::Cmyk, Some(profile), Some(space))
            if space == space_of(raster.layout) =>
        {
            convert(raster, &profile)
        }
        (Layout::Grey | Layout::GreyAlpha, Some(profile), Some(DataColorSpace::Gray)) => {
            Ok(convert_grey(raster, &profile))
        }
        (Layout::Cmyk, ..) => Ok(plain_rgb(raster)),
        _ => Ok(raster),
    }
}

fn space_of(layout: Layout) -> DataColorSpace {
    match layout {
        Layout::Grey | Layout::GreyAlpha => DataColorSpace::Gray,
        Layout::Rgb | Layout::Rgba => DataColorSpace::Rgb,
        Layout::Cmyk => DataColorSpace::Cmyk,
    }
}

/// Converts pixels with `profile`. Alpha stays as it is.
fn convert(raster: Raster, profile: &ColorProfile) -> Result<Raster, Error> {
    // moxcms uses the layout of any four channels for CMYK.
    let (from, to, layout, channels) = match raster.layout {
        Layout::Rgba => (Channels::Rgba, Channels::Rgba, Layout::Rgba, 4),
        Layout::Cmyk => (Channels::Rgba, Channels::Rgb, Layout::Rgb, 3),
        _ => (Channels::Rgb, Channels::Rgb, Layout::Rgb, 3),
    };
    let srgb = ColorProfile::new_srgb();
    let Ok(transform) = profile.create_transform_8bit(from, &srgb, to, TransformOptions::default())
    else {
        return Ok(if raster.layout == Layout::Cmyk {
            plain_rgb(raster)
        } else {
            raster
        });
    };
    if from == to {
        return convert_in_place(raster, transform.as_ref());
    }
    let pixels = raster.width as usize * raster.height as usize;
    let mut samples = vec![0; pixels * channels];
    transform
        .transform(&raster.samples, &mut samples)
        .map_err(|error| failed(&error))?;
    Ok(Raster {
        layout,
        samples,
        ..raster
    })
}

/// Converts pixels with a transform that keeps their number of channels. This is done in chunks, so that a large
/// picture is not in memory twice.
fn convert_in_place(
    mut raster: Raster,
    transform: &(impl TransformExecutor<u8> + ?Sized),
) -> Result<Raster, Error> {
    /// Bytes of a chunk: a whole number of pixels, with three or with four channels.
    const PIECE: usize = 48 << 10;
    let mut before = Vec::with_capacity(PIECE);
    for piece in raster.samples.chunks_mut(PIECE) {
        before.clear();
        before.extend_from_slice(piece);
        transform
            .transform(&before, piece)
            .map_err(|error| failed(&error))?;
    }
    Ok(raster)
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::Failed(format!("cannot convert colours: {error}"))
}

/// Converts greys with a table of all 256 of them.
fn convert_grey(mut raster: Raster, profile: &ColorProfile) -> Raster {
    let greys: [u8; 256] = std::array::from_fn(|grey| grey as u8);
    let mut colours = [0; 256 * 3];
    let srgb = ColorProfile::new_srgb();
    let converted = profile
        .create_transform_8bit(
            Channels::Gray,
            &srgb,
            Channels::Rgb,
            TransformOptions::default(),
        )
        .and_then(|transform| transform.transform(&greys, &mut colours));
    if converted.is_ok() {
        let mut table = greys;
        // The three channels of a grey are equal. If rounding made them differ, green is the most significant one.
        for (entry, [_, green, _]) in table.iter_mut().zip(colours.as_chunks::<3>().0) {
            *entry = *green;
        }
        let step = if raster.layout == Layout::GreyAlpha {
            2
        } else {
            1
        };
        for grey in raster.samples.iter_mut().step_by(step) {
            *grey = table.get(usize::from(*grey)).copied().unwrap_or(*grey);
        }
    }
    raster
}

/// Converts CMYK without a profile, as browsers and ImageMagick do: each ink reduces the light of its channel, and
/// black reduces all three.
fn plain_rgb(raster: Raster) -> Raster {
    let light =
        |ink: u8, black: u8| ((255 - u32::from(ink)) * (255 - u32::from(black)) + 127) / 255;
    let (pixels, _) = raster.samples.as_chunks::<4>();
    let samples = pixels
        .iter()
        .flat_map(|&[c, m, y, k]| [c, m, y].map(|ink| light(ink, k) as u8))
        .collect();
    Raster {
        layout: Layout::Rgb,
        samples,
        ..raster
    }
}
