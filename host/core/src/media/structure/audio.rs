//! MP3 and AAC: ID3 tags, and frames that follow each other.

use super::{array, at, byte, index};

/// Audio without a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Kind {
    Mp3,
    Aac,
    Flac,
}

/// The kind of a file that starts with these bytes, with or without a tag in front.
pub(in crate::media) fn kind(head: &[u8]) -> Option<Kind> {
    let Some(tag) = id3(head) else {
        return stream(head);
    };
    // FLAC and AAC may also have an ID3 tag in front. If the tag is longer than the head, the file counts as MP3.
    match head.get(tag..) {
        Some(rest) if rest.len() >= 4 => Some(stream(rest).unwrap_or(Kind::Mp3)),
        _ => Some(Kind::Mp3),
    }
}

fn stream(head: &[u8]) -> Option<Kind> {
    if is_flac(head) {
        Some(Kind::Flac)
    } else if follows(head, mp3_frame) {
        Some(Kind::Mp3)
    } else if follows(head, adts_frame) {
        Some(Kind::Aac)
    } else {
        None
    }
}

/// FLAC (RFC 9639, 8): the marker, then the block STREAMINFO with its 34 bytes.
fn is_flac(head: &[u8]) -> bool {
    at(head, 0, b"fLaC") && byte(head, 4).is_some_and(|b| b & 0x7f == 0) && at(head, 5, b"\0\0\x22")
}

/// The length of an ID3v2 tag (ID3v2.4.0 structure, 3.1): version 2 to 4, and a size of four 7-bit bytes.
fn id3(head: &[u8]) -> Option<usize> {
    if !at(head, 0, b"ID3") {
        return None;
    }
    let [version, revision, flags] = array(head, 3)?;
    let size: [u8; 4] = array(head, 6)?;
    let sane = (2..=4).contains(&version)
        && revision != 0xff
        && flags & 0x0f == 0
        && size.iter().all(|b| b & 0x80 == 0);
    let length = size.iter().fold(0, |sum, b| sum << 7 | u32::from(*b));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    sane.then(|| 10 + index(length) + footer)
}

/// A frame: its length in bytes, and what all frames of a stream have in common.
struct Frame {
    length: usize,
    common: u32,
}

/// Whether there is a frame at the start, and another one of the same kind at its end. If the head is too short for two
/// frames, one is enough.
fn follows(head: &[u8], read: fn(&[u8]) -> Option<Frame>) -> bool {
    let Some(first) = read(head) else {
        return false;
    };
    match head.get(first.length..).and_then(read) {
        Some(second) => second.common == first.common,
        None => head.len() < 2 * first.length,
    }
}

/// A frame of MPEG audio layer III (ISO/IEC 11172-3, 2.4.1.3; ISO/IEC 13818-3 for half the rates; MPEG 2.5 for a
/// quarter), with or without a CRC: FF FA, FB, F2, F3, E2, E3.
fn mp3_frame(head: &[u8]) -> Option<Frame> {
    let [sync, version, rates, last] = array(head, 0)?;
    if sync != 0xff || version & 0xe0 != 0xe0 || version & 0x06 != 0x02 {
        return None;
    }
    let first_version = version & 0x18 == 0x18;
    let kbits: [u32; 14] = if first_version {
        [
            32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
        ]
    } else {
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    };
    // 0 is a free rate, which no encoder writes, and 15 is forbidden.
    let kbits = kbits.get(usize::from(rates >> 4).checked_sub(1)?)?;
    let hertz = [44_100_u32, 48_000, 32_000].get(usize::from(rates >> 2 & 3))?;
    let (samples, hertz) = match version & 0x18 {
        0x18 => (1152, *hertz),
        0x10 => (576, hertz / 2),
        0x00 => (576, hertz / 4),
        _ => return None,
    };
    // Emphasis 2 is reserved.
    if last & 0x03 == 2 {
        return None;
    }
    let padding = u32::from(rates >> 1 & 1);
    Some(Frame {
        length: index(samples / 8 * kbits * 1000 / hertz + padding),
        common: u32::from(version & 0x1e) << 8 | u32::from(rates & 0x0c),
    })
}

/// A frame of AAC in ADTS (ISO/IEC 14496-3, 1.A.3.2): layer 0, a known rate, and a length of at least its header.
fn adts_frame(head: &[u8]) -> Option<Frame> {
    let [sync, version, rate, a, b, c] = array(head, 0)?;
    let length = usize::from(a & 3) << 11 | usize::from(b) << 3 | usize::from(c) >> 5;
    let known = sync == 0xff && version & 0xf6 == 0xf0 && rate >> 2 & 0x0f < 13 && length >= 7;
    known.then(|| Frame {
        length,
        common: u32::from(version) << 8 | u32::from(rate & 0xfd),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of this header, each as long as `length` says.
    fn frames(header: &[u8], length: usize, count: usize) -> Vec<u8> {
        let mut frame = header.to_vec();
        frame.resize(length, 0x55);
        frame.repeat(count)
    }

    #[test]
    fn frames_of_mpeg_layer_three() {
        for (header, length) in [
            // 128 kbit/s at 44.1 kHz, without and with a CRC; then padded.
            (b"\xff\xfb\x90\x64", 417),
            (b"\xff\xfa\x90\x64", 417),
            (b"\xff\xfb\x92\x64", 418),
            // MPEG 2: 64 kbit/s at 22.05 kHz; MPEG 2.5: 64 kbit/s at 11.025 kHz.
            (b"\xff\xf3\x80\x64", 208),
            (b"\xff\xf2\x80\x64", 208),
            (b"\xff\xe3\x80\x64", 417),
            (b"\xff\xe2\x80\x64", 417),
        ] {
            assert_eq!(
                kind(&frames(header, length, 4)),
                Some(Kind::Mp3),
                "{header:x?}"
            );
            assert_eq!(
                kind(&frames(header, length, 1)),
                Some(Kind::Mp3),
                "{header:x?}"
            );
            assert_eq!(kind(&frames(header, length + 5, 4)), None, "{header:x?}");
        }
        for header in [
            // A reserved version; layers I and II; a free and a forbidden bit rate; a reserved sampling rate; emphasis.
            b"\xff\xeb\x90\x64",
            b"\xff\xff\x90\x64",
            b"\xff\xfd\x90\x64",
            b"\xff\xfb\x00\x64",
            b"\xff\xfb\xf0\x64",
            b"\xff\xfb\x9c\x64",
            b"\xff\xfb\x90\x66",
        ] {
            assert_eq!(kind(&frames(header, 417, 1)), None, "{header:x?}");
        }
    }

    #[test]
    fn tags_and_what_follows_them() {
        assert_eq!(kind(b"ID3\x04\0\0\0\0\x10\0"), Some(Kind::Mp3));
        assert_eq!(
            kind(b"ID3\x03\0\0\0\0\0\x02..fLaC\0\0\0\x22"),
            Some(Kind::Flac)
        );
        for no in [
            &b"ID3 tags explained"[..],
            b"ID3\x05\0\0\0\0\0\0",
            b"ID3\x04\0\0\x80\0\0\0",
            b"ID3\x04",
        ] {
            assert_eq!(kind(no), None, "{no:?}");
        }
    }

    #[test]
    fn aac_and_flac() {
        // 16 bytes long: 0 << 11 | 2 << 3.
        let frame = frames(b"\xff\xf1\x50\x80\x02\x1f\xfc", 16, 3);
        assert_eq!(kind(&frame), Some(Kind::Aac));
        assert_eq!(kind(&frames(b"\xff\xf1\x50\x80\x02\x1f\xfc", 17, 3)), None);
        assert_eq!(kind(b"fLaC\0\0\0\x22"), Some(Kind::Flac));
        assert_eq!(kind(b"fLaC is a name"), None);
    }
}
