//! The media types that the service accepts.
//!
//! Only the first [`HEAD`] bytes of a file decide its type. Its name and its declared type do not.

mod signatures;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of bytes from the start of a file that decide its type. The header of a PDF may be anywhere in the first
/// 1024 bytes (PDF 1.7, annex H, note 13). All other signatures end earlier.
/// Sixteen more bytes hold a header that starts at the last of them.
pub(crate) const HEAD: usize = 1024 + 16;

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
        let head = head.get(..HEAD).unwrap_or(head);
        Self::ALL.into_iter().find(|media| match media {
            Self::Png => signatures::is_png(head),
            Self::Jpeg => signatures::is_jpeg(head),
            Self::Mp4 => signatures::is_mp4(head),
            Self::WebM => signatures::is_webm(head),
            Self::Mp3 => signatures::is_mp3(head),
            Self::Wav => signatures::is_wav(head),
            Self::Pdf => signatures::is_pdf(head),
            Self::Srt => signatures::is_srt(head),
        })
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
        let cases: [(&[u8], MediaType); 22] = [
            (b"\x89PNG\r\n\x1a\n", MediaType::Png),
            (b"\xff\xd8\xff\xe0", MediaType::Jpeg),
            (b"\0\0\0\x20ftypisom\0\0\x02\0", MediaType::Mp4),
            (&webm, MediaType::WebM),
            (b"ID3\x04\0\0\0\0\x10\0", MediaType::Mp3),
            (b"\xff\xe3\x90\x64", MediaType::Mp3),
            // Brands that cameras, editors and phones write.
            (b"\0\0\0\x14ftypiso9\0\0\0\0iso9", MediaType::Mp4),
            (b"\0\0\0\x14ftypM4V \0\0\0\0M4A ", MediaType::Mp4),
            (b"\0\0\0\x18ftypXAVC\0\0\0\0XAVCmp42", MediaType::Mp4),
            (b"\0\0\0\x14ftypCAEP\0\0\0\0CAEP", MediaType::Mp4),
            (b"\0\0\0\x14ftyphvc1\0\0\0\0hvc1", MediaType::Mp4),
            (b"\0\0\0\x18ftyp3gp4\0\0\0\0isom3gp4", MediaType::Mp4),
            (b"\n%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", MediaType::Pdf),
            (b"\0\0\0\0%PDF-1.4\n", MediaType::Pdf),
            (
                b"HTTP/1.1 200 OK\r\n\r\n%PDF-1.4\n%\xe2\xe3\xcf\xd3\n",
                MediaType::Pdf,
            ),
            (b"%!PS-Adobe-3.0 PDF-1.4\n1 0 obj\n", MediaType::Pdf),
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
        let cases: [&[u8]; 23] = [
            b"",
            b"GIF89a\x01\0\x01\0",
            b"plain text",
            b"1\nno times\n",
            b"one\n00:00:01,000 --> 00:00:04,000\n",
            b"1\n00:00:01 --> 00:00:04\n",
            b"\xff\xfe1\0",
            // Text that starts or goes on as a signature does.
            b"ID3 tags explained",
            b"A file that opens with %PDF- is a PDF.",
            b"Notes\n%PDF-1.4\n1 0 obj\n",
            b"Caf\xe9\n%PDF-1.4\n1 0 obj\n",
            b"RIFF is a container",
            b"xxxxftypisom",
            b"\x89PNG",
            // Pictures and sound in the container of MP4, and films that the service does not list.
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            b"\0\0\0\x1cftypheic\0\0\0\0mif1heiciso8",
            b"\0\0\0\x1cftypmif1\0\0\0\0heicmp41isom",
            b"\0\0\0\x14ftypavif\0\0\0\0mif1",
            b"\0\0\0\x18ftypMiHE\0\0\0\0mif1heic",
            b"\0\0\0\x18ftypM4A \0\0\0\0isommp42",
            b"\0\0\0\x18ftypcrx \0\0\0\0isomcrx ",
            b"\xff\xf1\x50\x80\x02\x1f\xfc",
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
