//! Walks over the trees that a document keeps: name trees, number trees (ISO 32000-2, 7.9.6 and 7.9.7) and form fields.
//!
//! No walk recurses, and none enters a node or reads a list twice, so cycles and depth cost nothing.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::document::{Source, as_dictionary};

/// The pairs in the leaves of a name tree (`leaf` is `Names`) or of a number tree (`Nums`), in order.
pub(crate) fn pairs<'a>(
    source: &Source<'a>,
    root: &'a Dictionary,
    leaf: &[u8],
) -> Result<Vec<(&'a Object, &'a Object)>, Error> {
    let mut pairs = Vec::new();
    let mut seen = HashSet::new();
    let mut lists = HashSet::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        for pair in source.array_once(node, leaf, &mut lists)?.chunks_exact(2) {
            if let [key, value] = pair {
                pairs.push((source.resolve(key)?, source.resolve(value)?));
            }
        }
        for kid in source.array_once(node, b"Kids", &mut lists)?.iter().rev() {
            if kid.as_reference().is_ok_and(|id| seen.insert(id)) {
                open.extend(as_dictionary(source.resolve(kid)?));
            }
        }
    }
    Ok(pairs)
}

/// The nodes of the tree of form fields, each with the node above it.
pub(crate) type Fields<'a> = HashMap<ObjectId, Option<(ObjectId, &'a Dictionary)>>;

/// Reads the tree of form fields. Each node gets one place, so no way up is a circle.
pub(crate) fn fields<'a>(source: &Source<'a>, roots: &'a [Object]) -> Result<Fields<'a>, Error> {
    let mut places = Fields::new();
    let mut lists = HashSet::new();
    let mut open = vec![(roots, None)];
    while let Some((nodes, parent)) = open.pop() {
        for id in nodes.iter().filter_map(|node| node.as_reference().ok()) {
            if let Entry::Vacant(place) = places.entry(id)
                && let Some(node) = as_dictionary(source.object(id)?)
            {
                place.insert(parent);
                open.push((
                    source.array_once(node, b"Kids", &mut lists)?,
                    Some((id, node)),
                ));
            }
        }
    }
    Ok(places)
}
