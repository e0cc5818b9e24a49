//! Layers, which the standard calls optional content (ISO 32000-2, 8.11). A part has only the layers that it uses. They
//! are shown or hidden as in the document.

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::copy::Copier;
use crate::document::as_dictionary;

/// The most levels that are read of the list of layers that readers show.
const MAX_LEVELS: usize = 16;

/// The optional content properties of a part. All its other objects must have been copied before. `None` if it uses no
/// layer.
pub(crate) fn copy(copier: &mut Copier<'_, '_>) -> Result<Option<Dictionary>, Error> {
    let source = copier.source;
    let Some(properties) = source.dictionary(source.catalog, b"OCProperties")? else {
        return Ok(None);
    };
    let groups = kept(copier, source.array(properties, b"OCGs")?);
    if groups.is_empty() {
        return Ok(None);
    }

    let mut shown = Dictionary::new();
    if let Some(config) = source.dictionary(properties, b"D")? {
        copier.copy_keys(
            config,
            &[b"Name", b"Creator", b"BaseState", b"Intent", b"ListMode"],
            &mut shown,
        )?;
        for key in [b"ON".as_slice(), b"OFF", b"Locked"] {
            let list = kept(copier, source.array(config, key)?);
            if !list.is_empty() {
                shown.set(key, list);
            }
        }
        for key in [b"Order".as_slice(), b"RBGroups"] {
            let list = source.array(config, key)?;
            let list = kept_below(copier, list, MAX_LEVELS, &mut HashSet::new())?;
            if !list.is_empty() {
                shown.set(key, list);
            }
        }
        let mut events = Vec::new();
        for event in source.array(config, b"AS")? {
            let Some(event) = as_dictionary(source.resolve(event)?) else {
                continue;
            };
            let list = kept(copier, source.array(event, b"OCGs")?);
            if !list.is_empty() {
                let mut written = Dictionary::new();
                copier.copy_keys(event, &[b"Event", b"Category"], &mut written)?;
                written.set("OCGs", list);
                events.push(Object::Dictionary(written));
            }
        }
        if !events.is_empty() {
            shown.set("AS", events);
        }
    }
    let mut written = Dictionary::new();
    written.set("OCGs", groups);
    written.set("D", shown);
    Ok(Some(written))
}

/// The layers of a list that are in the part.
fn kept(copier: &Copier<'_, '_>, list: &[Object]) -> Vec<Object> {
    let kept = list
        .iter()
        .filter_map(|item| copier.assigned(item.as_reference().ok()?));
    kept.map(Object::Reference).collect()
}

/// The same for a list of layers, texts and lists. A text is the title of the list that it is in, and is left out with
/// that list. A list that the document refers to from several places is copied once.
fn kept_below<'a>(
    copier: &Copier<'a, '_>,
    list: &'a [Object],
    levels: usize,
    seen: &mut HashSet<ObjectId>,
) -> Result<Vec<Object>, Error> {
    let mut kept = Vec::new();
    let mut title = None;
    for item in list {
        let id = item.as_reference().ok();
        if let Some(group) = id.and_then(|id| copier.assigned(id)) {
            kept.push(Object::Reference(group));
            continue;
        }
        if id.is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        match copier.source.resolve(item)? {
            text @ Object::String(..) if kept.is_empty() => title = Some(text.clone()),
            Object::Array(below) if levels > 0 => {
                let below = kept_below(copier, below, levels - 1, seen)?;
                if !below.is_empty() {
                    kept.push(Object::Array(below));
                }
            }
            _ => {}
        }
    }
    if let Some(title) = title.filter(|_| !kept.is_empty()) {
        kept.insert(0, title);
    }
    Ok(kept)
}
