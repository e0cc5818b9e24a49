//! Opens a document as other readers do (ISO 32000-2, 7.5).
//!
//! Cross-reference data is used if each of its entries leads to the object that it names. If not, the file is searched
//! for its objects. The result is used only if it is certainly complete: the file has an end, there are as many pages
//! as the page tree says, and all objects that they need exist. Otherwise the document is refused.
//!
//! Time and memory for reading are proportional to the size of the file, whatever its contents claim. No byte is read
//! as part of two objects, sections of cross-reference data must not overlap, and the decoded size of streams is
//! bounded.

mod crypt;
mod lexer;
mod needed;
mod objects;
mod scan;
mod stream;
mod table;

use std::collections::BTreeSet;

use forebay_plugin::Error;
use lopdf::Document;

use crate::document::damaged;
use needed::{Needed, needed};
use objects::Objects;
use table::Table;

/// How many bytes of the file are searched for its header. Other readers search 1,024 bytes.
const MAX_JUNK: usize = 1 << 16;

/// A document that was read, and what was repaired.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) document: Document,
    /// Whether its objects were found without its cross-reference data.
    pub(crate) is_rebuilt: bool,
    /// The numbers of objects that cannot be read. No page needs them.
    pub(crate) left_out: BTreeSet<u32>,
}

/// Reads a document. `password` is needed only if the document is encrypted with a password that is not empty.
///
/// # Errors
/// [`Error::InvalidInput`] when the document cannot be read in full, or the password is missing or wrong.
pub(crate) fn open(bytes: Vec<u8>, password: Option<&str>) -> Result<Opened, Error> {
    let (header, version) = header(&bytes);
    let table = table::read(&bytes, header)
        .ok()
        .map(|table| (header, table))
        .or_else(|| Some((0, table::read(&bytes, 0).ok().filter(|_| header > 0)?)));
    let listed = match &table {
        Some((base, table)) if !is_cut_short(&bytes, table)? => {
            Some(Objects::listed(&bytes, *base, table, password)?)
        }
        _ => None,
    };
    let is_sound = |objects: &Objects| {
        objects.lost.is_empty()
            && needed(&objects.objects, &objects.trailer)
                .is_some_and(|needed| needed.missing.is_empty())
    };
    let (objects, is_rebuilt) = match listed {
        Some(objects) if is_sound(&objects) => (objects, false),
        listed => repaired(
            &bytes,
            listed,
            table.as_ref().map(|(_, table)| table),
            password,
        )?,
    };
    let (mut document, left_out) = objects.into_document(bytes)?;
    document.version = version;
    if !left_out.is_empty() {
        let needed = needed(&document.objects, &document.trailer);
        if let Some(problem) = lacking(needed.as_ref(), &left_out) {
            return Err(damaged(problem));
        }
    }
    Ok(Opened {
        document,
        is_rebuilt,
        left_out,
    })
}

/// The objects to use if the table does not lead to all of them: those that are found without the table. Those of the
/// table are still used if the other objects are nowhere in the file and no page needs them.
fn repaired(
    bytes: &[u8],
    listed: Option<Objects>,
    table: Option<&Table>,
    password: Option<&str>,
) -> Result<(Objects, bool), Error> {
    let rebuilt = rebuilt(bytes, table, password);
    let Some(listed) = listed else {
        let rebuilt = rebuilt?.map_err(|problem| {
            damaged(format!(
                "its table of objects cannot be read, and without it, {problem}"
            ))
        })?;
        return Ok((rebuilt, true));
    };
    let needed = needed(&listed.objects, &listed.trailer);
    let problem = lacking(needed.as_ref(), &listed.lost);
    let absent = needed.iter().flat_map(|needed| &needed.missing);
    match (rebuilt, problem) {
        (Ok(Ok(rebuilt)), problem)
            if problem.is_some()
                || listed
                    .lost
                    .iter()
                    .chain(absent)
                    .any(|number| rebuilt.holds(*number)) =>
        {
            Ok((rebuilt, true))
        }
        (_, None) => Ok((listed, false)),
        (_, Some(problem)) => Err(damaged(problem)),
    }
}

/// The objects that are found without the table, or why it is not certain that they are all. An object that the table
/// does not list either is null.
fn rebuilt(
    bytes: &[u8],
    table: Option<&Table>,
    password: Option<&str>,
) -> Result<Result<Objects, String>, Error> {
    let scan = scan::scan(bytes, 0).ok_or_else(|| damaged("its objects do not end".into()))?;
    let objects = Objects::found(bytes, &scan, password)?;
    let Some(needed) = needed(&objects.objects, &objects.trailer) else {
        return Ok(Err("it has no page tree that can be read".into()));
    };
    if !scan.has_end {
        return Ok(Err("its end is missing".into()));
    }
    let was_there = |number: &&u32| table.is_none_or(|table| table.lists(**number));
    if let Some(number) = needed.missing.iter().find(was_there) {
        return Ok(Err(format!(
            "a page needs object {number}, which is missing"
        )));
    }
    Ok(match needed.count {
        Some(count) if count == needed.pages => Ok(objects),
        Some(count) => Err(format!("it has {} pages of {count}", needed.pages)),
        None => Err(format!(
            "it has {} pages and does not say how many there are",
            needed.pages
        )),
    })
}

/// What the pages lack if some objects do not exist.
fn lacking(needed: Option<&Needed>, lost: &BTreeSet<u32>) -> Option<String> {
    let Some(needed) = needed else {
        return Some("it has no page tree that can be read".into());
    };
    needed
        .missing
        .intersection(lost)
        .next()
        .map(|number| format!("object {number} cannot be read, and a page needs it"))
}

/// Whether there are objects after the last `startxref`. If so, the last change of the document was not written in
/// full.
fn is_cut_short(bytes: &[u8], table: &Table) -> Result<bool, Error> {
    let behind =
        scan::scan(bytes, table.end).ok_or_else(|| damaged("its objects do not end".into()))?;
    Ok(!behind.objects.is_empty())
}

/// The offset of the header, and the version in it. Without a header, the offset is 0.
fn header(bytes: &[u8]) -> (usize, String) {
    let head = bytes.get(..bytes.len().min(MAX_JUNK)).unwrap_or(bytes);
    let at = memchr::memmem::find(head, b"%PDF-");
    // `%!PS-Adobe-3.0 PDF-1.4` is a header, too.
    let version = at
        .map(|at| at + 5)
        .or_else(|| memchr::memmem::find(head, b" PDF-").map(|at| at + 5))
        .and_then(|at| head.get(at..at + 3))
        .map(|version| String::from_utf8_lossy(version).into_owned());
    (at.unwrap_or(0), version.unwrap_or_default())
}
