//! Which files a stage is for.
//!
//! Promise: a file that a stage is not for passes it unchanged, and is never refused because of its type.

use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;
use forebay_core::FileInfo;
use forebay_core::media;
use globset::{GlobBuilder, GlobMatcher};

/// Which files a stage is for. Other files pass the stage by.
///
/// The text has items with commas between them:
///
/// | item | files |
/// |---|---|
/// | `image/*`, `image/png` | of these media types |
/// | `*.heic`, `scan-?.pdf` | with such names, in upper or lower case; `*`, `?`, `[…]` as in a shell |
/// | `>5MB`, `<1GiB` | larger, or smaller, than this |
///
/// A file needs to fit one of the types and names, if there are any, and all of the sizes. The type is the one that the
/// bytes show when the file reaches the stage, and the name is the one that it has then.
///
/// ```
/// use forebay::When;
///
/// let when: When = "image/*, *.heic, >1MB".parse()?;
/// assert_eq!(when.to_string(), "image/*, *.heic, >1MB");
/// assert!("image".parse::<When>().is_err());
/// # Ok::<_, forebay::WhenError>(())
/// ```
#[derive(Debug, Clone)]
pub struct When {
    text: String,
    types: Vec<String>,
    names: Vec<GlobMatcher>,
    sizes: Vec<Bound>,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Over(u64),
    Under(u64),
}

/// The text of a [`When`] that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{item}` tells no files: write a media type (image/*), a name (*.heic) or a size (>5MB, <1GiB){problem}"
)]
pub struct WhenError {
    item: String,
    problem: String,
}

impl WhenError {
    fn new(item: &str, problem: impl fmt::Display) -> Self {
        let problem = problem.to_string();
        Self {
            item: item.to_owned(),
            problem: if problem.is_empty() {
                problem
            } else {
                format!(" ({problem})")
            },
        }
    }
}

impl FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        let mut when = Self {
            text: String::new(),
            types: Vec::new(),
            names: Vec::new(),
            sizes: Vec::new(),
        };
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        for item in &items {
            when.add(item)?;
        }
        when.text = items.join(", ");
        Ok(when)
    }
}

impl When {
    fn add(&mut self, item: &str) -> Result<(), WhenError> {
        let bytes = |size: &str| {
            let size: Result<ByteSize, String> = size.trim().parse();
            size.map(|size| size.as_u64())
                .map_err(|problem| WhenError::new(item, problem))
        };
        if let Some(size) = item.strip_prefix('>') {
            self.sizes.push(Bound::Over(bytes(size)?));
        } else if let Some(size) = item.strip_prefix('<') {
            self.sizes.push(Bound::Under(bytes(size)?));
        } else if item.contains('/') {
            if !media::is_range(item) {
                return Err(WhenError::new(item, ""));
            }
            self.types.push(item.to_ascii_lowercase());
        } else if item.contains(['*', '?', '[', '.']) {
            let glob = GlobBuilder::new(item).case_insensitive(true).build();
            let glob = glob.map_err(|error| WhenError::new(item, error.kind()))?;
            self.names.push(glob.compile_matcher());
        } else {
            return Err(WhenError::new(item, ""));
        }
        Ok(())
    }

    /// Whether the stage is for this file. `None` if only its size could tell, and that is not known.
    pub fn fits(&self, file: &FileInfo) -> Option<bool> {
        let any = self.types.is_empty() && self.names.is_empty();
        let is_type = |range: &String| media::in_range(&file.media_type, range);
        let is_name = |glob: &GlobMatcher| glob.is_match(&file.name);
        if !any && !self.types.iter().any(is_type) && !self.names.iter().any(is_name) {
            return Some(false);
        }
        if self.sizes.is_empty() {
            return Some(true);
        }
        let size = file.size?;
        Some(self.sizes.iter().all(|bound| match *bound {
            Bound::Over(least) => size > least,
            Bound::Under(most) => size < most,
        }))
    }

    /// The ranges of types of the files, if types alone tell: `None` if a name can make a file of any type fit.
    pub(super) fn ranges(&self) -> Option<&[String]> {
        (self.names.is_empty() && !self.types.is_empty()).then_some(&*self.types)
    }

    /// Whether files of every type in this range fit, whatever their names and sizes.
    pub(super) fn takes_all_of(&self, range: &str) -> bool {
        let any = self.types.is_empty() && self.names.is_empty();
        self.sizes.is_empty() && (any || self.types.iter().any(|own| media::in_range(range, own)))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn fits(when: &str, name: &str, media_type: &str, size: Option<u64>) -> Option<bool> {
        let info = FileInfo {
            name: name.into(),
            media_type: media_type.into(),
            size,
        };
        when.parse::<When>().unwrap().fits(&info)
    }

    #[test]
    fn one_of_types_and_names_and_all_sizes() {
        for (when, name, media_type, size, expected) in [
            ("image/*", "a.png", "image/png", None, Some(true)),
            ("image/*", "a.png", "video/mp4", None, Some(false)),
            ("IMAGE/PNG", "a", "image/png", None, Some(true)),
            (
                "*.heic",
                "IMG_1.HEIC",
                "application/octet-stream",
                None,
                Some(true),
            ),
            ("*.heic, image/png", "a.png", "image/png", None, Some(true)),
            (
                "scan-?.pdf",
                "scan-12.pdf",
                "application/pdf",
                None,
                Some(false),
            ),
            (">1kB", "a", "x/y", Some(1000), Some(false)),
            (">1kB", "a", "x/y", Some(1001), Some(true)),
            (">1kB, <2KiB", "a", "x/y", Some(2048), Some(false)),
            ("image/*, >1kB", "a", "image/gif", Some(5000), Some(true)),
            ("image/*, >1kB", "a", "image/gif", None, None),
            // A type that does not fit decides without the size.
            ("image/*, >1kB", "a", "audio/wav", None, Some(false)),
        ] {
            assert_eq!(
                fits(when, name, media_type, size),
                expected,
                "{when} {name}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_names_the_item() {
        for text in [
            "",
            "image",
            "image/*,",
            ">many",
            "a b/c",
            "[.pdf",
            "/",
            "image/png/x",
        ] {
            let error = text.parse::<When>().unwrap_err().to_string();
            assert!(error.contains("tells no files"), "{text}: {error}");
        }
        let error = "image/*, >5 bananas".parse::<When>().unwrap_err();
        assert!(
            error.to_string().starts_with("`>5 bananas` tells no files"),
            "{error}"
        );
    }
}
