//! Kinds of TIFF that are in use: each gives its picture, or an error with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::tiff::{Page, file};
use common::{CMYK_PROFILE, assert_near, cmyk_jpeg, config, decode, quarters, run};
use forebay_plugin::Error;
use image::DynamicImage;
use image_resize::{Config, resize};
use serde_json::json;

const PNG: fn() -> serde_json::Value = || json!({ "format": "png" });

fn refused(file: Vec<u8>) -> String {
    match resize(file, &Config::default()) {
        Err(Error::Unsupported(message)) => message,
        other => panic!("{:?}", other.map(|encoded| encoded.media_type)),
    }
}

fn rgba(image: &DynamicImage, x: u32, y: u32) -> [u8; 4] {
    image.to_rgba8().get_pixel(x, y).0
}

/// A picture of one colour.
fn rgb(width: u16, height: u16, colour: [u8; 3]) -> Page {
    let pixels = colour.repeat(usize::from(width) * usize::from(height));
    Page::new(width, height, 2, &[8, 8, 8], pixels)
}

#[test]
fn camera_raw_is_refused_and_its_preview_is_no_photo() {
    let preview = || rgb(16, 12, [1, 2, 3]).with(254, &[1]);
    for (name, below) in [
        (
            "colour filters",
            Page::new(40, 30, 32803, &[16], vec![0; 2400]),
        ),
        (
            "linear raw",
            Page::new(40, 30, 34892, &[16; 3], vec![0; 7200]),
        ),
        (
            "Nikon",
            Page::new(40, 30, 1, &[16], vec![0; 9]).with(259, &[34713]),
        ),
        (
            "Sony",
            Page::new(40, 30, 1, &[16], vec![0; 9]).with(259, &[32767]),
        ),
    ] {
        let mut page = preview();
        page.below.push(below.clone());
        let message = refused(file(&[page]));
        assert!(message.starts_with("camera raw file"), "{name}: {message}");
        // The raw picture is in the chain instead of below the preview, as in files of Pentax and Canon.
        let message = refused(file(&[preview(), below]));
        assert!(message.starts_with("camera raw file"), "{name}: {message}");
    }
    let dng = rgb(16, 12, [1, 2, 3]).with_bytes(50706, &[1, 4, 0, 0]);
    assert!(refused(file(&[dng])).contains("DNG"));
    for signature in [
        &b"FUJIFILMCCD-RAW 0201"[..],
        b"IIU\0\x08\0\0\0",
        b"IIRO\x08\0\0\0",
        b"MMOR\0\0\0\x08",
        b"FOVb\0\0\0\0",
        b"\0MRM\0\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\x01",
        b"II\x1a\0\0\0HEAPCCDR",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"II*\0\x10\0\0\0IIIITwaR",
    ] {
        assert!(refused(signature.to_vec()).starts_with("camera raw file"));
    }
}

#[test]
fn a_preview_gives_way_to_the_picture_that_it_stands_for() {
    let mut page = rgb(16, 12, [1, 2, 3]).with(254, &[1]).with(274, &[6]);
    page.below.push(rgb(40, 30, [200, 100, 50]));
    for file in [
        file(&[page]),
        file(&[
            rgb(16, 12, [1, 2, 3]).with(254, &[1]).with(274, &[6]),
            rgb(40, 30, [200, 100, 50]),
        ]),
    ] {
        let image = run(&file, PNG());
        assert_eq!((image.width(), image.height()), (30, 40));
        assert_eq!(rgba(&image, 3, 3), [200, 100, 50, 255]);
    }
    // A preview whose picture is beyond the end of the file.
    let mut lost = rgb(16, 12, [1, 2, 3]).with(254, &[1]);
    lost.tags
        .push((330, common::tiff::Values::Longs(vec![9_000_000])));
    assert!(matches!(
        resize(file(&[lost]), &Config::default()),
        Err(Error::InvalidInput(message)) if message.contains("preview")
    ));
}

#[test]
fn of_pages_the_first_is_taken_and_of_a_pyramid_the_largest() {
    let image = run(
        &file(&[rgb(16, 12, [9, 90, 30]), rgb(40, 30, [200, 100, 50])]),
        PNG(),
    );
    assert_eq!((image.width(), image.height()), (16, 12));
    let mut whole = rgb(40, 30, [200, 100, 50]);
    whole.below.push(rgb(20, 15, [1, 2, 3]).with(254, &[1]));
    assert_eq!(run(&file(&[whole]), PNG()).width(), 40);
}

#[test]
fn associated_alpha_is_undone_after_resampling() {
    // (40,120,200) at alpha 40, multiplied by alpha. And the same colours next to full transparency.
    let pixel = [6, 19, 31, 40];
    let page = Page::new(8, 8, 2, &[8; 4], pixel.repeat(64)).with(338, &[1]);
    let image = run(&file(&[page]), PNG());
    assert_near(rgba(&image, 3, 3), [40, 120, 200, 40], 3, "as it is");

    let rows: Vec<u8> = (0..64 * 64)
        .flat_map(|at| {
            if at % 64 < 32 {
                [102, 51, 0, 128]
            } else {
                [0; 4]
            }
        })
        .collect();
    let page = Page::new(64, 64, 2, &[8; 4], rows).with(338, &[1]);
    let image = run(&file(&[page]), json!({ "max_width": 16, "format": "png" }));
    for x in 0..9 {
        let [red, green, blue, alpha] = rgba(&image, x, 8);
        if alpha > 20 {
            assert_near([red, green, blue], [203, 102, 0], 6, "no dark edge");
        }
    }
    // Grey with alpha, and alpha that was not multiplied.
    let page = Page::new(8, 8, 1, &[8; 2], [50, 100].repeat(64)).with(338, &[1]);
    assert_eq!(
        rgba(&run(&file(&[page]), PNG()), 2, 2),
        [128, 128, 128, 100]
    );
    let page = Page::new(8, 8, 2, &[8; 4], [40, 120, 200, 40].repeat(64)).with(338, &[2]);
    assert_eq!(rgba(&run(&file(&[page]), PNG()), 2, 2), [40, 120, 200, 40]);
}

#[test]
fn inks_go_through_their_profile_as_those_of_a_jpeg() {
    for inks in [[0, 255, 255, 0], [200, 30, 0, 10], [0, 0, 0, 200]] {
        let page = Page::new(8, 8, 5, &[8; 4], inks.repeat(64));
        let with = run(
            &file(&[page.clone().with_bytes(34675, CMYK_PROFILE)]),
            PNG(),
        );
        let jpeg = run(&cmyk_jpeg(8, 8, inks, false, Some(CMYK_PROFILE)), PNG());
        assert_near(rgba(&with, 3, 3), rgba(&jpeg, 3, 3), 4, "profile");
        let plain = run(&file(&[page]), PNG());
        let jpeg = run(&cmyk_jpeg(8, 8, inks, false, None), PNG());
        assert_near(rgba(&plain, 3, 3), rgba(&jpeg, 3, 3), 4, "plain");
    }
}

#[test]
fn palettes_and_greys_of_few_bits() {
    let map: Vec<u16> = [[0_u16, 255, 0, 40], [10, 0, 255, 50], [0, 90, 0, 210]]
        .concat()
        .into_iter()
        .map(|value| value * 257)
        .collect();
    // 0 1 2 3, twice.
    let page = Page::new(8, 1, 3, &[2], vec![0b0001_1011; 2]).with(320, &map);
    let image = run(&file(&[page]), PNG());
    let colours: Vec<_> = (0..4).map(|x| rgba(&image, x, 0)).collect();
    assert_eq!(
        colours,
        [
            [0, 10, 0, 255],
            [255, 0, 90, 255],
            [0, 255, 0, 255],
            [40, 50, 210, 255]
        ]
    );
    // 8 bits per value, as some programs write it.
    let narrow: Vec<u16> = (0..768).map(|at| at % 256).collect();
    let page = Page::new(2, 1, 3, &[8], vec![7, 200]).with(320, &narrow);
    assert_eq!(
        rgba(&run(&file(&[page]), PNG()), 1, 0),
        [200, 200, 200, 255]
    );

    for (bits, packed, greys) in [
        (1, vec![0b0110_0000], [0, 255, 255, 0]),
        (2, vec![0b0001_1011], [0, 85, 170, 255]),
        (4, vec![0x05, 0xaf], [0, 85, 170, 255]),
        (
            16,
            vec![0, 0, 0x55, 0x55, 0xaa, 0xaa, 0xff, 0xff],
            [0, 85, 170, 255],
        ),
    ] {
        for (photometric, inverted) in [(1, false), (0, true)] {
            let page = Page::new(4, 1, photometric, &[bits], packed.clone());
            let image = run(&file(&[page]), PNG()).to_luma8();
            for (x, grey) in greys.into_iter().enumerate() {
                let expected = if inverted { 255 - grey } else { grey };
                assert_eq!(image.get_pixel(x as u32, 0).0, [expected], "{bits} bits");
            }
        }
    }
}

#[test]
fn tiles_in_planes_are_put_together() {
    // Tiles of 16x16 beyond the edges of 24x20 pixels; each plane has four.
    let image = quarters(24, 20);
    let mut page = Page::new(24, 20, 2, &[8; 3], Vec::new())
        .with(284, &[2])
        .with(322, &[16])
        .with(323, &[16]);
    page.chunks = (0..3)
        .flat_map(|plane| [(0, 0), (16, 0), (0, 16), (16, 16)].map(|at| (plane, at)))
        .map(|(plane, (left, top))| {
            (0..256)
                .map(|at| {
                    let (x, y) = (left + at % 16, top + at / 16);
                    image
                        .get_pixel_checked(x, y)
                        .map_or(0, |pixel| pixel.0[plane])
                })
                .collect()
        })
        .collect();
    let decoded = run(&file(&[page]), PNG());
    assert_eq!(decoded.into_rgb8(), image);
}

#[test]
fn a_jpeg_inside_keeps_its_colours() {
    // As written by libtiff: luminance and chrominance at full resolution.
    let jpeg = common::jpeg(&quarters(32, 32), None, None);
    let page = Page::new(32, 32, 6, &[8; 3], jpeg)
        .with(259, &[7])
        .with(530, &[1, 1]);
    common::assert_quarters(&run(&file(&[page]), PNG()), "YCbCr");
}

#[test]
fn a_fax_is_black_on_white() {
    // Group 4: a row of 8 white pixels and one of 4 white, 4 black; the end. Codes of ITU-T T.6: V0 is 1, horizontal
    // 001, white 4 is 1011, black 4 is 011.
    let bits = "1" /* V0: all white */
        .to_owned()
        + "001"
        + "1011"
        + "011"
        + "000000000001"
        + "000000000001";
    let packed: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| {
            (0..8).fold(0, |sum, bit| {
                sum << 1 | u8::from(byte.get(bit) == Some(&b'1'))
            })
        })
        .collect();
    let reversed = packed.iter().map(|byte: &u8| byte.reverse_bits()).collect();
    for page in [
        Page::new(8, 2, 0, &[1], packed).with(259, &[4]),
        Page::new(8, 2, 0, &[1], reversed)
            .with(259, &[4])
            .with(266, &[2]),
    ] {
        let image = run(&file(&[page]), PNG()).to_luma8();
        assert_eq!(image.get_pixel(5, 0).0, [255]);
        assert_eq!(image.get_pixel(3, 1).0, [255]);
        assert_eq!(image.get_pixel(4, 1).0, [0]);
    }
}

#[test]
fn rare_kinds_are_refused_by_name() {
    for (page, word) in [
        (rgb(8, 8, [1, 2, 3]).with(259, &[3]), "group 3 fax"),
        (
            rgb(8, 8, [1, 2, 3]).with(259, &[6]),
            "JPEG of the old style",
        ),
        (
            Page::new(8, 8, 3, &[16], vec![0; 128]).with(320, &vec![0; 3 << 16]),
            "more than 256 colours",
        ),
        (Page::new(8, 8, 8, &[8; 3], vec![0; 192]), "L*a*b*"),
        (
            Page::new(8, 8, 6, &[8; 3], vec![0; 96]),
            "YCbCr at half resolution",
        ),
        (
            Page::new(8, 8, 1, &[32], vec![0; 256]).with(339, &[3]),
            "floating-point",
        ),
        (
            Page::new(8, 8, 1, &[16], vec![0; 128]).with(339, &[2]),
            "sign",
        ),
        (
            Page::new(8, 8, 5, &[8; 5], vec![0; 320]).with(338, &[2]),
            "CMYK with transparency",
        ),
    ] {
        let message = refused(file(&[page]));
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn samples_that_are_no_colour_are_left_out() {
    // With a predictor, which applies to all samples.
    let pixels: Vec<u8> = (0..8)
        .flat_map(|_| {
            let mut row = vec![200, 100, 50, 77];
            row.extend([0; 28]);
            row
        })
        .collect();
    let page = Page::new(8, 8, 2, &[8; 4], pixels)
        .with(338, &[0])
        .with(317, &[2]);
    let image = decode(&resize(file(&[page]), &config(PNG())).unwrap());
    assert_eq!(rgba(&image, 7, 7), [200, 100, 50, 255]);
}

#[test]
fn a_strip_that_ends_early_is_an_error() {
    let mut page = rgb(40, 30, [200, 100, 50]);
    // The strip and the file end before the last row; the directory precedes it in the chain of the file.
    page.chunks[0].truncate(100);
    let short = file(&[page]);
    assert!(matches!(
        resize(short, &Config::default()),
        Err(Error::InvalidInput(_))
    ));
}

#[test]
fn tiles_by_the_tags_of_strips_and_a_chain_that_turns_back() {
    let mut page = Page::new(16, 16, 1, &[8], vec![90; 256])
        .with(322, &[16])
        .with(323, &[16]);
    page.tags.push((273, common::tiff::Values::Longs(vec![8])));
    page.tags
        .push((279, common::tiff::Values::Longs(vec![256])));
    let mut bytes = file(&[page]);
    // The tags of tiles become unknown ones.
    for tag in [324_u16, 325] {
        let entry = [tag.to_le_bytes(), 4_u16.to_le_bytes()].concat();
        let at = bytes.windows(4).position(|at| at == entry).unwrap();
        bytes[at..at + 2].copy_from_slice(&60_000_u16.to_le_bytes());
    }
    let at = bytes[4..8].to_vec();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&at);
    assert_eq!(rgba(&run(&bytes, PNG()), 3, 3), [90, 90, 90, 255]);
}
