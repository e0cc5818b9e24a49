//! Text that strangers chose, before people see it.

/// Whether a character may stand in a name or a message: not one that moves a cursor, breaks a line, or turns the order of
/// what follows around (Unicode's bidirectional controls, of which "Trojan Source", CVE-2021-42574, is the known abuse).
pub fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One line of at most so many characters, all of them plain.
pub fn tidy(text: &str, most: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { ' ' })
        .take(most)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
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
    }
}
