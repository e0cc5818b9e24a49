//! The parts of a PNG that the decoder does not check or read (PNG specification, third edition, sections 5 and
//! 11.3.2): whether the file is complete, Exif data after the pixels, and the meaning of its colours if it has no
//! profile.

use forebay_plugin::Error;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics,
};

/// The gamma of a picture whose samples are those of sRGB, times 100,000.
const SRGB_GAMMA: u32 = 45_455;

/// The contents of the other chunks.
#[derive(Default)]
pub(crate) struct Chunks<'a> {
    /// The Exif data: the first intact `eXIf` chunk, at any place.
    pub(crate) exif: Option<&'a [u8]>,
    is_grey: bool,
    has_pixels: bool,
    frames: Option<u32>,
    is_srgb: bool,
    cicp: Option<[u8; 4]>,
    /// Times 100,000.
    gamma: Option<u32>,
    /// x and y of white, red, green and blue, times 100,000.
    chromaticities: Option<[u32; 8]>,
}

/// How many frames an animated PNG has, according to its `acTL` chunk; 1 without one.
pub(crate) fn frames(bytes: &[u8]) -> u32 {
    Chunks::read(bytes).map_or(1, |chunks| chunks.frames.unwrap_or(1))
}

impl<'a> Chunks<'a> {
    /// Reads the chunks up to the last one, IEND. A decoder that has all rows does not check that it exists. A chunk
    /// with a wrong checksum is skipped.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        const SIGNATURE: usize = 8;
        let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
        let mut chunks = Self::default();
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let [a, b, c, d, kind @ ..] = *head;
            let Some((data, tail)) =
                body.split_at_checked(u32::from_be_bytes([a, b, c, d]) as usize)
            else {
                break;
            };
            let Some((crc, next)) = tail.split_first_chunk::<4>() else {
                break;
            };
            match &kind {
                b"IEND" => return Ok(chunks),
                b"IDAT" => chunks.has_pixels = true,
                b"IHDR" | b"acTL" | b"eXIf" | b"cICP" | b"sRGB" | b"gAMA" | b"cHRM" => {
                    let mut sum = crc32fast::Hasher::new();
                    sum.update(&kind);
                    sum.update(data);
                    if sum.finalize() == u32::from_be_bytes(*crc) {
                        chunks.take(&kind, data);
                    }
                }
                _ => {}
            }
            rest = next;
        }
        Err(Error::InvalidInput(
            "the PNG ends before its IEND chunk".into(),
        ))
    }

    fn take(&mut self, kind: &[u8; 4], data: &'a [u8]) {
        let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match kind {
            b"IHDR" => self.is_grey = matches!(data.get(9), Some(0 | 4)),
            b"eXIf" => {
                self.exif.get_or_insert(data);
            }
            // Chunks about colours come before the pixels.
            _ if self.has_pixels => {}
            b"cICP" => self.cicp = data.try_into().ok(),
            b"acTL" => self.frames = number(data),
            b"sRGB" => self.is_srgb = true,
            b"gAMA" => self.gamma = number(data).filter(|_| data.len() == 4),
            b"cHRM" => {
                let mut all = data
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| u32::from_be_bytes(*bytes));
                let read: [Option<u32>; 8] = std::array::from_fn(|_| all.next());
                self.chromaticities =
                    (data.len() == 32).then(|| read.map(Option::unwrap_or_default));
            }
            _ => {}
        }
    }

    /// The profile to use: that of `cICP`, otherwise that of an `iCCP` chunk, otherwise one made from `gAMA` and
    /// `cHRM`. `None` if they are missing, impossible or stand for sRGB.
    pub(crate) fn profile(&self, icc: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.cicp_profile().or(icc).or_else(|| self.gamma_profile())
    }

    fn gamma_profile(&self) -> Option<Vec<u8>> {
        if self.is_srgb || self.cicp.is_some() {
            return None;
        }
        let gamma = self
            .gamma
            .filter(|gamma| (1_000..=1_000_000).contains(gamma))?;
        let is_usual = gamma.abs_diff(SRGB_GAMMA) <= 500;
        let exponent = 100_000.0 / f64::from(gamma);
        if self.is_grey {
            let profile = ColorProfile::new_gray_with_gamma(exponent as f32);
            return (!is_usual).then(|| profile.encode().ok()).flatten();
        }
        let primaries = self.chromaticities.filter(|found| !is_srgb(found));
        if is_usual && primaries.is_none() {
            return None;
        }
        let mut profile = ColorProfile::new_srgb();
        if let Some(found) = primaries {
            let [white_x, white_y, rx, ry, gx, gy, bx, by] = found.map(|value| value as f32 / 1e5);
            if [white_y, ry, gy, by].contains(&0.0) {
                return None;
            }
            let primaries = ColorPrimaries {
                red: Chromaticity::new(rx, ry),
                green: Chromaticity::new(gx, gy),
                blue: Chromaticity::new(bx, by),
            };
            profile
                .update_rgb_colorimetry(Chromaticity::new(white_x, white_y).to_xyyb(), primaries);
        }
        with_curve(profile, ToneReprCurve::Parametric(vec![exponent as f32]))
    }

    /// The profile of a `cICP` chunk (ITU-T H.273) with RGB of full range. `None` for high dynamic range (PQ and HLG),
    /// which needs more than a profile.
    fn cicp_profile(&self) -> Option<Vec<u8>> {
        let [primaries, transfer, 0, 1] = self.cicp? else {
            return None;
        };
        let primaries = CicpColorPrimaries::try_from(primaries).ok()?;
        let transfer = TransferCharacteristics::try_from(transfer).ok()?;
        let is_hdr = matches!(
            transfer,
            TransferCharacteristics::Smpte2084 | TransferCharacteristics::Hlg
        );
        if self.is_grey || is_hdr {
            return None;
        }
        let mut profile = ColorProfile::new_srgb();
        profile.cicp = None;
        // In version 0.9.1 this call always returns false. It sets `cicp` only if it knows the primaries.
        profile.update_rgb_colorimetry_from_cicp(CicpProfile {
            color_primaries: primaries,
            transfer_characteristics: transfer,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        });
        profile.cicp?;
        with_curve(profile, transfer.try_into().ok()?)
    }
}

/// The profile with one curve for all channels.
fn with_curve(mut profile: ColorProfile, curve: ToneReprCurve) -> Option<Vec<u8>> {
    // Otherwise it would take precedence over the curve.
    profile.cicp = None;
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
    profile.encode().ok()
}

/// Whether these are the chromaticities of sRGB, within the precision with which programs write them.
fn is_srgb(found: &[u32; 8]) -> bool {
    const SRGB: [u32; 8] = [
        31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000,
    ];
    found
        .iter()
        .zip(SRGB)
        .all(|(found, expected)| found.abs_diff(expected) <= 100)
}
