//! Takes the metadata out of pictures, films and sound as their bytes pass by, and leaves every pixel and every sample as it
//! was: JPEG, PNG, WebP, GIF; MP4, MOV, M4V, M4A, 3GP; WebM and Matroska; MP3 and WAV.
//!
//! What a file needs to look and to sound the same stays: coefficients and tables, the colour profile, the pixel density,
//! sample tables and, unless it is told otherwise, the orientation. Nothing else does: EXIF with its GPS position and
//! thumbnail, XMP, IPTC, comments, tags, text chunks, timestamps, provenance manifests, tracks of positions, what applications
//! keep for themselves, and whatever follows the end. [`jpeg`], [`png`], [`gif`], [`riff`], [`bmff`], [`matroska`] and [`mp3`]
//! say exactly what stays.
//!
//! - **It keeps what is listed and drops the rest**, so a kind of metadata that nobody has heard of is dropped too.
//! - **It fails closed.** A file that does not parse to its end is an error, and then the host discards what was written.
//! - **It computes no pixel and holds little**: [`MAX_HELD`] bytes, a colour profile, and for a progressive JPEG which
//!   coefficients are not zero; of a film its headers, and [`Config::film_memory`] where its index comes last; all of these are
//!   bounded. Compressed data of pictures are read only to find where they end.
//!
//! What it does not see is what is hidden in pixels, in samples, in tables, behind the last pixel but within a compressed
//! stream of PNG, between the parts of a lookup table (`mAB`) of a colour profile, or in the coded frames of a film: the
//! settings that x264 writes there, and a camera's own notes in them.

use forebay_plugin::{About, FileInfo, Input, Output, StreamPlugin};
use schemars::JsonSchema;

pub mod bmff;
mod bytes;
pub mod gif;
mod icc;
pub mod jpeg;
pub mod matroska;
pub mod mp3;
mod piece;
pub mod png;
pub mod riff;
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
    /// What becomes of the subtitles of a film, and of other tracks of text, such as chapters. Drones and dash cameras write
    /// positions into them.
    pub subtitles: Subtitles,
    /// How many MiB of a film may wait in memory for its index, where that comes last. Only so the samples of a metadata track
    /// can be taken out: the index tells where they are. A longer film with such a track is refused.
    #[schemars(range(max = 4095))]
    pub film_memory: u32,
}

/// What becomes of subtitles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Subtitles {
    /// A film that has any is refused.
    #[default]
    Refuse,
    /// They stay as they are.
    Keep,
    /// They go.
    Drop,
}

impl Subtitles {
    pub(crate) const REFUSED: &str = "the film has a track of text: subtitles, or positions that a drone wrote. \
         Say what becomes of it: `subtitles=keep` or `subtitles=drop`";
}

impl Default for Config {
    /// Keeps it: a phone stores most photos sideways, and a later stage turns them upright by it.
    fn default() -> Self {
        Self {
            keep_orientation: true,
            subtitles: Subtitles::Refuse,
            // The film of a Live Photo, a voice message: a few MiB.
            film_memory: 16,
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
        summary: "Takes GPS, EXIF, XMP, tags, comments, dates and trailing data out of pictures, films and sound",
        accepts: &[
            "image/jpeg",
            "image/png",
            "image/webp",
            "image/gif",
            "video/mp4",
            "video/quicktime",
            "video/3gpp",
            "video/3gpp2",
            "audio/mp4",
            "video/webm",
            "video/x-matroska",
            "audio/mpeg",
            "audio/wav",
        ],
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
            if stripper.pass(&chunk) {
                output.write(&mut chunk).await?;
            } else {
                stripper.push(&chunk, &mut stripped)?;
                output.write(&mut stripped).await?;
            }
        }
        stripper.finish(&mut stripped)?;
        output.write(&mut stripped).await?;
        output.finish().await
    }
}

impl From<Error> for forebay_plugin::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unsupported | Error::Refused { .. } => Self::Unsupported(error.to_string()),
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
