//! One indirect object, and the data of a stream (ISO 32000-2, 7.3.8 and 7.3.10).

use std::ops::Range;

use lopdf::{Dictionary, Object, Stream};

use super::lexer::{Lexer, Unreadable, is_space};

/// How many bytes after the data of a stream are searched for its end.
const MAX_BLANKS: usize = 32;

/// An indirect object as it is in the file.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) number: u32,
    pub(super) generation: u16,
    /// The object. Of a stream, it is the dictionary.
    pub(super) object: Object,
    /// Offset of the data, if the object is a stream.
    pub(super) data: Option<usize>,
    /// Offset of the first byte after the bytes that were read.
    pub(super) end: usize,
}

/// Reads the object at an offset. Its value must end before `limit`.
pub(super) fn parse(bytes: &[u8], at: usize, limit: usize) -> Result<Parsed, Unreadable> {
    let mut lexer = Lexer::new(bytes.get(..limit).unwrap_or(bytes), at);
    let (number, generation) = lexer.take_header().ok_or(Unreadable)?;
    let mut ahead = lexer;
    // An object without a value is null.
    let object = if ahead.take(b"endobj") {
        Object::Null
    } else {
        lexer.value()?
    };
    let end = lexer.position();
    let mut lexer = Lexer::new(bytes, end);
    let data = (object.as_dict().is_ok() && lexer.take(b"stream"))
        .then(|| first_byte(bytes, lexer.position()));
    Ok(Parsed {
        number,
        generation,
        object,
        data,
        end: data.unwrap_or(end),
    })
}

/// The offset of the data after `stream`: after the end of that line. A single CR counts as an end of line.
fn first_byte(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let blanks = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    match rest.get(blanks..) {
        Some([b'\r', b'\n', ..]) => at + blanks + 2,
        Some([b'\r' | b'\n', ..]) => at + blanks + 1,
        _ => at,
    }
}

/// The data of a stream that begins at `start`. The length is used if `endstream` follows the data. If not, the data
/// ends before the next `endstream`, which `search` finds. Some producers write only `endobj`.
pub(super) fn extent(
    bytes: &[u8],
    start: usize,
    length: Option<usize>,
    search: impl FnOnce() -> Option<usize>,
) -> Option<Range<usize>> {
    let announced = length
        .and_then(|length| start.checked_add(length))
        .filter(|end| *end <= bytes.len());
    let behind = |end: usize| {
        let rest = bytes.get(end..).unwrap_or_default();
        rest.get(..rest.len().min(MAX_BLANKS)).unwrap_or(rest)
    };
    let is_right = |end: &usize| {
        let blanks = behind(*end).iter().take_while(|byte| is_space(**byte));
        let word = end + blanks.count();
        bytes
            .get(word..)
            .unwrap_or_default()
            .starts_with(b"endstream")
    };
    if let Some(end) = announced.filter(is_right) {
        return Some(start..end);
    }
    let found = search();
    // Only `endobj`, or `endobj` after a word that should be `endstream`.
    let is_likely = |end: &usize| {
        memchr::memmem::find(behind(*end), b"endobj")
            .is_some_and(|at| found.is_none_or(|found| found > end + at))
    };
    if let Some(end) = announced.filter(is_likely) {
        return Some(start..end);
    }
    let end = found?;
    let data = bytes.get(start..end)?;
    let line = match data {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    };
    Some(start..end - line)
}

/// Decodes the data of a stream to at most `limit` bytes.
pub(super) fn decode(
    dictionary: &Dictionary,
    data: &[u8],
    limit: usize,
) -> Result<Vec<u8>, Unreadable> {
    let mut dictionary = dictionary.clone();
    match dictionary.get_mut(b"Filter") {
        Ok(Object::Array(filters)) => filters.iter_mut().for_each(spell_out),
        Ok(filter) => spell_out(filter),
        Err(_) => {}
    }
    Stream::new(dictionary, data.to_vec())
        .get_plain_content_with_limit(limit)
        .map_err(|_| Unreadable)
}

/// Replaces the short names of filters by the long ones. Short names are meant for inline images (ISO 32000-2, table
/// 92), but some producers use them everywhere.
fn spell_out(filter: &mut Object) {
    if let Object::Name(name) = filter {
        let long: &[u8] = match name.as_slice() {
            b"AHx" => b"ASCIIHexDecode",
            b"A85" => b"ASCII85Decode",
            b"LZW" => b"LZWDecode",
            b"Fl" => b"FlateDecode",
            b"RL" => b"RunLengthDecode",
            _ => return,
        };
        *name = long.to_vec();
    }
}
