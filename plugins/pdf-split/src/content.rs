//! The names in content streams (ISO 32000-2, 7.8.2).
//!
//! Content is not parsed. Everything in the decoded bytes that looks like a name counts as one: also in text, in the
//! data of inline images and after unknown operators. So the names that are found include all that any reader can find,
//! and some more. If the bytes themselves are uncertain, the result is [`Unsure`].

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, Stream};

use crate::decode::{Sure, Unsure, decode};
use crate::document::Source;

/// The most names of one stream. Real pages use some hundreds.
const MAX_NAMES: usize = 100_000;

/// The most names in the cache of recently read streams. Each takes about 100 bytes.
const MAX_CACHED: usize = 200_000;

/// The names in one content stream.
pub(crate) struct Names {
    pub(crate) names: BTreeSet<Vec<u8>>,
    /// Whether the stream has no bytes at all.
    is_empty: bool,
    /// Whether it begins with bytes that could be the rest of a name.
    begins_open: bool,
    /// Whether it ends within a name.
    ends_open: bool,
}

/// Cache of the names in recently read streams, because forms and glyphs are drawn on many pages.
#[derive(Default)]
pub(crate) struct Cache {
    streams: RefCell<HashMap<*const Stream, Rc<Sure<Names>>>>,
    names: RefCell<usize>,
}

/// The names in a content stream.
pub(crate) fn names<'a>(source: &Source<'a>, stream: &'a Stream) -> Result<Rc<Sure<Names>>, Error> {
    // The address of a stream does not change while the document exists.
    let address = std::ptr::from_ref(stream);
    if let Some(known) = source.names.streams.borrow().get(&address) {
        return Ok(Rc::clone(known));
    }
    let names = Rc::new(decode(source, stream)?.and_then(|content| scan(&content)));
    let mut streams = source.names.streams.borrow_mut();
    let mut count = source.names.names.borrow_mut();
    *count += 1 + names.as_ref().as_ref().map_or(0, |names| names.names.len());
    if *count > MAX_CACHED {
        streams.clear();
        *count = 0;
    }
    streams.insert(address, Rc::clone(&names));
    Ok(names)
}

/// The content streams of a page.
pub(crate) fn streams<'a>(
    source: &Source<'a>,
    page: &'a Dictionary,
) -> Result<Sure<Vec<&'a Stream>>, Error> {
    match source.get(page, b"Contents")? {
        Object::Null => Ok(Ok(Vec::new())),
        Object::Stream(stream) => Ok(Ok(vec![stream])),
        Object::Array(list) => {
            let mut streams = Vec::with_capacity(list.len());
            for item in list {
                match source.resolve(item)? {
                    Object::Null => {}
                    Object::Stream(stream) => streams.push(stream),
                    _ => return Ok(Err(Unsure::Contents)),
                }
            }
            Ok(Ok(streams))
        }
        _ => Ok(Err(Unsure::Contents)),
    }
}

/// Whether no name can begin in one content stream of a page and end in the next. Some readers join the streams without
/// a separator.
pub(crate) fn names_are_whole<'a>(
    source: &Source<'a>,
    streams: &[&'a Stream],
) -> Result<Sure<()>, Error> {
    let mut open = false;
    for stream in streams {
        if let Ok(names) = names(source, stream)?.as_ref()
            && !names.is_empty
        {
            if open && names.begins_open {
                return Ok(Err(Unsure::SplitName));
            }
            open = names.ends_open;
        }
    }
    Ok(Ok(()))
}

fn scan(content: &[u8]) -> Sure<Names> {
    let mut names = BTreeSet::new();
    for (raw, name) in names_in(content) {
        // Before PDF 1.2 there were no escapes, and some readers still do not decode them.
        for name in [raw, &name] {
            if !names.contains(name) {
                names.insert(name.to_vec());
            }
        }
        if names.len() > MAX_NAMES {
            return Err(Unsure::TooMuch);
        }
    }
    let last = content.iter().rposition(|byte| !is_regular(*byte));
    Ok(Names {
        names,
        is_empty: content.is_empty(),
        begins_open: content.first().is_some_and(|byte| is_regular(*byte)),
        ends_open: last.and_then(|at| content.get(at)) == Some(&b'/'),
    })
}

/// Neither white space nor a delimiter (7.2.3).
fn is_regular(byte: u8) -> bool {
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
}

/// Everything that looks like a name (7.3.5): its raw bytes, and the name with escapes decoded.
fn names_in(content: &[u8]) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
    content.split(|byte| *byte == b'/').skip(1).map(|rest| {
        let end = rest
            .iter()
            .position(|byte| !is_regular(*byte))
            .unwrap_or(rest.len());
        let raw = rest.get(..end).unwrap_or_default();
        let mut name = Vec::new();
        let mut rest = raw;
        while let Some((byte, tail)) = rest.split_first() {
            let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
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
        (raw, name)
    })
}

/// The names in a short text that is also content, such as the default appearance of a field.
pub(crate) fn names_in_text(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    names_in(text).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let content =
            b"q /Im0 Do/F#31 12 Tf(a /string)Tj[/A/B]<</C/D>>BDC /\n/#zz BI ID \x00/\xff\x01EI";
        let names: Vec<_> = scan(content).unwrap().names.into_iter().collect();
        let wanted: [&[u8]; 11] = [
            b"",
            b"#zz",
            b"A",
            b"B",
            b"C",
            b"D",
            b"F#31",
            b"F1",
            b"Im0",
            b"string",
            b"\xff\x01EI",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn a_name_may_be_cut_by_the_end_of_a_stream() {
        for (content, begins, ends) in [
            ("", false, false),
            ("/Im", false, true),
            ("/", false, true),
            ("0 Do /Im0 ", true, false),
            (" /A(b", false, false),
        ] {
            let names = scan(content.as_bytes()).unwrap();
            assert_eq!(
                (names.begins_open, names.ends_open),
                (begins, ends),
                "{content}"
            );
        }
    }
}
