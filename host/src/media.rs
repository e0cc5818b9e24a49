//! What a file is: its media type, from its bytes, and the name that goes with it.
//!
//! Promise: a type is read off the leading bytes alone; a name that leaves this module is a plain base name whose
//! extension fits the type.

use std::fmt;

use crate::text::is_plain;

/// Leading bytes that [`sniff`] wants to see; it makes do with less when a file has less. WebM and TIFF need a few
/// hundred, and a text is judged by its first page.
pub(crate) const SNIFF_LEN: usize = 4096;

/// Longest name, in bytes: what the common file systems take.
const MAX_NAME: usize = 255;

/// Longest media type that a plugin may claim, in bytes.
const MAX_TYPE: usize = 128;

/// Said of bytes that show no known signature and are no text.
pub(crate) const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file that starts with these bytes.
///
/// ```
/// assert_eq!(forebay::media::sniff(b"%PDF-1.7\n"), "application/pdf");
/// assert_eq!(forebay::media::sniff(b"just words"), "text/plain");
/// ```
pub fn sniff(head: &[u8]) -> &'static str {
    match infer::get(head) {
        // Names that IANA knows in place of the ones with `x-`, so that both sides of a comparison use the same.
        Some(kind) => match kind.mime_type() {
            "audio/x-wav" => "audio/wav",
            "audio/x-flac" => "audio/flac",
            "audio/m4a" => "audio/mp4",
            other => other,
        },
        None if is_subrip(head) => "application/x-subrip",
        None if is_text(head) => "text/plain",
        None => UNKNOWN,
    }
}

/// Whether the bytes show a signature of their own, so that a claim of another type is known to be wrong.
fn is_certain(media_type: &str) -> bool {
    !matches!(media_type, UNKNOWN | "text/plain")
}

/// The type of an output: what its bytes show. Formats without a signature (plain text of some kind, raw data) are the
/// only case in which the plugin's own word counts.
pub(crate) fn settle<'a>(sniffed: &'a str, claimed: &'a str) -> &'a str {
    let is_type = claimed.len() <= MAX_TYPE && is_range(claimed) && !claimed.contains('*');
    let claim_is_checkable = infer::is_mime_supported(claimed) || !is_type;
    if is_certain(sniffed) || claimed == UNKNOWN || claim_is_checkable {
        sniffed
    } else {
        claimed
    }
}

/// SubRip subtitles: a number, then a line with two times.
fn is_subrip(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .skip_while(|line| line.trim().is_empty());
    lines.next().is_some_and(|line| {
        !line.trim().is_empty() && line.trim().bytes().all(|b| b.is_ascii_digit())
    }) && lines
        .next()
        .is_some_and(|line| line.contains(" --> ") && line.contains(':'))
}

/// UTF-8 without control characters; a character that the head cuts off does not count against it.
fn is_text(head: &[u8]) -> bool {
    let head = head.get(..SNIFF_LEN).unwrap_or(head);
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => head
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or(""),
        Err(_) => return false,
    };
    !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

/// Whether a media type lies in a range such as `image/*`, `*/*` or `image/png`.
pub(crate) fn in_range(media_type: &str, range: &str) -> bool {
    match range.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => media_type
            .split_once('/')
            .is_some_and(|(left, _)| left.eq_ignore_ascii_case(kind)),
        None => media_type.eq_ignore_ascii_case(range),
    }
}

/// Whether some media type lies in both ranges.
pub(crate) fn ranges_meet(a: &str, b: &str) -> bool {
    in_range(a, b) || in_range(b, a)
}

/// Whether this is `type/subtype` or a range of the kind that [`in_range`] reads.
pub(crate) fn is_range(text: &str) -> bool {
    let token = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(left, right)| token(left) && token(right))
}

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameProblem {
    Empty,
    TooLong,
    Separator,
    Control,
    Reserved,
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::TooLong => "is longer than 255 bytes",
            Self::Separator => "holds a directory separator",
            Self::Control => "holds a control character, or one that turns the text around",
            Self::Reserved => "is reserved",
        })
    }
}

/// Checks that a name is a plain base name.
pub(crate) fn check_name(name: &str) -> Result<(), NameProblem> {
    match name {
        "" => Err(NameProblem::Empty),
        "." | ".." => Err(NameProblem::Reserved),
        _ if name.len() > MAX_NAME => Err(NameProblem::TooLong),
        _ if name.contains(['/', '\\']) => Err(NameProblem::Separator),
        _ if !name.chars().all(is_plain) => Err(NameProblem::Control),
        _ if cfg!(windows) && is_device(name) => Err(NameProblem::Reserved),
        _ => Ok(()),
    }
}

/// Whether Windows takes this for a device, or for another name: whatever follows the first dot, and without the dots and
/// spaces at its end.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let numbered = |kind: &str| {
        let number = stem
            .get(..3)
            .filter(|start| start.eq_ignore_ascii_case(kind));
        number.is_some()
            && matches!(stem.get(3..), Some(rest) if rest.len() == 1 && rest != "0" && rest.parse::<u8>().is_ok())
    };
    ["con", "prn", "aux", "nul"]
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device))
        || numbered("com")
        || numbered("lpt")
        || name.ends_with(['.', ' '])
        || name.contains(':')
}

/// A plain base name, made of whatever stands at the end of this: not a path, not reserved, of at most 255 bytes, without
/// control characters.
///
/// ```
/// assert_eq!(forebay::media::plain_name("holiday/../IMG\t1.jpg"), "IMG_1.jpg");
/// assert_eq!(forebay::media::plain_name("../.."), "file");
/// ```
pub fn plain_name(name: &str) -> String {
    let base = name
        .rsplit(['/', '\\'])
        .find(|part| !part.is_empty())
        .unwrap_or("file");
    let mut name: String = base
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    while check_name(&name).is_err() {
        // Too long, or one of the reserved names.
        if name.pop().is_none() || name.is_empty() {
            return "file".to_owned();
        }
    }
    name
}

/// Gives a name the extension of its media type, unless it has a usual one already.
pub(crate) fn fit_name(name: &str, media_type: &str) -> String {
    let usual: &[&str] = match media_type {
        "image/jpeg" => &["jpg", "jpeg", "jpe", "jfif"],
        "image/png" => &["png"],
        "image/webp" => &["webp"],
        "image/gif" => &["gif"],
        "image/bmp" => &["bmp"],
        "image/tiff" => &["tif", "tiff"],
        "video/mp4" => &["mp4", "m4v"],
        "video/webm" => &["webm"],
        "video/quicktime" => &["mov"],
        "audio/mpeg" => &["mp3"],
        "audio/wav" => &["wav"],
        "application/pdf" => &["pdf"],
        "application/x-subrip" => &["srt"],
        // No one extension: the name stays as it is.
        _ => return name.to_owned(),
    };
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, extension),
        _ => (name, ""),
    };
    if usual.iter().any(|u| u.eq_ignore_ascii_case(extension)) {
        return name.to_owned();
    }
    let known = extension.len() <= 4
        && !extension.is_empty()
        && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    let wanted = usual.first().copied().unwrap_or_default();
    let mut stem = if known { stem } else { name };
    while stem.len() + 1 + wanted.len() > MAX_NAME {
        let last = stem.char_indices().next_back().map_or(0, |(at, _)| at);
        stem = stem.get(..last).unwrap_or_default();
    }
    format!("{stem}.{wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_from_bytes() {
        let mut webm = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm".to_vec();
        webm.resize(400, 0);
        for (head, expected) in [
            (&b"\xff\xd8\xff\xe0"[..], "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
            (b"\0\0\0\x20ftypisom\0\0\0\0", "video/mp4"),
            (b"ID3\x04", "audio/mpeg"),
            (b"%PDF-1.4", "application/pdf"),
            (&webm, "video/webm"),
            (
                b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
                "application/x-subrip",
            ),
            ("caf\u{e9}\n".as_bytes(), "text/plain"),
            (b"ca\xc3", "text/plain"),
            (b"\0\x01\x02", UNKNOWN),
            (b"", UNKNOWN),
        ] {
            assert_eq!(sniff(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn a_claim_counts_only_where_bytes_show_nothing() {
        assert_eq!(settle("image/png", "image/jpeg"), "image/png");
        assert_eq!(settle("text/plain", "image/jpeg"), "text/plain");
        assert_eq!(settle("text/plain", "text/vtt"), "text/vtt");
        assert_eq!(settle(UNKNOWN, "application/x-own"), "application/x-own");
        for nonsense in [
            "text/\x1b[31m",
            "text",
            "text/*",
            &format!("a/{}", "b".repeat(200)),
        ] {
            assert_eq!(settle("text/plain", nonsense), "text/plain");
        }
    }

    #[test]
    fn windows_has_names_of_its_own() {
        for device in [
            "CON",
            "nul.txt",
            "Com1",
            "lpt9.tar.gz",
            "aux .x",
            "a.",
            "a ",
            "a:b",
        ] {
            assert!(is_device(device), "{device}");
        }
        for name in ["console.txt", "com0", "com10", "null", "a.con"] {
            assert!(!is_device(name), "{name}");
        }
    }

    #[test]
    fn ranges() {
        assert!(
            in_range("image/png", "image/*")
                && in_range("image/png", "*/*")
                && in_range("image/png", "image/png")
        );
        assert!(!in_range("image/png", "video/*") && !in_range("image/png", "image/jpeg"));
        assert!(
            ranges_meet("image/*", "image/png")
                && ranges_meet("*/*", "audio/*")
                && !ranges_meet("image/*", "audio/*")
        );
        assert!(is_range("image/*") && is_range("*/*") && !is_range("image") && !is_range("a/b c"));
    }

    #[test]
    fn names_are_plain_and_fit_their_type() {
        for (name, media_type, expected) in [
            ("photo.png", "image/jpeg", "photo.jpg"),
            ("photo.JPEG", "image/jpeg", "photo.JPEG"),
            ("v1.2 final", "application/pdf", "v1.2 final.pdf"),
            ("noext", "image/png", "noext.png"),
            (".hidden", "image/png", ".hidden.png"),
            ("notes.md", "text/plain", "notes.md"),
        ] {
            assert_eq!(fit_name(name, media_type), expected);
        }
        let long = "\u{e9}".repeat(127);
        let fitted = fit_name(&long, "image/png");
        assert!(fitted.len() <= 255 && fitted.ends_with(".png") && check_name(&fitted).is_ok());
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "a\0b",
            "a\nb",
            "a\u{202e}gpj.exe",
            &"x".repeat(256),
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
