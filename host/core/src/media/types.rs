//! Media types, read off the leading bytes of a file.

/// Leading bytes that [`sniff`] wants to see; it makes do with less when a file has less. WebM and TIFF need a few
/// hundred, and a text is judged by its first page.
pub const SNIFF_LEN: usize = 4096;

/// Longest media type that a plugin may claim, in bytes.
pub const MAX_TYPE: usize = 128;

/// Said of bytes that show no known signature and are no text.
pub const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file that starts with these bytes.
///
/// ```
/// assert_eq!(forebay_core::media::sniff(b"%PDF-1.7\n"), "application/pdf");
/// assert_eq!(forebay_core::media::sniff(b"just words"), "text/plain");
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
pub fn settle<'a>(sniffed: &'a str, claimed: &'a str) -> &'a str {
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
pub fn in_range(media_type: &str, range: &str) -> bool {
    match range.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => media_type
            .split_once('/')
            .is_some_and(|(left, _)| left.eq_ignore_ascii_case(kind)),
        None => media_type.eq_ignore_ascii_case(range),
    }
}

/// Whether some media type lies in both ranges.
pub fn ranges_meet(a: &str, b: &str) -> bool {
    in_range(a, b) || in_range(b, a)
}

/// Whether this is `type/subtype` or a range of the kind that [`in_range`] reads.
pub fn is_range(text: &str) -> bool {
    let token = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(left, right)| token(left) && token(right))
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
}
