//! Files that are cut off, damaged, too large or of another type: they give an error of the right kind and never a
//! panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{
    CMYK_PROFILE, DEEP_PNG, FILES, PHOTO, PROGRESSIVE, YCCK, cmyk_jpeg, config, jpeg, png, quarters,
};
use forebay_plugin::Error;
use image::DynamicImage;
use image_resize::{Config, resize};
use moxcms::ColorProfile;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn other_types_are_unsupported() {
    for file in [
        &b""[..],
        b"\xff",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\0\x18ftypavif",
        &[0; 64],
    ] {
        assert!(
            matches!(
                resize(file.to_vec(), &Config::default()),
                Err(Error::Unsupported(_))
            ),
            "{file:?}"
        );
    }
}

#[test]
fn a_file_cut_short_is_an_error() {
    for (name, file) in [
        ("baseline", PHOTO),
        ("progressive", PROGRESSIVE),
        ("YCCK", YCCK),
        ("PNG", DEEP_PNG),
    ] {
        for asked in [json!({}), json!({ "max_width": 8 })] {
            let config = config(asked);
            // A JPEG may lack its end-of-image marker, which has two bytes.
            let needed = file.len() - if name == "PNG" { 0 } else { 2 };
            for len in (0..needed).filter(|len| len % 29 == 0 || len + 40 > file.len() || *len < 40)
            {
                match resize(file[..len].to_vec(), &config) {
                    Err(Error::InvalidInput(_)) => {}
                    Err(Error::Unsupported(_)) if len < 8 => {}
                    other => panic!(
                        "{name}, {len} of {} bytes: {:?}",
                        file.len(),
                        other.map(|encoded| encoded.media_type)
                    ),
                }
            }
            assert!(resize(file.to_vec(), &config).is_ok(), "{name}");
        }
    }
}

#[test]
fn a_cut_of_any_type_never_panics_nor_passes_without_its_pixels() {
    for (name, file) in FILES {
        // The first of the two frames of the GIF fills its first half.
        assert!(
            resize(file[..file.len() * 2 / 5].to_vec(), &Config::default()).is_err(),
            "{name}"
        );
        for len in (0..file.len()).step_by(61) {
            let _ = resize(file[..len].to_vec(), &Config::default());
        }
    }
}

#[test]
fn damaged_rows_of_a_png_are_an_error() {
    let mut file = DEEP_PNG.to_vec();
    let middle = file.len() / 2;
    file[middle] ^= 0x10;
    assert!(matches!(
        resize(file, &Config::default()),
        Err(Error::InvalidInput(_))
    ));
}

/// A chunk with its checksum (PNG specification, third edition, section 5.3).
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let crc = crc32(&body).to_be_bytes();
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc].concat()
}

#[test]
fn a_bad_chunk_that_is_not_needed_goes_and_the_picture_stays() {
    let image = quarters(24, 16);
    let file = png(&image.clone().into(), None, None);
    let frame = 8 + 25;
    let damage = |mut chunk: Vec<u8>| {
        *chunk.last_mut().unwrap() ^= 1;
        chunk
    };
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    for (name, bad) in [
        (
            "gAMA, checksum",
            damage(chunk(b"gAMA", &45_455_u32.to_be_bytes())),
        ),
        ("gAMA, short", chunk(b"gAMA", &[1])),
        ("gAMA, zero", chunk(b"gAMA", &[0; 4])),
        ("iCCP, empty", chunk(b"iCCP", b"")),
        ("iCCP, no profile", chunk(b"iCCP", b"name\0\0")),
        (
            "iCCP, no zlib",
            chunk(b"iCCP", &[b"name\0\0", &profile[..]].concat()),
        ),
        ("iCCP, checksum", damage(chunk(b"iCCP", b"name\0\0xx"))),
        ("tRNS, empty", chunk(b"tRNS", b"")),
        ("tRNS, long", chunk(b"tRNS", &[1; 40])),
        ("cHRM", chunk(b"cHRM", &[0; 3])),
        ("pHYs", chunk(b"pHYs", &[0; 2])),
        ("sRGB", chunk(b"sRGB", &[77])),
        ("sBIT", chunk(b"sBIT", &[99; 9])),
        ("eXIf", chunk(b"eXIf", b"")),
        ("zTXt", chunk(b"zTXt", b"a\0\0bad")),
        ("iTXt", chunk(b"iTXt", b"\0")),
        ("acTL", chunk(b"acTL", &[0; 3])),
        ("private", damage(chunk(b"prVt", b"x"))),
    ] {
        let bad = [&file[..frame], &bad, &file[frame..]].concat();
        assert_eq!(common::run(&bad, json!({})).into_rgb8(), image, "{name}");
    }
    for needed in [chunk(b"PLTX", b"x"), damage(chunk(b"IHDR", &file[16..29]))] {
        let bad = [&file[..frame], &needed, &file[frame..]].concat();
        assert!(resize(bad, &Config::default()).is_err());
    }
}

#[test]
fn too_many_pixels_are_refused_before_and_after() {
    let file = png(&quarters(40, 30).into(), None, None);
    let refused = |file: &[u8], asked| match resize(file.to_vec(), &config(asked)) {
        Err(Error::Unsupported(message)) => message,
        other => panic!("{:?}", other.map(|encoded| encoded.media_type)),
    };
    assert_eq!(
        refused(&file, json!({ "max_pixels": 1199 })),
        "the picture has 40x30 = 1200 pixels, more than the limit max_pixels = 1199; set max_pixels in the stage's \
         config, to 500000000 at most"
    );
    assert!(resize(file.clone(), &config(json!({ "max_pixels": 1200 }))).is_ok());
    assert_eq!(
        refused(&file, json!({ "max_width": 60_000, "enlarge": true })),
        "the result would have 60000x45000 = 2700000000 pixels, more than the limit max_pixels = 250000000; set \
         max_pixels in the stage's config, to 500000000 at most"
    );
}

#[test]
fn a_header_that_promises_too_much_is_refused_at_once() {
    // IHDR of a PNG: width and height follow the chunk's head; its CRC covers both.
    let huge = 60_000_u32.to_be_bytes();
    let mut bomb = png(&quarters(4, 4).into(), None, None);
    bomb[16..20].copy_from_slice(&huge);
    bomb[20..24].copy_from_slice(&huge);
    let crc = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    // SOF0 of a JPEG: height and width follow its length and precision.
    let mut other = jpeg(&quarters(4, 4), None, None);
    let frame = other
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    other[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    for file in [bomb, other] {
        match resize(file, &Config::default()) {
            Err(Error::Unsupported(message)) => assert!(
                message.contains("60000x60000 = 3600000000 pixels"),
                "{message}"
            ),
            other => panic!("{other:?}"),
        }
    }
}

/// The CRC-32 of PNG (PNG specification, third edition, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                0xedb8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn a_jpeg_has_no_longer_sides_than_its_format() {
    let long = png(&quarters(65_536, 1).into(), None, None);
    assert!(matches!(
        resize(long.clone(), &config(json!({ "format": "jpeg" }))),
        Err(Error::InvalidInput(_))
    ));
    assert!(resize(long, &Config::default()).is_ok());
}

/// Limits the size that a damaged header may specify, so that many cases can be tested in a short time.
fn small(file: Vec<u8>, max_width: u32) {
    let _ = resize(
        file,
        &config(json!({ "max_pixels": 200_000, "max_width": max_width })),
    );
}

proptest! {
    #[test]
    fn bytes_after_a_signature_never_panic(
        signature in prop::sample::select(vec![
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
            b"\xff\xd8\xff",
            b"RIFF\xff\0\0\0WEBPVP8 ",
            b"RIFF\xff\0\0\0WEBPVP8L",
            b"RIFF\xff\0\0\0WEBPVP8X",
            b"GIF89a",
            b"BM",
            b"II*\0\x08\0\0\0",
            b"MM\0*\0\0\0\x08",
            b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
        ]),
        bytes in vec(any::<u8>(), 0..400),
    ) {
        small([signature, &bytes].concat(), 8);
    }

    #[test]
    fn damaged_files_never_panic(
        file in prop::sample::select(FILES.map(|(_, file)| file).to_vec()),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        near_start in any::<bool>(),
        max_width in 1_u32..200,
    ) {
        let mut file = file.to_vec();
        let range = if near_start { file.len().min(700) } else { file.len() };
        for (at, byte) in damage {
            file[at.index(range)] = byte;
        }
        small(file, max_width);
    }

    #[test]
    fn damaged_profiles_never_panic(
        kind in 0..3,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        near_start in any::<bool>(),
    ) {
        let mut profile = match kind {
            0 => CMYK_PROFILE.to_vec(),
            1 => ColorProfile::new_display_p3().encode().unwrap(),
            _ => ColorProfile::new_gray_with_gamma(2.2).encode().unwrap(),
        };
        let range = if near_start { profile.len().min(400) } else { profile.len() };
        for (at, byte) in damage {
            profile[at.index(range)] = byte;
        }
        let image: DynamicImage = quarters(8, 6).into();
        small(match kind {
            0 => cmyk_jpeg(8, 6, [10, 20, 30, 40], false, Some(&profile)),
            1 => png(&image, None, Some(&profile)),
            _ => png(&image.to_luma8().into(), None, Some(&profile)),
        }, 4);
    }
}
