//! Checks of text that a client sends.

use super::api_error::ApiError;

/// Refuses a text field that is empty or holds only white space.
pub(crate) fn require_text(text: &str, param: &str) -> Result<(), ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::invalid(format!("a {param} is needed")).with_param(param));
    }
    Ok(())
}

/// A file name that is safe to show: the last part of a path, without control characters, of at most 255 characters.
pub(crate) fn clean_file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(255).collect();
    match clean.trim() {
        "" | "." | ".." => "untitled".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::clean_file_name;

    #[test]
    fn names_lose_folders_and_control_characters() {
        let cases = [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a b.pdf ", "a b.pdf"),
            ("a\0b\r\nc", "abc"),
            ("folder/", "untitled"),
            ("..", "untitled"),
            ("Grüße.pdf", "Grüße.pdf"),
        ];
        for (given, clean) in cases {
            assert_eq!(clean_file_name(given), clean);
        }
        assert_eq!(clean_file_name(&"ü".repeat(1000)).chars().count(), 255);
    }
}
