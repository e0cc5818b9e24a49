//! The outline, which readers show as bookmarks (ISO 32000-2, 12.3.3).
//!
//! A part has the entries that lead to its own pages. A parent entry that leads to another page is left out, because
//! its title is text of that page. The entries below it then move up.

use std::collections::{HashMap, HashSet};

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::copy::Copier;
use crate::destinations::{self, Destination};
use crate::document::{Source, as_dictionary};

/// The most levels that are read. Deeper entries are left out. Readers show only a few levels.
const MAX_DEPTH: usize = 64;

/// The entries of a document that lead to one of its pages, and their parents.
#[derive(Debug, Default)]
pub(crate) struct Outline<'a> {
    /// In the order in which a reader shows them.
    entries: Vec<Entry<'a>>,
    /// The entries that lead to a page.
    by_page: HashMap<ObjectId, Vec<usize>>,
}

#[derive(Debug)]
struct Entry<'a> {
    parent: Option<usize>,
    dictionary: &'a Dictionary,
    destination: Option<Destination>,
    open: bool,
}

impl<'a> Outline<'a> {
    pub(crate) fn read(source: &Source<'a>) -> Result<Self, Error> {
        let mut outline = Self::default();
        let Some(root) = source.dictionary(source.catalog, b"Outlines")? else {
            return Ok(outline);
        };
        let mut seen = HashSet::new();
        let mut open = vec![(root.get(b"First").ok(), None, 0)];
        while let Some((link, parent, depth)) = open.pop() {
            let Some(link) = link else { continue };
            if depth == MAX_DEPTH || !link.as_reference().is_ok_and(|id| seen.insert(id)) {
                continue;
            }
            let Some(dictionary) = as_dictionary(source.resolve(link)?) else {
                continue;
            };
            let destination = destination(source, dictionary)?;
            let index = outline.entries.len();
            if let Some(destination) = &destination {
                outline
                    .by_page
                    .entry(destination.page)
                    .or_default()
                    .push(index);
            }
            let shown_open = source
                .get(dictionary, b"Count")?
                .as_i64()
                .is_ok_and(|count| count > 0);
            outline.entries.push(Entry {
                parent,
                dictionary,
                destination,
                open: shown_open,
            });
            // Last in, first out: the children of an entry come before its next sibling.
            open.push((dictionary.get(b"Next").ok(), parent, depth));
            open.push((dictionary.get(b"First").ok(), Some(index), depth + 1));
        }
        Ok(outline)
    }

    /// Writes the outline of a part, whose pages must have been assigned before. Returns its root, or `None` if no
    /// entry is left.
    pub(crate) fn of_part(
        &self,
        copier: &mut Copier<'a, '_>,
        pages: &[ObjectId],
    ) -> Result<Option<ObjectId>, Error> {
        let mut kept: Vec<usize> = pages
            .iter()
            .filter_map(|id| self.by_page.get(id))
            .flatten()
            .copied()
            .collect();
        kept.sort_unstable();
        kept.dedup();
        if kept.is_empty() {
            return Ok(None);
        }

        // Position in `kept` of each entry that is kept. The root of the part's outline comes after the last one.
        let places: HashMap<usize, usize> = kept
            .iter()
            .enumerate()
            .map(|(place, index)| (*index, place))
            .collect();
        let root = kept.len();
        let mut nodes: Vec<Node> = (0..=root).map(|_| Node::new(copier.reserve())).collect();
        for (place, index) in kept.iter().enumerate() {
            let parent = self.kept_above(*index, &places).unwrap_or(root);
            if let Some(node) = nodes.get_mut(parent) {
                node.children.push(place);
            }
            if let Some(node) = nodes.get_mut(place) {
                node.parent = parent;
            }
        }
        // Entries come before their children, so in reverse order all children are counted before their parent.
        for place in (0..root).rev() {
            let open = kept
                .get(place)
                .and_then(|index| self.entries.get(*index))
                .is_some_and(|entry| entry.open);
            let shown = nodes
                .get(place)
                .map_or(0, |node| if open { node.below } else { 0 });
            let parent = nodes.get(place).map_or(root, |node| node.parent);
            if let Some(parent) = nodes.get_mut(parent) {
                parent.below += 1 + shown;
            }
        }

        let id_at = |place: Option<&usize>| {
            place
                .and_then(|place| nodes.get(*place))
                .map(|node| node.id)
        };
        for (place, node) in nodes.iter().enumerate() {
            let mut written = Dictionary::new();
            let entry = kept.get(place).and_then(|index| self.entries.get(*index));
            if let Some(entry) = entry {
                copier.copy_keys(entry.dictionary, &[b"Title", b"C", b"F"], &mut written)?;
                if let Some(destination) = &entry.destination
                    && let Some(page) = copier.assigned(destination.page)
                {
                    written.set("Dest", destination.array(page));
                }
                if let Some(parent) = id_at(Some(&node.parent)) {
                    written.set("Parent", parent);
                }
            } else {
                written.set("Type", "Outlines");
            }
            if let (Some(first), Some(last)) =
                (id_at(node.children.first()), id_at(node.children.last()))
            {
                written.set("First", first);
                written.set("Last", last);
                written.set(
                    "Count",
                    if entry.is_none_or(|entry| entry.open) {
                        node.below
                    } else {
                        -node.below
                    },
                );
            }
            if let Some(parent) = nodes.get(node.parent).filter(|_| entry.is_some()) {
                let at = parent.children.binary_search(&place).unwrap_or_default();
                if let Some(previous) =
                    id_at(at.checked_sub(1).and_then(|at| parent.children.get(at)))
                {
                    written.set("Prev", previous);
                }
                if let Some(next) = id_at(parent.children.get(at + 1)) {
                    written.set("Next", next);
                }
            }
            copier.put(node.id, Object::Dictionary(written));
        }
        Ok(nodes.get(root).map(|node| node.id))
    }

    /// The nearest ancestor that is kept.
    fn kept_above(&self, index: usize, places: &HashMap<usize, usize>) -> Option<usize> {
        let parents = std::iter::successors(self.entries.get(index)?.parent, |index| {
            self.entries.get(*index)?.parent
        });
        parents
            .into_iter()
            .find_map(|parent| places.get(&parent).copied())
    }
}

/// An entry of a part's outline.
struct Node {
    id: ObjectId,
    parent: usize,
    children: Vec<usize>,
    /// How many entries a reader shows below this one if it is open.
    below: i64,
}

impl Node {
    fn new(id: ObjectId) -> Self {
        Self {
            id,
            parent: 0,
            children: Vec::new(),
            below: 0,
        }
    }
}

/// Where an entry leads within the document, by its destination or by its action.
fn destination<'a>(
    source: &Source<'a>,
    entry: &'a Dictionary,
) -> Result<Option<Destination>, Error> {
    if let Ok(destination) = entry.get(b"Dest") {
        return destinations::resolve(source, destination);
    }
    match source.dictionary(entry, b"A")? {
        Some(action) if source.get(action, b"S")?.as_name().ok() == Some(b"GoTo") => {
            action.get(b"D").map_or(Ok(None), |destination| {
                destinations::resolve(source, destination)
            })
        }
        _ => Ok(None),
    }
}
