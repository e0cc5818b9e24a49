//! Makes pictures smaller, upright and plain: PNG, JPEG, WebP, GIF, BMP or TIFF in, PNG or JPEG out.
//!
//! - **Size**: as [`Config`] asks; never larger than the input unless it asks for that too. The quality is that of
//!   ImageMagick's Lanczos filter, on non-linear samples, with colour weighted by alpha.
//! - **Upright**: all eight orientations of Exif are applied, so the output needs no tag. Widths and heights in the
//!   config are those of the upright picture.
//! - **Colour**: the output is sRGB, eight bits a channel, without a profile: right also where a viewer or a service
//!   ignores profiles. Display P3, Adobe RGB, CMYK and grey profiles are converted, so colours within sRGB do not
//!   shift and those beyond become the nearest within. What the `gAMA`, `cHRM` and `cICP` chunks of a PNG
//!   say is converted like a profile. A profile that cannot be read is passed over. PQ and HLG (high dynamic range) stay as they are.
//! - **Plain**: always encoded afresh, even when the size stays, so nothing but pixels ever passes: no Exif, XMP,
//!   comments, thumbnails or bytes after the end.
//! - **Still**: of an animation the first frame, of a TIFF of several pages the first page; the log says so. A TIFF
//!   whose first picture is a preview gives the largest one.
//! - **Developed**: a camera raw file is refused, also where it looks like a TIFF. Its preview is never taken for the
//!   photo.
//! - **Whole**: a JPEG whose last scan ends early is refused, and a PNG without its last chunk, and a file of another
//!   type that ends before its pixels do; so are damaged pixels of a PNG, whose checksums tell. A JPEG has none: what
//!   decodes at all, passes. What every other program takes, is taken: a JPEG with junk between its segments or
//!   without its end-of-image marker, a frame of Motion JPEG, a PNG with a damaged chunk that is not needed.
//! - **Bounded**: a picture of more than [`Config::max_pixels`] is refused before its pixels are decoded. The default
//!   lets the 200 megapixels of a phone pass.
//!
//! # Memory
//! The file itself, the output, and for each pixel of the input about as many bytes:
//!
//! | input | 8 bits a channel | 16 bits a channel |
//! |---|---|---|
//! | JPEG | 4.5 with colour at half resolution, 6 at full; CMYK 8 | |
//! | progressive JPEG | 7.5 and 12; CMYK 16 | |
//! | PNG, BMP | 3; with alpha 4 | 9; with alpha 12 |
//! | WebP | 4.5; with alpha 10 | |
//! | TIFF in many strips or tiles | 3; with alpha 4 | 3; with alpha 4 |
//! | TIFF in one strip | 6; with alpha 8 | 9; with alpha 12 |
//! | GIF | 10 | |
//!
//! A JPEG that shrinks to at most 1/4, 1/8 or 1/16 of its width is decoded at 1/2, 1/4 or 1/8 of it, which takes a
//! quarter, a 16th or a 64th of these bytes; only the coefficients of a progressive one, 3 to 8 of them, are needed
//! whole.

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

/// The largest file that is read. One of 100 million pixels has this many bytes only where it is hardly compressed.
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
        let stem = Path::new(&input.info().name).file_stem();
        let stem = stem.unwrap_or_default().to_string_lossy();
        let info = FileInfo {
            name: format!("{stem}{}.{}", config.suffix, encoded.extension),
            media_type: encoded.media_type.into(),
            size: Some(encoded.bytes.len() as u64),
        };
        let mut output = Output::open(info).await;
        output.write(&mut encoded.bytes).await?;
        output.finish().await
    }
}

/// Makes of one file what `config` asks for.
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
