//! The form of a part: the fields that have a widget on one of its pages (ISO 32000-2, 12.7).
//!
//! Fields are found from their widgets upwards, so the cost of a part depends on its own fields and not on the size of
//! the form.

use std::collections::HashMap;

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId};

use crate::annotations::Annotation;
use crate::copy::Copier;
use crate::document::{NULL, Source};

/// Keys of a field that are not copied: its position in the form, which is set anew, its actions, its place in the
/// structure tree, and files that belong to it.
const DROPPED: [&[u8]; 7] = [
    b"A",
    b"AA",
    b"AF",
    b"Kids",
    b"P",
    b"Parent",
    b"StructParent",
];

/// Keys that a widget outside of a form takes from the fields above it: name, type, flags, value and appearance.
const INHERITED: [&[u8]; 19] = [
    b"DA", b"DR", b"DS", b"DV", b"FT", b"Ff", b"I", b"Lock", b"MK", b"MaxLen", b"Opt", b"Q", b"RV",
    b"SV", b"T", b"TI", b"TM", b"TU", b"V",
];

/// The most levels of parent fields that are searched for an inherited value.
const MAX_LEVELS: usize = 64;

/// Copies the fields of the part's widgets. The widgets must have been copied before. Returns the form dictionary, if
/// the part has a form.
pub(crate) fn copy<'a>(
    copier: &mut Copier<'a, '_>,
    widgets: &[&Annotation<'a>],
) -> Result<Option<Dictionary>, Error> {
    let Some(form) = copier
        .source
        .dictionary(copier.source.catalog, b"AcroForm")?
    else {
        return Ok(None);
    };
    let mut fields: Vec<Field<'a>> = Vec::new();
    let mut places: HashMap<ObjectId, usize> = HashMap::new();
    let mut roots = Vec::new();
    for widget in widgets {
        // A widget that the form does not list is only an annotation.
        let Some(mut above) = widget.source.and_then(|id| copier.source.fields.get(&id)) else {
            continue;
        };
        let mut id = widget.id;
        let mut below = widget.dictionary;
        while let Some((parent, dictionary)) = above {
            let known = places.get(parent).and_then(|place| fields.get_mut(*place));
            let kid = Kid {
                id,
                names_parent: below.has(b"Parent"),
            };
            if let Some(field) = known {
                field.kids.push(kid);
                break;
            }
            let new = copier.assign(*parent);
            places.insert(*parent, fields.len());
            fields.push(Field {
                id: new,
                source: *parent,
                dictionary,
                kids: vec![kid],
            });
            (id, below) = (new, dictionary);
            above = copier.source.fields.get(parent).unwrap_or(&None);
        }
        if above.is_none() {
            roots.push(Object::Reference(id));
        }
    }
    if roots.is_empty() {
        return Ok(None);
    }

    for field in &fields {
        let mut written = Dictionary::new();
        let signature = is_signature(copier.source, Some(field.source), field.dictionary)?;
        for (key, value) in field.dictionary {
            let dropped = DROPPED.contains(&key.as_slice()) || (signature && key == b"V");
            if !dropped {
                copier.copy_value(key, value, &mut written)?;
            }
        }
        written.set(
            "Kids",
            field
                .kids
                .iter()
                .map(|kid| Object::Reference(kid.id))
                .collect::<Vec<_>>(),
        );
        copier.put(field.id, Object::Dictionary(written));
    }
    for field in &fields {
        // A widget that does not name its parent gets none here either. Readers that know the field draw the widget
        // anew, and the result may differ from its appearance.
        for kid in field.kids.iter().filter(|kid| kid.names_parent) {
            if let Some(kid) = copier.written(kid.id) {
                kid.set("Parent", field.id);
            }
        }
    }

    let mut written = Dictionary::new();
    written.set("Fields", roots);
    copier.copy_keys(form, &[b"DA", b"NeedAppearances", b"Q"], &mut written)?;
    if let Some(resources) = copier.source.dictionary(form, b"DR")? {
        written.set("DR", copier.copy_default_resources(resources)?);
    }
    Ok(Some(written))
}

/// A field of the part that has other fields or widgets below it.
struct Field<'a> {
    id: ObjectId,
    source: ObjectId,
    dictionary: &'a Dictionary,
    kids: Vec<Kid>,
}

/// A field or widget below a field.
struct Kid {
    id: ObjectId,
    names_parent: bool,
}

/// For a widget that no form lists: sets on it the values that it inherits from the fields above it, because these
/// fields are not copied.
pub(crate) fn inherit<'a>(
    copier: &mut Copier<'a, '_>,
    widget: &'a Dictionary,
    copy: &mut Dictionary,
) -> Result<(), Error> {
    let mut field = widget;
    for _ in 0..MAX_LEVELS {
        match copier.source.dictionary(field, b"Parent")? {
            Some(parent) if !parent.has_type(b"Page") => field = parent,
            _ => break,
        }
        for key in INHERITED
            .iter()
            .copied()
            .filter(|key| !copy.has(key))
            .collect::<Vec<_>>()
        {
            copier.copy_keys(field, &[key], copy)?;
        }
    }
    if copy
        .get(b"FT")
        .and_then(Object::as_name)
        .is_ok_and(|kind| kind == b"Sig")
    {
        copy.remove(b"V");
    }
    Ok(())
}

/// Whether a field or a widget is for a signature. A signature covers the bytes of the whole document, so its value is
/// not valid in a part.
pub(crate) fn is_signature<'a>(
    source: &Source<'a>,
    id: Option<ObjectId>,
    field: &'a Dictionary,
) -> Result<bool, Error> {
    let kind = inherited(source, id, field, b"FT")?;
    Ok(kind.as_name().is_ok_and(|kind| kind == b"Sig"))
}

/// Whether it is for a signature and has one.
pub(crate) fn is_signed<'a>(
    source: &Source<'a>,
    id: Option<ObjectId>,
    field: &'a Dictionary,
) -> Result<bool, Error> {
    Ok(is_signature(source, id, field)? && !inherited(source, id, field, b"V")?.is_null())
}

/// The value of a key that a field has or inherits. Null if there is none.
fn inherited<'a>(
    source: &Source<'a>,
    mut id: Option<ObjectId>,
    mut field: &'a Dictionary,
    key: &[u8],
) -> Result<&'a Object, Error> {
    for _ in 0..MAX_LEVELS {
        let value = source.get(field, key)?;
        if !value.is_null() {
            return Ok(value);
        }
        // The parent of a field of the form is in the index. Other fields name it themselves.
        let above = match id.and_then(|id| source.fields.get(&id)) {
            Some(Some((above, parent))) => Some((Some(*above), *parent)),
            Some(None) => None,
            None => source
                .dictionary(field, b"Parent")?
                .map(|parent| (None, parent)),
        };
        match above {
            Some((above, parent)) => (id, field) = (above, parent),
            None => break,
        }
    }
    Ok(&NULL)
}
