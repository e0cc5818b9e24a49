//! ZIP, and the formats that are ZIP with agreed members: office documents, books, programs.

use super::{at, index, le16, le32};

/// What a ZIP contains, as far as its first members show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Kind {
    Word,
    Excel,
    PowerPoint,
    /// The type that the member `mimetype` names.
    Says(&'static str),
    Java,
    Android,
    Other,
}

/// Types that a member `mimetype` may name (OpenDocument 1.3, part 2, 3.3; EPUB 3.3, 4.2.2; OpenRaster).
const NAMED: [&str; 6] = [
    "application/epub+zip",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.graphics",
    "image/openraster",
];

/// The kind of a file that starts with these bytes.
pub(in crate::media) fn kind(head: &[u8]) -> Option<Kind> {
    // An empty archive, and the first part of a split one.
    if at(head, 0, b"PK\x05\x06") || at(head, 0, b"PK\x07\x08") || at(head, 0, b"PK00PK\x03\x04") {
        return Some(Kind::Other);
    }
    // The version that is needed to read it, usually 1.0 to 6.3.
    if !at(head, 0, b"PK\x03\x04") || le16(head, 4)? & 0xff > 99 {
        return None;
    }
    let members: Vec<&[u8]> = members(head).collect();
    let any = |start: &[u8]| members.iter().any(|name| name.starts_with(start));
    let Some(&first) = members.first() else {
        return Some(Kind::Other);
    };
    Some(match first {
        b"mimetype" => said(head).map_or(Kind::Other, Kind::Says),
        b"AndroidManifest.xml" => Kind::Android,
        _ if any(b"[Content_Types].xml") || any(b"_rels/.rels") => {
            let found = [
                (&b"word/"[..], Kind::Word),
                (b"xl/", Kind::Excel),
                (b"ppt/", Kind::PowerPoint),
            ];
            let found = found.iter().find(|(folder, _)| any(folder));
            found.map_or(Kind::Other, |(_, kind)| *kind)
        }
        _ if first.starts_with(b"META-INF/") && any(b"AndroidManifest.xml") => Kind::Android,
        _ if first.starts_with(b"META-INF/") => Kind::Java,
        _ => Kind::Other,
    })
}

/// The names of the members whose headers the head shows.
fn members(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = head
        .windows(4)
        .enumerate()
        .filter(|(_, window)| window == b"PK\x03\x04");
    starts.filter_map(|(start, _)| {
        let length = usize::from(le16(head, start + 26)?);
        let name = head.get(start + 30..)?;
        Some(name.get(..length).unwrap_or(name))
    })
}

/// The type that the first member, `mimetype`, names. The member is stored without compression.
fn said(head: &[u8]) -> Option<&'static str> {
    let start = 30 + usize::from(le16(head, 26)?) + usize::from(le16(head, 28)?);
    let content = head.get(start..)?;
    // The size is 0 if it is written only after the content. The content then ends at the next header, which starts
    // with `PK`.
    let length = match index(le32(head, 18)?) {
        0 => content.windows(2).position(|end| end == b"PK")?,
        length => length,
    };
    let text = content.get(..length)?.trim_ascii();
    NAMED.into_iter().find(|name| name.as_bytes() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(members: &[(&str, &str)]) -> Vec<u8> {
        let mut head = Vec::new();
        for (name, content) in members {
            head.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
            head.extend((content.len() as u32).to_le_bytes());
            head.extend((content.len() as u32).to_le_bytes());
            head.extend((name.len() as u16).to_le_bytes());
            head.extend([0, 0]);
            head.extend(name.as_bytes());
            head.extend(content.as_bytes());
        }
        head
    }

    #[test]
    fn members_tell_the_format() {
        let types = ("[Content_Types].xml", "…");
        for (members, expected) in [
            (
                &[types, ("_rels/.rels", ""), ("word/document.xml", "")][..],
                Kind::Word,
            ),
            (&[types, ("xl/workbook.xml", "")], Kind::Excel),
            (
                &[
                    ("_rels/.rels", ""),
                    ("docProps/app.xml", ""),
                    ("ppt/slides/", ""),
                ],
                Kind::PowerPoint,
            ),
            (&[types], Kind::Other),
            (&[("word/list.txt", "a folder of that name")], Kind::Other),
            (
                &[("mimetype", "application/epub+zip")],
                Kind::Says("application/epub+zip"),
            ),
            (
                &[("mimetype", "application/vnd.oasis.opendocument.text")],
                Kind::Says("application/vnd.oasis.opendocument.text"),
            ),
            (&[("mimetype", "application/x-new")], Kind::Other),
            (&[("META-INF/MANIFEST.MF", "")], Kind::Java),
            (&[("AndroidManifest.xml", "")], Kind::Android),
            (&[("photos/1.jpg", "")], Kind::Other),
        ] {
            assert_eq!(kind(&zip(members)), Some(expected), "{members:?}");
        }
        assert_eq!(kind(b"PK\x05\x06\0\0"), Some(Kind::Other));
        assert_eq!(kind(b"PK is short for Phil Katz"), None);
    }
}
