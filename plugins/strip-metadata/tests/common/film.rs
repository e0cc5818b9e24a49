//! Films made by hand: ISO media files and Matroska.

use super::*;

/// A box.
pub(crate) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [
        &u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..],
        kind,
        body,
    ]
    .concat()
}

/// A box with a size of 64 bits.
pub(crate) fn long_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u64 + 16).to_be_bytes();
    [b"\0\0\0\x01", &kind[..], &size, body].concat()
}

pub(crate) fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// A track: its handler, the kind of its samples, and these; each is a chunk of its own.
pub(crate) struct Track {
    pub(crate) handler: &'static [u8; 4],
    pub(crate) kind: &'static [u8; 4],
    pub(crate) samples: Vec<Vec<u8>>,
}

pub(crate) fn pictures() -> Track {
    Track {
        handler: b"vide",
        kind: b"avc1",
        samples: vec![vec![0x11; 100], vec![0x12; 50]],
    }
}

pub(crate) fn sound() -> Track {
    Track {
        handler: b"soun",
        kind: b"mp4a",
        samples: vec![vec![0x21; 70], vec![0x22; 30]],
    }
}

/// A track whose samples are the canary.
pub(crate) fn positions(handler: &'static [u8; 4], kind: &'static [u8; 4]) -> Track {
    Track {
        handler,
        kind,
        samples: vec![CANARY.to_vec(), text(b"52.5 N 13.4 E"), CANARY.to_vec()],
    }
}

/// How a film is put together.
pub(crate) struct Film {
    pub(crate) tracks: Vec<Track>,
    pub(crate) index_first: bool,
    /// More boxes, by the box at whose end they stand.
    pub(crate) more: Vec<(&'static str, Vec<u8>)>,
    /// More bytes in `mdat`.
    pub(crate) padding: usize,
}

impl Film {
    pub(crate) fn new(tracks: Vec<Track>, index_first: bool) -> Self {
        Self {
            tracks,
            index_first,
            more: Vec::new(),
            padding: 0,
        }
    }

    pub(crate) fn with(mut self, place: &'static str, more: Vec<u8>) -> Self {
        self.more.push((place, more));
        self
    }

    fn more(&self, place: &str) -> Vec<u8> {
        let here = self.more.iter().filter(|(there, _)| *there == place);
        here.flat_map(|(_, more)| more.clone()).collect()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isommp42");
        let mut media = Vec::new();
        let most = self
            .tracks
            .iter()
            .map(|track| track.samples.len())
            .max()
            .unwrap_or(0);
        let mut offsets: Vec<Vec<u32>> = self.tracks.iter().map(|_| Vec::new()).collect();
        for number in 0..most {
            for (track, offsets) in self.tracks.iter().zip(&mut offsets) {
                if let Some(sample) = track.samples.get(number) {
                    offsets.push(media.len() as u32);
                    media.extend(sample);
                }
            }
        }
        media.resize(media.len() + self.padding, 0x33);
        let mdat = boxed(b"mdat", &media);
        let top = self.more("top");
        let index = |at: usize| {
            let tracks = self.tracks.iter().zip(&offsets).zip(1..);
            let tracks: Vec<u8> = tracks
                .flat_map(|((track, offsets), id)| self.track(track, offsets, id, at as u32))
                .collect();
            let mvhd = [
                &[0; 4][..],
                &numbers(&[7, 8, 1000, 3000, 0x1_0000]),
                &[1, 0],
                &[0; 10],
                &matrix(),
                &[0; 24],
                &numbers(&[9]),
            ]
            .concat();
            boxed(
                b"moov",
                &[boxed(b"mvhd", &mvhd), tracks, self.more("moov")].concat(),
            )
        };
        if self.index_first {
            let at = ftyp.len() + index(0).len() + top.len() + 8;
            [ftyp, index(at), top, mdat].concat()
        } else {
            let at = ftyp.len() + top.len() + 8;
            [ftyp, top, mdat, index(at)].concat()
        }
    }

    fn track(&self, track: &Track, offsets: &[u32], id: u32, at: u32) -> Vec<u8> {
        let full = |kind, body: &[u8]| boxed(kind, &[&[0; 4], body].concat());
        let sizes: Vec<u32> = track
            .samples
            .iter()
            .map(|sample| sample.len() as u32)
            .collect();
        let count = sizes.len() as u32;
        let offsets: Vec<u32> = offsets.iter().map(|offset| offset + at).collect();
        let tkhd = full(
            b"tkhd",
            &[
                &numbers(&[7, 8, id, 0, 3000])[..],
                &[0; 16],
                &matrix(),
                &numbers(&[320 << 16, 240 << 16]),
            ]
            .concat(),
        );
        let mdhd = full(b"mdhd", &numbers(&[7, 8, 1000, 3000, 0x55C4_0000]));
        let name = [
            &[0; 4][..],
            track.handler,
            b"appl\0\0\0\0\0\0\0\0\x0F",
            CANARY,
            b"\0",
        ]
        .concat();
        let hdlr = full(b"hdlr", &name);
        let entry = match track.handler {
            b"vide" => [&[0; 78][..], &boxed(b"avcC", b"\x01config")].concat(),
            b"soun" => [&[0; 28][..], &boxed(b"esds", b"\0\0\0\0config")].concat(),
            // What keys of metadata are called.
            _ => [&[0; 8][..], CANARY].concat(),
        };
        let entry = boxed(track.kind, &[&entry[..], &self.more("entry")].concat());
        let stbl = [
            full(b"stsd", &[&numbers(&[1])[..], &entry].concat()),
            full(b"stts", &numbers(&[1, count, 40])),
            full(b"stsc", &numbers(&[1, 1, 1, 1])),
            full(b"stsz", &[numbers(&[0, count]), numbers(&sizes)].concat()),
            full(b"stco", &[numbers(&[count]), numbers(&offsets)].concat()),
            self.more("stbl"),
        ];
        let dinf = boxed(
            b"dinf",
            &full(b"dref", &[&numbers(&[1])[..], &full(b"url ", b"")].concat()).clone(),
        );
        // The data are in the same file.
        let dinf = replaced(&dinf, b"url \0\0\0\0", b"url \0\0\0\x01");
        let header = match track.handler {
            b"vide" => full(b"vmhd", &[0; 8]),
            b"soun" => full(b"smhd", &[0; 4]),
            _ => full(b"nmhd", &[]),
        };
        let minf = [
            header,
            dinf,
            boxed(b"stbl", &stbl.concat()),
            self.more("minf"),
        ]
        .concat();
        let mdia = [mdhd, hdlr, boxed(b"minf", &minf), self.more("mdia")].concat();
        boxed(
            b"trak",
            &[tkhd, boxed(b"mdia", &mdia), self.more("trak")].concat(),
        )
    }
}

/// A picture that is to be turned by 90 degrees.
fn matrix() -> Vec<u8> {
    numbers(&[0, 0x1_0000, 0, 0xFFFF_0000, 0, 0, 0, 0, 0x4000_0000])
}

pub(crate) fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(old.len())
        .position(|window| window == old)
        .unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// Boxes of which nothing stays, wherever they stand.
pub(crate) fn metadata() -> Vec<Vec<u8>> {
    let xmp = [
        b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC",
        CANARY,
    ]
    .concat();
    vec![
        boxed(
            b"udta",
            &[
                boxed(b"\xA9xyz", CANARY),
                boxed(b"loci", CANARY),
                b"\0\0\0\0".to_vec(),
            ]
            .concat(),
        ),
        boxed(
            b"meta",
            &[
                &[0; 4][..],
                &boxed(b"hdlr", b"\0\0\0\0\0\0\0\0mdta"),
                &boxed(b"keys", CANARY),
                &boxed(b"ilst", CANARY),
            ]
            .concat(),
        ),
        boxed(b"uuid", &xmp),
        boxed(b"XMP_", CANARY),
        boxed(b"free", CANARY),
        boxed(b"skip", CANARY),
        boxed(b"wide", b""),
        boxed(b"prft", CANARY),
        boxed(b"emsg", CANARY),
        boxed(b"gps ", CANARY),
        boxed(b"what", CANARY),
        long_box(b"uuid", CANARY),
    ]
}

/// An EBML element with a size of one byte, or of eight.
pub(crate) fn element(id: u32, body: &[u8]) -> Vec<u8> {
    let id: Vec<u8> = id
        .to_be_bytes()
        .into_iter()
        .skip_while(|byte| *byte == 0)
        .collect();
    let size = match body.len() {
        short @ ..127 => vec![0x80 | short as u8],
        long => (1_u64 << 56 | long as u64).to_be_bytes().to_vec(),
    };
    [&id, &size[..], body].concat()
}

/// A film of one track of pictures, cut where metadata can be put in: within the segment.
pub(crate) fn matroska() -> Vec<Vec<u8>> {
    let head = [element(0x4286, b"\x01"), element(0x4282, b"webm")].concat();
    vec![
        [
            element(0x1A45_DFA3, &head),
            b"\x18\x53\x80\x67\xFF".to_vec(),
        ]
        .concat(),
        element(
            0x1549_A966,
            &[
                element(0x002A_D7B1, b"\x0F\x42\x40"),
                element(0x4D80, b"-\0\0\0"),
                element(0x5741, b"-"),
            ]
            .concat(),
        ),
        element(
            0x1654_AE6B,
            &track(
                1,
                1,
                &[element(
                    0xE0,
                    &[element(0xB0, b"\x40"), element(0xBA, b"\x30")].concat(),
                )]
                .concat(),
            ),
        ),
        element(
            0x1F43_B675,
            &[
                element(0xE7, b"\0"),
                element(0xA3, b"\x81\0\0\x80frame one"),
                element(
                    0xA0,
                    &[
                        element(0xA1, b"\x81\0\x01\0frame two"),
                        element(0x9B, b"\x01"),
                    ]
                    .concat(),
                ),
            ]
            .concat(),
        ),
        element(
            0x1C53_BB6B,
            &element(
                0xBB,
                &[
                    element(0xB3, b"\0"),
                    element(
                        0xB7,
                        &[element(0xF7, b"\x01"), element(0xF1, b"\x20")].concat(),
                    ),
                ]
                .concat(),
            ),
        ),
    ]
}

/// A track of Matroska.
pub(crate) fn track(number: u8, kind: u8, more: &[u8]) -> Vec<u8> {
    element(
        0xAE,
        &[
            &element(0xD7, &[number])[..],
            &element(0x73C5, &[0, number]),
            &element(0x83, &[kind]),
            &element(0x86, b"V_VP8"),
            more,
        ]
        .concat(),
    )
}

/// Elements of a segment of which nothing stays.
pub(crate) fn tags() -> Vec<Vec<u8>> {
    vec![
        element(
            0x1254_C367,
            &element(0x7373, &element(0x67C8, &element(0x4487, CANARY))),
        ),
        element(0x1941_A469, &element(0x61A7, &element(0x465C, CANARY))),
        element(0x1043_A770, &element(0x45B9, CANARY)),
        element(0xEC, CANARY),
        element(0xBF, b"crc!"),
        element(0x1B53_8667, CANARY),
        element(0x4444, &CANARY.repeat(20)),
    ]
}
