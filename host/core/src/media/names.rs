//! Names of files: plain base names with an extension that fits the type.

use std::fmt;

use super::table::{Family, by_extension, by_type};
use crate::text::is_plain;

/// Longest name, in bytes: the limit of the common file systems.
const MAX_NAME: usize = 255;

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameProblem {
    /// It is empty.
    Empty,
    /// It has more than 255 bytes.
    TooLong,
    /// It contains a directory separator.
    Separator,
    /// It contains a character that is not [plain](is_plain), such as a control character, or one that changes the
    /// direction of the text.
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

/// Whether Windows reads this name as a device or as another name. Only the part before the first dot decides whether
/// it is a device. Dots and spaces at the end of a name are removed, which makes it another name.
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

/// A plain base name, made from the last part of a path. It is not a path, not reserved, has at most 255 bytes and no
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

/// Gives a name an extension that fits its media type.
///
/// A usual extension of the type stays, in upper or lower case. An extension of another type is replaced. Any other
/// extension is treated as part of the name, and the right extension is appended. If the bytes show only a container,
/// such as text or ZIP, the name may have the extension of any format in that container, so `notes.md` and `README`
/// stay. With an unknown type, the name stays as it is.
///
/// ```
/// use forebay_core::media::fit_name;
///
/// assert_eq!(fit_name("photo.png", "image/jpeg"), "photo.jpg");
/// assert_eq!(fit_name("report.2024", "application/pdf"), "report.2024.pdf");
/// assert_eq!(fit_name("notes.md", "text/plain"), "notes.md");
/// ```
pub fn fit_name(name: &str, media_type: &str) -> String {
    let Some(row) = by_type(media_type) else {
        return name.to_owned();
    };
    let (stem, extension) = split(name);
    let known = by_extension(extension).next().is_some();
    let in_family = row.family != Family::Own
        && (!known || by_extension(extension).any(|other| other.is_in(row.family)));
    if row.has_extension(extension) || in_family {
        return name.to_owned();
    }
    let stem = if known { stem } else { name };
    // `photo.jpg.png` is a JPEG: one extension is enough.
    if known && row.has_extension(split(stem).1) {
        return stem.to_owned();
    }
    let wanted = row.extensions.first().copied().unwrap_or_default();
    let mut stem = stem;
    while stem.len() + 1 + wanted.len() > MAX_NAME {
        let last = stem.char_indices().next_back().map_or(0, |(at, _)| at);
        stem = stem.get(..last).unwrap_or_default();
    }
    format!("{stem}.{wanted}")
}

/// A name's stem and its extension, which is empty if there is none.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, extension),
        _ => (name, ""),
    }
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
            (".png", "image/jpeg", ".png.jpg"),
            ("notes.md", "text/plain", "notes.md"),
            ("photo.JFIF", "image/jpeg", "photo.JFIF"),
            ("photo.jpg.png", "image/jpeg", "photo.jpg"),
            ("photo.xyz", "image/jpeg", "photo.xyz.jpg"),
            ("PHOTO.PNG", "image/jpeg", "PHOTO.jpg"),
            ("Dr. No", "video/mp4", "Dr. No.mp4"),
            ("report.2024", "application/pdf", "report.2024.pdf"),
            // Files whose extension is of another type than their bytes.
            ("photo.jpg", "text/html", "photo.html"),
            ("photo.jpg", "text/plain", "photo.txt"),
            ("photo.JPG", "application/json", "photo.json"),
            ("photo.jpg", "application/zip", "photo.zip"),
            ("photo.jpg", "application/x-executable", "photo.elf"),
            ("photo.jpg", "image/heic", "photo.heic"),
            ("page.html", "image/png", "page.png"),
            // Text of every kind.
            ("README", "text/plain", "README"),
            ("table.csv", "text/plain", "table.csv"),
            ("words.srt", "text/plain", "words.srt"),
            ("data.geojson", "application/json", "data.geojson"),
            ("README.md", "text/html", "README.md"),
            ("main.rs", "text/plain", "main.rs"),
            ("server.crt", "text/plain", "server.crt"),
            ("libm.so", "text/plain", "libm.so"),
            ("report.xls", "text/html", "report.html"),
            ("logo.ai", "application/pdf", "logo.ai"),
            ("words.txt", "application/x-subrip", "words.srt"),
            ("logo.SVG", "image/svg+xml", "logo.SVG"),
            // Containers.
            ("paper.docx", "application/zip", "paper.docx"),
            ("model.3mf", "application/zip", "model.3mf"),
            ("a.tar.gz", "application/gzip", "a.tar.gz"),
            ("libc.so.6", "application/x-executable", "libc.so.6"),
            ("forebay", "application/x-executable", "forebay"),
            ("shot.nef", "image/tiff", "shot.nef"),
            // Several types with one extension, and several extensions of one type.
            ("clip.m4v", "video/mp4", "clip.m4v"),
            ("song.m4a", "audio/mp4", "song.m4a"),
            ("song.m4a", "video/mp4", "song.m4a"),
            ("clip.MOV", "video/mp4", "clip.mp4"),
            ("clip.3gp", "video/mp4", "clip.3gp"),
            ("song.opus", "audio/ogg", "song.opus"),
            ("song.ogg", "video/ogg", "song.ogg"),
            ("photo.jpg", "application/octet-stream", "photo.jpg"),
            ("photo.jpg", "application/x-own", "photo.jpg"),
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
