//! Untrusted text, made safe before it is shown.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character is allowed in a name or a message.
///
/// These are not allowed:
/// - characters that move a cursor or break a line: all controls, including U+0080 to U+009F, which some terminals
///   obey;
/// - characters that reverse the order of the text after them: Unicode's bidirectional controls. The known attack with
///   them is "Trojan Source", CVE-2021-42574;
/// - invisible characters, with which two names can look alike: zero-width, filler and tag characters. U+200C and
///   U+200D are allowed, because Persian and emoji need them.
pub fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line of at most `most` characters. Characters that are not [plain](is_plain) become spaces.
pub fn tidy(text: &str, most: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { ' ' })
        .take(most)
        .collect();
    line.trim().to_owned()
}

/// The text as one line. Characters that are not [plain](is_plain) are escaped: `\n`, `\u{202e}`.
///
/// ```
/// assert_eq!(forebay_core::text::one_line("a\nforebay: all is well\u{9b}1m"), r"a\nforebay: all is well\u{9b}1m");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_plain(c) {
            line.push(c);
        } else {
            match c {
                '\n' | '\r' | '\t' => line.extend(c.escape_default()),
                c => line.extend(c.escape_unicode()),
            }
        }
    }
    line.into()
}

/// The text with its line breaks. Tabs become spaces, and each line is then escaped as by [`one_line`].
pub fn lines(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| one_line(&line.replace('\t', " ")).into_owned())
        .collect();
    lines.join("\n")
}

/// JSON that is safe to show on a terminal. Characters in its strings that are not [plain](is_plain) become `\uXXXX`.
/// Its value stays the same.
pub fn json(json: &str) -> Cow<'_, str> {
    let is_layout = |c: char| matches!(c, '\n' | '\r' | '\t');
    if json.chars().all(|c| is_plain(c) || is_layout(c)) {
        return json.into();
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_plain(c) || is_layout(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string never fails.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_line_around() {
        assert_eq!(
            tidy("\x1b[31mred\r\nnext\u{202e}fdp.\u{2066}", 80),
            "[31mred  next fdp."
        );
        assert_eq!(
            tidy("شماره\u{200c}ها 👨\u{200d}👩\u{200d}👧 naïve", 80),
            "شماره\u{200c}ها 👨\u{200d}👩\u{200d}👧 naïve"
        );
        assert_eq!(tidy(&"x".repeat(100), 10), "x".repeat(10));
        for c in [
            '\u{9b}',
            '\u{85}',
            '\u{61c}',
            '\u{200e}',
            '\u{200f}',
            '\u{200b}',
            '\u{2060}',
            '\u{e0041}',
            '\u{3164}',
        ] {
            assert!(!is_plain(c), "{c:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_escaped() {
        assert_eq!(
            one_line("a\u{1b}[31mb\nc\u{202e}\t\r"),
            r"a\u{1b}[31mb\nc\u{202e}\t\r"
        );
        assert_eq!(lines("a\tb\nc\u{9b}d\n"), "a b\nc\\u{9b}d\n");
        assert!(matches!(one_line("as it is \u{e9}"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{9b}1m", "\u{e0041}", "é\n"] });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let escaped = json(&text);
        assert!(escaped.contains(r"\u202e") && escaped.contains(r"\udb40\udc41"));
        assert!(escaped.chars().all(|c| is_plain(c) || c == '\n'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).unwrap(),
            value
        );
    }
}
