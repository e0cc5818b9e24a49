//! The cross-reference data of a file: tables, streams, or both in one file (ISO 32000-2, 7.5.4, 7.5.8).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

use lopdf::{Dictionary, Object};

use super::lexer::{Lexer, Unreadable};
use super::stream;

/// The most bytes that a cross-reference stream is decoded to: some ten million entries.
const MAX_DECODED: usize = 96 << 20;

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// At an offset from the header, or from the beginning of the file.
    At {
        offset: usize,
        generation: u16,
    },
    /// In an object stream.
    In {
        stream: u32,
    },
}

/// All sections together. The newest entry of each object counts.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) places: BTreeMap<u32, Place>,
    /// The newest trailer.
    pub(super) trailer: Dictionary,
    /// Whether the newest section is a stream.
    pub(super) is_stream: bool,
    /// Offset of the last `startxref` of the file.
    pub(super) end: usize,
}

impl Table {
    /// Whether an object is in use.
    pub(super) fn lists(&self, number: u32) -> bool {
        self.places
            .get(&number)
            .is_some_and(|place| *place != Place::Free)
    }
}

/// One section.
#[derive(Debug, Default)]
struct Section {
    entries: Vec<(u32, Place)>,
    trailer: Dictionary,
    is_stream: bool,
    /// How many bytes of the file it takes.
    length: usize,
}

/// Reads the data that the last `startxref` points to, and all earlier sections. Offsets count from `base`.
pub(super) fn read(bytes: &[u8], base: usize) -> Result<Table, Unreadable> {
    let end = memchr::memmem::rfind(bytes, b"startxref").ok_or(Unreadable)?;
    let mut lexer = Lexer::new(bytes, end);
    lexer.take(b"startxref");
    let mut next = lexer
        .take_unsigned()
        .and_then(|offset| usize::try_from(offset).ok());
    let mut table = Table {
        end,
        ..Table::default()
    };
    let mut seen = HashSet::new();
    // Sections do not overlap, so together they are no larger than the file. This bounds their number.
    let mut left = bytes.len();
    // An object takes at least two bytes in an object stream, which may be compressed by a factor of a thousand.
    let mut entries_left = (1 << 20) + bytes.len();
    while let Some(offset) = next {
        if !seen.insert(offset) {
            break;
        }
        let mut section = read_section(bytes, base.checked_add(offset).ok_or(Unreadable)?)?;
        left = left.checked_sub(section.length).ok_or(Unreadable)?;
        if let Some(offset) =
            offset_under(&section.trailer, b"XRefStm").filter(|_| !section.is_stream)
        {
            // A hybrid file: the table marks the objects of the stream as free (7.5.8.4).
            let hidden = read_section(bytes, base.checked_add(offset).ok_or(Unreadable)?)?;
            left = left.checked_sub(hidden.length).ok_or(Unreadable)?;
            section.entries.retain(|(_, place)| *place != Place::Free);
            section.entries.extend(hidden.entries);
        }
        entries_left = entries_left
            .checked_sub(section.entries.len())
            .ok_or(Unreadable)?;
        for (number, place) in section.entries {
            if let Entry::Vacant(entry) = table.places.entry(number) {
                entry.insert(place);
            }
        }
        next = offset_under(&section.trailer, b"Prev");
        if seen.len() == 1 {
            table.is_stream = section.is_stream;
            table.trailer = section.trailer;
        }
    }
    if table.trailer.has(b"Root") {
        Ok(table)
    } else {
        Err(Unreadable)
    }
}

fn offset_under(trailer: &Dictionary, key: &[u8]) -> Option<usize> {
    match trailer.get(key).ok()? {
        Object::Integer(offset) => usize::try_from(*offset).ok(),
        // Some producers write a real number, such as `0.0`.
        _ => None,
    }
}

fn read_section(bytes: &[u8], at: usize) -> Result<Section, Unreadable> {
    let mut lexer = Lexer::new(bytes, at);
    if lexer.take(b"xref") {
        read_table(lexer, at)
    } else {
        read_stream(bytes, at)
    }
}

fn read_table(mut lexer: Lexer<'_>, at: usize) -> Result<Section, Unreadable> {
    let mut section = Section::default();
    while !lexer.take(b"trailer") {
        let first = lexer.take_unsigned().ok_or(Unreadable)?;
        let count = lexer.take_unsigned().ok_or(Unreadable)?;
        for number in first..first.saturating_add(count) {
            let mut ahead = lexer;
            // There are fewer entries than announced: the trailer or the next subsection comes early.
            let (Some(offset), Some(generation)) = (ahead.take_unsigned(), ahead.take_unsigned())
            else {
                break;
            };
            let place = if ahead.take_keyword(b"n") {
                in_use(offset, generation)
            } else if ahead.take_keyword(b"f") {
                Place::Free
            } else {
                break;
            };
            lexer = ahead;
            section
                .entries
                .push((u32::try_from(number).map_err(|_| Unreadable)?, place));
        }
    }
    section.trailer = match lexer.value()? {
        Object::Dictionary(trailer) => trailer,
        _ => return Err(Unreadable),
    };
    section.length = lexer.position().saturating_sub(at);
    Ok(section)
}

/// Some producers write unused numbers as objects in use at offset 0, where the header is.
fn in_use(offset: u64, generation: u64) -> Place {
    match (usize::try_from(offset), u16::try_from(generation)) {
        (Ok(0), _) => Place::Free,
        (Ok(offset), Ok(generation)) => Place::At { offset, generation },
        _ => Place::At {
            offset: usize::MAX,
            generation: 0,
        },
    }
}

fn read_stream(bytes: &[u8], at: usize) -> Result<Section, Unreadable> {
    let parsed = stream::parse(bytes, at, bytes.len())?;
    let start = parsed.data.ok_or(Unreadable)?;
    let Object::Dictionary(dictionary) = parsed.object else {
        return Err(Unreadable);
    };
    if !dictionary.has_type(b"XRef") {
        return Err(Unreadable);
    }
    let length = offset_under(&dictionary, b"Length");
    let data = stream::extent(bytes, start, length, || {
        memchr::memmem::find(bytes.get(start..)?, b"endstream").map(|at| start + at)
    })
    .ok_or(Unreadable)?;
    let content = stream::decode(
        &dictionary,
        bytes.get(data.clone()).ok_or(Unreadable)?,
        MAX_DECODED,
    )?;

    let numbers = |key: &[u8]| -> Option<Vec<u64>> {
        dictionary
            .get(key)
            .ok()?
            .as_array()
            .ok()?
            .iter()
            .map(|number| {
                number
                    .as_i64()
                    .ok()
                    .and_then(|number| u64::try_from(number).ok())
            })
            .collect()
    };
    let widths = numbers(b"W").ok_or(Unreadable)?;
    let [kind, second, third] = widths.as_slice() else {
        return Err(Unreadable);
    };
    let width = |width: &u64| usize::try_from(*width).ok().filter(|width| *width <= 8);
    let (Some(kind), Some(second), Some(third)) = (width(kind), width(second), width(third)) else {
        return Err(Unreadable);
    };
    let size = kind + second + third;
    if size == 0 {
        return Err(Unreadable);
    }
    let index = numbers(b"Index").unwrap_or_else(|| vec![0, u64::MAX]);
    let mut rows = content.chunks_exact(size);
    let mut section = Section {
        is_stream: true,
        length: data.end.saturating_sub(at),
        ..Section::default()
    };
    'ranges: for range in index.chunks_exact(2) {
        let &[first, count] = range else { break };
        for number in first..first.saturating_add(count) {
            let Some(row) = rows.next() else {
                break 'ranges;
            };
            let (head, rest) = row.split_at(kind);
            let (middle, tail) = rest.split_at(second);
            let place = match if kind == 0 { 1 } else { big_endian(head) } {
                0 => Place::Free,
                1 => in_use(big_endian(middle), big_endian(tail)),
                2 => match u32::try_from(big_endian(middle)) {
                    Ok(stream) => Place::In { stream },
                    Err(_) => continue,
                },
                // The standard treats other types as null.
                _ => Place::Free,
            };
            let Ok(number) = u32::try_from(number) else {
                break 'ranges;
            };
            section.entries.push((number, place));
        }
    }
    section.trailer = dictionary;
    Ok(section)
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
