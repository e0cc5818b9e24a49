//! Any bytes at all, in any pieces: nothing panics, nothing sings, and the pieces do not matter.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A clean file with metadata in a few places: before the first scan of a JPEG, anywhere in a PNG, and behind the end.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let jpeg = (
        Just(jpeg::clean()),
        Just(jpeg::metadata()),
        1..jpeg::SCANNED,
    );
    let png = (Just(png::clean()), Just(png::metadata()), 2..png::DATA);
    prop_oneof![
        (jpeg, vec(any::<Index>(), 1..4)),
        (png, vec(any::<Index>(), 1..4)),
    ]
    .prop_map(|((parts, metadata, slot), chosen)| {
        let extra: Vec<u8> = chosen
            .iter()
            .flat_map(|index| index.get(&metadata).1.clone())
            .collect();
        [&with(&parts, slot, &extra), CANARY].concat()
    })
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
    fn pieces_do_not_matter(file in file(), cuts in vec(any::<Index>(), 0..20), keep_orientation: bool) {
        let config = strip_metadata::Config { keep_orientation, ..KEEP };
        let whole = strip(config, &file);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(&strip_pieces(config, pieces(&file, &cuts)), &whole);
        prop_assert_eq!(&strip_pieces(config, file.chunks(1)), &whole);
    }

    #[test]
    fn pieces_of_a_damaged_file_do_not_matter(
        file in file(),
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
        file in file(),
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
        start in select(vec![&b""[..], b"\xFF\xD8", b"\xFF\xD8\xFF\xDA\0\x08", b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR"]),
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
