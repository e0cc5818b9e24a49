//! Links, widgets, comments and the like on the pages of a part (ISO 32000-2, 12.5 and 12.6).
//!
//! If the target of an annotation is not in the part, the annotation is kept without the target, because it may show a
//! border or an appearance.

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::copy::Copier;
use crate::destinations;
use crate::document::{Source, as_dictionary};
use crate::form;
use crate::pages::Page;

/// The keys that a stamp keeps of the widget that it replaces (tables 166 and 172): those of its place and its
/// appearance.
const STAMP_KEYS: [&[u8]; 12] = [
    b"AP",
    b"AS",
    b"Border",
    b"BS",
    b"C",
    b"Contents",
    b"F",
    b"Lang",
    b"M",
    b"NM",
    b"OC",
    b"Rect",
];

/// The most annotations that a part has on more than one page. Documents repeat a link or a button on every page.
const MAX_REPEATED: usize = 100_000;

/// How an annotation is copied into a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The widget of a form field.
    Widget,
    /// A widget that shows a signature. The signature is not valid for a part. Its appearance is kept as a stamp.
    Signature,
    Other,
}

/// An annotation of the part.
pub(crate) struct Annotation<'a> {
    pub(crate) id: ObjectId,
    /// Its object number in the document. `None` if it is written inline in the list of its page.
    pub(crate) source: Option<ObjectId>,
    pub(crate) dictionary: &'a Dictionary,
    pub(crate) kind: Kind,
}

/// The annotations of a page with their object numbers, each once.
pub(crate) fn list<'a>(
    source: &Source<'a>,
    page: &Page<'a>,
) -> Result<Vec<(Option<ObjectId>, &'a Dictionary)>, Error> {
    let mut annotations = Vec::new();
    let mut seen = HashSet::new();
    for item in source.array(page.dictionary, b"Annots")? {
        let id = item.as_reference().ok();
        if let Object::Dictionary(dictionary) = source.resolve(item)?
            && id.is_none_or(|id| seen.insert(id))
        {
            annotations.push((id, dictionary));
        }
    }
    Ok(annotations)
}

/// Assigns new object numbers to the annotations of a part's pages. This happens before any annotation is copied,
/// because they refer to each other. An annotation that several pages list is on each of these pages.
pub(crate) fn assign<'a>(
    copier: &mut Copier<'a, '_>,
    pages: &[Page<'a>],
) -> Result<Vec<Vec<Annotation<'a>>>, Error> {
    let mut repeated = 0;
    let mut assigned = Vec::with_capacity(pages.len());
    for page in pages {
        let mut annotations = Vec::new();
        for (source, dictionary) in list(copier.source, page)? {
            let id = match source {
                Some(source) if copier.assigned(source).is_none() => copier.assign(source),
                Some(_) => {
                    repeated += 1;
                    copier.reserve()
                }
                None => copier.reserve(),
            };
            if repeated > MAX_REPEATED {
                return Err(Error::InvalidInput(format!(
                    "the PDF repeats more than {MAX_REPEATED} annotations on its pages; split it into smaller parts"
                )));
            }
            annotations.push(Annotation {
                id,
                source,
                dictionary,
                kind: kind(copier.source, source, dictionary)?,
            });
        }
        assigned.push(annotations);
    }
    Ok(assigned)
}

fn kind<'a>(
    source: &Source<'a>,
    id: Option<ObjectId>,
    annotation: &'a Dictionary,
) -> Result<Kind, Error> {
    let subtype = source.get(annotation, b"Subtype")?;
    Ok(if !subtype.as_name().is_ok_and(|name| name == b"Widget") {
        Kind::Other
    } else if form::is_signed(source, id, annotation)? && has_look(source, annotation)? {
        Kind::Signature
    } else {
        Kind::Widget
    })
}

/// Whether an annotation has a normal appearance.
fn has_look<'a>(source: &Source<'a>, annotation: &'a Dictionary) -> Result<bool, Error> {
    let Some(appearances) = source.dictionary(annotation, b"AP")? else {
        return Ok(false);
    };
    Ok(!source.get(appearances, b"N")?.is_null())
}

/// Copies the annotations of one page of the part. References between them lead to copies on the same page.
pub(crate) fn copy<'a>(
    copier: &mut Copier<'a, '_>,
    annotations: &[Annotation<'a>],
    page: ObjectId,
) -> Result<(), Error> {
    for annotation in annotations {
        if let Some(source) = annotation.source {
            copier.redirect(source, annotation.id);
        }
    }
    for annotation in annotations {
        let mut written = match annotation.kind {
            Kind::Signature => copy_stamp(copier, annotation)?,
            Kind::Widget | Kind::Other => copy_one(copier, annotation)?,
        };
        written.set("P", page);
        copier.put(annotation.id, Object::Dictionary(written));
    }
    Ok(())
}

fn copy_stamp<'a>(
    copier: &mut Copier<'a, '_>,
    annotation: &Annotation<'a>,
) -> Result<Dictionary, Error> {
    let mut copy = Dictionary::new();
    copy.set("Type", "Annot");
    copy.set("Subtype", "Stamp");
    copier.copy_keys(annotation.dictionary, &STAMP_KEYS, &mut copy)?;
    Ok(copy)
}

fn copy_one<'a>(
    copier: &mut Copier<'a, '_>,
    annotation: &Annotation<'a>,
) -> Result<Dictionary, Error> {
    let is_widget = annotation.kind == Kind::Widget;
    let is_signature =
        is_widget && form::is_signature(copier.source, annotation.source, annotation.dictionary)?;
    let mut copy = Dictionary::new();
    for (key, value) in annotation.dictionary {
        match key.as_slice() {
            // Set by the caller, or by the form.
            b"P" | b"Kids" => {}
            // Actions that a reader starts without a click: by itself, or on other events.
            b"AA" | b"PA" => {}
            // Its place in the structure tree, and files that belong to it.
            b"StructParent" | b"AF" => {}
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
            b"Parent" if is_widget => {}
            b"V" if is_signature => {}
            _ => copier.copy_value(key, value, &mut copy)?,
        }
    }
    if is_widget
        && !annotation
            .source
            .is_some_and(|id| copier.source.fields.contains_key(&id))
    {
        form::inherit(copier, annotation.dictionary, &mut copy)?;
    }
    Ok(copy)
}

/// Copies an action if it is safe and useful in a part: one that leads to a web address, a page of the part, another
/// file, or a relative page such as the next one.
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
