//! What the pages of a document need. If an object cannot be read, the document is refused only if a page needs the
//! object. Losing links, outlines, names or the document information is better than losing the pages.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lopdf::{Dictionary, Object, ObjectId};

use crate::document::as_dictionary;

/// Keys of pages, annotations and resources whose values do not affect what a page shows.
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
    /// Objects that the pages need and that do not exist.
    pub(super) missing: BTreeSet<u32>,
    /// How many pages the tree contains, each counted once.
    pub(super) pages: usize,
    /// How many pages there are according to its `/Count`.
    pub(super) count: Option<usize>,
}

/// What led to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    /// The page tree.
    Tree,
    /// The list of a page's annotations. A missing annotation is ignored.
    Annotations,
    Other,
}

/// Walks from the root of the page tree. `None` if there is no such root.
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
        let (dictionary, has_names) = match object {
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
            // The keys of resources and of the states of an appearance are names, which may equal the skipped keys.
            Object::Dictionary(dictionary) => (dictionary, via == Via::Other),
            Object::Stream(stream) => (&stream.dict, false),
            _ => continue,
        };
        let kids = dictionary.get(b"Kids").ok().filter(|_| via == Via::Tree);
        needed.pages += usize::from(via == Via::Tree && kids.is_none());
        open.extend(kids.map(|kids| (kids, Via::Tree)));
        for (key, value) in dictionary {
            let key = key.as_slice();
            if key == b"Annots" {
                open.push((value, Via::Annotations));
            } else if (has_names || !PASSED_OVER.contains(&key))
                && (kids.is_none() || key != b"Kids")
            {
                open.push((value, Via::Other));
            }
        }
    }
    Some(needed)
}

/// Follows a chain of references. Usually there is one.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use lopdf::dictionary;

    use super::*;

    #[test]
    fn a_resource_may_be_named_like_a_key_that_is_passed_over() {
        let reference = |number: u32| Object::Reference((number, 0));
        for name in ["A", "AF", "B", "P", "PieceInfo", "Metadata"] {
            let page = dictionary! {
                "Type" => "Page",
                // A value that is skipped on a page is not needed.
                "AF" => reference(98),
                "Resources" => dictionary! { "XObject" => dictionary! { name => reference(99) } },
            };
            let tree = dictionary! { "Count" => 1, "Kids" => vec![reference(3)] };
            let objects = BTreeMap::from([
                ((1, 0), dictionary! { "Pages" => reference(2) }.into()),
                ((2, 0), tree.into()),
                ((3, 0), page.into()),
            ]);
            let needed = needed(&objects, &dictionary! { "Root" => reference(1) }).unwrap();
            assert_eq!(needed.missing, BTreeSet::from([99]), "{name}");
            assert_eq!((needed.pages, needed.count), (1, Some(1)));
        }
    }
}
