//! MP3 and RIFF files made by hand, and GIF.

use super::*;

/// A frame of MP3: 128 kbit/s at 44.1 kHz, filled with this byte.
pub(crate) fn frame(byte: u8) -> Vec<u8> {
    let mut frame = b"\xFF\xFB\x90\x64".to_vec();
    frame.resize(417, byte);
    frame
}

/// Four frames, cut where tags can be put in.
pub(crate) fn mp3() -> Vec<Vec<u8>> {
    (0..8).map(frame).collect()
}

pub(crate) fn id3v2(body: &[u8]) -> Vec<u8> {
    let size = body.len() as u32;
    let size: [u8; 4] = [21, 14, 7, 0].map(|shift| (size >> shift & 127) as u8);
    [b"ID3\x04\0\0", &size[..], body].concat()
}

pub(crate) fn id3v1() -> Vec<u8> {
    let mut tag = [b"TAG", CANARY].concat();
    tag.resize(128, b' ');
    tag
}

pub(crate) fn ape(with_header: bool) -> Vec<u8> {
    let item = [
        &[16, 0, 0, 0, 0, 0, 0, 0][..],
        b"Artist\0",
        CANARY,
        &[0xFF, 0xFB, 0x90, 0x64],
    ]
    .concat();
    let part = |flags: u32| {
        let size = (item.len() as u32 + 32).to_le_bytes();
        [
            b"APETAGEX\xD0\x07\0\0",
            &size[..],
            &[1, 0, 0, 0],
            &flags.to_le_bytes(),
            &[0; 8],
        ]
        .concat()
    };
    if with_header {
        [part(0xA000_0000), item.clone(), part(0x8000_0000)].concat()
    } else {
        [item.clone(), part(0)].concat()
    }
}

pub(crate) fn lyrics() -> Vec<u8> {
    [b"LYRICSBEGININD0000200LYR00016", CANARY, b"000045LYRICS200"].concat()
}

/// Tags that may stand before any frame.
pub(crate) fn mp3_tags() -> Vec<Vec<u8>> {
    vec![
        id3v2(&[b"TIT2\0\0\0\x11\0\0\0", CANARY].concat()),
        id3v2(&[&b"APIC"[..], &frame(1), &frame(1), CANARY].concat()),
        ape(true),
        lyrics(),
    ]
}

pub(crate) fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let pad: &[u8] = if body.len() % 2 == 1 { &[0] } else { &[] };
    [kind, &(body.len() as u32).to_le_bytes()[..], body, pad].concat()
}

/// The file that these chunks are.
pub(crate) fn riff(outer: &[u8; 4], inner: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let chunks = chunks.concat();
    [
        outer,
        &(chunks.len() as u32 + 4).to_le_bytes()[..],
        inner,
        &chunks,
    ]
    .concat()
}

pub(crate) fn wav() -> Vec<Vec<u8>> {
    let format = b"\x01\0\x01\0\x40\x1F\0\0\x40\x1F\0\0\x01\0\x08\0";
    vec![
        chunk(b"fmt ", format),
        chunk(b"fact", &[9, 0, 0, 0]),
        chunk(b"data", b"the sound"),
    ]
}

pub(crate) fn wav_tags() -> Vec<Vec<u8>> {
    let kinds = [
        b"LIST", b"bext", b"iXML", b"id3 ", b"ID3 ", b"axml", b"cart", b"JUNK", b"cue ", b"smpl",
        b"what", b"PAD ",
    ];
    kinds
        .iter()
        .map(|kind| chunk(kind, &text(b"INFO")))
        .collect()
}

/// What a tag becomes: the same chunk as `JUNK`.
pub(crate) fn junk(tag: &[u8]) -> Vec<u8> {
    [b"JUNK", &tag[4..8], &vec![0; tag.len() - 8]].concat()
}

/// The orientation "as it is", as an Exif block that holds nothing else.
pub(crate) fn upright() -> Vec<u8> {
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0".to_vec()
}

/// An animation of two frames: its header tells of a profile and of alpha.
pub(crate) fn webp() -> Vec<Vec<u8>> {
    let frame = |byte| {
        let picture = [chunk(b"ALPH", b"alpha"), chunk(b"VP8 ", &[byte; 9])].concat();
        chunk(b"ANMF", &[&[0; 15][..], &[2], &picture].concat())
    };
    vec![
        chunk(b"VP8X", b"\x32\0\0\0\x3F\0\0\x3F\0\0"),
        chunk(b"ICCP", &profile()),
        chunk(b"ANIM", b"\0\0\0\0\0\0"),
        frame(1),
        frame(2),
    ]
}

pub(crate) fn webp_tags() -> Vec<Vec<u8>> {
    vec![
        chunk(b"XMP ", &text(b"<x:xmpmeta")),
        chunk(b"what", CANARY),
        chunk(b"JUNK", CANARY),
        chunk(b"C2PA", CANARY),
    ]
}

/// An animation of two pictures, cut between its blocks. All codes of a picture have three bits: clear, 1, end.
pub(crate) fn gif() -> Vec<Vec<u8>> {
    let picture = |byte: u8| {
        [
            b"\x21\xF9\x04\x04\x0A\0\0\0".to_vec(),
            vec![0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2],
            sub_blocks(&[0x4C, byte]),
        ]
        .concat()
    };
    vec![
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF".to_vec(),
        [b"\x21\xFF\x0BNETSCAPE2.0".to_vec(), sub_blocks(b"\x01\0\0")].concat(),
        picture(0x01),
        picture(0x01),
        vec![0x3B],
    ]
}

pub(crate) fn sub_blocks(bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes
        .chunks(255)
        .flat_map(|block| [&[block.len() as u8], block].concat());
    blocks.chain([0]).collect()
}

pub(crate) fn gif_tags() -> Vec<Vec<u8>> {
    // Wherever a reader of sub-blocks comes out of the XMP, the trailer leads it to the end.
    let trailer: Vec<u8> = (0..=0xFF).rev().collect();
    let application = |name: &[u8; 11], data: &[u8]| [&b"\x21\xFF\x0B"[..], name, data].concat();
    vec![
        [b"\x21\xFE".to_vec(), sub_blocks(&text(b""))].concat(),
        [b"\x21\xFE".to_vec(), sub_blocks(&CANARY.repeat(100))].concat(),
        application(
            b"XMP DataXMP",
            &[CANARY, b"\x01", &trailer[..], b"\0"].concat(),
        ),
        application(b"ICCRGBG1012", &sub_blocks(CANARY)),
        application(b"what is it?", &sub_blocks(CANARY)),
        [b"\x21\x77".to_vec(), sub_blocks(CANARY)].concat(),
        [
            b"\x21\xF9\x04\0\0\0\0\0\x21\x01\x0C".to_vec(),
            vec![0; 12],
            sub_blocks(CANARY),
        ]
        .concat(),
    ]
}
