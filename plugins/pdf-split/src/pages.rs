//! The pages of a document, in order, with the attributes that they inherit (ISO 32000-2, 7.7.3).

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::document::{Source, as_dictionary, damaged};

/// The most pages that a document may have. A page tree can name one page many times, at a few bytes each. A document
/// costs some hundred bytes of memory per page before its first part is written.
const MAX_PAGES: usize = 100_000;

/// The attributes that a page inherits from the nodes above it, unless it has its own (table 31).
pub(crate) const INHERITABLE: [&[u8]; 4] = [b"Resources", b"MediaBox", b"CropBox", b"Rotate"];

/// A page of the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    /// Its object number. `None` if it is written inline in the page tree.
    pub(crate) id: Option<ObjectId>,
    pub(crate) dictionary: &'a Dictionary,
    /// The values of [`INHERITABLE`], its own or those it inherits.
    pub(crate) attributes: [Option<&'a Object>; INHERITABLE.len()],
}

/// The contents of the page tree.
pub(crate) struct Pages<'a> {
    pub(crate) pages: Vec<Page<'a>>,
    /// The object numbers of all nodes of the page tree, including pages.
    pub(crate) nodes: HashSet<ObjectId>,
    /// How many entries of the tree name an earlier page again, and were skipped.
    pub(crate) repeated: usize,
}

/// Reads the page tree.
///
/// `/Count` is ignored unless the tree is certainly wrong. A hole is a kid that is null, or a node that is in itself or
/// was in the tree before. It is skipped if the number of the other pages equals `/Count`. A page that the tree names
/// again appears again, unless `/Count` shows that each page counts once.
pub(crate) fn read<'a>(source: &Source<'a>) -> Result<Pages<'a>, Error> {
    let root = source
        .catalog
        .get(b"Pages")
        .map_err(|_| damaged("it has no page tree".into()))?;
    let mut pages = Vec::new();
    let mut nodes = HashSet::new();
    let mut inner = HashSet::new();
    let mut hole = None;
    // The children that are still to be visited on each level, and the attributes that they inherit.
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
        // Producers confuse the types. A node with kids is not a page.
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

/// How many pages there are if each page with an object number counts once.
fn number_of_different(pages: &[Page]) -> usize {
    let numbers: HashSet<_> = pages.iter().filter_map(|page| page.id).collect();
    numbers.len() + pages.iter().filter(|page| page.id.is_none()).count()
}

/// Whether a dictionary without kids is still an inner node of the tree, and not a page with a wrong type.
fn is_node(dictionary: &Dictionary) -> bool {
    dictionary.has_type(b"Pages")
        && !dictionary.has(b"Contents")
        && (!dictionary.has(b"Parent") || dictionary.has(b"Count"))
}
