//! Decides what is text, and detects the kinds of text that have a signature.

use std::borrow::Cow;

use super::SNIFF_LEN;

/// The start of a file, decoded.
pub(super) struct Text<'a> {
    /// The text, without a byte order mark.
    pub(super) text: Cow<'a, str>,
    /// Whether this is the whole file.
    pub(super) whole: bool,
}

/// The first [`SNIFF_LEN`] bytes of a file as UTF-8, or as UTF-16 with a byte order mark. A character that is cut off
/// at the end of the head is ignored. `None` if there are control characters, or no bytes at all.
pub(super) fn decode(head: &[u8]) -> Option<Text<'_>> {
    let whole = head.len() < SNIFF_LEN;
    let text = match head {
        [] => return None,
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf_16(rest, u16::from_le_bytes)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf_16(rest, u16::from_be_bytes)?),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(utf_8(rest)?),
        _ => Cow::Borrowed(utf_8(head)?),
    };
    let text = Text { text, whole };
    // A head that is only the start of a character is not text.
    let started = head.len() >= 2 || !text.text.is_empty();
    (started && text.text.chars().all(is_text_char)).then_some(text)
}

/// Text in a legacy encoding of one or two bytes per character. Every byte is decoded as a character of Latin-1. Other
/// letters may be wrong, but ASCII is right. `None` if there are control characters.
pub(super) fn decode_legacy(head: &[u8]) -> Option<Text<'static>> {
    let is_text = !head.is_empty() && head.iter().all(|b| is_text_char(char::from(*b)));
    is_text.then(|| Text {
        text: head.iter().map(|b| char::from(*b)).collect(),
        whole: head.len() < SNIFF_LEN,
    })
}

/// Whether most bytes are ASCII, as they are in the languages of Western Europe.
pub(super) fn is_mostly_ascii(head: &[u8]) -> bool {
    head.iter().filter(|b| b.is_ascii()).count() * 4 >= head.len() * 3
}

/// Whether a character may be in a text. Of the C0 controls these may: bell and backspace, which old manuals have,
/// white space, and the escape character of terminals.
fn is_text_char(c: char) -> bool {
    !matches!(c, '\0'..='\x06' | '\x0e'..='\x1a' | '\x1c'..='\x1f' | '\x7f')
}

fn utf_8(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            let valid = bytes.get(..error.valid_up_to())?;
            std::str::from_utf8(valid).ok()
        }
        Err(_) => None,
    }
}

fn utf_16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Option<String> {
    let units = bytes
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok().map(read));
    let mut units = char::decode_utf16(units).peekable();
    let mut text = String::with_capacity(bytes.len());
    while let Some(unit) = units.next() {
        match unit {
            Ok(c) => text.push(c),
            Err(_) if units.peek().is_none() => break,
            Err(_) => return None,
        }
    }
    Some(text)
}

/// SubRip subtitles: a number, then a line with two times.
pub(super) fn is_subrip(text: &Text<'_>) -> bool {
    let mut lines = text
        .text
        .lines()
        .skip_while(|line| line.trim().is_empty())
        .map(str::trim);
    let number = lines.next().unwrap_or_default();
    !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && lines.next().is_some_and(|line| {
            line.split_once("-->")
                .is_some_and(|(start, end)| is_time(start.trim()) && is_time(end.trim()))
        })
}

/// Hours, minutes, seconds and their fraction, such as `00:00:01,000`. Coordinates may follow an end.
fn is_time(text: &str) -> bool {
    let time = text.split_whitespace().next().unwrap_or_default();
    let fields = time.split([':', ',', '.']);
    time.contains(':')
        && fields.clone().count() >= 3
        && fields.into_iter().all(|field| {
            !field.is_empty() && field.len() <= 3 && field.bytes().all(|b| b.is_ascii_digit())
        })
}

/// WebVTT (W3C, 4.1): the word, then white space or the end.
pub(super) fn is_vtt(text: &Text<'_>) -> bool {
    text.text
        .strip_prefix("WEBVTT")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// A script for a shell. Other interpreters' scripts are plain text, as Rust's `#![…]` is.
pub(super) fn is_shell_script(text: &Text<'_>) -> bool {
    let line = text.text.lines().next().unwrap_or_default();
    let Some(command) = line.strip_prefix("#!") else {
        return false;
    };
    let mut words = command.split_whitespace().map(|word| {
        let name = word.rsplit('/').next();
        name.unwrap_or(word)
    });
    let shells = [
        "sh", "bash", "dash", "ksh", "zsh", "ash", "fish", "csh", "tcsh",
    ];
    command.trim_start().starts_with('/')
        && match words.next() {
            Some("env") => words
                .find(|word| !word.starts_with('-'))
                .is_some_and(|word| shells.contains(&word)),
            Some(word) => shells.contains(&word),
            None => false,
        }
}

/// JSON (RFC 8259): an object or an array, valid as far as the head shows it. A single number or string is plain text.
pub(super) fn is_json(text: &Text<'_>) -> bool {
    let json = text.text.trim_start();
    if !json.starts_with(['{', '[']) {
        return false;
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(json) {
        Ok(_) => true,
        Err(error) => error.is_eof() && !text.whole,
    }
}

/// XML 1.0 with a declaration. Without one, XML cannot be distinguished from other text.
pub(super) fn is_xml(text: &Text<'_>) -> bool {
    text.text
        .trim_start()
        .strip_prefix("<?xml")
        .is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n']))
}

/// An SVG picture: XML whose first element is `svg`.
pub(super) fn is_svg(text: &Text<'_>) -> bool {
    first_element(&text.text).is_some_and(|name| name == "svg" || name == "svg:svg")
}

/// HTML: a document type, or a first element that browsers look for (WHATWG MIME Sniffing, 7.1).
pub(super) fn is_html(text: &Text<'_>) -> bool {
    const ELEMENTS: [&str; 16] = [
        "!doctype", "html", "head", "script", "iframe", "h1", "div", "font", "table", "a", "style",
        "title", "b", "body", "br", "p",
    ];
    !is_xml(text)
        && first_element(&text.text)
            .is_some_and(|name| ELEMENTS.iter().any(|e| name.eq_ignore_ascii_case(e)))
}

/// The name of the first element, after comments, instructions and the document type. A document type `html` counts as
/// an element.
fn first_element(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("<!--") {
            comment.split_once("-->")?.1
        } else if rest.starts_with("<?") {
            rest.split_once("?>")?.1
        } else if let Some(doctype) = rest
            .get(..9)
            .filter(|start| start.eq_ignore_ascii_case("<!doctype"))
        {
            let name = rest.get(9..)?.trim_start();
            if name
                .get(..4)
                .is_some_and(|n| n.eq_ignore_ascii_case("html"))
            {
                return doctype.get(1..);
            }
            // An internal subset, in brackets, contains declarations, which also end in `>`.
            let end = match (name.find('['), name.find('>')) {
                (Some(open), Some(close)) if open < close => name.find("]>")? + 2,
                (_, close) => close? + 1,
            };
            name.get(end..)?
        } else {
            break;
        }
        .trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let end = name.find([' ', '\t', '\r', '\n', '>', '/'])?;
    name.get(..end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn text(text: &str) -> Text<'_> {
        decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn text_in_several_encodings() {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let little: Vec<u8> = units("\u{feff}caf\u{e9} \u{1f600}")
            .iter()
            .flat_map(|u| u.to_le_bytes())
            .collect();
        let big: Vec<u8> = units("\u{feff}caf\u{e9} \u{1f600}")
            .iter()
            .flat_map(|u| u.to_be_bytes())
            .collect();
        for head in [&little[..], &big, "\u{feff}caf\u{e9} \u{1f600}".as_bytes()] {
            assert_eq!(decode(head).unwrap().text, "caf\u{e9} \u{1f600}");
            for cut in 2..head.len() {
                assert!(decode(&head[..cut]).is_some(), "{cut}");
            }
        }
        for no in [
            &b""[..],
            b"a\0b",
            b"\x01",
            b"caf\xe9 au lait",
            b"\xff\xfe\0\0",
            b"\xff\xfe\0\xd8a\0",
        ] {
            assert!(decode(no).is_none(), "{no:?}");
        }
        assert_eq!(decode_legacy(b"caf\xe9").unwrap().text, "caf\u{e9}");
        assert!(decode(b"\x1b[31mred\x1b[0m").is_some());
    }

    #[test]
    fn kinds_of_text() {
        assert!(is_subrip(&text(
            "1\r\n00:00:01,000 --> 00:00:02,000 X1:40\r\nHi"
        )));
        assert!(!is_subrip(&text("1\nsee: a --> b\n")) && !is_subrip(&text("1\n2\n")));
        assert!(is_vtt(&text("WEBVTT\n\n")) && !is_vtt(&text("WEBVTT-like")));
        assert!(
            is_shell_script(&text("#!/bin/sh\n"))
                && is_shell_script(&text("#! /usr/bin/env -S bash -e\n"))
        );
        for no in [
            "#!/usr/bin/env python3\n",
            "#![allow(dead_code)]\n",
            "#!sh\n",
            "#!/\n",
        ] {
            assert!(!is_shell_script(&text(no)), "{no}");
        }
    }

    #[test]
    fn json_is_checked_as_far_as_it_is_seen() {
        for yes in ["{}", " [1, 2]\n", "{\"a\": [true, null]}"] {
            assert!(is_json(&text(yes)), "{yes}");
        }
        for no in [
            "[section]\nkey=1",
            "[1] a footnote",
            "{name}",
            "[",
            "{}\n{}",
            "1",
            "\"a\"",
        ] {
            assert!(!is_json(&text(no)), "{no}");
        }
        let long = format!("[{}1]", "1, ".repeat(SNIFF_LEN));
        assert!(is_json(&decode(&long.as_bytes()[..SNIFF_LEN]).unwrap()));
    }

    #[test]
    fn markup() {
        for html in [
            "<!DOCTYPE html>",
            " <HTML lang=en>",
            "<!-- made by hand -->\n<body>",
            "<p align=center>",
        ] {
            assert!(is_html(&text(html)), "{html}");
        }
        for no in [
            "<abbr>",
            "<!-- markdownlint-disable -->\n# Title",
            "<",
            "<html",
            "<?xml version='1.0'?><html>",
        ] {
            assert!(!is_html(&text(no)), "{no}");
        }
        for svg in [
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "<?xml version=\"1.0\"?>\n<!-- a -->\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"a.dtd\" [\n<!ENTITY a \"b\">\n]>\n<svg>",
        ] {
            assert!(is_svg(&text(svg)), "{svg}");
        }
        assert!(!is_svg(&text("<svgx>")) && !is_svg(&text("<note>svg</note>")));
        assert!(is_xml(&text("<?xml version='1.0'?><note/>")) && !is_xml(&text("<?xmlish?>")));
    }
}
