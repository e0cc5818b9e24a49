//! What stays of a PNG and what goes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::png::*;
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
    for (name, chunk) in metadata() {
        for slot in 2..parts.len() {
            for config in [DROP, KEEP] {
                assert_eq!(
                    strip(config, &with(&parts, slot, &chunk)),
                    Ok(parts.concat()),
                    "{name} before part {slot}"
                );
            }
        }
    }
}

#[test]
fn the_checksum_of_what_goes_does_not_matter() {
    let parts = clean();
    let mut text = chunk(b"tEXt", CANARY);
    *text.last_mut().unwrap() ^= 1;
    assert_eq!(strip(DROP, &with(&parts, 2, &text)), Ok(parts.concat()));
}

#[test]
fn everything_behind_the_end_goes() {
    let parts = clean();
    for trailer in [
        CANARY.to_vec(),
        parts.concat(),
        chunk(b"IDAT", CANARY),
        vec![0; 100_000],
    ] {
        assert_eq!(
            strip(DROP, &with(&parts, parts.len(), &trailer)),
            Ok(parts.concat())
        );
    }
}

#[test]
fn the_name_of_the_profile_goes() {
    let mut parts = clean();
    let clean = parts.concat();
    for name in [CANARY, b"x", &[b'n'; 79]] {
        parts[5] = iccp(name, &personal_profile());
        assert_eq!(strip(DROP, &parts.concat()), Ok(clean.clone()));
    }
}

#[test]
fn a_second_one_and_one_behind_the_data_go() {
    let parts = clean();
    for (slot, part) in parts.iter().enumerate().skip(2) {
        let (ancillary, many) = (
            part[4].is_ascii_lowercase(),
            matches!(&part[4..8], b"fcTL" | b"fdAT"),
        );
        if ancillary && !many {
            assert_eq!(
                strip(DROP, &with(&parts, slot + 1, part)),
                Ok(parts.concat())
            );
            assert_eq!(
                strip(DROP, &with(&parts, DATA + 2, part)),
                Ok(parts.concat())
            );
        }
    }
}

#[test]
fn the_orientation_stays_if_asked() {
    let parts = clean();
    let minimal = |orientation: u8| {
        let mut body = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        body[19] = orientation;
        chunk(b"eXIf", &body)
    };
    for orientation in 0..=9 {
        let expected = if (2..=8).contains(&orientation) {
            minimal(orientation)
        } else {
            Vec::new()
        };
        let long = [tiff(orientation), CANARY.repeat(10_000)].concat();
        // Nothing that stays may stand between two IDAT.
        for slot in (2..parts.len()).filter(|slot| *slot != DATA) {
            for body in [&tiff(orientation), &long] {
                let file = with(&parts, slot, &chunk(b"eXIf", body));
                assert_eq!(
                    strip(KEEP, &file),
                    Ok(with(&parts, slot, &expected)),
                    "orientation {orientation}, slot {slot}"
                );
                assert_eq!(strip(DROP, &file), Ok(parts.concat()));
            }
        }
    }
    let twice = with(
        &parts,
        2,
        &[chunk(b"eXIf", &tiff(6)), chunk(b"eXIf", &tiff(8))].concat(),
    );
    assert_eq!(
        strip(KEEP, &twice),
        Ok(with(&parts, 2, &minimal(6))),
        "the first one counts"
    );
}

#[test]
fn damaged_files_are_refused_with_the_place() {
    let parts = clean();
    let at = |slot: usize| parts[..slot].concat().len();
    let replaced = |slot: usize, part: &[u8]| {
        [&parts[..slot].concat(), part, &parts[slot + 1..].concat()].concat()
    };
    let mut cases: Vec<(String, Vec<u8>, usize)> = vec![
        (
            "an unknown critical chunk".into(),
            with(&parts, 3, &chunk(b"CgBI", CANARY)),
            at(3),
        ),
        (
            "a chunk before IHDR".into(),
            with(&parts, 1, &chunk(b"tEXt", CANARY)),
            at(1),
        ),
        ("a second IHDR".into(), with(&parts, 2, &parts[1]), at(2)),
        ("a second PLTE".into(), with(&parts, 11, &parts[10]), at(11)),
        (
            "PLTE behind the data".into(),
            with(&parts, 18, &parts[10]),
            at(18),
        ),
        (
            "data in two runs".into(),
            with(&parts, 19, &parts[16]),
            at(19),
        ),
        (
            "no data".into(),
            [&parts[..2].concat()[..], &parts[20]].concat(),
            at(2),
        ),
        (
            "a type that is not letters".into(),
            with(&parts, 3, &chunk(b"te\0t", CANARY)),
            at(3),
        ),
        (
            "a length of 2^31".into(),
            with(&parts, 3, b"\x80\0\0\0tEXt"),
            at(3),
        ),
    ];
    for (slot, part) in parts.iter().enumerate().skip(1) {
        let is_needed = part[4].is_ascii_uppercase() || matches!(&part[4..8], b"fcTL" | b"fdAT");
        if !is_needed {
            continue;
        }
        let name = part[4..8].escape_ascii();
        let mut wrong = part.clone();
        *wrong.last_mut().unwrap() ^= 1;
        cases.push((
            format!("a wrong checksum of {name}"),
            replaced(slot, &wrong),
            at(slot),
        ));
        if !matches!(&part[4..8], b"IDAT" | b"fdAT" | b"iCCP") {
            let long = chunk(part[4..8].try_into().unwrap(), &CANARY.repeat(50));
            cases.push((
                format!("text behind {name}"),
                replaced(slot, &long),
                at(slot),
            ));
        }
    }
    for (name, file, expected) in cases {
        match strip(KEEP, &file) {
            Err(strip_metadata::Error::Invalid { offset, .. }) => {
                assert_eq!(offset, expected as u64, "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_bad_ancillary_chunk_goes() {
    let parts = clean();
    let without = |slot: usize| [&parts[..slot].concat()[..], &parts[slot + 1..].concat()].concat();
    let with_other = |slot: usize, part: &[u8]| {
        strip(
            KEEP,
            &[&parts[..slot].concat(), part, &parts[slot + 1..].concat()].concat(),
        )
    };
    for (slot, part) in parts.iter().enumerate().skip(2) {
        let kind: [u8; 4] = part[4..8].try_into().unwrap();
        if kind[0].is_ascii_uppercase() || matches!(&kind, b"acTL" | b"fcTL" | b"fdAT") {
            continue;
        }
        let mut wrong = part.clone();
        *wrong.last_mut().unwrap() ^= 1;
        for bad in [wrong, chunk(&kind, b""), chunk(&kind, &CANARY.repeat(50))] {
            assert_eq!(
                with_other(slot, &bad),
                Ok(without(slot)),
                "{}",
                kind.escape_ascii()
            );
        }
    }
    for bad in [
        &b"\0\0squeezed"[..],
        &[b'n'; 200],
        b"icc\0\x01squeezed",
        b"icc\0\0squeezed",
    ] {
        assert_eq!(with_other(5, &chunk(b"iCCP", bad)), Ok(without(5)));
    }
    let mut exif = chunk(b"eXIf", &tiff(6));
    *exif.last_mut().unwrap() ^= 1;
    assert_eq!(strip(KEEP, &with(&parts, 2, &exif)), Ok(parts.concat()));
}

#[test]
fn what_follows_a_compressed_stream_goes() {
    let parts = clean();
    for (slot, kind) in [(17, b"IDAT"), (19, b"fdAT")] {
        let body = &parts[slot][8..parts[slot].len() - 4];
        let mut changed = parts.clone();
        changed[slot] = chunk(kind, &[body, CANARY].concat());
        assert_eq!(strip(KEEP, &changed.concat()), Ok(parts.concat()));
    }
    let more = with(&parts, 18, &chunk(b"IDAT", CANARY));
    assert_eq!(strip(KEEP, &more), Ok(parts.concat()));
    let more = with(
        &parts,
        20,
        &chunk(b"fdAT", &[b"\0\0\0\x03", CANARY].concat()),
    );
    assert_eq!(strip(KEEP, &more), Ok(parts.concat()));
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_does() {
    let file = with(
        &clean(),
        2,
        &[chunk(b"eXIf", &tiff(6)), chunk(b"tEXt", CANARY)].concat(),
    );
    for length in 0..file.len() {
        assert!(
            strip(KEEP, &file[..length]).is_err(),
            "{length} of {} bytes",
            file.len()
        );
    }
}
