//! Opens a document as other readers do (ISO 32000-2, 7.5).
//!
//! Cross-reference data is taken at its word where each of its entries leads to the object it names. If not, the file is
//! searched for its objects, and what is found counts if it is surely the whole: the file shows its end, the pages are as
//! many as the page tree says, and all that they need is there. Otherwise the document is refused.
//!
//! Reading takes time and memory in proportion to the file, whatever it says about itself: no byte is read as part of two
//! objects, sections of cross-reference data must not overlap, and what streams expand to is bounded.

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

/// How far into the file its header is looked for. Other readers look through 1,024 bytes.
const MAX_JUNK: usize = 1 << 16;

/// A document that was read, and what is to be said about it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) document: Document,
    /// Whether its objects were found without its cross-reference data.
    pub(crate) is_rebuilt: bool,
    /// The numbers of objects that cannot be read. No page needs them.
    pub(crate) left_out: BTreeSet<u32>,
}

/// Reads a document. Only what is encrypted with a password of its own needs `password`.
///
/// # Errors
/// [`Error::InvalidInput`] when the document cannot be read whole, or the password is missing or wrong.
pub(crate) fn open(bytes: Vec<u8>, password: Option<&str>) -> Result<Opened, Error> {
    let (header, version) = header(&bytes);
    let table = table::read(&bytes, header)
        .ok()
        .map(|table| (header, table))
        .or_else(|| Some((0, table::read(&bytes, 0).ok().filter(|_| header > 0)?)));
    let listed = match table {
        Some((base, table)) if !is_cut_short(&bytes, &table)? => {
            Some(Objects::listed(&bytes, base, &table, password)?)
        }
        _ => None,
    };
    let is_sound = |objects: &Objects| {
        objects.lost.is_empty() && needed(&objects.objects, &objects.trailer).is_some()
    };
    let (objects, is_rebuilt) = match listed {
        Some(objects) if is_sound(&objects) => (objects, false),
        listed => repaired(&bytes, listed, password)?,
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

/// What to go by when the table does not lead to all objects: what is found without it, or the table after all, when what
/// it does not lead to is nowhere and no page needs it.
fn repaired(
    bytes: &[u8],
    listed: Option<Objects>,
    password: Option<&str>,
) -> Result<(Objects, bool), Error> {
    let rebuilt = rebuilt(bytes, password);
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
    match (rebuilt, problem) {
        (Ok(Ok(rebuilt)), problem)
            if problem.is_some() || listed.lost.iter().any(|lost| rebuilt.holds(*lost)) =>
        {
            Ok((rebuilt, true))
        }
        (_, None) => Ok((listed, false)),
        (_, Some(problem)) => Err(damaged(problem)),
    }
}

/// The objects that are found without the table; or why it is not sure that they are all.
fn rebuilt(bytes: &[u8], password: Option<&str>) -> Result<Result<Objects, String>, Error> {
    let scan = scan::scan(bytes, 0).ok_or_else(|| damaged("its objects do not end".into()))?;
    let objects = Objects::found(bytes, &scan, password)?;
    let Some(needed) = needed(&objects.objects, &objects.trailer) else {
        return Ok(Err("it has no page tree that can be read".into()));
    };
    if !scan.has_end {
        return Ok(Err("its end is missing".into()));
    }
    if let Some(number) = needed.missing.first() {
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

/// What pages lack when some objects are not there.
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

/// Whether objects stand behind the last `startxref`: then the last change of the document was not written to its end.
fn is_cut_short(bytes: &[u8], table: &table::Table) -> Result<bool, Error> {
    let behind =
        scan::scan(bytes, table.end).ok_or_else(|| damaged("its objects do not end".into()))?;
    Ok(!behind.objects.is_empty())
}

/// Where the header is, and the version in it. What has none begins with its first byte.
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
