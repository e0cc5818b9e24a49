//! The media types that the service accepts, and how they are recognised.
//!
//! Only the first [`HEAD`] bytes of a file decide its type. Its name and its declared type do not.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of bytes from the start of a file that decide its type. The header of a PDF may be anywhere in the first
/// 1024 bytes (PDF 1.7, annex H, note 13). All other signatures end earlier.
pub(crate) const HEAD: usize = 1024;

/// A type that the service accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MediaType {
    Png,
    Jpeg,
    Mp4,
    WebM,
    Mp3,
    Wav,
    Pdf,
    Srt,
}

impl MediaType {
    const ALL: [Self; 8] = [
        Self::Png,
        Self::Jpeg,
        Self::Mp4,
        Self::WebM,
        Self::Mp3,
        Self::Wav,
        Self::Pdf,
        Self::Srt,
    ];

    /// The type of a file that starts with `head`; `None` if the service does not accept it.
    pub(crate) fn sniff(head: &[u8]) -> Option<Self> {
        match infer::get(head) {
            Some(kind) => Self::parse(kind.mime_type()),
            None if is_mp3_frame(head) => Some(Self::Mp3),
            None if is_srt(head) => Some(Self::Srt),
            None => None,
        }
    }

    /// Parses a declared type such as `video/mp4` or `text/srt; charset=utf-8`.
    pub(crate) fn parse(declared: &str) -> Option<Self> {
        let essence = declared.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|media| {
            media
                .names()
                .iter()
                .any(|name| name.eq_ignore_ascii_case(essence))
        })
    }

    /// The name of the type, as answers show it in `mime_type`.
    pub(crate) fn mime(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }

    /// The name of the type, then other names in use for it.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["image/png"],
            Self::Jpeg => &["image/jpeg", "image/jpg"],
            Self::Mp4 => &["video/mp4"],
            Self::WebM => &["video/webm"],
            Self::Mp3 => &["audio/mpeg", "audio/mp3"],
            Self::Wav => &["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"],
            Self::Pdf => &["application/pdf"],
            // None is registered with IANA. Media players and `file` use the first.
            Self::Srt => &["application/x-subrip", "application/srt", "text/srt"],
        }
    }

    /// The extension of the stored file's name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Mp4 => "mp4",
            Self::WebM => "webm",
            Self::Mp3 => "mp3",
            Self::Wav => "wav",
            Self::Pdf => "pdf",
            Self::Srt => "srt",
        }
    }

    /// The `type` of an asset. The service's client knows image, video, audio and font. The name for a document is
    /// unverified.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Png | Self::Jpeg => "image",
            Self::Mp4 | Self::WebM => "video",
            Self::Mp3 | Self::Wav => "audio",
            Self::Pdf | Self::Srt => "document",
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mime())
    }
}

/// Whether `head` is the header of an MPEG audio layer III frame (ISO/IEC 11172-3, 2.4.1.3) with a valid bit rate and
/// sampling rate. `infer` recognises an ID3 tag and the most common headers. This adds headers with CRC and of MPEG
/// 2.5.
fn is_mp3_frame(head: &[u8]) -> bool {
    let &[0xff, second, third, ..] = head else {
        return false;
    };
    let synchronised = second & 0xe0 == 0xe0;
    let version_known = second & 0x18 != 0x08;
    let layer_three = second & 0x06 == 0x02;
    let rates_known = !matches!(third >> 4, 0x0 | 0xf) && third & 0x0c != 0x0c;
    synchronised && version_known && layer_three && rates_known
}

/// Whether `head` starts with a SubRip cue: a number, then a line such as `00:00:01,000 --> 00:00:04,000`. SubRip has
/// no signature and no standard.
fn is_srt(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .skip_while(|line| line.is_empty());
    let (Some(number), Some(times)) = (lines.next(), lines.next()) else {
        return false;
    };
    !number.is_empty() && number.iter().all(u8::is_ascii_digit) && is_cue(times)
}

fn is_cue(line: &[u8]) -> bool {
    let Some(arrow) = line.windows(3).position(|window| window == b"-->") else {
        return false;
    };
    let (start, end) = line.split_at(arrow);
    // Coordinates such as `X1:40` may follow the end time after a space.
    let end = end.get(3..).unwrap_or_default().trim_ascii_start();
    let end = end
        .split(u8::is_ascii_whitespace)
        .next()
        .unwrap_or_default();
    is_time(start.trim_ascii()) && is_time(end)
}

/// Whether `time` is `hours:minutes:seconds,milliseconds`. Many programs write a full stop instead of the comma.
fn is_time(time: &[u8]) -> bool {
    let mut fields = 0;
    time.split(|byte| matches!(byte, b':' | b',' | b'.'))
        .all(|field| {
            fields += 1;
            (1..=3).contains(&field.len()) && field.iter().all(u8::is_ascii_digit)
        })
        && fields == 4
}

#[cfg(test)]
mod tests {
    use super::MediaType;

    const SRT: &[u8] = b"1\r\n00:00:01,000 --> 00:00:04,000\r\nHello\r\n";

    #[test]
    fn each_type_is_told_from_its_bytes() {
        let webm = [
            b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm".as_slice(),
            &[0; 300],
        ]
        .concat();
        let cases: [(&[u8], MediaType); 11] = [
            (b"\x89PNG\r\n\x1a\n", MediaType::Png),
            (b"\xff\xd8\xff\xe0", MediaType::Jpeg),
            (b"\0\0\0\x20ftypisom\0\0\x02\0", MediaType::Mp4),
            (&webm, MediaType::WebM),
            (b"ID3\x04\0\0", MediaType::Mp3),
            (b"\xff\xfb\x90\x64", MediaType::Mp3),
            (b"\xff\xfa\x90\x64", MediaType::Mp3),
            (b"RIFF\x24\0\0\0WAVEfmt ", MediaType::Wav),
            (b"%PDF-1.7\n", MediaType::Pdf),
            (SRT, MediaType::Srt),
            (
                b"\xef\xbb\xbf\n12\n0:00:01.5 --> 0:00:02.0 X1:40\nHi",
                MediaType::Srt,
            ),
        ];
        for (head, media) in cases {
            assert_eq!(MediaType::sniff(head), Some(media), "{head:?}");
        }
    }

    #[test]
    fn other_bytes_are_no_type_of_the_service() {
        let cases: [&[u8]; 8] = [
            b"",
            b"GIF89a\x01\0\x01\0",
            b"plain text",
            b"1\nno times\n",
            b"one\n00:00:01,000 --> 00:00:04,000\n",
            b"1\n00:00:01 --> 00:00:04\n",
            b"\xff\xfe1\0",
            b"\0\0\0\x14ftypqt  \0\0\0\0",
        ];
        for head in cases {
            assert_eq!(MediaType::sniff(head), None, "{head:?}");
        }
    }

    #[test]
    fn declared_types_may_carry_parameters_and_other_names() {
        assert_eq!(MediaType::parse("Audio/X-WAV"), Some(MediaType::Wav));
        assert_eq!(
            MediaType::parse("text/srt; charset=utf-8"),
            Some(MediaType::Srt)
        );
        assert_eq!(MediaType::parse("image/gif"), None);
        assert_eq!(MediaType::parse(""), None);
    }
}
