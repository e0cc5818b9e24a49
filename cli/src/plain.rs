//! Makes text safe to print on a terminal. File names, reports and messages may contain any character.

/// Replaces characters that move the cursor or change the direction of the text. Line breaks stay.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                char::REPLACEMENT_CHARACTER
            }
            c => c,
        })
        .collect()
}

/// Like [`plain`], and puts the text on one line.
pub(crate) fn one_line(text: &str) -> String {
    plain(text).replace('\n', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(
            plain("a\u{1b}[31mb\nc\u{202e}"),
            "a\u{fffd}[31mb\nc\u{fffd}"
        );
        assert_eq!(
            one_line("a\nforebay: all is well"),
            "a\u{fffd}forebay: all is well"
        );
    }
}
