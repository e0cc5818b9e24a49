//! Any bytes at all, in any pieces: nothing panics, nothing sings, and the pieces do not matter.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A clean file with metadata in a few places: before the first scan of a JPEG, anywhere in a PNG, and behind the end.
fn file(has_positions: bool) -> impl Strategy<Value = Vec<u8>> {
    let jpeg = (
        Just(jpeg::clean()),
        Just(jpeg::metadata()),
        1..jpeg::SCANNED,
    );
    let png = (Just(png::clean()), Just(png::metadata()), 2..png::DATA);
    let picture = prop_oneof![
        (jpeg, vec(any::<Index>(), 1..4)),
        (png, vec(any::<Index>(), 1..4)),
    ]
    .prop_map(|((parts, metadata, slot), chosen)| {
        let extra: Vec<u8> = chosen
            .iter()
            .flat_map(|index| index.get(&metadata).1.clone())
            .collect();
        [&with(&parts, slot, &extra), CANARY].concat()
    });
    prop_oneof![2 => picture, 5 => other_file(has_positions)]
}

/// A film, sound, a WebP or a GIF, with metadata in a few places.
fn other_file(has_positions: bool) -> impl Strategy<Value = Vec<u8>> {
    let places = ["top", "moov", "trak", "mdia", "minf", "stbl", "entry"];
    let bmff = (
        any::<bool>(),
        vec((select(places.to_vec()), any::<Index>()), 1..4),
    )
        .prop_map(move |(index_first, chosen)| {
            let mut tracks = vec![film::pictures(), film::sound()];
            if has_positions {
                tracks.push(film::positions(b"meta", b"gpmd"));
            }
            let tags = film::metadata();
            let made = chosen.iter().fold(
                film::Film::new(tracks, index_first),
                |film, (place, index)| film.with(place, index.get(&tags).clone()),
            );
            made.bytes()
        });
    let place = |parts: Vec<Vec<u8>>, tags: Vec<Vec<u8>>, slots: std::ops::Range<usize>| {
        (slots, vec(any::<Index>(), 1..4)).prop_map(move |(slot, chosen)| {
            let extra = chosen.iter().flat_map(|index| index.get(&tags).clone());
            let mut placed = parts.clone();
            placed.insert(slot, extra.collect());
            placed
        })
    };
    prop_oneof![
        3 => bmff,
        1 => place(film::matroska(), film::tags(), 1..6).prop_map(|parts| parts.concat()),
        1 => place(sound::mp3(), sound::mp3_tags(), 1..9).prop_map(|parts| parts.concat()),
        1 => place(sound::wav(), sound::wav_tags(), 0..4)
            .prop_map(|parts| [&sound::riff(b"RIFF", b"WAVE", &parts), CANARY].concat()),
        1 => place(sound::webp(), sound::webp_tags(), 2..6)
            .prop_map(|parts| [&sound::riff(b"RIFF", b"WEBP", &parts), CANARY].concat()),
        1 => place(sound::gif(), sound::gif_tags(), 1..6)
            .prop_map(|parts| [&parts.concat(), CANARY].concat()),
    ]
}

/// Cuts a file at these places.
fn pieces<'a>(file: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
    cuts.extend([0, file.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|ends| &file[ends[0]..ends[1]])
        .collect()
}

proptest! {
    #[test]
    fn pieces_do_not_matter(file in file(true), cuts in vec(any::<Index>(), 0..20), keep_orientation: bool) {
        let config = strip_metadata::Config { keep_orientation, ..KEEP };
        let whole = strip(config, &file);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(&strip_pieces(config, pieces(&file, &cuts)), &whole);
        prop_assert_eq!(&strip_pieces(config, file.chunks(1)), &whole);
        let whole = whole.unwrap_or_default();
        prop_assert!(!sings(&whole));
        prop_assert_eq!(&strip(config, &whole), &Ok(whole.clone()), "nothing is left to strip");
    }

    #[test]
    fn pieces_of_a_damaged_file_do_not_matter(
        file in file(true),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut file = file;
        for (place, byte) in damage {
            *place.get_mut(&mut file) = byte;
        }
        prop_assert_eq!(strip_pieces(KEEP, pieces(&file, &cuts)), strip(KEEP, &file));
    }

    #[test]
    fn no_damage_makes_it_sing(
        // Damaged tables of samples are right ones of another film, whose pictures are the canary.
        file in file(false),
        damage in vec((any::<Index>(), select(vec![0x00, 0x01, 0x08, 0xC4, 0xD8, 0xD9, 0xDB, 0xE0, 0xE2, 0xFF])), 1..4),
    ) {
        let mut file = file;
        for (place, byte) in damage {
            *place.get_mut(&mut file) = byte;
        }
        if let Ok(output) = strip(KEEP, &file) {
            prop_assert!(!sings(&output));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_stripped(
        start in select(vec![&b""[..], b"\xFF\xD8", b"\xFF\xD8\xFF\xDA\0\x08", b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR", b"\0\0\0\x10ftypisom\0\0\0\0", b"\0\0\0\x10ftypisom\0\0\0\0\0\0\x20\0moov",
            b"\x1A\x45\xDF\xA3\x87\x42\x82\x84webm\x18\x53\x80\x67\xFF", b"RIFF\0\x10\0\0WEBP", b"RIFF\0\x10\0\0WAVE", b"GIF89a\0\0\0\0\0\0\0", b"\xFF\xFB\x90\x64", b"ID3\x04\0\0\0\0\0\0"]),
        bytes in vec(any::<u8>(), 0..4096),
    ) {
        let file = [start, &bytes].concat();
        if let Ok(output) = strip(KEEP, &file) {
            prop_assert!(output.len() <= file.len() + 64);
        }
    }
}

#[test]
fn other_formats_are_not_supported() {
    use strip_metadata::Error::Unsupported;
    for file in [
        &b""[..],
        b"\x89PNG\r\n\x1a\r",
        b"\x8AMNG\r\n\x1a\n",
        b"\xFF\x0A",
        b"RIFF\x10\0\0\0AVI LIST",
        b"GIF88a\x01\0\x01\0\0\0\0",
        b"a text that is none of these",
        b"\0\0\0\x10evil....",
        b"\x1A\x45\xDF\xA3\x87\x42\x82\x84avi\0",
        b"II*\0",
    ] {
        assert_eq!(
            strip(DROP, file),
            Err(Unsupported),
            "{}",
            file.escape_ascii()
        );
    }
}

#[test]
fn a_refused_file_stays_refused() {
    let mut stripper = strip_metadata::Stripper::new(DROP);
    let mut output = Vec::new();
    let error = stripper
        .push(b"a text that is none of these", &mut output)
        .unwrap_err();
    assert_eq!(
        stripper.push(&jpeg::clean().concat(), &mut output),
        Err(error.clone())
    );
    assert_eq!(output, b"");
    assert_eq!(stripper.finish(&mut output), Err(error));
}
