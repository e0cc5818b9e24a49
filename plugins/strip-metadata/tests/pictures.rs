//! WebP and GIF: what stays, what goes and what is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::sound::*;
use common::*;

fn webp_of(parts: &[Vec<u8>]) -> Vec<u8> {
    riff(b"RIFF", b"WEBP", parts)
}

#[test]
fn chunks_of_a_webp_become_junk() {
    let parts = webp();
    let clean = webp_of(&parts);
    assert_eq!(strip(KEEP, &clean).unwrap(), clean);
    // Not between the header and the profile, which belong together.
    for slot in 2..=parts.len() {
        for tag in webp_tags() {
            let place = |tag: Vec<u8>| {
                let mut parts = parts.clone();
                parts.insert(slot, tag);
                webp_of(&parts)
            };
            let (file, expected) = (place(tag.clone()), place(junk(&tag)));
            assert_eq!(strip(KEEP, &file).as_ref(), Ok(&expected));
            assert_eq!(strip_pieces(KEEP, file.chunks(1)), Ok(expected));
        }
    }
    assert_eq!(strip(KEEP, &[&clean, CANARY].concat()), Ok(clean));
}

#[test]
fn what_stands_within_a_frame_goes_too() {
    let frame = |more: Vec<u8>| {
        let mut parts = webp();
        let body = [&parts[3][8..], &more].concat();
        parts[3] = chunk(b"ANMF", &body);
        webp_of(&parts)
    };
    for tag in webp_tags() {
        assert_eq!(strip(KEEP, &frame(tag.clone())).unwrap(), frame(junk(&tag)));
    }
}

#[test]
fn the_orientation_of_a_webp_stays_if_asked() {
    let file = |flags: u8, exif: &[u8]| {
        let mut parts = webp();
        parts[0][8] = flags;
        parts.push(chunk(b"EXIF", exif));
        webp_of(&parts)
    };
    let zeros = |mut exif: Vec<u8>, length: usize| {
        exif.resize(length, 0);
        exif
    };
    let mut turned = upright();
    turned[19] = 6;
    for (exif, stays) in [
        (tiff(6), turned.clone()),
        ([b"Exif\0\0", &tiff(6)[..]].concat(), turned.clone()),
        (tiff(1), upright()),
        (text(b"no tiff that anybody could read"), upright()),
    ] {
        let length = exif.len();
        assert_eq!(
            strip(KEEP, &file(0x3E, &exif)).unwrap(),
            file(0x3A, &zeros(stays, length))
        );
        let dropped = strip(DROP, &file(0x3E, &exif)).unwrap();
        let mut expected = file(0x32, &vec![0; length]);
        let at = expected
            .windows(4)
            .position(|window| window == b"EXIF")
            .unwrap();
        expected[at..at + 4].copy_from_slice(b"JUNK");
        assert_eq!(dropped, expected);
    }
}

#[test]
fn the_profile_of_a_webp_is_written_anew() {
    let mut parts = webp();
    parts[1] = chunk(b"ICCP", &personal_profile());
    let output = strip(KEEP, &webp_of(&parts)).unwrap();
    // What is left of its room is a chunk that says nothing.
    let room = parts[1].len() - profile().len() - 8;
    let rest = [
        b"JUNK".to_vec(),
        (room as u32 - 8).to_le_bytes().to_vec(),
        vec![0; room - 8],
    ];
    parts[1] = [chunk(b"ICCP", &profile()), rest.concat()].concat();
    assert_eq!(output, webp_of(&parts));
    // Where that is too short for a chunk, zeros follow the profile.
    let mut padded = profile();
    padded.extend([0, 0, 0]);
    parts[1] = chunk(b"ICCP", &padded);
    padded.fill(0);
    padded[..profile().len()].copy_from_slice(&profile());
    let output = strip(KEEP, &webp_of(&parts)).unwrap();
    parts[1] = chunk(b"ICCP", &padded);
    assert_eq!(output, webp_of(&parts));

    // What cannot be read goes, and the header does not speak of it.
    parts[1] = chunk(b"ICCP", &text(b"no profile"));
    let output = strip(KEEP, &webp_of(&parts)).unwrap();
    parts[1] = junk(&parts[1]);
    parts[0][8] = 0x12;
    assert_eq!(output, webp_of(&parts));
}

#[test]
fn a_damaged_webp_is_refused() {
    let clean = webp_of(&webp());
    for length in 12..clean.len() - 1 {
        assert!(strip(KEEP, &clean[..length]).is_err(), "{length}");
    }
    let parts = webp();
    for (name, parts) in [
        ("no picture", parts[..3].to_vec()),
        ("the header twice", [&parts[..1], &parts[..]].concat()),
        (
            "a frame that breaks its size",
            vec![
                parts[0].clone(),
                b"ANMF\xFF\xFF\0\0................".to_vec(),
                parts[3].clone(),
            ],
        ),
        (
            "a profile that is too long",
            vec![
                parts[0].clone(),
                [b"ICCP\0\0\x41\0".to_vec(), vec![0; 0x41_0000]].concat(),
            ],
        ),
        (
            "no chunk",
            vec![
                parts[0].clone(),
                parts[3].clone(),
                b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF".to_vec(),
            ],
        ),
    ] {
        assert!(strip(KEEP, &webp_of(&parts)).is_err(), "{name}");
    }
}

#[test]
fn extensions_of_a_gif_go() {
    let parts = gif();
    let clean = parts.concat();
    assert_eq!(strip(KEEP, &clean).unwrap(), clean);
    for slot in 1..=parts.len() {
        for (number, tag) in gif_tags().into_iter().enumerate() {
            let file = with(&parts, slot, &tag);
            assert_eq!(strip(KEEP, &file).as_ref(), Ok(&clean), "{slot} {number}");
            assert_eq!(
                strip_pieces(KEEP, file.chunks(1)).as_ref(),
                Ok(&clean),
                "{slot} {number}"
            );
        }
    }
    assert_eq!(strip(KEEP, &[&clean, CANARY].concat()).as_ref(), Ok(&clean));
    // Without its last byte it is complete.
    assert_eq!(strip(KEEP, &clean[..clean.len() - 1]).as_ref(), Ok(&clean));
}

#[test]
fn what_follows_the_data_of_a_picture_goes() {
    let mut parts = gif();
    parts[3].pop();
    parts[3].extend(sub_blocks(CANARY));
    assert_eq!(strip(KEEP, &parts.concat()).unwrap(), gif().concat());
    // In the same sub-block.
    let mut parts = gif();
    let length = parts[3].len() - 4;
    parts[3].truncate(length);
    parts[3].extend(sub_blocks(&[&b"\x4C\x01"[..], CANARY].concat()));
    assert_eq!(strip(KEEP, &parts.concat()).unwrap(), gif().concat());
}

#[test]
fn the_end_of_long_data_is_found() {
    // As an encoder writes it: codes grow as the table does, up to 12 bits, and stay so until it is cleared.
    for (count, clears) in [(3, false), (500, false), (5000, false), (20_000, true)] {
        let (mut bits, mut length, mut data) = (0_u64, 0, Vec::new());
        let mut put = |code: u64, size: u32| {
            bits |= code << length;
            length += size;
            while length >= 8 {
                data.push(bits as u8);
                bits >>= 8;
                length -= 8;
            }
        };
        let (mut size, mut known) = (3, 6);
        put(4, 3);
        for number in 0..count {
            put(number % 4, size);
            // A decoder's table has an entry less than an encoder's.
            if number > 0 && known < 4096 {
                known += 1;
                if known == 1 << size && size < 12 {
                    size += 1;
                }
            }
            if clears && number % 6000 == 5999 {
                put(4, size);
                (size, known) = (3, 5);
            }
        }
        put(5, size);
        put(0, 7);
        let mut parts = gif();
        let length = parts[3].len() - 4;
        parts[3].truncate(length);
        parts[3].extend(sub_blocks(&data));
        let clean = parts.concat();
        assert_eq!(strip(KEEP, &clean).unwrap(), clean, "{count}");
        parts[3].pop();
        parts[3].extend(sub_blocks(CANARY));
        assert_eq!(strip(KEEP, &parts.concat()).unwrap(), clean, "{count}");
    }
}

#[test]
fn a_damaged_gif_is_refused() {
    let clean = gif().concat();
    let whole = [clean.len() - 1, gif()[..3].concat().len()];
    for length in (12..clean.len()).filter(|length| !whole.contains(length)) {
        assert!(strip(KEEP, &clean[..length]).is_err(), "{length}");
    }
    for (name, old, new) in [
        ("bits", &b"\x02\x02\x4C"[..], &b"\x0C\x02\x4C"[..]),
        ("a control", b"\x21\xF9\x04", b"\x21\xF9\x05"),
        ("a block", b"\x2C\0", b"\x2D\0"),
    ] {
        let at = clean
            .windows(old.len())
            .position(|window| window == old)
            .unwrap();
        let file = [&clean[..at], new, &clean[at + old.len()..]].concat();
        assert!(strip(KEEP, &file).is_err(), "{name}");
    }
}
