//! Converts the samples of a TIFF to pixels (TIFF 6.0, sections 3 to 6, 16, 18 and 21).

use forebay_plugin::Error;
use tiff::decoder::DecodingResult;

use super::directory::{Directory, Numbers, tag};
use super::{COMPRESSION_JPEG, damaged};
use crate::raster::{Layout, Raster};

/// `PhotometricInterpretation` of plain grey.
pub(super) const BLACK_IS_ZERO: u16 = 1;

/// The kind of colours of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Whether 0 is white.
    Grey {
        inverted: bool,
    },
    Rgb,
    /// 0 is no ink.
    Cmyk,
    YCbCr,
    /// The colours to which the samples are indexes.
    Palette(Vec<[u8; 3]>),
}

/// How the samples of a picture are stored.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    kind: Kind,
    /// Number of samples of each pixel, including those that are not a colour.
    pub(super) per_pixel: usize,
    bits: u8,
    float: bool,
    /// Which sample is alpha, and whether the colours were multiplied by it.
    alpha: Option<(usize, bool)>,
}

impl Samples {
    pub(super) fn of(directory: &Directory, bytes: &[u8], numbers: Numbers) -> Result<Self, Error> {
        /// A file with more samples has measurements and is not a picture.
        const MOST_SAMPLES: usize = 32;
        let one = |tag| directory.one(bytes, numbers, tag);
        let per_pixel = one(tag::SAMPLES_PER_PIXEL).unwrap_or(1);
        let per_pixel = usize::try_from(per_pixel)
            .ok()
            .filter(|count| (1..=MOST_SAMPLES).contains(count))
            .ok_or_else(|| unsupported(&format!("{per_pixel} samples a pixel")))?;
        let bits = one(tag::BITS_PER_SAMPLE).unwrap_or(1);
        let bits = u8::try_from(bits)
            .ok()
            .filter(|bits| matches!(bits, 1..=8 | 16 | 32))
            .ok_or_else(|| unsupported(&format!("samples of {bits} bits")))?;
        let float = match one(tag::SAMPLE_FORMAT).unwrap_or(1) {
            1 | 4 => false,
            3 => true,
            2 => return Err(unsupported(&"samples with a sign")),
            other => return Err(unsupported(&format!("samples of the format {other}"))),
        };
        let kind = match one(tag::PHOTOMETRIC) {
            Some(white @ (0 | 1)) => Kind::Grey {
                inverted: white == 0,
            },
            Some(2) => Kind::Rgb,
            Some(3) => Kind::Palette(palette(
                &directory.all(bytes, numbers, tag::COLOR_MAP),
                bits,
            )?),
            Some(5) => Kind::Cmyk,
            Some(6) => Kind::YCbCr,
            Some(8..=10) => return Err(unsupported(&"colours in CIE L*a*b*; save it as RGB")),
            Some(other) => return Err(unsupported(&format!("colours of the kind {other}"))),
            None => return Err(unsupported(&"no word on what its samples are")),
        };
        if bits > 8 && matches!(kind, Kind::Palette(_)) {
            return Err(unsupported(&"a palette of more than 256 colours"));
        }
        let colours = kind.samples();
        if per_pixel < colours {
            return Err(damaged(&format!(
                "{per_pixel} samples a pixel where its colours need {colours}"
            )));
        }
        if float && (kind != Kind::Rgb || bits != 32) {
            return Err(unsupported(
                &"floating-point samples that are no RGB of 32 bits",
            ));
        }
        if kind == Kind::YCbCr {
            let jpeg = one(tag::COMPRESSION) == Some(COMPRESSION_JPEG);
            let whole = directory.all(bytes, numbers, tag::SUBSAMPLING) == [1, 1];
            if bits != 8 || !(jpeg || whole) {
                return Err(unsupported(
                    &"YCbCr at half resolution outside of JPEG; save it as RGB",
                ));
            }
        }
        let alpha = alpha(
            &directory.all(bytes, numbers, tag::EXTRA_SAMPLES),
            &kind,
            per_pixel,
        );
        if alpha.is_some() && kind == Kind::Cmyk {
            return Err(unsupported(&"CMYK with transparency; save it as RGB"));
        }
        Ok(Self {
            kind,
            per_pixel,
            bits,
            float,
            alpha,
        })
    }

    /// The most bytes that a decoder needs for a pixel.
    pub(super) fn bytes_per_pixel(&self) -> usize {
        self.per_pixel * usize::from(self.bits.div_ceil(8))
    }
}

impl Kind {
    /// Number of samples of a colour.
    fn samples(&self) -> usize {
        match self {
            Self::Grey { .. } | Self::Palette(_) => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }
}

/// Which sample is alpha: the first extra sample that is marked as alpha. If RGB has four samples and the fourth is not
/// described, the fourth counts as alpha.
fn alpha(extra: &[u64], kind: &Kind, per_pixel: usize) -> Option<(usize, bool)> {
    const ASSOCIATED: u64 = 1;
    const UNASSOCIATED: u64 = 2;
    let colours = kind.samples();
    if extra.is_empty() && *kind == Kind::Rgb && per_pixel == 4 {
        return Some((3, false));
    }
    extra
        .iter()
        .enumerate()
        .find(|(_, kind)| matches!(**kind, ASSOCIATED | UNASSOCIATED))
        .map(|(index, kind)| (colours + index, *kind == ASSOCIATED))
        .filter(|(index, _)| *index < per_pixel)
}

/// The colours of a `ColorMap`: all reds, all greens, all blues, with 16 bits each. Some programs store 8 bits.
fn palette(map: &[u64], bits: u8) -> Result<Vec<[u8; 3]>, Error> {
    let length = 1_usize << bits.min(16);
    let (Some(reds), Some(greens), Some(blues)) = (
        map.get(..length),
        map.get(length..length * 2),
        map.get(length * 2..length * 3),
    ) else {
        return Err(damaged(&"its palette has too few colours"));
    };
    let narrow = map.iter().all(|&value| value < 256);
    let byte = |value: u64| if narrow { value } else { value >> 8 } as u8;
    Ok(reds
        .iter()
        .zip(greens)
        .zip(blues)
        .map(|((&red, &green), &blue)| [red, green, blue].map(byte))
        .collect())
}

fn unsupported(what: &dyn std::fmt::Display) -> Error {
    Error::Unsupported(format!("TIFF with {what}"))
}

/// Pixels that are filled strip by strip, tile by tile, plane by plane.
pub(super) struct Colours<'s> {
    samples: &'s Samples,
    planar: bool,
    width: usize,
    height: usize,
    /// Number of channels of a pixel of the result.
    channels: usize,
    /// The stored channels until all planes are complete, then the result.
    pixels: Vec<u8>,
}

impl<'s> Colours<'s> {
    pub(super) fn new(
        samples: &'s Samples,
        planar: bool,
        width: usize,
        height: usize,
    ) -> Result<Self, Error> {
        let colours = match samples.kind {
            Kind::Palette(_) => 3,
            _ => samples.kind.samples(),
        };
        let channels = colours + usize::from(samples.alpha.is_some());
        let length = width
            .checked_mul(height)
            .and_then(|pixels| pixels.checked_mul(channels))
            .ok_or_else(|| unsupported(&"more pixels than memory has bytes"))?;
        Ok(Self {
            samples,
            planar,
            width,
            height,
            channels,
            pixels: vec![0; length],
        })
    }

    /// Whether the samples of this plane are visible in the picture.
    pub(super) fn wants(&self, plane: usize) -> bool {
        !self.planar || self.channel(plane).is_some()
    }

    /// The channel of the result that a sample becomes.
    fn channel(&self, sample: usize) -> Option<usize> {
        if sample < self.samples.kind.samples() {
            return Some(sample);
        }
        self.samples
            .alpha
            .filter(|(index, _)| *index == sample)
            .map(|_| self.channels - 1)
    }

    /// Copies the samples of a strip or tile, whose rows are `stride` bytes apart.
    pub(super) fn add(
        &mut self,
        plane: usize,
        chunk: &DecodingResult,
        stride: usize,
        at: (usize, usize),
        size: (usize, usize),
    ) -> Result<(), Error> {
        let per_pixel = if self.planar {
            1
        } else {
            self.samples.per_pixel
        };
        let targets: Vec<(usize, usize)> = (0..per_pixel)
            .filter_map(|index| {
                let sample = if self.planar { plane } else { index };
                Some((index, self.channel(sample)?))
            })
            .collect();
        let in_order = per_pixel == self.channels && !self.planar;
        let row_samples = size.0 * per_pixel;
        let mut unpacked = vec![0; row_samples];
        for row in 0..size.1 {
            let start = ((at.1 + row) * self.width + at.0) * self.channels;
            let target = self
                .pixels
                .get_mut(start..start + size.0 * self.channels)
                .ok_or_else(|| damaged(&"a tile lies outside of the picture"))?;
            let whole = if in_order && !matches!(self.samples.kind, Kind::Palette(_)) {
                self.samples.row(chunk, row, stride, target)
            } else {
                self.samples
                    .row(chunk, row, stride, &mut unpacked)
                    .map(|()| {
                        for (pixel, stored) in target
                            .chunks_exact_mut(self.channels)
                            .zip(unpacked.chunks_exact(per_pixel))
                        {
                            for &(from, to) in &targets {
                                if let (Some(to), Some(from)) =
                                    (pixel.get_mut(to), stored.get(from))
                                {
                                    *to = *from;
                                }
                            }
                        }
                    })
            };
            whole.ok_or_else(|| damaged(&"a strip or tile ends too early"))?;
        }
        Ok(())
    }

    /// The picture. All samples must have been added before.
    pub(super) fn finish(mut self) -> Result<Raster, Error> {
        let alpha = self.samples.alpha.is_some();
        let layout = match (&self.samples.kind, alpha) {
            (Kind::Grey { .. }, false) => Layout::Grey,
            (Kind::Grey { .. }, true) => Layout::GreyAlpha,
            (Kind::Cmyk, _) => Layout::Cmyk,
            (_, false) => Layout::Rgb,
            (_, true) => Layout::Rgba,
        };
        match &self.samples.kind {
            Kind::Grey { inverted: true } => {
                for grey in self.pixels.iter_mut().step_by(self.channels) {
                    *grey = !*grey;
                }
            }
            Kind::YCbCr => {
                for pixel in self.pixels.chunks_exact_mut(self.channels) {
                    if let Some(colour) = pixel.first_chunk_mut::<3>() {
                        *colour = rgb_of(*colour);
                    }
                }
            }
            Kind::Palette(colours) => {
                for pixel in self.pixels.chunks_exact_mut(self.channels) {
                    if let Some(target) = pixel.first_chunk_mut::<3>() {
                        let [index, ..] = *target;
                        *target = colours.get(usize::from(index)).copied().ok_or_else(|| {
                            damaged(&"a pixel has a colour outside of the palette")
                        })?;
                    }
                }
            }
            Kind::Grey { inverted: false } | Kind::Rgb | Kind::Cmyk => {}
        }
        Ok(Raster {
            width: self.width as u32,
            height: self.height as u32,
            layout,
            premultiplied: self.samples.alpha.is_some_and(|(_, multiplied)| multiplied),
            samples: self.pixels,
        })
    }
}

impl Samples {
    /// Rounds a row of samples to eight bits each. Indexes of a palette stay as they are. `None` if the chunk has too
    /// few samples.
    fn row(
        &self,
        chunk: &DecodingResult,
        row: usize,
        stride: usize,
        target: &mut [u8],
    ) -> Option<()> {
        let length = target.len();
        let indexes = matches!(self.kind, Kind::Palette(_));
        match chunk {
            DecodingResult::U8(bytes) if self.bits == 8 => {
                let start = row.checked_mul(stride)?;
                target.copy_from_slice(bytes.get(start..start.checked_add(length)?)?);
            }
            DecodingResult::U8(bytes) => {
                let bits = usize::from(self.bits);
                let packed = bytes.get(row.checked_mul(stride)?..)?;
                let packed = packed.get(..(length * bits).div_ceil(8))?;
                let most = (1_u16 << bits) - 1;
                for (index, target) in target.iter_mut().enumerate() {
                    let (byte, bit) = (index * bits / 8, index * bits % 8);
                    let pair = u16::from(*packed.get(byte)?) << 8
                        | packed.get(byte + 1).copied().map_or(0, u16::from);
                    let sample = pair >> (16 - bits - bit) & most;
                    *target = if indexes {
                        sample as u8
                    } else {
                        ((sample * 255 + most / 2) / most) as u8
                    };
                }
            }
            DecodingResult::U16(words) => {
                let start = row.checked_mul(stride)? / 2;
                let words = words.get(start..start.checked_add(length)?)?;
                for (target, &word) in target.iter_mut().zip(words) {
                    *target = ((u32::from(word) * 255 + 32_767) / 65_535) as u8;
                }
            }
            DecodingResult::U32(words) => {
                let start = row.checked_mul(stride)? / 4;
                let words = words.get(start..start.checked_add(length)?)?;
                for (target, &word) in target.iter_mut().zip(words) {
                    *target = (u64::from(word) * 255 / u64::from(u32::MAX)) as u8;
                }
            }
            DecodingResult::F32(values) if self.float => {
                let start = row.checked_mul(stride)? / 4;
                let values = values.get(start..start.checked_add(length)?)?;
                for (target, &value) in target.iter_mut().zip(values) {
                    *target = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

/// YCbCr to RGB (TIFF 6.0, section 21, with the coefficients of ITU-R BT.601, its defaults).
fn rgb_of([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    /// Fractions of 65,536.
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y) << 16, i32::from(cb) - 128, i32::from(cr) - 128);
    let byte = |value: i32| ((value + HALF) >> 16).clamp(0, 255) as u8;
    [
        byte(y + 91_881 * cr),
        byte(y - 22_554 * cb - 46_802 * cr),
        byte(y + 116_130 * cb),
    ]
}
