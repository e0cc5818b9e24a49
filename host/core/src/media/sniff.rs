//! The media type of a file, from its leading bytes.

use super::ranges::is_range;
use super::table::{Family, Row, Signature, TABLE, by_type};
use super::text;

/// Number of leading bytes that [`sniff`] needs, unless the file is shorter. Office documents need a few thousand, and
/// a text is classified by its first page.
pub const SNIFF_LEN: usize = 4096;

/// Longest media type that a plugin may claim, in bytes.
pub const MAX_TYPE: usize = 128;

/// Returned for bytes that have no known signature and are not text.
pub const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file that starts with these bytes.
///
/// Text is never detected as a binary format, whatever letters it starts with. If a file is valid in two formats, it
/// has the type of the format that starts first.
///
/// ```
/// use forebay_core::media::sniff;
///
/// assert_eq!(sniff(b"%PDF-1.7\n"), "application/pdf");
/// assert_eq!(sniff(b"just words"), "text/plain");
/// assert_eq!(sniff(b"BMW sales by month"), "text/plain");
/// ```
pub fn sniff(head: &[u8]) -> &'static str {
    let head = head.get(..SNIFF_LEN).unwrap_or(head);
    if let Some(text) = text::decode(head) {
        return first(|signature| match signature {
            Signature::Either(check) => check(head),
            Signature::Text(check) => check(&text),
            _ => false,
        })
        .unwrap_or("text/plain");
    }
    if let Some(text) = text::decode_legacy(head) {
        let plain = || text::is_mostly_ascii(head).then_some("text/plain");
        return first(|signature| match signature {
            Signature::Either(check) => check(head),
            Signature::Text(check) => check(&text),
            _ => false,
        })
        .or_else(plain)
        .unwrap_or(UNKNOWN);
    }
    first(|signature| match signature {
        Signature::Starts(bytes) => head.starts_with(bytes),
        Signature::Binary(check) | Signature::Either(check) => check(head),
        Signature::Infer(extension) => infer::is(head, extension),
        Signature::Text(_) | Signature::None => false,
    })
    .unwrap_or(UNKNOWN)
}

fn first(matches: impl Fn(&Signature) -> bool) -> Option<&'static str> {
    let row = TABLE.iter().find(|row| matches(&row.signature))?;
    Some(row.media_type)
}

/// The usual name of a media type, given one of its other names such as `image/jpg`. Unknown types stay as they are.
pub fn canonical(media_type: &str) -> &str {
    by_type(media_type).map_or(media_type, |row| row.media_type)
}

/// The type of an output, from its bytes. The type that the plugin claims is used only for formats without a signature
/// (kinds of plain text, raw data).
pub fn settle<'a>(sniffed: &'a str, claimed: &'a str) -> &'a str {
    let is_type = claimed.len() <= MAX_TYPE && is_range(claimed) && !claimed.contains('*');
    let text = sniffed != UNKNOWN && by_type(sniffed).is_some_and(is_general_text);
    let possible = match by_type(claimed).map(|row| row.signature) {
        None | Some(Signature::None) => true,
        // A fragment of HTML is HTML, although it does not start like a document.
        Some(Signature::Text(_)) => text,
        Some(_) => false,
    };
    if (text || sniffed == UNKNOWN) && is_type && claimed != UNKNOWN && possible {
        claimed
    } else {
        sniffed
    }
}

/// Whether a type describes only the syntax of a text, so that a more specific type may replace it.
fn is_general_text(row: &Row) -> bool {
    row.family == Family::Text && !matches!(row.media_type, "image/svg+xml" | "text/html")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn types_come_from_bytes() {
        let mut webm = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm".to_vec();
        webm.resize(400, 0);
        for (head, expected) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..], "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"GIF89a\x01\0\x01\0", "image/gif"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
            (b"RIFF\x24\0\0\0WEBPVP8L", "image/webp"),
            (b"\0\0\0\x20ftypisom\0\0\0\0", "video/mp4"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
            (b"ID3\x04\0\0\0\0\0\0", "audio/mpeg"),
            (b"%PDF-1.4", "application/pdf"),
            (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
            (b"{\\rtf1\\ansi caf\xe9}", "application/rtf"),
            (b"\0asm\x0d\0\x01\0", "application/wasm"),
            (&webm, "video/webm"),
            (
                b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
                "application/x-subrip",
            ),
            (
                b"1\n00:00:01,000 --> 00:00:02,000\nCaf\xe9\n",
                "application/x-subrip",
            ),
            (b"\xff\xfe1\0\n\0", "text/plain"),
            (b"<!DOCTYPE html><title>Not found</title>", "text/html"),
            (b"<?xml version=\"1.0\"?><note/>", "text/xml"),
            (
                b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
                "image/svg+xml",
            ),
            (b"{\"a\": 1}", "application/json"),
            ("caf\u{e9}\n".as_bytes(), "text/plain"),
            (b"caf\xe9 au lait\n", "text/plain"),
            (b"ca\xc3", "text/plain"),
            (b"\0\x01\x02", UNKNOWN),
            (b"\xe9\xe8\xe7\xe0", UNKNOWN),
            (b"", UNKNOWN),
        ] {
            assert_eq!(sniff(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn text_that_starts_as_a_binary_format_is_text() {
        for text in [
            "Notes on file types\n\nA file that opens with %PDF- is a PDF.\n",
            "Notes\n%PDF-1.4\n1 0 obj\n",
            "%PDF",
            "BMW sales by month\n2024,1,2\n",
            "GIFT IDEAS\n- socks\n",
            "GIF89a is the second version",
            "ID3 tags explained",
            "MZ was his mark",
            "PK is short for Phil Katz",
            "BZh",
            "fLaC",
            "OggS",
            "RIFF----WAVE",
            "MThd",
            "DSD is a format",
            "MAC addresses",
            "FWS and CWS",
            "BC 300",
            "L\u{1}"[..1].as_ref(),
            "SQLite format 3",
            "SQLi attacks",
            "LZIP",
            "8BPS",
            "Cr24",
            "NES games",
            "OTTO went home",
            "wOFF",
            "MSCF",
            "AC1015 is AutoCAD 2000",
            "070701 is a date",
            "xxxxftypisom",
            "xxxxmoov",
            "xxxxmdat",
            "#!AMR\n",
            "gimp xcf file",
            "FUJIFILMCCD-RAW is a header",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            for head in [
                text.to_owned(),
                format!("\u{feff}{text}"),
                format!("{text}\nr\u{e9}sum\u{e9}\n"),
            ] {
                assert_eq!(sniff(head.as_bytes()), "text/plain", "{head}");
            }
            // Every prefix of it is plain text, too.
            for cut in 1..text.len() {
                assert_eq!(
                    sniff(&text.as_bytes()[..cut]),
                    "text/plain",
                    "{text} up to {cut}"
                );
            }
            let latin = [text.as_bytes(), b"\nr\xe9sum\xe9\n"].concat();
            assert_eq!(sniff(&latin), "text/plain", "{text} in Latin-1");
        }
    }

    #[test]
    fn a_polyglot_is_what_its_first_format_is() {
        let join = |a: &[u8], b: &[u8]| [a, b].concat();
        let pdf = b"\n%PDF-1.4\n%\xe2\xe3\xcf\xd3\n";
        assert_eq!(
            sniff(&join(b"\xff\xd8\xff\xe0\0\x10JFIF\0", pdf)),
            "image/jpeg"
        );
        assert_eq!(sniff(&join(b"GIF89a\x01\0\x01\0\0\0\0", pdf)), "image/gif");
        assert_eq!(
            sniff(&join(b"PK\x03\x04\x14\0\0\0", pdf)),
            "application/zip"
        );
        assert_eq!(sniff(&join(b"\0\0\0\x01", pdf)), "application/pdf");
        assert_eq!(
            sniff(&join(b"%PDF-1.4\n", b"PK\x03\x04")),
            "application/pdf"
        );
        assert_eq!(sniff(b"{\"html\": \"<html>\"}"), "application/json");
    }

    #[test]
    fn a_claim_counts_only_where_bytes_show_nothing() {
        assert_eq!(settle("image/png", "image/jpeg"), "image/png");
        assert_eq!(settle("text/plain", "image/jpeg"), "text/plain");
        assert_eq!(settle("text/plain", "text/vtt"), "text/vtt");
        assert_eq!(
            settle("application/json", "application/geo+json"),
            "application/geo+json"
        );
        assert_eq!(settle("text/html", "text/markdown"), "text/html");
        assert_eq!(settle(UNKNOWN, "application/x-own"), "application/x-own");
        assert_eq!(settle(UNKNOWN, "text/html"), UNKNOWN);
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
    fn other_names_of_a_type() {
        assert_eq!(canonical("audio/x-wav"), "audio/wav");
        assert_eq!(canonical("IMAGE/JPG"), "image/jpeg");
        assert_eq!(canonical("application/x-own"), "application/x-own");
    }
}
