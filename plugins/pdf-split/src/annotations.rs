//! Links, widgets, comments and the like on the pages of a part (ISO 32000-2, 12.5 and 12.6).
//!
//! An annotation whose target is not in the part stays where it is, since it may show a border or an appearance, but
//! leads nowhere.

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::copy::Copier;
use crate::destinations;
use crate::document::as_dictionary;
use crate::form;
use crate::pages::Page;

/// An annotation of the part.
pub(crate) struct Annotation<'a> {
    pub(crate) id: ObjectId,
    /// Its number in the document, unless it stands right in the list of its page.
    pub(crate) source: Option<ObjectId>,
    pub(crate) dictionary: &'a Dictionary,
}

impl Annotation<'_> {
    /// Whether it is the widget of a form field.
    pub(crate) fn is_widget(&self) -> bool {
        self.dictionary
            .get(b"Subtype")
            .and_then(Object::as_name)
            .is_ok_and(|name| name == b"Widget")
    }
}

/// Takes the annotations of a page, before any is copied: they refer to each other.
pub(crate) fn assign<'a>(
    copier: &mut Copier<'a, '_>,
    page: &Page<'a>,
) -> Result<Vec<Annotation<'a>>, Error> {
    let mut annotations = Vec::new();
    for item in copier.source.array(page.dictionary, b"Annots")? {
        let Some(dictionary) = as_dictionary(copier.source.resolve(item)?) else {
            continue;
        };
        let id = match item.as_reference() {
            // An annotation that was taken already is listed twice; it may be on one page only.
            Ok(id) if copier.assigned(id).is_some() => continue,
            Ok(id) => copier.assign(id),
            Err(_) => copier.reserve(),
        };
        annotations.push(Annotation {
            id,
            source: item.as_reference().ok(),
            dictionary,
        });
    }
    Ok(annotations)
}

/// Copies an annotation onto a page of the part.
pub(crate) fn copy<'a>(
    copier: &mut Copier<'a, '_>,
    annotation: &Annotation<'a>,
    page: ObjectId,
) -> Result<(), Error> {
    let mut copy = Dictionary::new();
    for (key, value) in annotation.dictionary {
        match key.as_slice() {
            // Set below, or by the form.
            b"P" | b"Kids" => {}
            // Actions that a reader starts by itself, or on other events than a click.
            b"AA" | b"PA" => {}
            b"A" => {
                if let Some(action) = as_dictionary(copier.source.resolve(value)?)
                    && let Some(action) = copy_action(copier, action)?
                {
                    copy.set("A", action);
                }
            }
            b"Dest" => {
                if let Some(destination) = copy_destination(copier, value)? {
                    copy.set("Dest", destination);
                }
            }
            b"Parent" if annotation.is_widget() => {}
            b"V" if form::is_signature(
                copier.source,
                annotation.source,
                annotation.dictionary,
            )? => {}
            _ => copier.copy_value(key, value, &mut copy)?,
        }
    }
    if annotation.is_widget()
        && !annotation
            .source
            .is_some_and(|id| copier.source.fields.contains_key(&id))
    {
        form::inherit(copier, annotation.dictionary, &mut copy)?;
    }
    copy.set("P", page);
    copier.put(annotation.id, Object::Dictionary(copy));
    Ok(())
}

/// Copies an action that is safe and makes sense in a part: to a web address, a page of the part, another file, or the
/// next page and the like.
fn copy_action<'a>(
    copier: &mut Copier<'a, '_>,
    action: &'a Dictionary,
) -> Result<Option<Dictionary>, Error> {
    let Ok(kind) = copier.source.get(action, b"S")?.as_name() else {
        return Ok(None);
    };
    let mut copy = Dictionary::new();
    match kind {
        b"GoTo" => {
            let Ok(destination) = action.get(b"D") else {
                return Ok(None);
            };
            let Some(destination) = copy_destination(copier, destination)? else {
                return Ok(None);
            };
            copy.set("D", destination);
        }
        b"URI" => copier.copy_keys(action, &[b"URI", b"IsMap"], &mut copy)?,
        b"GoToR" => copier.copy_keys(action, &[b"F", b"D", b"NewWindow"], &mut copy)?,
        b"Named" => copier.copy_keys(action, &[b"N"], &mut copy)?,
        _ => return Ok(None),
    }
    copy.set("S", Object::Name(kind.to_vec()));
    Ok(Some(copy))
}

/// Copies a destination if its page is in the part.
fn copy_destination<'a>(
    copier: &Copier<'a, '_>,
    destination: &'a Object,
) -> Result<Option<Object>, Error> {
    let destination = destinations::resolve(copier.source, destination)?;
    Ok(destination.and_then(|destination| {
        let page = copier.assigned(destination.page)?;
        Some(destination.array(page))
    }))
}
