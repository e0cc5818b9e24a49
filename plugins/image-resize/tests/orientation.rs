//! All eight orientations, in every format that supports them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{TURNED_TIFF, assert_quarters, encode, exif, jpeg, png, quarters, run};
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::json;

/// The upright picture as a file with this orientation stores it (Exif 3.0, 4.6.5.1.6).
fn stored(orientation: u8) -> RgbImage {
    let upright = DynamicImage::from(quarters(48, 32));
    match orientation {
        2 => upright.fliph(),
        3 => upright.rotate180(),
        4 => upright.flipv(),
        5 => upright.rotate90().fliph(),
        6 => upright.rotate270(),
        7 => upright.rotate270().fliph(),
        8 => upright.rotate90(),
        _ => upright,
    }
    .into_rgb8()
}

#[test]
fn outputs_are_upright() {
    for orientation in 1..=8 {
        let image = stored(orientation);
        for (name, file) in [
            ("JPEG", jpeg(&image, Some(orientation), None)),
            ("PNG", png(&image.clone().into(), Some(orientation), None)),
        ] {
            let upright = run(&file, json!({ "max_width": 24 }));
            assert_eq!(
                (upright.width(), upright.height()),
                (24, 16),
                "{name} {orientation}"
            );
            assert_quarters(&upright, &format!("{name} {orientation}"));
        }
    }
}

#[test]
fn limits_are_those_of_the_upright_picture() {
    let file = jpeg(&stored(6), Some(6), None);
    let tall = run(&file, json!({ "max_height": 8 }));
    assert_eq!((tall.width(), tall.height()), (12, 8));
    let exact = run(
        &file,
        json!({ "max_width": 10, "max_height": 20, "fit": "exact" }),
    );
    assert_eq!((exact.width(), exact.height()), (10, 20));
    assert_quarters(&exact, "exact");
}

#[test]
fn a_tiff_is_turned() {
    let image = run(TURNED_TIFF, json!({}));
    assert_eq!((image.width(), image.height()), (64, 96));
}

#[test]
fn nonsense_is_no_orientation() {
    for orientation in [0, 9, 255] {
        assert_quarters(
            &run(&jpeg(&quarters(48, 32), Some(orientation), None), json!({})),
            "nonsense",
        );
    }
}

/// A WebP of the extended kind with Exif data after its pixels (RFC 9649, section 2.7).
fn webp(image: &RgbImage, exif: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut chunk = [kind, &(data.len() as u32).to_le_bytes()[..], data].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    };
    let simple = encode(&image.clone().into(), ImageFormat::WebP);
    let mut header = vec![0x08, 0, 0, 0];
    header.extend(&(image.width() - 1).to_le_bytes()[..3]);
    header.extend(&(image.height() - 1).to_le_bytes()[..3]);
    let body = [
        b"WEBP",
        &chunk(b"VP8X", &header)[..],
        &simple[12..],
        &chunk(b"EXIF", exif),
    ]
    .concat();
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

#[test]
fn exif_of_a_webp_counts_with_and_without_a_prefix() {
    let image = stored(6);
    for exif in [exif(6), [b"Exif\0\0", &exif(6)[..]].concat()] {
        let upright = run(&webp(&image, &exif), json!({ "format": "png" }));
        assert_eq!((upright.width(), upright.height()), (48, 32));
        assert_quarters(&upright, "WebP");
    }
}

#[test]
fn exif_of_a_png_counts_wherever_it_stands() {
    let image = DynamicImage::from(stored(6));
    let with = png(&image, Some(6), None);
    let at = with.windows(4).position(|kind| kind == b"eXIf").unwrap() - 4;
    let length = u32::from_be_bytes(with[at..at + 4].try_into().unwrap()) as usize;
    let chunk = with[at..at + length + 12].to_vec();
    let plain = png(&image, None, None);
    let end = plain.len() - 12;
    let late = [&plain[..end], &chunk, &plain[end..]].concat();
    assert_quarters(&run(&late, json!({})), "behind the pixels");
    let mut damaged = [&plain[..end], &chunk, &plain[end..]].concat();
    damaged[end + length + 8] ^= 1;
    assert_eq!(run(&damaged, json!({})).width(), 32, "a damaged chunk goes");
}
