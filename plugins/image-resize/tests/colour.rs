//! Profiles and inks: colours become the sRGB values that they stand for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{CMYK_PROFILE, PHOTO, YCCK, assert_near, cmyk_jpeg, difference, jpeg, png, run};
use image::{DynamicImage, GrayAlphaImage, GrayImage, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use moxcms::ColorProfile;
use serde_json::json;

fn first(file: &[u8]) -> [u8; 3] {
    run(file, json!({ "max_width": 4, "format": "png" }))
        .to_rgb8()
        .get_pixel(1, 1)
        .0
}

#[test]
fn wide_gamuts_become_srgb() {
    // The reds and greens of sRGB, written in the primaries of the wider spaces (CSS Color 4, section 10).
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let adobe = ColorProfile::new_adobe_rgb().encode().unwrap();
    for (name, profile, colour, expected) in [
        ("P3 red", &p3, [234, 51, 35], [255, 0, 0]),
        ("P3 green", &p3, [117, 251, 76], [0, 255, 0]),
        ("P3 grey", &p3, [128, 128, 128], [128, 128, 128]),
        ("Adobe green", &adobe, [144, 255, 60], [0, 255, 0]),
        ("Adobe red", &adobe, [219, 0, 0], [255, 0, 0]),
    ] {
        let image = RgbImage::from_pixel(16, 16, Rgb(colour));
        assert_near(
            first(&png(&image.clone().into(), None, Some(profile))),
            expected,
            3,
            name,
        );
        assert_near(first(&jpeg(&image, None, Some(profile))), expected, 6, name);
        let translucent =
            RgbaImage::from_pixel(16, 16, Rgba([colour[0], colour[1], colour[2], 200]));
        let pixel = run(&png(&translucent.into(), None, Some(profile)), json!({}))
            .to_rgba8()
            .get_pixel(1, 1)
            .0;
        assert_near(pixel, [expected[0], expected[1], expected[2], 200], 3, name);
    }
}

#[test]
fn srgb_stays_what_it_is() {
    let profile = ColorProfile::new_srgb().encode().unwrap();
    let image = RgbImage::from_fn(64, 64, |x, y| {
        Rgb([x as u8 * 4, y as u8 * 4, (x * y) as u8])
    });
    let same = run(&png(&image.clone().into(), None, Some(&profile)), json!({})).to_rgb8();
    for (got, expected) in same.pixels().zip(image.pixels()) {
        assert_near(got.0, expected.0, 1, "sRGB");
    }
}

#[test]
fn grey_profiles_are_honoured() {
    // (128 / 255) ^ 1.8 of the light is 146 in sRGB.
    let profile = ColorProfile::new_gray_with_gamma(1.8).encode().unwrap();
    let grey = DynamicImage::from(GrayImage::from_pixel(8, 8, Luma([128])));
    let converted = run(&png(&grey, None, Some(&profile)), json!({}));
    assert!(!converted.color().has_color(), "grey stays grey");
    assert_near(converted.to_luma8().get_pixel(1, 1).0, [146], 1, "grey");
    let translucent = DynamicImage::from(GrayAlphaImage::from_pixel(8, 8, LumaA([128, 77])));
    let converted = run(&png(&translucent, None, Some(&profile)), json!({}));
    assert_near(
        converted.to_luma_alpha8().get_pixel(1, 1).0,
        [146, 77],
        1,
        "grey with alpha",
    );
}

/// The PNG with a chunk after its first one, IHDR.
fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let (head, rest) = png.split_at(33);
    let checked = [&kind[..], data].concat();
    let length = (data.len() as u32).to_be_bytes();
    let sum = crc32fast::hash(&checked).to_be_bytes();
    [head, &length, &checked, &sum, rest].concat()
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

#[test]
fn what_the_chunks_of_a_png_say_about_colours_is_honoured() {
    let one = |colour| png(&RgbImage::from_pixel(9, 9, Rgb(colour)).into(), None, None);
    let grey = one([128; 3]);
    let linear = numbers(&[100_000]);
    // Half of the light is 188 in sRGB.
    let half = with_chunk(&grey, b"gAMA", &linear);
    assert_near(first(&half), [188; 3], 1, "linear light");
    let usual = with_chunk(&grey, b"gAMA", &numbers(&[45_455]));
    assert_eq!(first(&usual), [128; 3], "the gamma of sRGB");
    let damaged = {
        let mut damaged = half.clone();
        damaged[33 + 12] ^= 1;
        damaged
    };
    for (file, what) in [
        (with_chunk(&half, b"sRGB", &[0]), "sRGB counts before gAMA"),
        (damaged, "a wrong checksum"),
        (
            with_chunk(&grey, b"gAMA", &[0; 4]),
            "a gamma that cannot be",
        ),
        (with_chunk(&grey, b"gAMA", &linear[..3]), "too short"),
        (
            with_chunk(&half, b"cICP", &[9, 16, 0, 1]),
            "high dynamic range",
        ),
    ] {
        assert_eq!(first(&file), [128; 3], "{what}");
    }
    // Display P3, by its primaries and by its number (H.273).
    let p3 = [
        31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000,
    ];
    let red = one([234, 51, 35]);
    let by_primaries = with_chunk(
        &with_chunk(&red, b"gAMA", &numbers(&[45_455])),
        b"cHRM",
        &numbers(&p3),
    );
    // Its curve is a power of 2.2, which differs slightly from that of sRGB.
    assert_near(first(&by_primaries), [255, 0, 0], 6, "P3 red by primaries");
    let by_number = with_chunk(&red, b"cICP", &[12, 13, 0, 1]);
    assert_near(first(&by_number), [255, 0, 0], 3, "P3 red by number");
    let srgb = [
        31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000,
    ];
    let same = with_chunk(
        &with_chunk(&red, b"gAMA", &numbers(&[45_455])),
        b"cHRM",
        &numbers(&srgb),
    );
    assert_eq!(first(&same), [234, 51, 35], "the primaries of sRGB");
    // Greys.
    let translucent = DynamicImage::from(GrayAlphaImage::from_pixel(8, 8, LumaA([128, 77])));
    let converted = run(
        &with_chunk(&png(&translucent, None, None), b"gAMA", &linear),
        json!({}),
    );
    assert!(!converted.color().has_color(), "grey stays grey");
    let pixel = converted.to_luma_alpha8().get_pixel(1, 1).0;
    assert_near(pixel, [188, 77], 1, "linear grey");
    // A profile takes precedence over gAMA.
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    let both = png(
        &RgbImage::from_pixel(9, 9, Rgb([128; 3])).into(),
        None,
        Some(&srgb),
    );
    assert_near(
        first(&with_chunk(&both, b"gAMA", &linear)),
        [128; 3],
        1,
        "iCCP before gAMA",
    );
}

#[test]
fn inks_become_colours() {
    for as_ycck in [false, true] {
        for (inks, expected) in [
            ([0, 0, 0, 0], [255, 255, 255]),
            ([255, 0, 0, 0], [0, 255, 255]),
            ([0, 255, 0, 0], [255, 0, 255]),
            ([0, 0, 255, 0], [255, 255, 0]),
            ([0, 0, 0, 255], [0, 0, 0]),
            ([0, 128, 128, 64], [191, 95, 95]),
        ] {
            assert_near(
                first(&cmyk_jpeg(32, 32, inks, as_ycck, None)),
                expected,
                5,
                &format!("{inks:?}, YCCK: {as_ycck}"),
            );
        }
    }
}

#[test]
fn ink_profiles_are_honoured() {
    // The results of Little CMS for these inks with this profile and the perceptual intent.
    for (inks, expected) in [
        ([0, 0, 0, 0], [255, 255, 255]),
        ([255, 0, 0, 0], [0, 174, 239]),
        ([0, 255, 0, 0], [236, 0, 140]),
        ([0, 0, 255, 0], [255, 242, 0]),
        ([0, 0, 0, 255], [35, 31, 32]),
        ([60, 128, 30, 64], [154, 112, 139]),
    ] {
        assert_near(
            first(&cmyk_jpeg(32, 32, inks, false, Some(CMYK_PROFILE))),
            expected,
            8,
            &format!("{inks:?}"),
        );
    }
}

#[test]
fn a_photo_in_inks_looks_like_the_photo() {
    let asked = json!({ "max_width": 48, "format": "png" });
    let difference = difference(&run(YCCK, asked.clone()), &run(PHOTO, asked));
    assert!(difference < 4.0, "differs by {difference}");
}

#[test]
fn profiles_of_another_kind_or_broken_are_passed_over() {
    let grey = ColorProfile::new_gray_with_gamma(1.8).encode().unwrap();
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let image = DynamicImage::from(RgbImage::from_pixel(8, 8, Rgb([10, 120, 230])));
    for profile in [&grey[..], CMYK_PROFILE, &b"nonsense"[..], &p3[..40]] {
        assert_near(
            first(&png(&image, None, Some(profile))),
            [10, 120, 230],
            0,
            "passed over",
        );
    }
    for profile in [&p3[..], b"nonsense"] {
        assert_near(
            first(&cmyk_jpeg(16, 16, [255, 0, 0, 0], true, Some(profile))),
            [0, 255, 255],
            5,
            "inks",
        );
    }
}
