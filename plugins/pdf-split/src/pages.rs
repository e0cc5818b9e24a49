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

/// All pages, and the numbers of every node of the page tree, pages among them. `/Count` is not believed.
pub(crate) fn read<'a>(source: &Source<'a>) -> Result<(Vec<Page<'a>>, HashSet<ObjectId>), Error> {
    let root = source
        .catalog
        .get(b"Pages")
        .map_err(|_| damaged("it has no page tree".into()))?;
    let mut pages = Vec::new();
    let mut nodes = HashSet::new();
    let mut inner = HashSet::new();
    // The children still to visit on each level, and what they inherit.
    let mut levels = vec![(std::slice::from_ref(root).iter(), [None; INHERITABLE.len()])];
    while let Some((kids, inherited)) = levels.last_mut() {
        let Some(kid) = kids.next() else {
            levels.pop();
            continue;
        };
        let mut attributes = *inherited;
        let number = pages.len() + 1;
        let dictionary = as_dictionary(source.resolve(kid)?)
            .ok_or_else(|| damaged(format!("page {number} is missing")))?;
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
        let is_inner =
            dictionary.has_type(b"Pages") || (kids.is_ok() && !dictionary.has_type(b"Page"));
        if is_inner {
            if id.is_some_and(|id| !inner.insert(id)) {
                return Err(damaged(
                    "its page tree has a node twice, or in itself".into(),
                ));
            }
            levels.push((kids.map_or(&[][..], Vec::as_slice).iter(), attributes));
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
    if pages.is_empty() {
        return Err(damaged("it has no pages".into()));
    }
    Ok((pages, nodes))
}
