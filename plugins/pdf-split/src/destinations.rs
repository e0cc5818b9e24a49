//! Where links and outline entries lead (ISO 32000-2, 12.3.2).
//!
//! Named destinations are resolved here. Parts have only explicit destinations, so they need no name tree.

use std::collections::HashMap;

use forebay_plugin::Error;
use lopdf::{Object, ObjectId};

use crate::document::{Source, as_dictionary};
use crate::trees;

/// A page and how to show it.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) page: ObjectId,
    /// The values after the page in the array: `/XYZ` and its numbers, `/Fit`, ...
    view: Vec<Object>,
}

impl Destination {
    /// The destination as an array, for a part in which the page is `page`.
    pub(crate) fn array(&self, page: ObjectId) -> Object {
        let mut array = vec![Object::Reference(page)];
        array.extend(self.view.iter().cloned());
        Object::Array(array)
    }
}

/// The document's named destinations.
#[derive(Debug, Default)]
pub(crate) struct Destinations<'a>(HashMap<&'a [u8], &'a Object>);

impl<'a> Destinations<'a> {
    pub(crate) fn read(source: &Source<'a>) -> Result<Self, Error> {
        let mut named = HashMap::new();
        // PDF 1.1 has a dictionary, later versions a tree.
        if let Some(names) = source.dictionary(source.catalog, b"Dests")? {
            for (name, value) in names {
                named.insert(name.as_slice(), source.resolve(value)?);
            }
        }
        if let Some(names) = source.dictionary(source.catalog, b"Names")?
            && let Some(root) = source.dictionary(names, b"Dests")?
        {
            for (key, value) in trees::pairs(source, root, b"Names")? {
                if let Ok(name) = key.as_str() {
                    named.insert(name, value);
                }
            }
        }
        Ok(Self(named))
    }
}

/// Reads a destination: an array, a name or string of a named destination, or the dictionary of a named destination.
pub(crate) fn resolve<'a>(
    source: &Source<'a>,
    destination: &'a Object,
) -> Result<Option<Destination>, Error> {
    /// `/FitR` and its four numbers is the longest view.
    const MAX_VIEW: usize = 5;

    let mut destination = source.resolve(destination)?;
    if let Object::Name(name) | Object::String(name, _) = destination {
        let Some(named) = source.destinations.0.get(name.as_slice()) else {
            return Ok(None);
        };
        destination = named;
    }
    if let Some(dictionary) = as_dictionary(destination) {
        destination = source.get(dictionary, b"D")?;
    }
    let Ok([page, view @ ..]) = destination.as_array().map(Vec::as_slice) else {
        return Ok(None);
    };
    let page = match page {
        Object::Reference(id) => Some(*id),
        // The standard allows page indexes only for other documents. Some producers use them for the same document.
        Object::Integer(index) => usize::try_from(*index)
            .ok()
            .and_then(|index| source.pages.get(index))
            .and_then(|page| page.id),
        _ => None,
    };
    let Some(page) = page else { return Ok(None) };
    let mut copied = Vec::new();
    for item in view.iter().take(MAX_VIEW) {
        copied.push(match source.resolve(item)? {
            item @ (Object::Name(_) | Object::Integer(_) | Object::Real(_)) => item.clone(),
            _ => Object::Null,
        });
    }
    Ok(Some(Destination { page, view: copied }))
}
