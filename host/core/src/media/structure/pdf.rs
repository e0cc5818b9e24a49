//! Where the header of a PDF may be.
//!
//! Readers accept a header anywhere in the first 1,024 bytes (PDF 1.7, Annex H, note 13). A text about PDF may have one
//! there, too. So a file is a PDF if it starts with the header, or if it has a header there and is not text.

use super::super::text;
use super::byte;

/// Last offset at which the header may start.
const LAST: usize = 1024;

/// Whether the file starts with a header. White space and a byte order mark in front are ignored. The form that
/// mentions PostScript first, `%!PS-Adobe-… PDF-1.…`, is a header as well (PDF 1.7, Annex H, note 14).
pub(in crate::media) fn starts(head: &[u8]) -> bool {
    let rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let rest = rest.trim_ascii_start();
    if header(rest).is_some() {
        return true;
    }
    let line = rest.split(|b| matches!(b, b'\r' | b'\n')).next();
    let mut words = line.unwrap_or_default().split(|b| *b == b' ');
    words
        .next()
        .is_some_and(|word| word.starts_with(b"%!PS-Adobe-"))
        && words.next().is_some_and(|word| word.starts_with(b"PDF-1."))
}

/// Whether there is a header after other bytes, in a file that is not text in UTF-8 or UTF-16.
pub(in crate::media) fn is_inside(head: &[u8]) -> bool {
    let mut start = 0;
    while let Some(rest) = head.get(start..)
        && start <= LAST
    {
        if let Some(after) = header(rest) {
            let before = head.get(..start).unwrap_or_default();
            if before.iter().any(is_control) || (at_line(before) && has_marker(after)) {
                return text::decode(head).is_none();
            }
        }
        start += 1;
    }
    false
}

/// The bytes after a header. `None` if these bytes do not start with one.
fn header(bytes: &[u8]) -> Option<&[u8]> {
    let after = bytes.strip_prefix(b"%PDF-")?;
    byte(after, 0)?.is_ascii_digit().then_some(after)
}

fn is_control(b: &u8) -> bool {
    b.is_ascii_control() && !b.is_ascii_whitespace()
}

fn at_line(before: &[u8]) -> bool {
    before
        .last()
        .is_none_or(|last| matches!(last, b'\r' | b'\n'))
}

/// Whether the second line is a comment of at least four bytes above 127, as the specification recommends (PDF 1.7,
/// 7.5.2). After text, such as the headers of an HTTP response, the header alone is not enough.
fn has_marker(after: &[u8]) -> bool {
    let second = after
        .split(|b| matches!(b, b'\r' | b'\n'))
        .skip(1)
        .find(|line| !line.is_empty());
    second
        .and_then(|line| line.strip_prefix(b"%"))
        .and_then(|comment| comment.get(..4))
        .is_some_and(|comment| comment.iter().all(|b| *b >= 0x80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_starts_with_a_header() {
        for yes in [
            &b"%PDF-1.7"[..],
            b"\n%PDF-1.4\n",
            b"\xef\xbb\xbf%PDF-2.0\r",
            b"%!PS-Adobe-3.0 PDF-1.4\n",
        ] {
            assert!(starts(yes), "{yes:?}");
        }
        for no in [
            &b"%PDF"[..],
            b"%PDF-",
            b"%PDF-files are",
            b"A %PDF-1.4",
            b"%!PS-Adobe-3.0 EPSF-3.0\n",
        ] {
            assert!(!starts(no), "{no:?}");
        }
    }

    #[test]
    fn a_header_behind_something_else() {
        let marked = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj";
        let join = |before: &[u8], rest: &[u8]| [before, rest].concat();
        assert!(is_inside(&join(b"HTTP/1.1 200 OK\r\n\r\n", marked)));
        assert!(is_inside(&join(&[b'x'; 1023], &join(b"\n", marked))));
        assert!(is_inside(&join(&[0; 128], b"%PDF-1.4 ")));
        assert!(
            !is_inside(&join(&[b'x'; 1024], &join(b"\n", marked))),
            "too late"
        );
        assert!(!is_inside(
            b"Caf\xe9 files begin with\n%PDF-1.4\nand a number\0"
        ));
        assert!(
            !is_inside(b"It says %PDF-1.4\n%\xe2\xe3\xcf\xd3\n"),
            "not at a line's start"
        );
    }
}
