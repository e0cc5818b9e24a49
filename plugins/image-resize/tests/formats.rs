//! Inputs and outputs: types, sizes, transparency, config.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{
    ANIMATED_GIF, DEEP_PNG, FILES, LOSSY_WEBP, PALETTE_BMP, PHOTO, PROGRESSIVE, TURNED_TIFF,
    assert_near, assert_quarters, config, decode, difference, encode, jpeg, png, quarters, run,
};
use forebay_plugin::Error;
use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgba, RgbaImage};
use image_resize::{Config, resize};
use serde_json::json;

#[test]
fn every_type_gets_its_output_type_and_size() {
    let expected = [
        "image/jpeg",
        "image/jpeg",
        "image/jpeg",
        "image/jpeg",
        "image/png",
        "image/jpeg",
        "image/jpeg",
        "image/png",
    ];
    for ((name, file), media_type) in FILES.into_iter().zip(expected) {
        let encoded = resize(
            file.to_vec(),
            &config(json!({ "max_width": 40, "max_height": 40 })),
        )
        .unwrap();
        assert_eq!(encoded.media_type, media_type, "{name}");
        let image = decode(&encoded);
        assert_eq!(image.width().max(image.height()), 40, "{name}");
        for format in ["jpeg", "png"] {
            let encoded = resize(file.to_vec(), &config(json!({ "format": format }))).unwrap();
            assert_eq!(encoded.media_type, format!("image/{format}"), "{name}");
        }
    }
}

#[test]
fn every_type_shows_the_same_picture() {
    let small = json!({ "max_width": 48, "max_height": 48, "format": "png" });
    let reference = run(PHOTO, small.clone());
    for (name, file, most) in [
        ("progressive JPEG", PROGRESSIVE, 3.0),
        ("WebP", LOSSY_WEBP, 4.0),
        ("GIF", ANIMATED_GIF, 12.0),
        ("BMP", PALETTE_BMP, 10.0),
        ("PNG", DEEP_PNG, 4.0),
    ] {
        let difference = difference(&run(file, small.clone()), &reference);
        assert!(difference < most, "{name}: differs by {difference}");
    }
    let upright = run(TURNED_TIFF, small);
    let unturned = difference(&upright.rotate270(), &reference);
    assert!(unturned < 3.0, "TIFF: differs by {unturned}");
}

#[test]
fn generated_pictures_of_every_type_survive() {
    let picture = DynamicImage::from(quarters(48, 32));
    for format in [
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ] {
        assert_quarters(
            &run(&encode(&picture, format), json!({ "max_width": 24 })),
            &format!("{format:?}"),
        );
    }
    assert_quarters(
        &run(
            &jpeg(&quarters(48, 32), None, None),
            json!({ "max_width": 24 }),
        ),
        "JPEG",
    );
}

#[test]
fn depths_and_channels() {
    for image in [
        DynamicImage::from(quarters(48, 32)).to_luma8().into(),
        DynamicImage::from(quarters(48, 32)).to_luma16().into(),
        DynamicImage::from(quarters(48, 32)).to_rgb16().into(),
        DynamicImage::from(quarters(48, 32)).to_rgba16().into(),
        DynamicImage::from(quarters(48, 32))
            .to_luma_alpha16()
            .into(),
    ] {
        let image: DynamicImage = image;
        let resized = run(&png(&image, None, None), json!({ "max_width": 24 }));
        assert_eq!(resized.color().has_color(), image.color().has_color());
        assert_eq!(
            resized.color().bytes_per_pixel(),
            resized.color().channel_count(),
            "eight bits a channel"
        );
        assert!(
            !resized.color().has_alpha(),
            "an opaque picture needs no alpha"
        );
        let half = image.resize_exact(24, 16, image::imageops::FilterType::Nearest);
        assert_near(
            resized.to_rgb8().get_pixel(6, 4).0,
            half.to_rgb8().get_pixel(6, 4).0,
            1,
            "colour",
        );
    }
}

#[test]
fn shrinking_by_any_factor_keeps_the_picture_in_place() {
    // Odd sides, and factors just above and below those at which the JPEG decoder begins to scale.
    for (width, height) in [(203, 101), (401, 77), (64, 333), (1, 300), (300, 1), (9, 9)] {
        let image = quarters(width, height);
        let file = jpeg(&image, None, None);
        for max in [1, 3, 12, 13, 24, 25, 26, 49, 50, 51, 99, 100, 101, 200] {
            let asked = json!({ "max_width": max, "max_height": max, "format": "png" });
            let scaled = run(&file, asked.clone());
            let whole = run(&png(&image.clone().into(), None, None), asked);
            let difference = difference(&scaled, &whole);
            assert!(
                difference < 10.0,
                "{width}x{height} in {max}: differs by {difference}"
            );
        }
    }
}

#[test]
fn fits() {
    let file = png(&quarters(60, 40).into(), None, None);
    let size = |json| {
        let image = run(&file, json);
        (image.width(), image.height())
    };
    assert_eq!(size(json!({ "max_width": 33 })), (33, 22));
    assert_eq!(
        size(json!({ "max_width": 30, "max_height": 30, "fit": "cover" })),
        (30, 30)
    );
    assert_eq!(
        size(json!({ "max_width": 20, "max_height": 30, "fit": "exact" })),
        (20, 30)
    );
    assert_eq!(size(json!({ "max_width": 600 })), (60, 40));
    assert_eq!(
        size(json!({ "max_width": 600, "enlarge": true })),
        (600, 400)
    );

    let covered = run(
        &file,
        json!({ "max_width": 20, "max_height": 20, "fit": "cover" }),
    );
    assert_quarters(&covered, "the middle is kept");
}

#[test]
fn jpeg_scaling_keeps_the_middle_of_a_cover() {
    let file = jpeg(&quarters(403, 201), Some(6), None);
    let covered = run(
        &file,
        json!({ "max_width": 32, "max_height": 32, "fit": "cover", "format": "png" }),
    );
    assert_quarters(&covered.rotate270(), "turned and cut");
}

#[test]
fn transparency_stays_or_gets_the_background() {
    let half_red = DynamicImage::from(RgbaImage::from_pixel(8, 8, Rgba([255, 0, 0, 128])));
    let webp = encode(&half_red, ImageFormat::WebP);
    let kept = run(&webp, json!({ "max_width": 4 }));
    assert_near(
        kept.to_rgba8().get_pixel(1, 1).0,
        [255, 0, 0, 128],
        1,
        "auto keeps transparency",
    );
    let white = run(&webp, json!({ "format": "jpeg" }));
    assert_near(
        white.to_rgb8().get_pixel(1, 1).0,
        [255, 127, 127],
        4,
        "over white",
    );
    let blue = run(&webp, json!({ "format": "jpeg", "background": "#0000Ff" }));
    assert_near(
        blue.to_rgb8().get_pixel(1, 1).0,
        [128, 0, 127],
        4,
        "over blue",
    );

    let grey = DynamicImage::from(image::GrayAlphaImage::from_pixel(8, 8, LumaA([100, 0])));
    let over = run(
        &png(&grey, None, None),
        json!({ "format": "jpeg", "background": "#00ff00" }),
    );
    assert_near(
        over.to_rgb8().get_pixel(1, 1).0,
        [0, 255, 0],
        4,
        "grey over green",
    );
    let opaque = DynamicImage::from(RgbaImage::from_pixel(8, 8, Rgba([9, 99, 199, 255])));
    assert_eq!(
        resize(encode(&opaque, ImageFormat::WebP), &Config::default())
            .unwrap()
            .media_type,
        "image/jpeg"
    );
}

#[test]
fn hidden_colour_does_not_bleed() {
    let image = RgbaImage::from_fn(64, 64, |x, _| {
        if x < 29 {
            Rgba([255, 0, 0, 255])
        } else {
            Rgba([0, 255, 0, 0])
        }
    });
    let resized = run(&png(&image.into(), None, None), json!({ "max_width": 16 })).to_rgba8();
    for pixel in resized.pixels().filter(|pixel| pixel.0[3] > 32) {
        assert_near(
            [pixel.0[0], pixel.0[1], pixel.0[2]],
            [255, 0, 0],
            4,
            "the transparent green must not show",
        );
    }
}

#[test]
fn quality_changes_the_size() {
    let size = |quality| {
        resize(
            DEEP_PNG.to_vec(),
            &config(json!({ "format": "jpeg", "quality": quality })),
        )
        .unwrap()
        .bytes
        .len()
    };
    assert!(size(20) < size(85) && size(85) < size(100));
}

#[test]
fn no_metadata_passes() {
    let mut file = jpeg(&quarters(40, 30), Some(1), Some(b"not a profile"));
    file.extend_from_slice(b"bytes after the end");
    let jpeg = resize(file, &Config::default()).unwrap().bytes;
    let png = resize(
        png(&quarters(40, 30).into(), Some(1), None),
        &Config::default(),
    )
    .unwrap()
    .bytes;
    let has = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    assert!(!has(&jpeg, b"Exif") && !has(&jpeg, b"ICC_PROFILE") && !has(&jpeg, b"after the end"));
    assert!(!has(&png, b"eXIf") && !has(&png, b"iCCP") && !has(&png, b"tEXt"));
}

#[test]
fn the_first_frame_of_an_animation_is_taken() {
    let image = run(ANIMATED_GIF, json!({ "format": "png", "max_width": 48 })).to_luma8();
    let reference = run(PHOTO, json!({ "format": "png", "max_width": 48 })).to_luma8();
    let mean = |image: &image::GrayImage| {
        image.pixels().map(|Luma([y])| u64::from(*y)).sum::<u64>() / image.len() as u64
    };
    assert!(
        mean(&image).abs_diff(mean(&reference)) < 5,
        "the second frame is a negative"
    );
}

#[test]
fn configs_that_do_not_fit_name_the_field() {
    for (json, field) in [
        (json!({ "max_width": 0 }), "max_width"),
        (json!({ "max_height": 70_000 }), "max_height"),
        (json!({ "quality": 0 }), "quality"),
        (json!({ "quality": 101 }), "quality"),
        (json!({ "max_pixels": 0 }), "max_pixels"),
        (json!({ "fit": "cover", "max_width": 10 }), "max_height"),
        (json!({ "fit": "exact", "max_height": 10 }), "max_width"),
    ] {
        match resize(PHOTO.to_vec(), &config(json.clone())) {
            Err(Error::InvalidConfig(message)) => {
                assert!(message.starts_with(field), "{json}: {message}")
            }
            other => panic!("{json}: {other:?}"),
        }
    }
    for json in [
        json!({ "background": "white" }),
        json!({ "background": "#12345g" }),
        json!({ "background": "#+12345" }),
    ] {
        let error = serde_json::from_value::<Config>(json)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("background: "), "{error}");
    }
    assert!(
        serde_json::from_value::<Config>(json!({ "width": 10 })).is_err(),
        "unknown fields are refused"
    );
}

#[test]
fn the_schema_has_the_ranges() {
    let schema = forebay_schema();
    let properties = &schema["properties"];
    assert_eq!(properties["quality"]["minimum"], 1);
    assert_eq!(properties["quality"]["maximum"], 100);
    assert_eq!(properties["quality"]["default"], 85);
    assert_eq!(properties["max_width"]["minimum"], 1);
    assert_eq!(properties["background"]["default"], "#ffffff");
    assert_eq!(properties["background"]["maxLength"], 7);
    assert_eq!(
        properties["fit"]["enum"],
        json!(["inside", "cover", "exact"])
    );
    assert_eq!(schema["additionalProperties"], false);
    for (name, property) in properties.as_object().unwrap() {
        assert!(
            property["description"].is_string(),
            "{name} is not described"
        );
    }
}

fn forebay_schema() -> serde_json::Value {
    forebay_plugin::config_schema::<Config>()
        .unwrap()
        .as_json()
        .clone()
}

#[test]
fn what_is_left_out_is_said() {
    let left_out = |file: Vec<u8>| {
        let config = common::config(json!({}));
        image_resize::resize(file, &config).unwrap().left_out
    };
    let frame = |value: u8| image::RgbaImage::from_pixel(4, 4, image::Rgba([value, 0, 0, 255]));
    let gif = |frames: u8| {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        encoder
            .encode_frames((0..frames).map(|value| image::Frame::new(frame(value))))
            .unwrap();
        drop(encoder);
        bytes
    };
    let tiff = |pages: u8| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut encoder = tiff::encoder::TiffEncoder::new(&mut bytes).unwrap();
        for value in 0..pages {
            encoder
                .write_image::<tiff::encoder::colortype::RGBA8>(4, 4, &frame(value))
                .unwrap();
        }
        bytes.into_inner()
    };
    assert_eq!(left_out(gif(1)), None);
    assert_eq!(
        left_out(gif(3)).unwrap(),
        "the file has 3 frames; only the first frame is in the result"
    );
    assert_eq!(left_out(tiff(1)), None);
    assert_eq!(
        left_out(tiff(2)).unwrap(),
        "the file has 2 pages; only the first page is in the result"
    );
    assert!(
        left_out(tiff(230))
            .unwrap()
            .starts_with("the file has more than 200 pages;")
    );
    // An animated PNG has a chunk that tells how many frames it has.
    let still = common::png(&frame(1).into(), None, None);
    assert_eq!(left_out(still.clone()), None);
    let checked = [&b"acTL"[..], &5_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    let sum = crc32fast::hash(&checked).to_be_bytes();
    let (head, rest) = still.split_at(33);
    let animated = [head, &8_u32.to_be_bytes(), &checked, &sum, rest].concat();
    assert_eq!(
        left_out(animated).unwrap(),
        "the file has 5 frames; only the first frame is in the result"
    );
}
