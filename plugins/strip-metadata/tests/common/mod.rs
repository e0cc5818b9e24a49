//! Files made by hand: a clean JPEG and a clean PNG, cut where metadata can be put in, and metadata to put there.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod film;
pub(crate) mod sound;

use strip_metadata::{Config, Error, Stripper, Subtitles};

/// Stands in all metadata that the tests make, and in no picture.
pub(crate) const CANARY: &[u8] = b"the canary sings";

pub(crate) const DROP: Config = Config {
    keep_orientation: false,
    subtitles: Subtitles::Refuse,
    film_memory: 1,
};
pub(crate) const KEEP: Config = Config {
    keep_orientation: true,
    subtitles: Subtitles::Refuse,
    film_memory: 1,
};

/// Strips a file that arrives in these pieces.
pub(crate) fn strip_pieces<'a>(
    config: Config,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Error> {
    let mut stripper = Stripper::new(config);
    let mut output = Vec::new();
    for piece in pieces {
        stripper.push(piece, &mut output)?;
    }
    stripper.finish(&mut output)?;
    Ok(output)
}

/// Strips a file that arrives whole.
pub(crate) fn strip(config: Config, file: &[u8]) -> Result<Vec<u8>, Error> {
    strip_pieces(config, [file])
}

pub(crate) fn sings(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY)
}

/// Some text with the canary in it.
pub(crate) fn text(opening: &[u8]) -> Vec<u8> {
    [opening, b" and ", CANARY, b" and so on"].concat()
}

/// An EXIF block with this orientation and a camera whose name is the canary.
pub(crate) fn tiff(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
    tiff.extend(b"\x10\x01\x02\0\x10\0\0\0\x26\0\0\0");
    tiff.extend(b"\x12\x01\x03\0\x01\0\0\0");
    tiff.extend([orientation, 0, 0, 0]);
    tiff.extend(b"\0\0\0\0");
    tiff.extend(CANARY);
    tiff
}

/// A colour profile with these tags. Equal tags share their data.
pub(crate) fn profile_of(header: &[(usize, &[u8])], tags: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut profile = vec![0; 128];
    for (at, bytes) in header {
        profile[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    profile.extend((tags.len() as u32).to_be_bytes());
    let start = 132 + 12 * tags.len();
    let mut elements = Vec::new();
    let mut known: Vec<(&[u8], usize)> = Vec::new();
    for (name, element) in tags {
        let at = known.iter().find(|(known, _)| known == element);
        let at = at.map_or(start + elements.len(), |(_, at)| *at);
        if at == start + elements.len() {
            known.push((element, at));
            elements.extend(element);
            elements.resize(elements.len().next_multiple_of(4), 0);
        }
        profile.extend(*name);
        profile.extend((at as u32).to_be_bytes());
        profile.extend((element.len() as u32).to_be_bytes());
    }
    profile.extend(elements);
    let size = (profile.len() as u32).to_be_bytes();
    profile[..4].copy_from_slice(&size);
    profile
}

const PLAIN: [(usize, &[u8]); 6] = [
    (8, b"\x02\x10"),
    (12, b"mntr"),
    (16, b"GRAY"),
    (20, b"XYZ "),
    (36, b"acsp"),
    (68, b"\0\0\xF6\xD6\0\x01\0\0\0\0\xD3\x2D"),
];

fn colour_tags() -> Vec<(&'static [u8; 4], Vec<u8>)> {
    vec![
        (
            b"wtpt",
            b"XYZ \0\0\0\0\0\0\xF6\xD6\0\x01\0\0\0\0\xD3\x2D".to_vec(),
        ),
        (b"kTRC", b"curv\0\0\0\0\0\0\0\x01\x02\x33".to_vec()),
    ]
}

/// A grey profile with nothing to strip.
pub(crate) fn profile() -> Vec<u8> {
    let description = [&b"desc\0\0\0\0\0\0\0\x04icc"[..], &[0; 79]].concat();
    let mut tags = vec![
        (b"desc", description),
        (b"cprt", b"text\0\0\0\0icc\0".to_vec()),
    ];
    tags.extend(colour_tags());
    profile_of(&PLAIN, &tags)
}

/// The same colours, as someone's display has them.
pub(crate) fn personal_profile() -> Vec<u8> {
    let mut header = PLAIN.to_vec();
    header.extend([
        (4, &b"sing"[..]),
        (24, &[7; 12]),
        (40, b"APPL"),
        (48, CANARY),
        (80, CANARY),
        (100, CANARY),
    ]);
    let mut tags = vec![
        (
            b"desc",
            [b"desc\0\0\0\0\0\0\0\x10", CANARY, &[0; 79]].concat(),
        ),
        (b"mmod", [b"mmod\0\0\0\0", CANARY].concat()),
        (b"vcgt", [b"vcgt\0\0\0\0", CANARY].concat()),
        (b"cprt", [b"text\0\0\0\0", CANARY, b"\0"].concat()),
    ];
    tags.extend(colour_tags());
    // Behind the data that the types of the tags give.
    for (_, element) in &mut tags {
        element.extend(CANARY);
    }
    [profile_of(&header, &tags), CANARY.to_vec()].concat()
}

pub(crate) mod jpeg {
    use super::*;

    pub(crate) const SOI: &[u8] = b"\xFF\xD8";
    pub(crate) const EOI: &[u8] = b"\xFF\xD9";
    pub(crate) const JFIF: &[u8] = b"\xFF\xE0\0\x10JFIF\0\x01\x02\x01\0\x48\0\x48\0\0";

    pub(crate) fn segment(code: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 2).unwrap();
        [&[0xFF, code], &length.to_be_bytes()[..], body].concat()
    }

    pub(crate) fn exif(orientation: u8) -> Vec<u8> {
        segment(0xE1, &[b"Exif\0\0", &tiff(orientation)[..]].concat())
    }

    pub(crate) fn icc(data: &[u8]) -> Vec<u8> {
        segment(0xE2, &[b"ICC_PROFILE\0\x01\x01", data].concat())
    }

    /// A progressive grey picture of 16 × 8 pixels with nothing to strip, cut between its segments. Metadata may stand
    /// between any two parts; from `SCANNED` on, a scan is behind it.
    pub(crate) fn clean() -> Vec<Vec<u8>> {
        let frame = b"\x08\0\x08\0\x10\x01\x01\x11\0";
        // One code of one bit: 0 for "no difference", or "end of band".
        let huffman = |class: u8| [&[class, 1][..], &[0; 15], &[0]].concat();
        vec![
            SOI.to_vec(),
            JFIF.to_vec(),
            icc(&profile()),
            segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"),
            segment(0xDB, &[&[0][..], &[1; 64]].concat()),
            segment(0xC2, frame),
            segment(0xDD, b"\0\x01"),
            segment(0xC4, &huffman(0x00)),
            [&segment(0xDA, b"\x01\x01\0\0\0\0")[..], b"\x7F\xFF\xD0\x7F"].concat(),
            segment(0xC4, &huffman(0x10)),
            [
                &segment(0xDA, b"\x01\x01\0\x01\x3F\0")[..],
                b"\x7F\xFF\xD0\x7F",
            ]
            .concat(),
            EOI.to_vec(),
        ]
    }

    /// Where in `clean` the first part is that has a scan before it.
    pub(crate) const SCANNED: usize = 9;

    /// Segments of which nothing stays, whichever the config.
    pub(crate) fn metadata() -> Vec<(String, Vec<u8>)> {
        let mut all = vec![
            ("EXIF, upright".into(), exif(1)),
            (
                "XMP".into(),
                segment(0xE1, &text(b"http://ns.adobe.com/xap/1.0/\0")),
            ),
            (
                "extended XMP".into(),
                segment(0xE1, &text(b"http://ns.adobe.com/xmp/extension/\0")),
            ),
            ("JFXX thumbnail".into(), segment(0xE0, &text(b"JFXX\0\x10"))),
            ("short JFIF".into(), segment(0xE0, b"JFIF\0\x01\x02")),
            ("MPF".into(), segment(0xE2, &text(b"MPF\0"))),
            ("FlashPix".into(), segment(0xE2, &text(b"FPXR\0"))),
            (
                "C2PA manifest".into(),
                segment(0xEB, &text(b"JP\0\x01\0\0\0\x01")),
            ),
            (
                "IPTC".into(),
                segment(0xED, &text(b"Photoshop 3.0\08BIM\x04\x04")),
            ),
            ("short Adobe".into(), segment(0xEE, b"Adobe\0\x64")),
            ("comment".into(), segment(0xFE, &text(b""))),
            ("empty comment".into(), segment(0xFE, b"")),
            (
                "longest comment".into(),
                segment(0xFE, &CANARY.repeat(4095)),
            ),
        ];
        all.extend((0xE0..=0xEF).map(|code| {
            (
                format!("unknown APP{}", code - 0xE0),
                segment(code, &text(b"private")),
            )
        }));
        all
    }
}

pub(crate) mod png {
    use super::*;

    pub(crate) fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let checksum = crc32fast::hash(&[kind, body].concat());
        [
            &u32::try_from(body.len()).unwrap().to_be_bytes(),
            &kind[..],
            body,
            &checksum.to_be_bytes(),
        ]
        .concat()
    }

    pub(crate) fn iccp(name: &[u8], profile: &[u8]) -> Vec<u8> {
        let squeezed = miniz_oxide::deflate::compress_to_vec_zlib(profile, 6);
        chunk(b"iCCP", &[name, b"\0\0", &squeezed].concat())
    }

    /// A picture of one pixel with nothing to strip, cut between its chunks, with one of every kind that stays.
    pub(crate) fn clean() -> Vec<Vec<u8>> {
        let data = b"\x78\x01\x01\x02\0\xFD\xFF\0\0\0\x02\0\x01";
        let frame =
            |number: u8| [&[0, 0, 0, number, 0, 0, 0, 1, 0, 0, 0, 1][..], &[0; 14]].concat();
        vec![
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\x03\0\0\0"),
            chunk(b"cICP", b"\x09\x10\0\x01"),
            chunk(b"mDCV", &[1; 24]),
            chunk(b"cLLI", &[1; 8]),
            iccp(b"icc", &profile()),
            chunk(b"sRGB", b"\0"),
            chunk(b"gAMA", b"\0\0\xB1\x8F"),
            chunk(b"cHRM", &[1; 32]),
            chunk(b"sBIT", &[8, 8, 8]),
            chunk(b"PLTE", &[1, 2, 3]),
            chunk(b"tRNS", &[128]),
            chunk(b"bKGD", &[0]),
            chunk(b"pHYs", b"\0\0\x0B\x13\0\0\x0B\x13\x01"),
            chunk(b"acTL", b"\0\0\0\x02\0\0\0\0"),
            chunk(b"fcTL", &frame(0)),
            chunk(b"IDAT", data.get(..5).unwrap()),
            chunk(b"IDAT", data.get(5..).unwrap()),
            chunk(b"fcTL", &frame(1)),
            chunk(b"fdAT", &[b"\0\0\0\x02", &data[..]].concat()),
            chunk(b"IEND", b""),
        ]
    }

    /// Where in `clean` the first part is that has data before it.
    pub(crate) const DATA: usize = 17;

    /// Chunks of which nothing stays, whichever the config.
    pub(crate) fn metadata() -> Vec<(String, Vec<u8>)> {
        let kinds = [
            b"tEXt", b"zTXt", b"iTXt", b"tIME", b"hIST", b"sPLT", b"dSIG", b"caBX", b"vpAg",
            b"prIv", b"iDOT",
        ];
        let mut all: Vec<_> = kinds
            .iter()
            .map(|kind| {
                (
                    kind.escape_ascii().to_string(),
                    chunk(kind, &text(b"Author\0")),
                )
            })
            .collect();
        all.push(("empty text".into(), chunk(b"tEXt", b"")));
        all.push(("long text".into(), chunk(b"tEXt", &CANARY.repeat(10_000))));
        all
    }
}

/// The file with something put in before its `slot`th part; behind its last part if there are no more.
pub(crate) fn with(parts: &[Vec<u8>], slot: usize, extra: &[u8]) -> Vec<u8> {
    let (before, after) = parts.split_at(slot);
    [&before.concat(), extra, &after.concat()].concat()
}
