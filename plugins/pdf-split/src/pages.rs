//! The pages of a document, in order, with the attributes that they inherit (ISO 32000-2, 7.7.3).

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::document::{Source, as_dictionary, damaged};

/// The most pages that a document may have. A page tree can name one page over and over at a few bytes each, and a
/// document costs some hundred bytes of memory per page before its first part is written.
const MAX_PAGES: usize = 100_000;

/// The attributes that a page takes from the nodes above it unless it has its own (table 31).
pub(crate) const INHERITABLE: [&[u8]; 4] = [b"Resources", b"MediaBox", b"CropBox", b"Rotate"];

/// A page of the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    /// Its number, unless it stands right in the page tree.
    pub(crate) id: Option<ObjectId>,
    pub(crate) dictionary: &'a Dictionary,
    /// The values of [`INHERITABLE`], its own or those it inherits.
    pub(crate) attributes: [Option<&'a Object>; INHERITABLE.len()],
}

/// What the page tree holds.
pub(crate) struct Pages<'a> {
    pub(crate) pages: Vec<Page<'a>>,
    /// The numbers of every node of the page tree, pages among them.
    pub(crate) nodes: HashSet<ObjectId>,
    /// How many entries of the tree name a page that stands before, and were passed over.
    pub(crate) repeated: usize,
}

/// Reads the page tree.
///
/// `/Count` is not believed, except where the tree is wrong without doubt. A hole is a kid that is null, or a node that
/// stands in itself or elsewhere before: it is passed over when the pages without it are as many as `/Count` says. A page
/// that the tree names again is shown again, unless `/Count` says that each page counts once.
pub(crate) fn read<'a>(source: &Source<'a>) -> Result<Pages<'a>, Error> {
    let root = source
        .catalog
        .get(b"Pages")
        .map_err(|_| damaged("it has no page tree".into()))?;
    let mut pages = Vec::new();
    let mut nodes = HashSet::new();
    let mut inner = HashSet::new();
    let mut hole = None;
    // The children still to visit on each level, and what they inherit.
    let mut levels = vec![(std::slice::from_ref(root).iter(), [None; INHERITABLE.len()])];
    while let Some((kids, inherited)) = levels.last_mut() {
        let Some(kid) = kids.next() else {
            levels.pop();
            continue;
        };
        let mut attributes = *inherited;
        let number = pages.len() + 1;
        let Some(dictionary) = source.resolve(kid).ok().and_then(as_dictionary) else {
            hole.get_or_insert_with(|| format!("page {number} is missing"));
            continue;
        };
        for (attribute, key) in attributes.iter_mut().zip(INHERITABLE) {
            if let Ok(own) = dictionary.get(key)
                && !source.resolve(own)?.is_null()
            {
                *attribute = Some(own);
            }
        }
        let id = kid.as_reference().ok();
        nodes.extend(id);
        let kids = source.get(dictionary, b"Kids")?.as_array();
        // Producers confuse the types; what has kids is no page.
        if let Ok(kids) = kids {
            if id.is_some_and(|id| !inner.insert(id)) {
                hole.get_or_insert_with(|| "its page tree has a node twice, or in itself".into());
                continue;
            }
            levels.push((kids.iter(), attributes));
        } else if is_node(dictionary) {
            // Without kids, it should have no pages.
            if source.get(dictionary, b"Count")?.as_i64().unwrap_or(0) != 0 {
                hole.get_or_insert_with(|| format!("page {number} is missing"));
            }
        } else if pages.len() == MAX_PAGES {
            return Err(Error::InvalidInput(format!(
                "the PDF has more than {MAX_PAGES} pages"
            )));
        } else {
            pages.push(Page {
                id,
                dictionary,
                attributes,
            });
        }
    }
    let count = match as_dictionary(source.resolve(root)?) {
        Some(root) => source.get(root, b"Count")?.as_i64().ok(),
        None => None,
    };
    let count = count.and_then(|count| usize::try_from(count).ok());
    let named = pages.len();
    if count != Some(named) && count == Some(number_of_different(&pages)) {
        let mut seen = HashSet::new();
        pages.retain(|page| page.id.is_none_or(|id| seen.insert(id)));
    }
    if let Some(hole) = hole
        && count != Some(pages.len())
    {
        return Err(damaged(hole));
    }
    if pages.is_empty() {
        return Err(damaged("it has no pages".into()));
    }
    Ok(Pages {
        repeated: named - pages.len(),
        pages,
        nodes,
    })
}

/// How many pages there are if each that has a number counts once.
fn number_of_different(pages: &[Page]) -> usize {
    let numbers: HashSet<_> = pages.iter().filter_map(|page| page.id).collect();
    numbers.len() + pages.iter().filter(|page| page.id.is_none()).count()
}

/// Whether what has no kids is a node of the tree all the same, and not a page whose type is wrong.
fn is_node(dictionary: &Dictionary) -> bool {
    dictionary.has_type(b"Pages")
        && !dictionary.has(b"Contents")
        && (!dictionary.has(b"Parent") || dictionary.has(b"Count"))
}
