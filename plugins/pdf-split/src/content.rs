//! Which resources a page's content uses (ISO 32000-2, 7.8.3).
//!
//! Many producers let all pages share one list of resources, with every picture of the document in it. A part gets only
//! what its content names. Names are looked for generously: whatever looks like a name anywhere in the decoded content
//! counts, so a resource may stay that is not used, but none goes that is.

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, Stream};

use crate::copy::Copier;
use crate::document::{Source, as_dictionary};

/// The most bytes that a content stream is decoded to. Maps and drawings reach some tens of MB; beyond, all resources
/// stay, as for content that cannot be decoded.
const MAX_CONTENT: usize = 64 << 20;

/// The most names that are kept of one page; beyond, all resources stay. Real pages use some hundreds.
const MAX_NAMES: usize = 100_000;

/// Resources that content draws with by name. `ColorSpace` and `ProcSet` hold nothing that a page shows, and a colour
/// space can apply without being named (8.6.5.6), so they stay whole.
const NAMED: [&[u8]; 6] = [
    b"ExtGState",
    b"Font",
    b"Pattern",
    b"Properties",
    b"Shading",
    b"XObject",
];

/// The categories that are copied.
const WHOLE: [&[u8]; 2] = [b"ColorSpace", b"ProcSet"];

/// The names in some content.
pub(crate) enum Used {
    These(HashSet<Vec<u8>>),
    /// It cannot be told.
    All,
}

/// The names that content streams use, with those of the forms, patterns and glyphs they draw that have no resources of
/// their own and so use the same.
pub(crate) fn used<'a>(
    source: &Source<'a>,
    mut streams: Vec<&'a Stream>,
    resources: &'a Dictionary,
) -> Result<Used, Error> {
    let mut names = HashSet::new();
    while let Some(stream) = streams.pop() {
        source.content(stream)?;
        let Ok(content) = stream.get_plain_content_with_limit(MAX_CONTENT) else {
            return Ok(Used::All);
        };
        for name in names_in(&content) {
            if names.contains(&name) {
                continue;
            }
            if names.len() == MAX_NAMES {
                return Ok(Used::All);
            }
            for category in [b"XObject".as_slice(), b"Pattern", b"Font", b"ExtGState"] {
                let Some(list) = source.dictionary(resources, category)? else {
                    continue;
                };
                let mut resource = source.get(list, &name)?;
                // A soft mask is drawn with a form of its own.
                if category == b"ExtGState"
                    && let Some(state) = as_dictionary(resource)
                    && let Some(mask) = source.dictionary(state, b"SMask")?
                {
                    resource = source.get(mask, b"G")?;
                }
                match resource {
                    Object::Stream(form) if draws(&form.dict) => streams.push(form),
                    Object::Dictionary(font) if !font.has(b"Resources") => {
                        streams.extend(glyphs(source, font)?)
                    }
                    _ => {}
                }
            }
            names.insert(name);
        }
    }
    Ok(Used::These(names))
}

/// Whether a stream is a form or a tiling pattern that uses the resources of what draws it.
fn draws(dictionary: &Dictionary) -> bool {
    let is_form = dictionary
        .get(b"Subtype")
        .and_then(Object::as_name)
        .is_ok_and(|name| name == b"Form");
    (is_form || dictionary.has(b"PatternType")) && !dictionary.has(b"Resources")
}

/// The glyph procedures of a Type 3 font.
fn glyphs<'a>(source: &Source<'a>, font: &'a Dictionary) -> Result<Vec<&'a Stream>, Error> {
    let mut streams = Vec::new();
    for (_, glyph) in source.dictionary(font, b"CharProcs")?.into_iter().flatten() {
        streams.extend(source.resolve(glyph)?.as_stream().ok());
    }
    Ok(streams)
}

/// The resources that a Type 3 font has for its glyphs, and what the glyphs use of them.
pub(crate) fn resources_of_glyphs<'a>(
    source: &Source<'a>,
    font: &'a Dictionary,
) -> Result<Option<(&'a Dictionary, Used)>, Error> {
    if !font.has(b"CharProcs") {
        return Ok(None);
    }
    let Some(resources) = source.dictionary(font, b"Resources")? else {
        return Ok(None);
    };
    let used = used(source, glyphs(source, font)?, resources)?;
    Ok(Some((resources, used)))
}

/// The content streams of a page.
pub(crate) fn streams<'a>(
    source: &Source<'a>,
    page: &'a Dictionary,
) -> Result<Vec<&'a Stream>, Error> {
    Ok(match source.get(page, b"Contents")? {
        Object::Stream(stream) => vec![stream],
        Object::Array(list) => {
            let mut streams = Vec::new();
            for item in list {
                streams.extend(source.resolve(item)?.as_stream().ok());
            }
            streams
        }
        _ => Vec::new(),
    })
}

/// Copies a resource dictionary, cut down to what is used.
pub(crate) fn copy_resources<'a>(
    copier: &mut Copier<'a, '_>,
    resources: &'a Dictionary,
    used: &Used,
) -> Result<Dictionary, Error> {
    let mut copy = Dictionary::new();
    for category in NAMED {
        let Some(list) = copier.source.dictionary(resources, category)? else {
            continue;
        };
        let mut kept = Dictionary::new();
        match used {
            Used::These(names) if names.len() < list.len() => {
                // A long list that is shared by many pages is not walked for each of them.
                let mut names: Vec<_> = names.iter().collect();
                names.sort_unstable();
                for name in names {
                    copier.copy_keys(list, &[name.as_slice()], &mut kept)?;
                }
            }
            Used::These(names) => {
                for (name, value) in list.iter().filter(|(name, _)| names.contains(*name)) {
                    copier.copy_value(name, value, &mut kept)?;
                }
            }
            Used::All => {
                for (name, value) in list {
                    copier.copy_value(name, value, &mut kept)?;
                }
            }
        }
        if !kept.is_empty() {
            copy.set(category, kept);
        }
    }
    copier.copy_keys(resources, &WHOLE, &mut copy)?;
    Ok(copy)
}

/// Copies what the text of form fields needs of a form's resources.
pub(crate) fn copy_fonts<'a>(
    copier: &mut Copier<'a, '_>,
    resources: &'a Dictionary,
) -> Result<Dictionary, Error> {
    let mut copy = Dictionary::new();
    copier.copy_keys(resources, &[b"Encoding", b"Font"], &mut copy)?;
    Ok(copy)
}

/// Whatever looks like a name (7.3.5), escapes decoded.
fn names_in(content: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let regular = |byte: &u8| {
        !matches!(
            byte,
            0 | b'\t'
                | b'\n'
                | 0x0c
                | b'\r'
                | b' '
                | b'('
                | b')'
                | b'<'
                | b'>'
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'/'
                | b'%'
        )
    };
    content
        .split(|byte| *byte == b'/')
        .skip(1)
        .map(move |rest| {
            let end = rest
                .iter()
                .position(|byte| !regular(byte))
                .unwrap_or(rest.len());
            let mut name = Vec::new();
            let mut rest = rest.get(..end).unwrap_or_default();
            while let Some((byte, tail)) = rest.split_first() {
                let digit =
                    |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
                match (byte, digit(0), digit(1)) {
                    (b'#', Some(high), Some(low)) => {
                        name.extend(u8::try_from(high << 4 | low));
                        rest = tail.get(2..).unwrap_or_default();
                    }
                    _ => {
                        name.push(*byte);
                        rest = tail;
                    }
                }
            }
            name
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let content = b"q /Im0 Do/F#31 12 Tf(a /string)Tj[/A/B]<</C/D>>BDC /\n/#zz/";
        let names: Vec<_> = names_in(content)
            .map(|name| String::from_utf8_lossy(&name).into_owned())
            .collect();
        assert_eq!(
            names,
            ["Im0", "F1", "string", "A", "B", "C", "D", "", "#zz", ""]
        );
    }
}
