//! A real photo: what a phone or a camera writes, with every usual kind of metadata.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::*;

const PHOTO: &[u8] = include_bytes!("../../../cli/demo/photo.jpg");

/// The segments up to the scan, each with its marker's code and its body, and then the scan with all that follows it.
fn segments(mut file: &[u8]) -> (Vec<(u8, &[u8])>, &[u8]) {
    let mut all = Vec::new();
    file = file.strip_prefix(jpeg::SOI).unwrap();
    while let [0xFF, code, high, low, ..] = *file {
        let (segment, rest) = file.split_at(2 + usize::from(u16::from_be_bytes([high, low])));
        all.push((code, &segment[4..]));
        file = rest;
        if code == 0xDA {
            break;
        }
    }
    (all, file)
}

#[test]
fn the_picture_stays_and_the_rest_goes() {
    let output = strip(DROP, PHOTO).unwrap();
    let ((before, scan_before), (after, scan_after)) = (segments(PHOTO), segments(&output));
    // The profile stays too, but is written anew.
    let is_profile = |(_, body): &&(u8, &[u8])| body.starts_with(b"ICC_PROFILE\0");
    let of = |all: &[(u8, &[u8])]| -> Vec<(u8, Vec<u8>)> {
        let stays = |(code, _): &&(u8, &[u8])| matches!(code, 0xC0..=0xE0);
        let kept = all.iter().filter(stays);
        kept.map(|(code, body)| (*code, body.to_vec())).collect()
    };
    assert_eq!(of(&after), of(&before));
    assert_eq!(after.iter().filter(is_profile).count(), 1);
    assert!(scan_before == scan_after && scan_after.len() > 700_000);

    for text in [
        &b"Exif"[..],
        b"http://ns.adobe.com",
        b"Photoshop",
        b"Demo Camera",
        b"Berlin",
        b"takes away",
    ] {
        let there = |file: &[u8]| file.windows(text.len()).any(|window| window == text);
        assert!(there(PHOTO) && !there(&output), "{}", text.escape_ascii());
    }
}

#[test]
fn the_orientation_stays_if_asked() {
    let (dropped, kept) = (strip(DROP, PHOTO).unwrap(), strip(KEEP, PHOTO).unwrap());
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let jfif_end = jpeg::SOI.len() + 18;
    assert_eq!(
        kept,
        [
            &dropped[..jfif_end],
            &jpeg::segment(0xE1, exif),
            &dropped[jfif_end..]
        ]
        .concat()
    );
}

#[test]
fn pieces_do_not_matter() {
    let whole = strip(KEEP, PHOTO).unwrap();
    for length in [1, 2, 3, 7, 64, 1000, 4096, 65_537] {
        assert!(
            strip_pieces(KEEP, PHOTO.chunks(length)).unwrap() == whole,
            "pieces of {length} bytes"
        );
    }
}

#[test]
fn it_is_refused_wherever_it_ends_early() {
    // Every place in the header, and then some of the scan.
    for length in (0..12_000)
        .chain((12_000..PHOTO.len()).step_by(9973))
        .chain([PHOTO.len() - 100])
    {
        let mut stripper = strip_metadata::Stripper::new(KEEP);
        let refused = stripper
            .push(&PHOTO[..length], &mut Vec::new())
            .and_then(|()| stripper.finish(&mut Vec::new()));
        assert!(refused.is_err(), "{length} bytes");
    }
}
