//! Names of files: plain base names with an extension that fits the type.

use std::fmt;

use crate::text::is_plain;

/// Longest name, in bytes: what the common file systems take.
const MAX_NAME: usize = 255;

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameProblem {
    /// It is empty.
    Empty,
    /// It has more than 255 bytes.
    TooLong,
    /// It holds a directory separator.
    Separator,
    /// It holds a control character, or one that changes the direction of the text.
    Control,
    /// The system reserves it.
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
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), NameProblem> {
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
/// assert_eq!(forebay_core::media::plain_name("holiday/../IMG\t1.jpg"), "IMG_1.jpg");
/// assert_eq!(forebay_core::media::plain_name("../.."), "file");
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
pub fn fit_name(name: &str, media_type: &str) -> String {
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
