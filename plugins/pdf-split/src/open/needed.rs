//! What the pages of a document need: an object that cannot be read refuses the document only if a page lacks something
//! without it. Links, outlines, names and the document information are not worth the pages.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lopdf::{Dictionary, Object, ObjectId};

use crate::document::as_dictionary;

/// Keys of pages, annotations and resources that lead to other things than what a page shows.
const PASSED_OVER: [&[u8]; 15] = [
    b"A",
    b"AA",
    b"AF",
    b"B",
    b"Dest",
    b"IRT",
    b"Metadata",
    b"P",
    b"PA",
    b"Parent",
    b"PieceInfo",
    b"Popup",
    b"StructParent",
    b"StructParents",
    b"Thumb",
];

/// What the page tree refers to.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// Objects that the pages need and that are not there.
    pub(super) missing: BTreeSet<u32>,
    /// How many pages the tree holds, each counted once.
    pub(super) pages: usize,
    /// How many pages it says it holds.
    pub(super) count: Option<usize>,
}

/// What led to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    /// The page tree.
    Tree,
    /// The list of a page's annotations. One that is missing is let go.
    Annotations,
    Other,
}

/// Walks from the root of the page tree; none when there is no such root.
pub(super) fn needed(objects: &BTreeMap<ObjectId, Object>, trailer: &Dictionary) -> Option<Needed> {
    let at = |object| follow(objects, object);
    let catalog = as_dictionary(at(trailer.get(b"Root").ok()?)?)?;
    let pages = catalog.get(b"Pages").ok()?;
    let root = as_dictionary(at(pages)?)?;
    let mut needed = Needed {
        count: root
            .get(b"Count")
            .ok()
            .and_then(at)
            .and_then(|count| count.as_i64().ok())
            .and_then(|count| usize::try_from(count).ok()),
        ..Needed::default()
    };
    let mut seen = HashSet::new();
    let mut open = vec![(pages, Via::Tree)];
    while let Some((object, via)) = open.pop() {
        let dictionary = match object {
            Object::Reference(id) => {
                match objects.get(id) {
                    Some(object) => {
                        if seen.insert(*id) {
                            open.push((object, via));
                        }
                    }
                    None if via == Via::Annotations => {}
                    None => {
                        needed.missing.insert(id.0);
                    }
                }
                continue;
            }
            Object::Array(array) => {
                open.extend(array.iter().map(|item| (item, via)));
                continue;
            }
            Object::Dictionary(dictionary) => dictionary,
            Object::Stream(stream) => &stream.dict,
            _ => continue,
        };
        let kids = dictionary.get(b"Kids").ok().filter(|_| via == Via::Tree);
        needed.pages += usize::from(via == Via::Tree && kids.is_none());
        open.extend(kids.map(|kids| (kids, Via::Tree)));
        for (key, value) in dictionary {
            if key == b"Annots" {
                open.push((value, Via::Annotations));
            } else if !(kids.is_some() && key == b"Kids") && !PASSED_OVER.contains(&key.as_slice())
            {
                open.push((value, Via::Other));
            }
        }
    }
    Some(needed)
}

/// Follows references, of which one is usual.
fn follow<'a>(
    objects: &'a BTreeMap<ObjectId, Object>,
    mut object: &'a Object,
) -> Option<&'a Object> {
    for _ in 0..8 {
        match object {
            Object::Reference(id) => object = objects.get(id)?,
            object => return Some(object),
        }
    }
    None
}
