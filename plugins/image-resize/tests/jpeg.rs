//! Kinds of JPEG that cameras and programs write, and that other programs read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{
    PHOTO, PROGRESSIVE, assert_near, assert_quarters, difference, exif, jpeg, quarters, run,
};
use forebay_plugin::Error;
use image_resize::{Config, resize};
use serde_json::json;

const RGB_ADOBE_123: &[u8] = include_bytes!("data/rgb-adobe-123.jpg");
const ADOBE_TRANSFORM_3: &[u8] = include_bytes!("data/adobe-transform-3.jpg");
const MOTION: &[u8] = include_bytes!("data/motion.jpg");

/// The file with `bytes` before its first segment of this marker.
fn before(file: &[u8], marker: u8, bytes: &[u8]) -> Vec<u8> {
    let at = file
        .windows(2)
        .position(|pair| pair == [0xff, marker])
        .unwrap();
    [&file[..at], bytes, &file[at..]].concat()
}

fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], payload].concat()
}

fn exif_segment(orientation: u8) -> Vec<u8> {
    segment(0xe1, &[b"Exif\0\0", &exif(orientation)[..]].concat())
}

#[test]
fn the_first_of_two_exif_segments_counts() {
    let plain = jpeg(&quarters(48, 32), None, None);
    for (first, second, size) in [(6, 1, (32, 48)), (1, 6, (48, 32))] {
        let both = [exif_segment(first), exif_segment(second)].concat();
        let image = run(&before(&plain, 0xdb, &both), json!({}));
        assert_eq!((image.width(), image.height()), size);
    }
}

#[test]
fn exif_behind_the_frame_header_counts() {
    let plain = jpeg(&quarters(48, 32), None, None);
    let image = run(&before(&plain, 0xda, &exif_segment(6)), json!({}));
    assert_eq!((image.width(), image.height()), (32, 48));
}

#[test]
fn junk_between_segments_is_passed_over() {
    let plain = jpeg(&quarters(48, 32), None, None);
    for junk in [&[0][..], b"\0\0", b"\xff\0\0\0", b"junk", &[0; 300]] {
        for marker in [0xdb, 0xc0, 0xc4, 0xda] {
            let image = run(&before(&plain, marker, junk), json!({}));
            assert_quarters(&image, &format!("{junk:?} before {marker:x}"));
        }
    }
}

#[test]
fn a_complete_scan_needs_no_end_marker() {
    for file in [PHOTO, PROGRESSIVE] {
        let whole = run(file, json!({}));
        let bare = &file[..file.len() - 2];
        let behind: &[&[u8]] = &[b"", b"SEFH\x01\0trailer", b"trailer\xff\xd9"];
        for trailer in behind {
            let image = run(&[bare, trailer].concat(), json!({}));
            assert_eq!(difference(&whole, &image), 0.0);
        }
        let image = run(
            &[file, b"\0\0MotionPhoto_Data".as_slice()].concat(),
            json!({}),
        );
        assert_eq!(difference(&whole, &image), 0.0);
    }
}

#[test]
fn a_progressive_file_that_lacks_scans_is_an_error() {
    let scans: Vec<usize> = PROGRESSIVE
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == [0xff, 0xda])
        .map(|(at, _)| at)
        .collect();
    assert!(scans.len() > 3);
    for &end in &scans[1..] {
        // The tables of the next scan may come before it.
        for file in [
            &PROGRESSIVE[..end],
            &[&PROGRESSIVE[..end], b"trailer"].concat(),
        ] {
            assert!(matches!(
                resize(file.to_vec(), &Config::default()),
                Err(Error::InvalidInput(_))
            ));
        }
    }
}

#[test]
fn markers_decide_on_colours_as_in_libjpeg_turbo() {
    let pixel = |file| {
        run(file, json!({ "format": "png" }))
            .to_rgb8()
            .get_pixel(0, 0)
            .0
    };
    // Adobe's marker stands for RGB. It takes precedence over component ids that look like YCbCr.
    assert_near(pixel(RGB_ADOBE_123), [230, 30, 30], 3, "RGB");
    // An unknown transform counts as YCbCr.
    assert_near(pixel(ADOBE_TRANSFORM_3), [230, 30, 30], 3, "unknown");
    // JFIF takes precedence over Adobe's marker.
    let jfif = segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let adobe = segment(0xee, b"Adobe\0\x64\0\0\0\0\0");
    let plain = jpeg(&quarters(48, 32), None, None);
    let mut bare = plain.clone();
    if plain[2..4] == [0xff, 0xe0] {
        bare.drain(2..2 + 2 + usize::from(u16::from_be_bytes([plain[4], plain[5]])));
    }
    let both = before(&bare, 0xdb, &[jfif, adobe].concat());
    assert_quarters(&run(&both, json!({})), "JFIF and Adobe");
}

#[test]
fn a_frame_of_motion_jpeg_gets_the_usual_tables() {
    let image = run(MOTION, json!({ "format": "png" }));
    assert_eq!((image.width(), image.height()), (96, 64));
    assert_near(
        image.to_rgb8().get_pixel(0, 0).0,
        [230, 30, 30],
        3,
        "motion",
    );
}

#[test]
fn photos_of_108_and_200_megapixels_are_within_the_default_limit() {
    let default = Config::default().max_pixels;
    assert!(default >= 12_000 * 9_000);
    assert!(default >= 16_320 * 12_288);
}
