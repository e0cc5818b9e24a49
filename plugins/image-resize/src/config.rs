//! The config, and the checks that its schema cannot express.

use forebay_plugin::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The config of `image-resize`. All fields are optional. Without any, a picture keeps its size and is encoded again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Largest width of the upright picture, in pixels.
    #[schemars(range(min = 1, max = 65_535))]
    pub max_width: Option<u32>,
    /// Largest height of the upright picture, in pixels.
    #[schemars(range(min = 1, max = 65_535))]
    pub max_height: Option<u32>,
    /// How the picture fills `max_width` and `max_height`.
    pub fit: Fit,
    /// Type of the output.
    pub format: Format,
    /// Quality of a JPEG output, from 1 (smallest file) to 100 (best picture). From 90 on, colour is kept at full
    /// resolution.
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
    /// Colour behind the transparent parts of a picture that becomes a JPEG, such as `#ffffff`.
    #[schemars(with = "String", length(min = 7, max = 7))]
    pub background: Colour,
    /// Whether a picture that is smaller than `max_width` and `max_height` is enlarged.
    pub enlarge: bool,
    /// Refuses pictures with more pixels than this (width times height), as input or as output, without decoding them.
    #[schemars(range(min = 1, max = 500_000_000))]
    pub max_pixels: u64,
    /// Added to the file's name before its extension, such as `-small`.
    #[schemars(length(max = 64))]
    pub suffix: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_width: None,
            max_height: None,
            fit: Fit::Inside,
            format: Format::Auto,
            quality: 85,
            background: Colour([0xff; 3]),
            enlarge: false,
            max_pixels: 250_000_000,
            suffix: String::new(),
        }
    }
}

impl Config {
    /// The most pixels that `max_pixels` may allow. With four bytes per pixel, they still fit into the address space
    /// of wasm32.
    pub(crate) const MOST_PIXELS: u64 = 500_000_000;
    /// The longest side that JPEG can express (ITU-T T.81, B.2.2), and therefore the longest that a config may have.
    const LONGEST_SIDE: u32 = 65_535;

    /// Checks the rules that a schema cannot express, and those that a caller without a schema may have broken.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`], which names the field.
    pub fn check(&self) -> Result<(), Error> {
        for (field, value) in [
            ("max_width", self.max_width),
            ("max_height", self.max_height),
        ] {
            match value {
                Some(value) if !(1..=Self::LONGEST_SIDE).contains(&value) => {
                    return Err(invalid(
                        field,
                        format!("{value} is not between 1 and {}", Self::LONGEST_SIDE),
                    ));
                }
                None if self.fit != Fit::Inside => {
                    return Err(invalid(
                        field,
                        "fit = cover and fit = exact need both max_width and max_height",
                    ));
                }
                _ => {}
            }
        }
        if !(1..=100).contains(&self.quality) {
            return Err(invalid(
                "quality",
                format!("{} is not between 1 and 100", self.quality),
            ));
        }
        if !(1..=Self::MOST_PIXELS).contains(&self.max_pixels) {
            return Err(invalid(
                "max_pixels",
                format!(
                    "{} is not between 1 and {}",
                    self.max_pixels,
                    Self::MOST_PIXELS
                ),
            ));
        }
        Ok(())
    }
}

fn invalid(field: &str, reason: impl std::fmt::Display) -> Error {
    Error::InvalidConfig(format!("{field}: {reason}"))
}

/// How a picture fills the box of `max_width` and `max_height`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// As large as fits into the box. Proportions are kept, and either side of the box may be omitted.
    #[default]
    Inside,
    /// Fills the box. Proportions are kept, and the parts outside of the box are cut off evenly on both sides. If the
    /// picture is too small for the box, the output is the largest part with the box's proportions, unless `enlarge`
    /// is set.
    Cover,
    /// Stretched to exactly the box. Proportions are not kept. A side that is already shorter stays as it is, unless
    /// `enlarge` is set.
    Exact,
}

/// The type of the output.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG stays JPEG, and PNG stays PNG. GIF becomes PNG, because JPEG would blur its flat colours. WebP, BMP and
    /// TIFF become PNG if some pixel is transparent, otherwise JPEG.
    #[default]
    Auto,
    /// JPEG. Transparent parts get the colour `background`.
    Jpeg,
    /// PNG, eight bits per channel.
    Png,
}

/// An opaque sRGB colour, written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(pub [u8; 3]);

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.strip_prefix('#')
            .filter(|digits| {
                digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            })
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(|rgb| {
                let [_, red, green, blue] = rgb.to_be_bytes();
                Self([red, green, blue])
            })
            .ok_or_else(|| format!("background: `{text}` is not a colour such as #ffffff"))
    }
}

impl From<Colour> for String {
    fn from(Colour([red, green, blue]): Colour) -> Self {
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}
