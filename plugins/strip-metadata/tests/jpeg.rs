//! What stays of a JPEG and what goes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::jpeg::*;
use common::*;

#[test]
fn a_clean_file_stays_as_it_is() {
    let clean = clean().concat();
    assert_eq!(strip(DROP, &clean).unwrap(), clean);
    assert_eq!(strip(KEEP, &clean).unwrap(), clean);
}

#[test]
fn metadata_goes_from_every_place() {
    let parts = clean();
    for (name, segment) in metadata() {
        for slot in 1..parts.len() {
            for config in [DROP, KEEP] {
                assert_eq!(
                    strip(config, &with(&parts, slot, &segment)),
                    Ok(parts.concat()),
                    "{name} before part {slot}"
                );
            }
        }
    }
}

#[test]
fn behind_the_first_scan_no_application_segment_stays() {
    let parts = clean();
    for segment in [JFIF.to_vec(), icc(CANARY), parts[3].clone(), exif(6)] {
        for slot in SCANNED..parts.len() {
            assert_eq!(
                strip(KEEP, &with(&parts, slot, &segment)),
                Ok(parts.concat())
            );
        }
    }
}

#[test]
fn everything_behind_the_end_goes() {
    let parts = clean();
    for trailer in [
        CANARY.to_vec(),
        parts.concat(),
        b"\xFF".to_vec(),
        b"PK\x03\x04".to_vec(),
        vec![0; 100_000],
    ] {
        assert_eq!(
            strip(DROP, &with(&parts, parts.len(), &trailer)),
            Ok(parts.concat())
        );
    }
}

#[test]
fn the_jfif_thumbnail_goes_and_the_density_stays() {
    let mut parts = clean();
    let clean = parts.concat();
    parts[1] = segment(
        0xE0,
        &[
            b"JFIF\0\x01\x02\x01\0\x48\0\x48\x10\x01",
            &CANARY.repeat(3)[..],
        ]
        .concat(),
    );
    assert_eq!(strip(DROP, &parts.concat()), Ok(clean));
}

#[test]
fn what_follows_the_colour_transform_goes() {
    let mut parts = clean();
    let clean = parts.concat();
    parts[3] = segment(0xEE, &text(b"Adobe\0\x64\0\0\0\0\0"));
    assert_eq!(strip(DROP, &parts.concat()), Ok(clean));
}

#[test]
fn fill_bytes_go() {
    let parts = clean();
    let filled: Vec<_> = parts
        .iter()
        .map(|part| [b"\xFF\xFF\xFF", &part[..]].concat())
        .collect();
    assert_eq!(
        strip(DROP, &[&parts[0], &filled[1..].concat()[..]].concat()),
        Ok(parts.concat())
    );

    let mut restart = parts.clone();
    restart[8] = [
        &segment(0xDA, b"\x01\x01\0\0\0\0")[..],
        b"\x7F\xFF\xFF\xFF\xD0\x7F",
    ]
    .concat();
    assert_eq!(strip(DROP, &restart.concat()), Ok(parts.concat()));
}

#[test]
fn the_orientation_stays_if_asked() {
    let parts = clean();
    let minimal = |orientation: u8| {
        let mut body =
            b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        body[25] = orientation;
        segment(0xE1, &body)
    };
    for orientation in 0..=9 {
        let expected = if (2..=8).contains(&orientation) {
            minimal(orientation)
        } else {
            Vec::new()
        };
        // Before and behind the JFIF header, and in no order at all: it is always written right behind that header.
        for slot in [1, 2] {
            let file = with(&parts, slot, &exif(orientation));
            assert_eq!(
                strip(KEEP, &file),
                Ok(with(&parts, 2, &expected)),
                "orientation {orientation}, slot {slot}"
            );
            assert_eq!(strip(DROP, &file), Ok(parts.concat()));
        }
    }
    let late = with(&parts, 7, &exif(6));
    assert_eq!(
        strip(KEEP, &late),
        Ok(with(&parts, 7, &minimal(6))),
        "before the next segment that stays"
    );
    let twice = with(&parts, 2, &[exif(6), exif(8)].concat());
    assert_eq!(
        strip(KEEP, &twice),
        Ok(with(&parts, 2, &minimal(6))),
        "the first one counts"
    );
}

#[test]
fn every_process_has_its_frame() {
    for code in (0xC0..=0xCF).filter(|code| ![0xC4, 0xC8, 0xCC].contains(code)) {
        let mut parts = clean();
        parts[5][1] = code;
        // Arithmetic coding has its own tables.
        parts[7] = segment(0xCC, b"\x00\x10\x10\x05");
        assert_eq!(
            strip(DROP, &parts.concat()),
            Ok(parts.concat()),
            "FF{code:02X}"
        );
    }
    let mut hierarchical = clean();
    let frame = hierarchical[5].clone();
    hierarchical.insert(5, segment(0xDE, b"\x08\0\x08\0\x10\x01\x01\x11\0"));
    hierarchical.insert(10, [segment(0xDF, b"\x11"), frame].concat());
    assert_eq!(
        strip(DROP, &hierarchical.concat()),
        Ok(hierarchical.concat())
    );

    let height_later = with(&clean(), SCANNED, &segment(0xDC, b"\0\x08"));
    assert_eq!(strip(DROP, &height_later), Ok(height_later.clone()));
}

#[test]
fn damaged_files_are_refused_with_the_place() {
    let parts = clean();
    let at = |slot: usize| parts[..slot].concat().len();
    let replaced = |slot: usize, part: &[u8]| {
        [&parts[..slot].concat(), part, &parts[slot + 1..].concat()].concat()
    };
    let cases: Vec<(&str, Vec<u8>, usize)> = vec![
        ("a length of 1", with(&parts, 4, b"\xFF\xFE\0\x01"), at(4)),
        ("a length of 0", with(&parts, 4, b"\xFF\xFE\0\0"), at(4)),
        ("bytes between segments", with(&parts, 4, b"\0"), at(4)),
        (
            "a stuffed zero outside a scan",
            with(&parts, 4, b"\xFF\0"),
            at(4),
        ),
        (
            "a restart outside a scan",
            with(&parts, 4, b"\xFF\xD0"),
            at(4),
        ),
        ("a second start", with(&parts, 4, SOI), at(4)),
        ("a second frame", with(&parts, 7, &parts[5]), at(7)),
        (
            "a reserved marker",
            with(&parts, 4, &segment(0x02, CANARY)),
            at(4),
        ),
        ("JPEG-LS", with(&parts, 4, &segment(0xF7, CANARY)), at(4)),
        (
            "an extension",
            with(&parts, 4, &segment(0xC8, CANARY)),
            at(4),
        ),
        (
            "DNL before a scan",
            with(&parts, 4, &segment(0xDC, b"\0\x08")),
            at(4),
        ),
        ("no frame", replaced(5, b""), at(8) - parts[5].len()),
        ("no scan", [&parts[..8].concat(), EOI].concat(), at(8)),
        (
            "text behind a quantization table",
            replaced(4, &segment(0xDB, &text(&parts[4][4..]))),
            at(4),
        ),
        (
            "text behind a Huffman table",
            replaced(7, &segment(0xC4, &text(&parts[7][4..]))),
            at(7),
        ),
        (
            "text behind a frame",
            replaced(5, &segment(0xC2, &text(&parts[5][4..]))),
            at(5),
        ),
        (
            "text behind a scan header",
            replaced(8, &segment(0xDA, &text(b"\x01\x01\0\0\0\0"))),
            at(8),
        ),
        (
            "text behind a restart interval",
            replaced(6, &segment(0xDD, &text(b"\0\x01"))),
            at(6),
        ),
        (
            "text as a number of lines",
            with(&parts, 9, &segment(0xDC, CANARY)),
            at(9),
        ),
        (
            "more than 256 codes",
            replaced(7, &segment(0xC4, &[&[0, 255, 255][..], &[0; 524]].concat())),
            at(7),
        ),
        (
            "a frame of nothing",
            replaced(5, &segment(0xC2, b"\x08\0\x08\0\x10\0")),
            at(5),
        ),
        (
            "fill bytes before a stuffed zero",
            with(&parts, 9, b"\xFF\xFF\0"),
            at(9),
        ),
    ];
    for (name, file, expected) in cases {
        match strip(DROP, &file) {
            Err(strip_metadata::Error::Invalid { offset, .. }) => {
                assert_eq!(offset, expected as u64, "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_does() {
    let file = with(&clean(), 2, &[exif(6), icc(b"x")].concat());
    for length in 0..file.len() {
        assert!(
            strip(KEEP, &file[..length]).is_err(),
            "{length} of {} bytes",
            file.len()
        );
    }
}
