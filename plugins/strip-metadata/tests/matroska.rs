//! Matroska and WebM: what stays, what goes and what is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::film::*;
use common::*;
use strip_metadata::{Config, Error, Subtitles};

fn strip_film(parts: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    strip(KEEP, &parts.concat())
}

#[test]
fn a_clean_film_stays_as_it_is() {
    let film = matroska().concat();
    assert_eq!(strip(KEEP, &film).unwrap(), film);
    assert_eq!(strip_pieces(KEEP, film.chunks(1)).unwrap(), film);
}

#[test]
fn tags_become_void_of_the_same_size() {
    let parts = matroska();
    for slot in 1..=parts.len() {
        for tag in tags() {
            let film = with(&parts, slot, &tag);
            let output = strip(KEEP, &film).unwrap();
            assert!(!sings(&output));
            assert_eq!(output.len(), film.len());
            let before = parts[..slot].concat();
            assert_eq!(output[..before.len()], before);
            assert_eq!(output[before.len()], 0xEC);
            assert_eq!(output[before.len() + tag.len()..], parts[slot..].concat());
            assert_eq!(strip_pieces(KEEP, film.chunks(1)), Ok(output));
        }
    }
}

#[test]
fn what_stands_among_what_stays_goes_too() {
    let mut parts = matroska();
    parts[1] = element(
        0x1549_A966,
        &[
            element(0x4461, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            element(0x7BA9, CANARY),
            element(0x73A4, CANARY),
            element(0x4D80, CANARY),
            element(0x5741, CANARY),
            element(0x4489, CANARY),
        ]
        .concat(),
    );
    let uid = element(0x73C5, CANARY);
    let more = [
        element(0x536E, CANARY),
        element(0x0025_8688, CANARY),
        element(0x63A2, b"config"),
        uid,
    ]
    .concat();
    parts[2] = element(0x1654_AE6B, &track(1, 1, &more));
    let seek = |id: &[u8]| {
        element(
            0x4DBB,
            &[element(0x53AB, id), element(0x53AC, b"\x10")].concat(),
        )
    };
    let head = [seek(b"\x12\x54\xC3\x67"), seek(b"\x15\x49\xA9\x66")].concat();
    parts.insert(1, element(0x114D_9B74, &head));
    let film = parts.concat();
    let output = strip(KEEP, &film).unwrap();
    assert!(!sings(&output));
    assert_eq!(output.len(), film.len());
    let has = |bytes: &[u8]| output.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(b"config") && has(&seek(b"\x15\x49\xA9\x66")) && !has(&seek(b"\x12\x54\xC3\x67")));
    // Both names of programs are there, and say nothing.
    let neutral = [&element(0x4D80, CANARY)[..3], b"-\0\0\0"].concat();
    assert!(has(&neutral) && !has(&element(0x4461, b"\x01\x02\x03\x04\x05\x06\x07\x08")));
}

#[test]
fn other_tracks_go_with_their_frames() {
    let mut parts = matroska();
    let tracks = [track(1, 1, b""), track(2, 0x21, &element(0x536E, CANARY))].concat();
    parts[2] = element(0x1654_AE6B, &tracks);
    let group = element(
        0xA0,
        &[
            element(0x9B, b"\x01"),
            element(0xA1, &[b"\x82\0\0\0", CANARY].concat()),
        ]
        .concat(),
    );
    let frames = [
        element(0xA3, &[b"\x82\0\0\0", CANARY].concat()),
        group,
        element(0xA3, b"\x81\0\0\0a frame"),
    ]
    .concat();
    parts.insert(
        4,
        element(0x1F43_B675, &[element(0xE7, b"\x05"), frames].concat()),
    );
    let film = parts.concat();
    let output = strip(KEEP, &film).unwrap();
    assert!(!sings(&output));
    assert_eq!(output.len(), film.len());
    for frame in [&b"a frame"[..], b"frame one", b"frame two"] {
        assert!(output.windows(frame.len()).any(|window| window == frame));
    }
    assert_eq!(strip_pieces(KEEP, film.chunks(1)), Ok(output));
}

#[test]
fn text_is_what_the_config_says() {
    let mut parts = matroska();
    parts[2] = element(
        0x1654_AE6B,
        &[track(1, 1, b""), track(2, 0x11, b"")].concat(),
    );
    parts.insert(
        4,
        element(
            0x1F43_B675,
            &[
                element(0xE7, b"\x05"),
                element(0xA3, &[b"\x82\0\0\0", CANARY].concat()),
            ]
            .concat(),
        ),
    );
    let film = parts.concat();
    assert!(
        matches!(strip(KEEP, &film), Err(Error::Refused { what, .. }) if what.contains("subtitles=drop"))
    );
    let as_said = |subtitles| strip(Config { subtitles, ..KEEP }, &film).unwrap();
    assert!(sings(&as_said(Subtitles::Keep)) && !sings(&as_said(Subtitles::Drop)));
}

#[test]
fn clusters_without_an_end_end_at_the_next_element() {
    let mut parts = matroska();
    let cluster = [
        &b"\x1F\x43\xB6\x75\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF"[..],
        &element(0xE7, b"\0"),
        &element(0xA3, b"\x81\0\0\x80frame"),
    ]
    .concat();
    parts[3] = cluster;
    parts.push(tags()[0].clone());
    let film = parts.concat();
    let output = strip(KEEP, &film).unwrap();
    assert!(!sings(&output));
    assert_eq!(output.len(), film.len());
}

#[test]
fn what_is_damaged_or_cannot_be_read_is_refused() {
    let parts = matroska();
    let film = parts.concat();
    // Elements without an end end with the file; all others must be whole.
    let ends: Vec<usize> = (3..=parts.len())
        .map(|count| parts[..count].concat().len())
        .collect();
    for length in (12..film.len()).filter(|length| !ends.contains(length)) {
        assert!(strip(KEEP, &film[..length]).is_err(), "{length}");
    }
    let refused = |slot: usize, extra: &[u8]| {
        matches!(
            strip(KEEP, &with(&parts, slot, extra)),
            Err(Error::Refused { .. })
        )
    };
    assert!(refused(5, &film), "a second film");
    let encrypted = element(0x6D80, &element(0x6240, &element(0x5035, b"key")));
    let mut locked = matroska();
    locked[2] = element(0x1654_AE6B, &track(1, 1, &encrypted));
    assert!(matches!(strip_film(&locked), Err(Error::Refused { .. })));
    let mut blind = matroska();
    blind[2] = element(0x1654_AE6B, &track(1, 0x21, b""));
    assert!(matches!(strip_film(&blind), Err(Error::Refused { .. })));

    let mut early = matroska();
    early.swap(2, 3);
    for (name, film) in [
        ("frames before the tracks", early.concat()),
        (
            "a size beyond the file's numbers",
            with(&parts, 5, b"\x4D\xBB\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFE"),
        ),
        ("an open element", with(&parts, 5, b"\x12\x54\xC3\x67\xFF")),
        ("no element", with(&parts, 5, b"\0\0\0\0")),
        (
            "tracks that break their size",
            with(&parts, 2, &element(0x1654_AE6B, b"\xAE\x85\xD7")),
        ),
        (
            "tracks that are too long",
            with(&parts, 2, b"\x16\x54\xAE\x6B\x08\x7F\xFF\xFF\xFF"),
        ),
        ("tracks twice", with(&parts, 3, &parts[2].clone())),
    ] {
        assert!(
            matches!(strip(KEEP, &film), Err(Error::Invalid { .. })),
            "{name}"
        );
    }
}

#[test]
fn what_follows_a_segment_that_has_an_end_goes() {
    let parts = matroska();
    let head = &parts[0][..parts[0].len() - 5];
    let film = [head, &element(0x1853_8067, &parts[1..].concat())].concat();
    assert_eq!(strip(KEEP, &[&film, CANARY].concat()), Ok(film.clone()));
    assert_eq!(strip(KEEP, &film), Ok(film.clone()));
    assert!(matches!(
        strip(KEEP, &film.repeat(2)),
        Err(Error::Refused { .. })
    ));
}
