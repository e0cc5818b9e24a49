//! Walks over the trees in a document: name trees, number trees (ISO 32000-2, 7.9.6 and 7.9.7) and form fields.
//!
//! No walk recurses, and none enters a node or reads a list twice. So cycles and deep trees do no harm.

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

/// The most fields above a widget that is not in the tree of fields. Forms have only a few levels.
const MAX_LEVELS: usize = 64;

/// Reads the tree of form fields from its roots downwards. Then reads upwards from the widgets that were not reached,
/// because some producers list no fields, or do not list the children of a field. Each node gets one place, so no path
/// upwards is a cycle.
pub(crate) fn fields<'a>(
    source: &Source<'a>,
    roots: &'a [Object],
    widgets: &[(ObjectId, &'a Dictionary)],
) -> Result<Fields<'a>, Error> {
    let mut places = Fields::new();
    let mut lists = HashSet::new();
    let mut open = vec![(roots, None)];
    while let Some((nodes, parent)) = open.pop() {
        for id in nodes.iter().filter_map(|node| node.as_reference().ok()) {
            if let Entry::Vacant(place) = places.entry(id)
                && let Object::Dictionary(node) = source.object(id)?
            {
                place.insert(parent);
                open.push((
                    source.array_once(node, b"Kids", &mut lists)?,
                    Some((id, node)),
                ));
            }
        }
    }
    let listed = roots.iter().filter_map(|root| {
        Some((
            root.as_reference().ok()?,
            as_dictionary(source.resolve(root).ok()?)?,
        ))
    });
    for (id, node) in widgets.iter().copied().chain(listed) {
        climb(source, (id, node), &mut places)?;
    }
    Ok(places)
}

/// Finds the parents of a node that has none so far. A parent that the node names itself is used if it has no place
/// yet, or no parent.
fn climb<'a>(
    source: &Source<'a>,
    node: (ObjectId, &'a Dictionary),
    places: &mut Fields<'a>,
) -> Result<(), Error> {
    let mut way = vec![node];
    while let Some((id, node)) = way.last()
        && !matches!(places.get(id), Some(Some(_)))
        && let Ok(Object::Reference(above)) = node.get(b"Parent")
        && let Object::Dictionary(parent) = source.object(*above)?
        && !parent.has_type(b"Page")
    {
        // A field on the path that names a field below it as its parent is treated as one without a parent.
        if way.len() == MAX_LEVELS || way.iter().any(|(id, _)| id == above) {
            break;
        }
        way.push((*above, parent));
    }
    let is_field = |(_, node): &(ObjectId, &Dictionary)| node.has(b"FT") || node.has(b"T");
    if !way.iter().any(is_field) {
        return Ok(());
    }
    // No ancestor of the last field may be on the path.
    let mut known = way.last().map(|(id, _)| *id);
    let mut levels = 0;
    while let Some((above, _)) = known.and_then(|id| places.get(&id)).copied().flatten() {
        levels += 1;
        if levels == MAX_LEVELS || way.iter().any(|(id, _)| *id == above) {
            return Ok(());
        }
        known = Some(above);
    }
    let mut above = None;
    for (id, node) in way.into_iter().rev() {
        let place = places.entry(id).or_insert(above);
        if place.is_none() {
            *place = above;
        }
        above = Some((id, node));
    }
    Ok(())
}
