//! Makes pictures for the tests and reads the results.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod tiff;

use image::codecs::png::PngEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage};
use image_resize::{Config, Encoded, resize};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

pub const PHOTO: &[u8] = include_bytes!("../data/photo.jpg");
pub const PROGRESSIVE: &[u8] = include_bytes!("../data/progressive.jpg");
pub const YCCK: &[u8] = include_bytes!("../data/ycck.jpg");
pub const LOSSY_WEBP: &[u8] = include_bytes!("../data/lossy.webp");
pub const ANIMATED_GIF: &[u8] = include_bytes!("../data/animated.gif");
pub const PALETTE_BMP: &[u8] = include_bytes!("../data/palette.bmp");
pub const TURNED_TIFF: &[u8] = include_bytes!("../data/turned.tif");
pub const DEEP_PNG: &[u8] = include_bytes!("../data/deep.png");
pub const CMYK_PROFILE: &[u8] = include_bytes!("../data/cmyk.icc");

pub const FILES: [(&str, &[u8]); 8] = [
    ("baseline JPEG", PHOTO),
    ("progressive JPEG", PROGRESSIVE),
    ("YCCK JPEG", YCCK),
    ("WebP", LOSSY_WEBP),
    ("GIF", ANIMATED_GIF),
    ("BMP", PALETTE_BMP),
    ("TIFF", TURNED_TIFF),
    ("PNG", DEEP_PNG),
];

pub fn config(json: serde_json::Value) -> Config {
    serde_json::from_value(json).unwrap()
}

/// Resizes and decodes the result.
pub fn run(file: &[u8], json: serde_json::Value) -> DynamicImage {
    decode(&resize(file.to_vec(), &config(json)).unwrap())
}

pub fn decode(encoded: &Encoded) -> DynamicImage {
    if encoded.media_type == "image/png" {
        assert_eq!(encoded.extension, "png");
        return image::load_from_memory_with_format(&encoded.bytes, ImageFormat::Png).unwrap();
    }
    assert_eq!(
        (encoded.media_type, encoded.extension),
        ("image/jpeg", "jpg")
    );
    decode_jpeg(&encoded.bytes)
}

pub fn decode_jpeg(bytes: &[u8]) -> DynamicImage {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    let samples = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let (width, height) = (info.width.into(), info.height.into());
    match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => image::GrayImage::from_raw(width, height, samples)
            .unwrap()
            .into(),
        jpeg_decoder::PixelFormat::RGB24 => {
            RgbImage::from_raw(width, height, samples).unwrap().into()
        }
        other => panic!("{other:?}"),
    }
}

pub const RED: [u8; 3] = [220, 30, 30];
pub const GREEN: [u8; 3] = [30, 200, 40];
pub const BLUE: [u8; 3] = [40, 50, 210];
pub const WHITE: [u8; 3] = [240, 240, 240];

/// A picture without any symmetry: red and green above blue and white, wider than it is high.
pub fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        })
    })
}

/// The colours in the middle of each quarter must be those of `quarters`, except for the small differences that JPEG
/// causes in small pictures.
pub fn assert_quarters(image: &DynamicImage, what: &str) {
    let (width, height) = (image.width(), image.height());
    let image = image.to_rgb8();
    for (x, y, expected) in [(1, 1, RED), (3, 1, GREEN), (1, 3, BLUE), (3, 3, WHITE)] {
        assert_near(
            image.get_pixel(width * x / 4, height * y / 4).0,
            expected,
            24,
            what,
        );
    }
}

pub fn assert_near<const N: usize>(got: [u8; N], expected: [u8; N], by: u8, what: &str) {
    assert!(
        got.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= by),
        "{what}: {got:?} is not {expected:?}"
    );
}

/// Root of the mean squared difference of two pictures of the same size.
pub fn difference(a: &DynamicImage, b: &DynamicImage) -> f64 {
    let (a, b) = (a.to_rgb8(), b.to_rgb8());
    assert_eq!(a.dimensions(), b.dimensions());
    let squares: f64 = a
        .iter()
        .zip(b.iter())
        .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2))
        .sum();
    (squares / a.len() as f64).sqrt()
}

/// The Exif data of a picture, with only its orientation (TIFF 6.0, section 2).
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    tiff
}

pub fn jpeg(image: &RgbImage, orientation: Option<u8>, profile: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    if let Some(orientation) = orientation {
        encoder.add_exif_metadata(&exif(orientation)).unwrap();
    }
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile).unwrap();
    }
    encoder
        .encode(
            image,
            image.width() as u16,
            image.height() as u16,
            ColorType::Rgb,
        )
        .unwrap();
    bytes
}

pub fn cmyk_jpeg(
    width: u16,
    height: u16,
    inks: [u8; 4],
    as_ycck: bool,
    profile: Option<&[u8]>,
) -> Vec<u8> {
    let samples = inks.repeat(usize::from(width) * usize::from(height));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile).unwrap();
    }
    let colour = if as_ycck {
        ColorType::CmykAsYcck
    } else {
        ColorType::Cmyk
    };
    encoder.encode(&samples, width, height, colour).unwrap();
    bytes
}

pub fn png(image: &DynamicImage, orientation: Option<u8>, profile: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    if let Some(orientation) = orientation {
        encoder.set_exif_metadata(exif(orientation)).unwrap();
    }
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).unwrap();
    }
    encoder
        .write_image(
            image.as_bytes(),
            image.width(),
            image.height(),
            image.color().into(),
        )
        .unwrap();
    bytes
}

pub fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
