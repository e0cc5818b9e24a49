//! Page labels: the numbers that a reader shows for pages, such as iv or A-3 (ISO 32000-2, 12.4.2).

use forebay_plugin::Error;
use lopdf::{Dictionary, Object};

use crate::PageRange;
use crate::document::{Source, as_dictionary};
use crate::trees;

/// The numberings, each with the index of its first page, from 0, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Labels<'a>(Vec<(usize, Numbering<'a>)>);

#[derive(Debug, Clone, Copy)]
struct Numbering<'a> {
    style: &'a Object,
    prefix: &'a Object,
    start: i64,
}

impl<'a> Labels<'a> {
    pub(crate) fn read(source: &Source<'a>) -> Result<Self, Error> {
        let Some(root) = source.dictionary(source.catalog, b"PageLabels")? else {
            return Ok(Self::default());
        };
        let mut labels = Vec::new();
        for (index, value) in trees::pairs(source, root, b"Nums")? {
            let index = index
                .as_i64()
                .ok()
                .and_then(|index| usize::try_from(index).ok());
            if let (Some(index), Some(label)) = (index, as_dictionary(value)) {
                let numbering = Numbering {
                    style: source.get(label, b"S")?,
                    prefix: source.get(label, b"P")?,
                    start: source.get(label, b"St")?.as_i64().unwrap_or(1),
                };
                labels.push((index, numbering));
            }
        }
        labels.sort_by_key(|(index, _)| *index);
        Ok(Self(labels))
    }

    /// The number tree of a part, whose pages keep their labels. `None` if the document has no labels.
    pub(crate) fn of_part(&self, range: PageRange) -> Option<Object> {
        if self.0.is_empty() {
            return None;
        }
        let first = range.first - 1;
        // First the numbering that contains the first page, then those that begin within the part.
        let begun = self.0.partition_point(|(index, _)| *index <= first);
        let running = begun.checked_sub(1).and_then(|at| self.0.get(at));
        let within = self
            .0
            .iter()
            .skip(begun)
            .take_while(|(index, _)| *index < range.last);

        let mut tree = Vec::new();
        // The standard requires an entry for index 0.
        if running.is_none() {
            tree.extend([0.into(), Object::Dictionary(Dictionary::new())]);
        }
        for (index, numbering) in running.into_iter().chain(within) {
            let skipped = first.saturating_sub(*index);
            let mut label = Dictionary::new();
            if let style @ Object::Name(_) = numbering.style {
                label.set("S", style.clone());
            }
            if let prefix @ Object::String(..) = numbering.prefix {
                label.set("P", prefix.clone());
            }
            let start = i64::try_from(skipped)
                .ok()
                .and_then(|skipped| numbering.start.checked_add(skipped));
            if let Some(start @ 2..) = start {
                label.set("St", start);
            }
            let at = i64::try_from(index.saturating_sub(first)).unwrap_or(i64::MAX);
            tree.extend([at.into(), Object::Dictionary(label)]);
        }
        let mut root = Dictionary::new();
        root.set("Nums", tree);
        Some(Object::Dictionary(root))
    }
}
