//! Takes the metadata out of JPEG and PNG files as their bytes pass by, and leaves every pixel as it was.
//!
//! What a file needs to look the same stays: coefficients and tables, the colour profile, the pixel density and, unless
//! it is told otherwise, the orientation. Nothing else does: EXIF with its GPS position and thumbnail, XMP, IPTC, comments, text chunks,
//! timestamps, provenance manifests, what applications keep for themselves, and whatever follows the end of the picture.
//! [`jpeg`] and [`png`] say exactly what stays.
//!
//! - **It keeps what is listed and drops the rest**, so a kind of metadata that nobody has heard of is dropped too.
//! - **It fails closed.** A file that does not parse to its end is an error, and then the host discards what was written.
//! - **It decodes nothing and holds little**: at most [`MAX_HELD`] bytes of a file, however long that file is.
//!
//! What it does not see is what only a decoder sees: bytes hidden in pixels, in tables, behind the last pixel of a
//! compressed stream, or in the text of the colour profile, which stays as it is.

use forebay_plugin::{About, FileInfo, Input, Output, StreamPlugin};
use schemars::JsonSchema;

pub mod jpeg;
mod piece;
pub mod png;
mod stripper;

pub use stripper::{Error, MAX_HELD, Stripper};

/// The config of `strip-metadata`.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Keep the EXIF orientation, and nothing else of EXIF, where it says that the picture is to be turned or mirrored.
    ///
    /// Without it a photo that is stored sideways shows sideways, unless an earlier stage has turned its pixels upright.
    pub keep_orientation: bool,
}

impl Default for Config {
    /// Keeps it: a phone stores most photos sideways, and a later stage turns them upright by it.
    fn default() -> Self {
        Self {
            keep_orientation: true,
        }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct StripMetadata;

impl StreamPlugin for StripMetadata {
    type Config = Config;
    const ABOUT: About = About {
        name: "strip-metadata",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Takes EXIF, GPS, XMP, IPTC, comments and trailing data out of JPEG and PNG files",
        accepts: &["image/jpeg", "image/png"],
        produces: &[],
    };

    async fn transform(mut input: Input, config: Config) -> Result<(), forebay_plugin::Error> {
        let mut output = Output::open(FileInfo {
            size: None,
            ..input.info().clone()
        })
        .await;
        let mut stripper = Stripper::new(config);
        let (mut chunk, mut stripped) = (Vec::new(), Vec::new());
        while input.fill(&mut chunk).await {
            stripper.push(&chunk, &mut stripped)?;
            output.write(&mut stripped).await?;
        }
        stripper.finish()?;
        output.finish().await
    }
}

impl From<Error> for forebay_plugin::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unsupported => Self::Unsupported(error.to_string()),
            Error::Invalid { .. } => Self::InvalidInput(error.to_string()),
        }
    }
}

forebay_plugin::export_stream!(StripMetadata);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_config_can_be_described() {
        forebay_plugin::config_schema::<Config>().unwrap();
    }
}
