//! MP3 and WAV: what stays, what goes and what is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::sound::*;
use common::*;
use strip_metadata::Error;

#[test]
fn tags_go_wherever_they_stand() {
    let frames = mp3();
    let clean = frames.concat();
    assert_eq!(strip(KEEP, &clean).unwrap(), clean);
    for slot in 0..=frames.len() {
        for (number, tag) in mp3_tags().into_iter().enumerate() {
            if slot == 0 && number > 1 {
                // Only ID3v2 makes an MP3 of a file that does not begin with a frame.
                continue;
            }
            let file = with(&frames, slot, &tag);
            assert_eq!(strip(KEEP, &file).as_ref(), Ok(&clean), "{slot} {number}");
            assert_eq!(
                strip_pieces(KEEP, file.chunks(1)).as_ref(),
                Ok(&clean),
                "{slot} {number}"
            );
        }
    }
}

#[test]
fn tags_at_the_end_go() {
    let clean = mp3().concat();
    let long = [&b"TAG+"[..], CANARY, &[b' '; 227 - 4 - 16]].concat();
    for end in [
        id3v1(),
        [long, id3v1()].concat(),
        ape(false),
        [ape(true), id3v1()].concat(),
        [lyrics(), id3v1()].concat(),
        [ape(true), lyrics(), id3v1(), CANARY.to_vec()].concat(),
        [id3v2(CANARY), b"3DI\x04\0\0\0\0\0\x10".to_vec()].concat(),
        CANARY.repeat(500),
        vec![0; 5000],
    ] {
        let file = [&clean[..], &end].concat();
        assert_eq!(
            strip(KEEP, &file).as_ref(),
            Ok(&clean),
            "{}",
            end.escape_ascii()
        );
        assert_eq!(strip_pieces(KEEP, file.chunks(100)).as_ref(), Ok(&clean));
    }
}

#[test]
fn a_frame_that_is_cut_off_carries_no_tag_out() {
    let frames = mp3();
    let whole = frames[..7].concat();
    for cut in [20, 100, 289, 300, 400] {
        for tag in [
            id3v1(),
            ape(true),
            [ape(true), id3v1()].concat(),
            lyrics(),
            id3v2(CANARY),
        ] {
            let file = [&whole[..], &frame(9)[..cut], &tag].concat();
            let output = strip(KEEP, &file).unwrap();
            assert!(!sings(&output), "{cut}");
            assert!(output.starts_with(&whole) && output.len() <= whole.len() + 417);
        }
    }
}

#[test]
fn what_is_no_frame_goes_and_the_frames_beside_it_stay() {
    let frames = mp3();
    let clean = frames.concat();
    for junk in [&b"\0\0\0\0"[..], CANARY, b"\xFF\xFF\xFF", b"\xFF\xFB\x90"] {
        let output = strip(KEEP, &with(&frames, 4, junk)).unwrap();
        assert_eq!(output, clean, "{}", junk.escape_ascii());
    }
    // A frame of another kind is no frame of this file.
    let other = b"\xFF\xFB\x94\x64singing".to_vec();
    assert_eq!(strip(KEEP, &with(&frames, 4, &other)).unwrap(), clean);
}

#[test]
fn other_sound_is_refused() {
    for (name, file) in [
        (
            "layer II",
            [b"\xFF\xFD\x90\x64".to_vec(), vec![0; 1000]]
                .concat()
                .repeat(3),
        ),
        (
            "AAC",
            [b"\xFF\xF1\x50\x80\x02\x1F\xFC".to_vec(), vec![0; 9]]
                .concat()
                .repeat(9),
        ),
        (
            "a free bit rate",
            [b"\xFF\xFB\x00\x64".to_vec(), vec![0; 1000]]
                .concat()
                .repeat(3),
        ),
        ("a tag alone", id3v2(CANARY)),
        (
            "FLAC behind a tag",
            [id3v2(CANARY), b"fLaC\0\0\0\x22".to_vec(), vec![0; 4000]].concat(),
        ),
    ] {
        assert!(
            matches!(strip(KEEP, &file), Err(Error::Refused { .. })),
            "{name}"
        );
    }
}

#[test]
fn a_long_tag_is_not_held() {
    let mut stripper = strip_metadata::Stripper::new(KEEP);
    let mut output = Vec::new();
    stripper
        .push(b"ID3\x04\0\0\x7F\x7F\x7F\x7F", &mut output)
        .unwrap();
    let piece = CANARY.repeat(1 << 12);
    let mut left = (1 << 28) - 1;
    while left > 0 {
        let count = piece.len().min(left);
        stripper.push(&piece[..count], &mut output).unwrap();
        left -= count;
    }
    assert_eq!(output, b"");
    stripper.push(&mp3().concat(), &mut output).unwrap();
    stripper.finish(&mut output).unwrap();
    assert_eq!(output, mp3().concat());
}

#[test]
fn chunks_of_a_wav_become_junk() {
    let parts = wav();
    let clean = riff(b"RIFF", b"WAVE", &parts);
    assert_eq!(strip(KEEP, &clean).unwrap(), clean);
    for slot in 0..=parts.len() {
        for tag in wav_tags() {
            let place = |tag: Vec<u8>| {
                let mut parts = parts.clone();
                parts.insert(slot, tag);
                riff(b"RIFF", b"WAVE", &parts)
            };
            let (file, expected) = (place(tag.clone()), place(junk(&tag)));
            assert_eq!(strip(KEEP, &file).as_ref(), Ok(&expected));
            assert_eq!(strip_pieces(KEEP, file.chunks(1)), Ok(expected));
        }
    }
    // Behind the end, and behind the fields of a chunk that stays.
    assert_eq!(strip(KEEP, &[&clean, CANARY].concat()), Ok(clean.clone()));
    let mut parts = wav();
    parts[0] = chunk(b"fmt ", &[&parts[0][8..], CANARY].concat());
    parts[1] = chunk(b"fact", &[&[9, 0, 0, 0], CANARY].concat());
    assert!(!sings(
        &strip(KEEP, &riff(b"RIFF", b"WAVE", &parts)).unwrap()
    ));
}

#[test]
fn a_wav_of_64_bits_has_its_sizes_in_another_chunk() {
    let sizes = |data: u64| {
        let mut body = [0_u64, data, 9].map(u64::to_le_bytes).concat();
        body.extend([0; 4]);
        body.extend(CANARY);
        chunk(b"ds64", &body)
    };
    let mut parts = wav();
    parts[2][4..8].fill(0xFF);
    parts.insert(0, sizes(9));
    parts.push(wav_tags()[0].clone());
    let mut file = riff(b"RF64", b"WAVE", &parts);
    let size = file.len() as u64 - 8;
    file[4..8].fill(0xFF);
    file[20..28].copy_from_slice(&size.to_le_bytes());
    let output = strip(KEEP, &file).unwrap();
    assert!(!sings(&output));
    assert_eq!(output.len(), file.len());
    assert!(output.windows(9).any(|window| window == b"the sound"));

    // Without that chunk nobody knows where the sound ends.
    let mut parts = wav();
    parts[2][4..8].fill(0xFF);
    let mut file = riff(b"RIFF", b"WAVE", &parts);
    file[4..8].fill(0xFF);
    assert!(matches!(strip(KEEP, &file), Err(Error::Refused { .. })));
}

#[test]
fn a_damaged_wav_is_refused() {
    let clean = riff(b"RIFF", b"WAVE", &wav());
    for length in 12..clean.len() - 1 {
        assert!(strip(KEEP, &clean[..length]).is_err(), "{length}");
    }
    assert!(
        strip(KEEP, &clean[..clean.len() - 1]).is_ok(),
        "only the last byte, which fills, is missing"
    );
    let parts = wav();
    for (name, parts) in [
        ("sound twice", [&parts[..], &parts[2..]].concat()),
        (
            "sound before its format",
            vec![parts[2].clone(), parts[0].clone()],
        ),
        ("no sound", parts[..2].to_vec()),
        (
            "a chunk that is too long",
            vec![parts[0].clone(), b"data\xFF\xFF\xFF\x7Fsound".to_vec()],
        ),
        (
            "no chunk",
            vec![
                parts[0].clone(),
                parts[2].clone(),
                b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF".to_vec(),
            ],
        ),
    ] {
        assert!(
            strip(KEEP, &riff(b"RIFF", b"WAVE", &parts)).is_err(),
            "{name}"
        );
    }
}
