//! Ogg (RFC 3533): the first packet shows the codec.

use super::{at, byte};

/// What the first stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Kind {
    Audio,
    Video,
    Other,
}

/// The kind of a file that starts with these bytes.
pub(in crate::media) fn kind(head: &[u8]) -> Option<Kind> {
    // The letters, version 0, and the flag of the first page of a stream.
    if !at(head, 0, b"OggS\0") || byte(head, 5)? & 0x02 == 0 {
        return None;
    }
    // A header of 27 bytes, then one byte for each segment.
    let packet = 27 + usize::from(byte(head, 26)?);
    let starts = |letters: &&[u8]| at(head, packet, letters);
    let audio: [&[u8]; 4] = [b"OpusHead", b"\x01vorbis", b"Speex   ", b"\x7fFLAC"];
    // Theora, Dirac, OGM, and a skeleton, which usually comes before video.
    let video: [&[u8]; 4] = [b"\x80theora", b"BBCD\0", b"\x01video", b"fishead\0"];
    Some(if audio.iter().any(starts) {
        Kind::Audio
    } else if video.iter().any(starts) {
        Kind::Video
    } else {
        Kind::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codec_decides() {
        let page = |packet: &[u8]| {
            let mut head = b"OggS\0\x02".to_vec();
            head.resize(26, 0);
            head.extend([1, packet.len() as u8]);
            head.extend(packet);
            head
        };
        assert_eq!(kind(&page(b"OpusHead\x01")), Some(Kind::Audio));
        assert_eq!(kind(&page(b"\x01vorbis")), Some(Kind::Audio));
        assert_eq!(kind(&page(b"\x80theora")), Some(Kind::Video));
        assert_eq!(kind(&page(b"new codec")), Some(Kind::Other));
        assert_eq!(kind(b"OggS and Vorbis are names of software"), None);
    }
}
