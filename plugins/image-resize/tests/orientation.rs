//! All eight orientations, in every format that carries them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{TURNED_TIFF, assert_quarters, jpeg, png, quarters, run};
use image::{DynamicImage, RgbImage};
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
