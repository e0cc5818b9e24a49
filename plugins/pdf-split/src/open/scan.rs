//! Finds the objects of a file without its cross-reference data, as readers do when that data is damaged.
//!
//! The last object with a number counts. The data of streams is skipped, so bytes in it are never read as objects.

use std::collections::{BTreeMap, BTreeSet};

use lopdf::{Dictionary, Object};
use memchr::memmem;

use super::lexer::{Lexer, is_space};
use super::stream;

/// The contents of a file.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The generation and the offset of each object.
    pub(super) objects: BTreeMap<u32, (u16, usize)>,
    /// Objects whose last version cannot be read.
    pub(super) unreadable: BTreeSet<u32>,
    /// Object streams, in the order of the file.
    pub(super) containers: Vec<u32>,
    /// The last trailer that names a catalog, or a replacement for it.
    pub(super) trailer: Dictionary,
    /// Whether that trailer is the dictionary of a cross-reference stream.
    pub(super) is_stream: bool,
    /// Whether `startxref` or `%%EOF` comes after the last object.
    pub(super) has_end: bool,
}

/// Searches for objects and trailers from an offset on. `None` if that takes too long, which happens only with files
/// that are made for that purpose.
pub(super) fn scan(bytes: &[u8], from: usize) -> Option<Scan> {
    let mut scan = Scan::default();
    let mut catalog = None;
    let mut gap = from;
    let mut at = from;
    // A value without an end is read up to `endobj`, and its bytes are read again from the next object on.
    let mut left = bytes.len().saturating_mul(8).saturating_add(1 << 20);
    let mut object_end = 0;
    // From this offset on, there is no `endstream`.
    let mut no_end_from = usize::MAX;
    let finder = memmem::Finder::new(b"obj");
    while let Some(found) = bytes.get(at..).and_then(|rest| finder.find(rest)) {
        let word = at + found;
        at = word + 3;
        let Some(start) = header_before(bytes, word, gap) else {
            continue;
        };
        scan.trailers(bytes, gap, start);
        gap = at;
        if object_end < at {
            object_end = memmem::find(bytes.get(at..)?, b"endobj")
                .map_or(bytes.len(), |found| at + found + 6);
        }
        let Ok(parsed) = stream::parse(bytes, start, object_end) else {
            left = left.checked_sub(object_end - at)?;
            if let Some((number, _)) = Lexer::new(bytes, start).take_header() {
                scan.objects.remove(&number);
                scan.unreadable.insert(number);
            }
            continue;
        };
        at = parsed.end.max(at);
        if let Ok(dictionary) = parsed.object.as_dict() {
            if let Some(data) = parsed.data {
                let length = dictionary
                    .get(b"Length")
                    .and_then(Object::as_i64)
                    .ok()
                    .and_then(|length| usize::try_from(length).ok());
                let data = stream::extent(bytes, data, length, || {
                    if data >= no_end_from {
                        return None;
                    }
                    let end = memmem::find(bytes.get(data..)?, b"endstream").map(|at| data + at);
                    if end.is_none() {
                        no_end_from = data;
                    }
                    end
                });
                match data {
                    Some(data) => at = data.end.max(at),
                    None => {
                        scan.objects.remove(&parsed.number);
                        scan.unreadable.insert(parsed.number);
                        gap = at;
                        continue;
                    }
                }
                if dictionary.has_type(b"XRef") {
                    scan.offer_trailer(dictionary, true);
                } else if dictionary.has_type(b"ObjStm") {
                    scan.containers.push(parsed.number);
                }
            } else if dictionary.has_type(b"Catalog") {
                catalog = Some((parsed.number, parsed.generation));
            }
        }
        gap = at;
        scan.unreadable.remove(&parsed.number);
        scan.objects
            .insert(parsed.number, (parsed.generation, start));
    }
    scan.trailers(bytes, gap, bytes.len());
    let tail = bytes.get(gap..).unwrap_or_default();
    scan.has_end =
        memmem::find(tail, b"startxref").is_some() || memmem::find(tail, b"%%EOF").is_some();
    if !scan.trailer.has(b"Root")
        && let Some(catalog) = catalog
    {
        scan.trailer.set("Root", catalog);
    }
    Some(scan)
}

impl Scan {
    /// Reads the trailers between two objects.
    fn trailers(&mut self, bytes: &[u8], from: usize, to: usize) {
        let Some(gap) = bytes.get(from..to) else {
            return;
        };
        for found in memmem::find_iter(gap, b"trailer") {
            let mut lexer = Lexer::new(bytes.get(..to).unwrap_or_default(), from + found + 7);
            if let Ok(Object::Dictionary(trailer)) = lexer.value() {
                self.offer_trailer(&trailer, false);
            }
        }
    }

    /// The last trailer with a catalog counts. The encryption entries may be in another one.
    fn offer_trailer(&mut self, trailer: &Dictionary, is_stream: bool) {
        if trailer.has(b"Root") {
            let former = std::mem::replace(&mut self.trailer, trailer.clone());
            self.is_stream = is_stream;
            for key in [b"Encrypt".as_slice(), b"ID", b"Info"] {
                if let (false, Ok(value)) = (self.trailer.has(key), former.get(key)) {
                    self.trailer.set(key, value.clone());
                }
            }
        } else {
            for key in [b"Encrypt".as_slice(), b"ID"] {
                if let (false, Ok(value)) = (self.trailer.has(key), trailer.get(key)) {
                    self.trailer.set(key, value.clone());
                }
            }
        }
    }
}

/// The offset of the two numbers before the word `obj`, if they are there and begin at or after `from`.
fn header_before(bytes: &[u8], word: usize, from: usize) -> Option<usize> {
    /// The longest object number has ten digits. Some producers write zeros in front.
    const LONGEST: usize = 40;

    let start = word.saturating_sub(LONGEST).max(from);
    let before = bytes.get(start..word)?;
    let back = |end: usize, matches: fn(&u8) -> bool| {
        let run = before
            .get(..end)
            .unwrap_or_default()
            .iter()
            .rev()
            .take_while(|byte| matches(byte))
            .count();
        end - run
    };
    let space = |byte: &u8| is_space(*byte);
    let generation_end = back(before.len(), space);
    let generation = back(generation_end, u8::is_ascii_digit);
    let number_end = back(generation, space);
    let number = back(number_end, u8::is_ascii_digit);
    if generation == generation_end || number_end == generation || number == number_end {
        return None;
    }
    let head = before.get(..number).unwrap_or_default();
    let alone = match head.last() {
        None => start == from || start == 0,
        Some(byte) => {
            !super::lexer::is_regular(*byte)
                || head.ends_with(b"endobj")
                || head.ends_with(b"stream")
        }
    };
    alone.then_some(start + number)
}
