//! MP4 and MOV: what stays, what goes and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::film::*;
use common::*;
use strip_metadata::{Error, Subtitles};

fn refused(film: &[u8]) -> String {
    match strip(KEEP, film) {
        Err(Error::Refused { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

fn invalid(film: &[u8]) -> String {
    match strip(KEEP, film) {
        Err(Error::Invalid { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

/// Where these bytes stand.
fn places(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let places = bytes.windows(what.len()).enumerate();
    places
        .filter(|(_, window)| *window == what)
        .map(|(at, _)| at)
        .collect()
}

#[test]
fn nothing_moves_and_pictures_and_sound_stay() {
    for index_first in [true, false] {
        for place in ["top", "moov", "trak", "mdia", "minf", "stbl", "entry"] {
            for (number, tag) in metadata().into_iter().enumerate() {
                let film = Film::new(vec![pictures(), sound()], index_first)
                    .with(place, tag.clone())
                    .bytes();
                let output =
                    strip(KEEP, &film).unwrap_or_else(|error| panic!("{place} {number}: {error}"));
                assert!(!sings(&output), "{place} {number}");
                assert_eq!(output.len(), film.len());
                for sample in pictures().samples.into_iter().chain(sound().samples) {
                    assert_eq!(places(&output, &sample), places(&film, &sample));
                }
                // What was a box is free space of the same size, with nothing in it.
                for at in places(&film, &tag) {
                    let header = if tag.starts_with(b"\0\0\0\x01") {
                        16
                    } else {
                        8
                    };
                    assert_eq!(&output[at + 4..at + 8], b"free", "{place} {number}");
                    assert!(
                        output[at + header..at + tag.len()]
                            .iter()
                            .all(|byte| *byte == 0)
                    );
                }
            }
        }
    }
}

#[test]
fn dates_and_names_go_and_the_rest_of_the_index_stays() {
    let film = Film::new(vec![pictures()], true).bytes();
    let output = strip(KEEP, &film).unwrap();
    // Films and tracks were made at 7 and changed at 8.
    let dated = numbers(&[0, 7, 8]);
    assert_eq!(places(&film, &dated).len(), 3);
    assert_eq!(places(&output, &dated).len(), 0);
    let mut expected = film.clone();
    for at in places(&film, &dated) {
        expected[at..at + 12].fill(0);
    }
    let name = places(&film, b"appl")[0];
    expected[name..name + 13 + CANARY.len()].fill(0);
    assert_eq!(output, expected);
    assert_eq!(
        strip(KEEP, &output).unwrap(),
        output,
        "it is stripped once and for all"
    );
}

#[test]
fn tracks_of_metadata_go_with_their_samples() {
    for (handler, kind) in [
        (b"meta", b"gpmd"),
        (b"meta", b"camm"),
        (b"meta", b"mebx"),
        (b"tmcd", b"tmcd"),
        (b"what", b"ever"),
    ] {
        for index_first in [true, false] {
            let film = Film::new(
                vec![pictures(), positions(handler, kind), sound()],
                index_first,
            )
            .bytes();
            assert_eq!(places(&film, CANARY).len(), 7);
            let output = strip(KEEP, &film).unwrap();
            assert!(!sings(&output));
            assert_eq!(output.len(), film.len());
            assert_eq!(places(&output, b"trak").len(), 2);
            for sample in pictures().samples.into_iter().chain(sound().samples) {
                assert_eq!(places(&output, &sample), places(&film, &sample));
            }
            assert_eq!(strip_pieces(KEEP, film.chunks(1)), Ok(output));
        }
    }
}

#[test]
fn a_track_that_lies_before_the_index_and_has_left_is_refused() {
    // One MiB may wait in these tests.
    let film = |padding, tracks| {
        let mut film = Film::new(tracks, false);
        film.padding = padding;
        film.bytes()
    };
    let with_positions = || vec![pictures(), positions(b"meta", b"gpmd")];
    assert!(strip(KEEP, &film(1000 << 10, with_positions())).is_ok());
    let long = film(3 << 20, with_positions());
    assert!(refused(&long).contains("film_memory="));
    for size in [1, 4096, 256 << 10] {
        assert_eq!(
            strip_pieces(KEEP, long.chunks(size.max(4096))),
            strip(KEEP, &long)
        );
    }
    let more = strip_metadata::Config {
        film_memory: 4,
        ..KEEP
    };
    assert!(!sings(&strip(more, &long).unwrap()));
    let plain = film(3 << 20, vec![pictures()]);
    assert_eq!(strip(KEEP, &plain).unwrap().len(), plain.len());
}

#[test]
fn little_is_held_of_a_long_film() {
    let mut film = Film::new(vec![pictures()], false);
    film.padding = 8 << 20;
    let film = film.bytes();
    let mut stripper = strip_metadata::Stripper::new(KEEP);
    let (mut output, mut read, mut most) = (Vec::new(), 0, 0);
    let mut written = 0;
    for piece in film.chunks(64 << 10) {
        stripper.push(piece, &mut output).unwrap();
        read += piece.len();
        written += output.len();
        output.clear();
        most = most.max(read - written);
    }
    stripper.finish(&mut output).unwrap();
    assert_eq!(written + output.len(), film.len());
    assert!(most <= (1 << 20) + (64 << 10) && most > 900 << 10, "{most}");
}

#[test]
fn a_long_run_of_data_passes_without_a_copy() {
    let mut film = Film::new(vec![pictures(), positions(b"meta", b"gpmd")], true);
    film.padding = 1 << 20;
    let film = film.bytes();
    let mut stripper = strip_metadata::Stripper::new(KEEP);
    let (mut output, mut passed) = (Vec::new(), 0);
    for piece in film.chunks(64 << 10) {
        if stripper.pass(piece) {
            passed += 1;
            output.extend_from_slice(piece);
        } else {
            stripper.push(piece, &mut output).unwrap();
        }
    }
    stripper.finish(&mut output).unwrap();
    assert_eq!(Ok(output), strip(KEEP, &film));
    assert!(passed >= 14, "{passed}");
}

#[test]
fn text_is_what_the_config_says() {
    let film =
        |index_first| Film::new(vec![pictures(), positions(b"sbtl", b"tx3g")], index_first).bytes();
    for index_first in [true, false] {
        let film = film(index_first);
        assert!(refused(&film).contains("subtitles=keep"));
        let kept = strip(
            strip_metadata::Config {
                subtitles: Subtitles::Keep,
                ..KEEP
            },
            &film,
        )
        .unwrap();
        assert_eq!(places(&kept, &text(b"52.5 N 13.4 E")).len(), 1);
        let dropped = strip(
            strip_metadata::Config {
                subtitles: Subtitles::Drop,
                ..KEEP
            },
            &film,
        )
        .unwrap();
        assert!(!sings(&dropped));
    }
}

/// A fragment: a track, and its samples behind it.
fn fragment(id: u32, offset_given: bool, samples: &[&[u8]]) -> Vec<u8> {
    let sizes: Vec<u32> = samples.iter().map(|sample| sample.len() as u32).collect();
    let count = sizes.len() as u32;
    let with = |offset: u32| {
        let tfhd = boxed(b"tfhd", &numbers(&[0x2_0000, id]));
        let flags = 0x200 | u32::from(offset_given);
        let mut run = numbers(&[flags, count]);
        if offset_given {
            run.extend(offset.to_be_bytes());
        }
        run.extend(numbers(&sizes));
        let traf = boxed(
            b"traf",
            &[
                tfhd,
                boxed(b"tfdt", &numbers(&[0, 0])),
                boxed(b"trun", &run),
                boxed(b"uuid", CANARY),
            ]
            .concat(),
        );
        boxed(b"moof", &[boxed(b"mfhd", &numbers(&[0, 1])), traf].concat())
    };
    let offset = with(0).len() as u32 + 8;
    [with(offset), boxed(b"mdat", &samples.concat())].concat()
}

#[test]
fn fragments_lose_the_samples_of_tracks_that_go() {
    let head = Film::new(vec![pictures(), positions(b"meta", b"camm")], true)
        .with(
            "moov",
            boxed(b"mvex", &boxed(b"trex", &numbers(&[0, 2, 1, 0, 5, 0]))),
        )
        .bytes();
    let film = [
        head.clone(),
        fragment(1, true, &[b"a picture"]),
        fragment(2, true, &[CANARY, b"and ", CANARY]),
        fragment(1, true, &[b"the last picture"]),
    ]
    .concat();
    let output = strip(KEEP, &film).unwrap();
    assert!(!sings(&output));
    assert_eq!(output.len(), film.len());
    for sample in [&b"a picture"[..], b"the last picture"] {
        assert_eq!(places(&output, sample), places(&film, sample));
    }
    assert_eq!(places(&output, b"traf").len(), 2);
    assert_eq!(strip_pieces(KEEP, film.chunks(1)), Ok(output));

    // Without an offset the data begin where the fragment does, which is no data.
    let film = [head.clone(), fragment(2, false, &[CANARY])].concat();
    assert!(invalid(&film).contains("outside"));
    let film = [head, fragment(7, true, &[CANARY])].concat();
    assert!(invalid(&film).contains("not in the index"));
    let film = Film::new(vec![pictures()], true).bytes();
    let at = places(&film, b"moov")[0] - 4;
    let film = [&film[..at], &fragment(1, true, &[b"x"]), &film[at..]].concat();
    assert!(invalid(&film).contains("before the index"));
}

#[test]
fn what_cannot_be_taken_is_refused() {
    let film = || Film::new(vec![pictures()], true);
    let plain = film().bytes();
    // The data of dash cameras, also where they are cut in two.
    let mut dash = film();
    dash.tracks[0].samples.push(b"....freeGPS ....".to_vec());
    let dash = dash.bytes();
    assert!(refused(&dash).contains("dash camera"));
    for cut in 0..9 {
        let at = places(&dash, b"freeGPS ")[0] + cut;
        assert_eq!(
            strip_pieces(KEEP, [&dash[..at], &dash[at..]]),
            strip(KEEP, &dash)
        );
    }
    assert!(strip_pieces(KEEP, dash.chunks(1)).is_err());

    for (old, new, why) in [
        (&b"avc1"[..], &b"encv"[..], "encrypted"),
        (b"url \0\0\0\x01", b"alis\0\0\0\0", "another file"),
        (b"ftypisom", b"ftypheic", "HEIF"),
        (b"vide", b"pict", "HEIF"),
        (b"vide", b"meta", "neither pictures nor sound"),
    ] {
        assert!(refused(&replaced(&plain, old, new)).contains(why), "{why}");
    }
    let pictures = boxed(
        b"meta",
        &[&[0; 4][..], &boxed(b"hdlr", b"\0\0\0\0\0\0\0\0pict")].concat(),
    );
    assert!(refused(&film().with("top", pictures).bytes()).contains("HEIF"));
    assert!(refused(&film().with("top", boxed(b"imda", b"....")).bytes()).contains("imda"));
    assert!(refused(&film().with("moov", boxed(b"cmov", b"....")).bytes()).contains("compressed"));
}

#[test]
fn what_is_damaged_is_refused() {
    let plain = Film::new(vec![pictures()], true).bytes();
    for length in (12..plain.len()).filter(|length| *length != plain.len() - 158) {
        assert!(strip(KEEP, &plain[..length]).is_err(), "{length}");
    }
    assert!(strip(KEEP, &[&plain[..], b"\0\0\0"].concat()).is_err());
    // Trailers that cameras append are no boxes.
    assert!(
        invalid(&[&plain[..], b"\0\0\x01\0\xFF\0\xFFa trailer"].concat())
            .contains("follows the film")
    );
    let twice = [&plain[..], &plain[places(&plain, b"moov")[0] - 4..]].concat();
    assert!(invalid(&twice).contains("twice"));
    assert!(invalid(&boxed(b"ftyp", b"isom\0\0\0\0mp42")).contains("no index"));
    // Sizes that do not fit: too short, beyond what they are in, beyond all numbers.
    let stbl = places(&plain, b"stbl")[0] - 4;
    for size in [2, 7, 0x7FFF_FFFF, u32::MAX, 0] {
        let mut film = plain.clone();
        film[stbl..stbl + 4].copy_from_slice(&size.to_be_bytes());
        assert!(strip(KEEP, &film).is_err(), "{size}");
    }
    for size in [0, 15, 1 << 63, u64::MAX, u64::MAX - 20] {
        let film = [&plain[..], b"\0\0\0\x01free", &size.to_be_bytes()].concat();
        assert!(strip(KEEP, &film).is_err(), "{size}");
    }
    // More entries than fit.
    for table in [b"stts", b"stsz", b"stco", b"stsc"] {
        let at = places(&plain, table)[0] + 8;
        let mut film = plain.clone();
        film[at..at + 8].fill(0xFF);
        if table == b"stsz" {
            film[at..at + 4].fill(0);
        }
        assert!(invalid(&film).contains("more entries"), "{table:?}");
    }
}

#[test]
fn data_may_go_to_the_end_of_the_file_or_have_a_size_of_64_bits() {
    let plain = Film::new(vec![pictures()], true).bytes();
    let mdat = places(&plain, b"mdat")[0] - 4;
    let mut open = plain.clone();
    open[mdat..mdat + 4].fill(0);
    let output = strip(KEEP, &open).unwrap();
    assert_eq!(output[mdat..], open[mdat..]);
    // The room before it, which QuickTime leaves for this.
    let plain = Film::new(vec![pictures()], true)
        .with("top", boxed(b"wide", b""))
        .bytes();
    let wide = places(&plain, b"wide")[0] - 4;
    let long = [&plain[..wide], &long_box(b"mdat", &plain[wide + 16..])].concat();
    let output = strip(KEEP, &long).unwrap();
    assert_eq!(output[wide..], long[wide..]);
}

#[test]
fn a_film_whose_pictures_lie_outside_of_its_data_is_refused() {
    let film = |index_first| Film::new(vec![pictures(), sound()], index_first).bytes();
    for index_first in [true, false] {
        let film = film(index_first);
        for (table, offset) in [
            (0, 0_u32),
            (1, 20),
            (1, u32::MAX),
            (0, film.len() as u32 + 1),
        ] {
            let mut film = film.clone();
            let at = places(&film, b"stco")[table] + 12;
            film[at..at + 4].copy_from_slice(&offset.to_be_bytes());
            assert!(invalid(&film).contains("outside of the film's data"));
            assert_eq!(strip_pieces(KEEP, film.chunks(1)), strip(KEEP, &film));
        }
    }
    let empty = Film::new(vec![pictures()], true).bytes();
    let mdat = places(&empty, b"mdat")[0];
    let mut empty = empty.clone();
    empty[mdat..mdat + 4].copy_from_slice(b"uuid");
    assert!(invalid(&empty).contains("outside of the film's data"));
}

#[test]
fn many_small_boxes_and_deep_ones_are_no_burden() {
    let film = Film::new(vec![pictures()], true)
        .with("moov", boxed(b"udta", b"").repeat(200_000))
        .bytes();
    assert_eq!(strip(KEEP, &film).unwrap().len(), film.len());
    let mut deep = CANARY.to_vec();
    for _ in 0..20_000 {
        deep = boxed(b"trak", &deep);
    }
    // A track in a track is nothing that anybody knows.
    let film = Film::new(vec![pictures()], true).with("trak", deep).bytes();
    assert!(!sings(&strip(KEEP, &film).unwrap()));
}
