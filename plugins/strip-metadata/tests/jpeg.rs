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
    let filled = [&parts[0], &filled[1..].concat()[..]].concat();
    assert_eq!(strip(DROP, &filled), Ok(parts.concat()));

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
    let upright_first = with(&parts, 2, &[exif(1), exif(6)].concat());
    assert_eq!(strip(KEEP, &upright_first), Ok(parts.concat()));
    let between = [exif(6), parts[2].clone(), parts[3].clone(), exif(8)].concat();
    let apart = [&parts[..2].concat()[..], &between, &parts[4..].concat()].concat();
    let expected = [
        &parts[..2].concat()[..],
        &minimal(6),
        &parts[3],
        &parts[4],
        &parts[2],
        &parts[5..].concat(),
    ]
    .concat();
    assert_eq!(
        strip(KEEP, &apart).map(|file| file.len()),
        Ok(expected.len())
    );
}

#[test]
fn other_processes_are_refused() {
    for code in (0xC3..=0xCF).filter(|code| ![0xC4, 0xC8, 0xCC].contains(code)) {
        let mut parts = clean();
        parts[5][1] = code;
        let error = strip(DROP, &parts.concat()).unwrap_err().to_string();
        assert!(error.contains("not supported"), "FF{code:02X}: {error}");
    }
}

/// Sequential, and without the scan of the other coefficients: 16 × 8 grey pixels in one scan.
fn baseline() -> Vec<Vec<u8>> {
    let mut parts = clean();
    parts[5][1] = 0xC0;
    parts[7] = [parts[7].clone(), parts[9].clone()].concat();
    parts[8] = [
        &segment(0xDA, b"\x01\x01\0\0\x3F\0")[..],
        b"\x3F\xFF\xD0\x3F",
    ]
    .concat();
    parts.drain(9..11);
    parts
}

#[test]
fn a_picture_that_is_complete_needs_no_end() {
    for parts in [baseline(), clean()] {
        let (end, picture) = parts.split_last().unwrap();
        let picture = picture.concat();
        let whole = Ok(parts.concat());
        assert_eq!(strip(KEEP, &picture), whole);
        let trailer = [
            b"\0\0\x01\x0A",
            CANARY,
            b"\xFF\xD0 \xFF\0 \xFF\x01 \xFF\xE1\0\x04",
        ]
        .concat();
        for trailer in [&trailer[..], CANARY, b"\xFF"] {
            assert_eq!(strip(KEEP, &[&picture, trailer].concat()), whole);
            assert_eq!(strip(KEEP, &[&picture, trailer, end].concat()), whole);
        }
        for length in 0..picture.len() {
            assert!(strip(KEEP, &picture[..length]).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn what_stands_between_segments_goes() {
    let parts = clean();
    for junk in [
        CANARY,
        b"\0",
        b"\xFF\0",
        b"\xFF\xD0",
        b"\xFF\x01",
        b"\xFF\0 \xFF\xFF",
    ] {
        for slot in 1..parts.len() {
            assert_eq!(
                strip(KEEP, &with(&parts, slot, junk)),
                Ok(parts.concat()),
                "slot {slot}"
            );
        }
    }
}

#[test]
fn what_stands_before_a_restart_marker_goes() {
    let mut parts = baseline();
    let clean = parts.concat();
    parts[8] = [
        &segment(0xDA, b"\x01\x01\0\0\x3F\0")[..],
        b"\x3F",
        CANARY,
        b"\xFF\0\xFF\xD0\x3F",
    ]
    .concat();
    assert_eq!(strip(DROP, &parts.concat()), Ok(clean));
}

#[test]
fn a_scan_that_lacks_most_of_its_picture_is_refused() {
    let mut parts = baseline();
    let length = parts[8].len();
    parts[8].truncate(length - 4);
    let error = strip(DROP, &parts.concat()).unwrap_err().to_string();
    assert!(error.contains("ends before the picture does"), "{error}");
}

#[test]
fn motion_jpeg_gets_its_tables() {
    let mut parts = baseline();
    // With the standard tables, a grey block without differences is 00 1010.
    parts[7].clear();
    parts[8] = [
        &segment(0xDA, b"\x01\x01\0\0\x3F\0")[..],
        b"\x2B\xFF\xD0\x2B",
    ]
    .concat();
    let stripped = strip(DROP, &with(&parts, 1, &segment(0xE0, &text(b"AVI1")))).unwrap();
    let tables = segment(0xC4, &[0; 4 * 17 + 2 * 12 + 2 * 162]);
    assert_eq!(stripped.len(), parts.concat().len() + tables.len());
    let at = parts[..8].concat().len();
    assert_eq!(stripped[at..at + 4], tables[..4]);
    assert_eq!(strip(DROP, &stripped), Ok(stripped.clone()));
}

#[test]
fn a_profile_says_its_colours_and_nothing_else() {
    let mut parts = clean();
    let clean = parts.concat();
    let personal = personal_profile();
    parts[2] = icc(&personal);
    assert_eq!(strip(DROP, &parts.concat()), Ok(clean.clone()));
    // In two pieces, in any order.
    let piece = |number: u8, data: &[u8]| {
        segment(0xE2, &[b"ICC_PROFILE\0", &[number, 2][..], data].concat())
    };
    let (first, second) = personal.split_at(200);
    let (first, second) = (piece(1, first), piece(2, second));
    for pieces in [[&first, &second], [&second, &first]] {
        parts[2] = pieces.map(|piece| piece.clone()).concat();
        assert_eq!(strip(DROP, &parts.concat()), Ok(clean.clone()));
    }
}

#[test]
fn a_profile_that_is_not_whole_goes() {
    let mut parts = clean();
    let whole = parts[2].clone();
    parts[2].clear();
    let without = parts.concat();
    let piece =
        |numbers: [u8; 2]| segment(0xE2, &[b"ICC_PROFILE\0", &numbers[..], CANARY].concat());
    for pieces in [
        [whole.clone(), piece([2, 8])].concat(),
        [piece([2, 8]), whole.clone()].concat(),
        [whole.clone(), piece([1, 1])].concat(),
        [whole.clone(), piece([0, 1])].concat(),
        [whole.clone(), piece([2, 1])].concat(),
        piece([1, 1]),
        piece([1, 2]),
        [piece([1, 2]), piece([1, 2])].concat(),
        segment(0xE2, b"ICC_PROFILE\0\x01"),
    ] {
        parts[2] = pieces;
        assert_eq!(strip(KEEP, &parts.concat()), Ok(without.clone()));
    }
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
            "more than 256 codes",
            replaced(7, &segment(0xC4, &[&[0, 255, 255][..], &[0; 524]].concat())),
            at(7),
        ),
        (
            "a frame of nothing",
            replaced(5, &segment(0xC2, b"\x08\0\x08\0\x10\0")),
            at(5),
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
    for length in 0..file.len() - EOI.len() {
        assert!(
            strip(KEEP, &file[..length]).is_err(),
            "{length} of {} bytes",
            file.len()
        );
    }
}
