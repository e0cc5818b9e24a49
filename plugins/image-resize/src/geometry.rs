//! Which part of a picture is kept, and the size that it is resized to.

use crate::config::{Config, Fit};

/// A centred part of the upright picture, and the size that it is resampled to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// Width and height of the kept part, in pixels of the picture. They may be fractions, to fit the proportions.
    pub(crate) kept: (f64, f64),
    /// Width and height of the output, in pixels.
    pub(crate) size: (u32, u32),
}

impl Geometry {
    /// The geometry for a picture of this size and a config that was checked before.
    pub(crate) fn new(width: u32, height: u32, config: &Config) -> Self {
        let whole = (f64::from(width), f64::from(height));
        let (kept, size) = match (config.fit, config.max_width, config.max_height) {
            (Fit::Inside, max_width, max_height) => (
                whole,
                inside(width, height, max_width, max_height, config.enlarge),
            ),
            (Fit::Cover, Some(box_width), Some(box_height)) => {
                cover(whole, box_width, box_height, config.enlarge)
            }
            (Fit::Exact, Some(box_width), Some(box_height)) if config.enlarge => {
                (whole, (box_width, box_height))
            }
            (Fit::Exact, Some(box_width), Some(box_height)) => {
                (whole, (box_width.min(width), box_height.min(height)))
            }
            (Fit::Cover | Fit::Exact, ..) => (whole, (width, height)),
        };
        Self { kept, size }
    }

    /// The factor by which the kept part is resized, along the axis that is shrunk less.
    pub(crate) fn factor(self) -> f64 {
        (f64::from(self.size.0) / self.kept.0).max(f64::from(self.size.1) / self.kept.1)
    }

    /// The same for a picture that is stored rotated by 90 degrees.
    pub(crate) fn turned(self) -> Self {
        let swap = |(width, height)| (height, width);
        Self {
            kept: (self.kept.1, self.kept.0),
            size: swap(self.size),
        }
    }
}

/// The largest size with the same proportions within the box. Halves are rounded up, and no side becomes zero.
fn inside(
    width: u32,
    height: u32,
    max_width: Option<u32>,
    max_height: Option<u32>,
    enlarge: bool,
) -> (u32, u32) {
    // The comparison multiplies crosswise. It is exact, and a product of two 32-bit numbers cannot overflow 64 bits.
    let by_width = max_width.map(|max| (max, scaled(height, max, width)));
    let by_height = max_height.map(|max| (scaled(width, max, height), max));
    let size = match (by_width, by_height) {
        (Some(by_width), Some(by_height)) => {
            let tighter = u64::from(by_width.0) * u64::from(height)
                <= u64::from(by_height.1) * u64::from(width);
            if tighter { by_width } else { by_height }
        }
        (Some(size), None) | (None, Some(size)) => size,
        (None, None) => (width, height),
    };
    if !enlarge && (size.0 > width || size.1 > height) {
        (width, height)
    } else {
        size
    }
}

/// `side * numerator / denominator`, rounded to the nearest and at least one.
fn scaled(side: u32, numerator: u32, denominator: u32) -> u32 {
    let denominator = u64::from(denominator.max(1));
    let rounded = (u64::from(side) * u64::from(numerator) + denominator / 2) / denominator;
    u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
}

/// The largest part with the box's proportions, and the size of the box. If the box is larger than the part, the size
/// is that of the part.
fn cover(
    whole: (f64, f64),
    box_width: u32,
    box_height: u32,
    enlarge: bool,
) -> ((f64, f64), (u32, u32)) {
    let (width, height) = whole;
    let scale = (f64::from(box_width) / width).max(f64::from(box_height) / height);
    let kept = (
        (f64::from(box_width) / scale).min(width),
        (f64::from(box_height) / scale).min(height),
    );
    if scale > 1.0 && !enlarge {
        let nearest = |side: f64| side.round().max(1.0) as u32;
        (kept, (nearest(kept.0), nearest(kept.1)))
    } else {
        (kept, (box_width, box_height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: u32, height: u32, config: Config) -> (u32, u32) {
        Geometry::new(width, height, &config).size
    }

    fn within(max_width: impl Into<Option<u32>>, max_height: impl Into<Option<u32>>) -> Config {
        Config {
            max_width: max_width.into(),
            max_height: max_height.into(),
            ..Config::default()
        }
    }

    #[test]
    fn inside_keeps_proportions_and_rounds_to_the_nearest() {
        assert_eq!(size(4000, 3000, within(1024, None)), (1024, 768));
        assert_eq!(size(4000, 3000, within(None, 300)), (400, 300));
        assert_eq!(size(4000, 3000, within(1000, 100)), (133, 100));
        assert_eq!(size(640, 427, within(100, 100)), (100, 67));
        assert_eq!(size(3, 2, within(1, None)), (1, 1));
        assert_eq!(size(4, 2, within(3, None)), (3, 2), "a half is rounded up");
        assert_eq!(
            size(65_535, 1, within(10, None)),
            (10, 1),
            "no side becomes zero"
        );
        assert_eq!(size(800, 600, Config::default()), (800, 600));
    }

    #[test]
    fn nothing_is_enlarged_unless_asked() {
        let enlarge = |config| Config {
            enlarge: true,
            ..config
        };
        assert_eq!(size(40, 30, within(100, 100)), (40, 30));
        assert_eq!(size(40, 30, enlarge(within(100, 100))), (100, 75));
        for (fit, small, asked) in [
            (Fit::Cover, (30, 30), (100, 100)),
            (Fit::Exact, (40, 30), (100, 100)),
        ] {
            let config = Config {
                fit,
                ..within(100, 100)
            };
            assert_eq!(size(40, 30, config.clone()), small);
            assert_eq!(size(40, 30, enlarge(config)), asked);
        }
        let wide = Config {
            fit: Fit::Exact,
            ..within(20, 100)
        };
        assert_eq!(size(40, 30, wide), (20, 30), "each side by itself");
    }

    #[test]
    fn cover_keeps_the_middle() {
        let config = Config {
            fit: Fit::Cover,
            ..within(100, 100)
        };
        assert_eq!(
            Geometry::new(400, 300, &config),
            Geometry {
                kept: (300.0, 300.0),
                size: (100, 100)
            }
        );
        assert_eq!(
            Geometry::new(300, 400, &config),
            Geometry {
                kept: (300.0, 300.0),
                size: (100, 100)
            }
        );
        let wide = Config {
            fit: Fit::Cover,
            ..within(200, 100)
        };
        assert_eq!(
            Geometry::new(300, 400, &wide),
            Geometry {
                kept: (300.0, 150.0),
                size: (200, 100)
            }
        );
        assert_eq!(
            Geometry::new(150, 400, &wide),
            Geometry {
                kept: (150.0, 75.0),
                size: (150, 75)
            }
        );
    }
}
