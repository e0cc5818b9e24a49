//! One indirect object, and the data of a stream (ISO 32000-2, 7.3.8 and 7.3.10).

use std::ops::Range;

use lopdf::{Dictionary, Object, Stream};

use super::lexer::{Lexer, Unreadable, is_space};

/// An indirect object as it stands in the file.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) number: u32,
    pub(super) generation: u16,
    /// The object; the dictionary of a stream.
    pub(super) object: Object,
    /// Where the data of a stream begins.
    pub(super) data: Option<usize>,
    /// The first byte behind what was read.
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

/// The first byte of the data behind `stream`: after the end of that line, where a lone CR counts as such.
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

/// The data of a stream that begins at `start`. The length counts if `endstream` follows it. If not, the data ends
/// before the next `endstream`, which `search` finds; some producers write `endobj` alone.
pub(super) fn extent(
    bytes: &[u8],
    start: usize,
    length: Option<usize>,
    search: impl FnOnce() -> Option<usize>,
) -> Option<Range<usize>> {
    let announced = length
        .and_then(|length| start.checked_add(length))
        .filter(|end| *end <= bytes.len());
    let is_followed_by = |end: usize, word: &[u8]| {
        let rest = bytes.get(end..).unwrap_or_default();
        let blanks = rest
            .iter()
            .take(8)
            .take_while(|byte| is_space(**byte))
            .count();
        rest.get(blanks..).unwrap_or_default().starts_with(word)
    };
    if let Some(end) = announced.filter(|end| is_followed_by(*end, b"endstream")) {
        return Some(start..end);
    }
    let found = search();
    if let Some(end) = announced.filter(|end| is_followed_by(*end, b"endobj"))
        && found.is_none_or(|found| found > end)
    {
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
    Stream::new(dictionary.clone(), data.to_vec())
        .get_plain_content_with_limit(limit)
        .map_err(|_| Unreadable)
}
