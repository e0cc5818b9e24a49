//! Makes pictures smaller, upright and free of metadata. The input is PNG, JPEG, WebP, GIF, BMP or TIFF, the output PNG
//! or JPEG.
//!
//! - **Size**: as in [`Config`]. The output is never larger than the input, unless the config allows it. The quality is
//!   that of ImageMagick's Lanczos filter, on non-linear samples, with colour weighted by alpha.
//! - **Orientation**: all eight orientations of Exif are applied, so the output needs no tag. Widths and heights in the
//!   config are those of the upright picture.
//! - **Colour**: the output is sRGB, eight bits per channel, without a profile. So its colours are right even if a
//!   viewer or a service ignores profiles. Display P3, Adobe RGB, CMYK and grey profiles are converted. Colours within
//!   sRGB do not shift, and others become the nearest colour within sRGB. The values of the `gAMA`, `cHRM` and `cICP`
//!   chunks of a PNG are converted like a profile. A profile that cannot be read is ignored. PQ and HLG (high dynamic
//!   range) stay as they are.
//! - **Metadata**: a picture is always encoded again, even if its size stays the same. So the output has only pixels:
//!   no Exif, XMP, comments, thumbnails or bytes after the end.
//! - **Animations and pages**: the first frame of an animation or the first page of a TIFF is used, and the log says
//!   so. If the first picture of a TIFF is a preview, its largest picture is used.
//! - **Camera raw**: a camera raw file is refused, even if it looks like a TIFF. Its preview is never used as the
//!   photo.
//! - **Incomplete files**: a JPEG whose last scan ends early, a PNG without its last chunk, and a file of another type
//!   that ends before its pixels are refused. Damaged pixels of a PNG are refused, because its checksums show the
//!   damage. A JPEG has no checksums, so it is accepted if it can be decoded. Files that every other program accepts
//!   are accepted: a JPEG with junk between its segments or without its end-of-image marker, a frame of Motion JPEG, a
//!   PNG with a damaged chunk that is not needed.
//! - **Limits**: a picture of more than [`Config::max_pixels`] is refused before its pixels are decoded. The default
//!   accepts the 200 megapixels of a phone.
//!
//! # Memory
//! Memory is needed for the file itself, for the output, and about this many bytes for each pixel of the input:
//!
//! | input | 8 bits per channel | 16 bits per channel |
//! |---|---|---|
//! | JPEG | 4.5 with colour at half resolution, 6 at full; CMYK 8 | |
//! | progressive JPEG | 7.5 and 12; CMYK 16 | |
//! | PNG, BMP | 3; with alpha 4 | 9; with alpha 12 |
//! | WebP | 4.5; with alpha 10 | |
//! | TIFF in many strips or tiles | 3; with alpha 4 | 3; with alpha 4 |
//! | TIFF in one strip | 6; with alpha 8 | 9; with alpha 12 |
//! | GIF | 10 | |
//!
//! A JPEG that shrinks to at most 1/4, 1/8 or 1/16 of its width is decoded at 1/2, 1/4 or 1/8 of its width. This takes
//! a quarter, a 16th or a 64th of these bytes. Only the coefficients of a progressive one, 3 to 8 of these bytes, are
//! always needed in full.

use std::io::Write as _;
use std::path::Path;

use forebay_plugin::{About, Error, FileInfo, Input, Output, StreamPlugin};

mod colour;
mod config;
mod decode;
mod encode;
mod frames;
mod geometry;
mod jpeg;
mod orientation;
mod png;
mod raster;
mod raw;
mod resize;
mod scans;
mod tiff;

pub use config::{Colour, Config, Fit, Format};
pub use encode::Encoded;

/// The largest file that is read, in bytes. A picture of 100 million pixels has this many only if it is hardly
/// compressed.
pub const MAX_FILE: usize = 256 << 20;

/// The plugin.
#[derive(Debug)]
pub struct ImageResize;

impl StreamPlugin for ImageResize {
    type Config = Config;
    const ABOUT: About = About {
        name: "image-resize",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Makes pictures smaller, upright, sRGB and free of metadata",
        accepts: &[
            "image/png",
            "image/jpeg",
            "image/webp",
            "image/gif",
            "image/bmp",
            "image/tiff",
        ],
        produces: &["image/png", "image/jpeg"],
    };

    async fn transform(mut input: Input, config: Config) -> Result<(), Error> {
        config.check()?;
        let mut encoded = resize(input.read_to_end(MAX_FILE).await?, &config)?;
        if let Some(left_out) = &encoded.left_out {
            // The host shows it. A log that cannot be written to is no reason to fail.
            let _ = writeln!(std::io::stderr(), "{left_out}");
        }
        let info = FileInfo {
            name: output_name(&input.info().name, &config.suffix, encoded.extension),
            media_type: encoded.media_type.into(),
            size: Some(encoded.bytes.len() as u64),
        };
        let mut output = Output::open(info).await;
        output.write(&mut encoded.bytes).await?;
        output.finish().await
    }
}

/// Converts one file as `config` specifies.
///
/// # Errors
/// [`Error::Unsupported`] for a file of another type or with a rare feature of its type, [`Error::InvalidInput`] for
/// one that is damaged, ends early or has too many pixels, [`Error::InvalidConfig`] for a config that does not fit.
pub fn resize(mut file: Vec<u8>, config: &Config) -> Result<Encoded, Error> {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};

    config.check()?;
    jpeg::end(&mut file)?;
    // A file that is no picture, or damaged, is refused below.
    let left_out = decode::format_of(&file).and_then(|format| frames::left_out(format, &file));
    let source = decode::Source::open(&mut file)?;
    let (format, size, orientation) = (source.format, source.size, source.orientation);
    within(config.max_pixels, "the picture has", size)?;
    let turned = matches!(
        orientation,
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
    );
    let geometry = if turned {
        geometry::Geometry::new(size.1, size.0, config).turned()
    } else {
        geometry::Geometry::new(size.0, size.1, config)
    };
    within(config.max_pixels, "the result would have", geometry.size)?;

    let mut decoded = source.decode(geometry.factor())?;
    drop(file);
    let profile = decoded.profile.take();
    let mut raster = resize::resize(decoded, geometry)?;
    raster.unmultiply();
    let mut image = colour::to_srgb(raster, profile.as_deref())?.into_image()?;
    image.apply_orientation(orientation);
    let mut encoded = encode::encode(image, format, config)?;
    encoded.left_out = left_out;
    Ok(encoded)
}

/// The name of the input with the suffix, and with the extension of the output's type. An extension of the input that is
/// right already stays as it is written: `A.JPG` and `a.jpeg` keep theirs.
fn output_name(input: &str, suffix: &str, extension: &str) -> String {
    let input = Path::new(input);
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    let own = input.extension().unwrap_or_default().to_string_lossy();
    let is_right = own.eq_ignore_ascii_case(extension)
        || (extension == "jpg" && own.eq_ignore_ascii_case("jpeg"));
    let extension = if is_right { &own } else { extension };
    format!("{stem}{suffix}.{extension}")
}

fn within(max_pixels: u64, what: &str, (width, height): (u32, u32)) -> Result<(), Error> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels {
        return Err(Error::Unsupported(format!(
            "{what} {width}x{height} = {pixels} pixels, more than the limit max_pixels = {max_pixels}; set max_pixels \
             in the stage's config, to {most} at most",
            most = Config::MOST_PIXELS
        )));
    }
    Ok(())
}

forebay_plugin::export_stream!(ImageResize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_that_is_right_stays() {
        for (input, extension, expected) in [
            ("a.png", "jpg", "a-small.jpg"),
            ("A.JPG", "jpg", "A-small.JPG"),
            ("a.Jpeg", "jpg", "a-small.Jpeg"),
            ("a.jpeg", "png", "a-small.png"),
            ("a", "png", "a-small.png"),
            ("a.b.PNG", "png", "a.b-small.PNG"),
        ] {
            assert_eq!(output_name(input, "-small", extension), expected, "{input}");
        }
    }
}
