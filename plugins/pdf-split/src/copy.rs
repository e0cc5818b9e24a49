//! Copies objects, and what they refer to, into a part.
//!
//! References that lead to other pages are not copied, whatever their key is. A reference to a page, an annotation, a
//! form field, the catalog or the structure tree becomes null, unless the part has taken that object with
//! [`assign`](Copier::assign).

use std::collections::{BTreeMap, HashMap};

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, ObjectId, Stream};

use crate::document::{Source, as_dictionary};
use crate::usage::{CATEGORIES, Kept, Usage};

/// Keys of streams that are not copied: places in the structure tree, private data of programs, embedded files. In
/// other dictionaries these keys may be names that the document chose, for example of a font or of a button's state.
const DROPPED: [&[u8]; 4] = [b"StructParent", b"StructParents", b"PieceInfo", b"AF"];

/// Resources that are copied in full for the fields of a form, because fields name fonts in their text.
const FIELD_RESOURCES: [&[u8]; 4] = [b"ColorSpace", b"Encoding", b"Font", b"ProcSet"];

/// Types of dictionaries that belong to the document and not to what a page shows. Such a dictionary also has at least
/// one of the listed keys. The keys are needed because marked content may have properties of type `Page` (table 363),
/// which are not a page.
const DOCUMENT_TYPES: [(&[u8], &[&[u8]]); 13] = [
    (b"Bead", &[b"N", b"P", b"T", b"V"]),
    (b"Catalog", &[b"Pages"]),
    (b"DPart", &[b"DParts", b"Parent", b"Start"]),
    (b"DPartRoot", &[b"DPartRootNode"]),
    (b"MCR", &[b"Pg", b"Stm"]),
    (b"OBJR", &[b"Obj", b"Pg"]),
    (b"Outlines", &[b"First", b"Last"]),
    (
        b"Page",
        &[b"Contents", b"MediaBox", b"Parent", b"Resources"],
    ),
    (b"Pages", &[b"Kids"]),
    (b"StructElem", &[b"K", b"P", b"Pg"]),
    (b"StructTreeRoot", &[b"K", b"ParentTree"]),
    (b"Template", &[b"Contents", b"MediaBox", b"Resources"]),
    (b"Thread", &[b"F", b"I"]),
];

/// Whether a dictionary belongs to the document.
fn is_of_document(dictionary: &Dictionary) -> bool {
    let Ok(name) = dictionary.get_type() else {
        return false;
    };
    DOCUMENT_TYPES
        .iter()
        .any(|(known, keys)| *known == name && keys.iter().any(|key| dictionary.has(key)))
}

/// A part that is being built.
pub(crate) struct Copier<'a, 's> {
    pub(crate) source: &'s Source<'a>,
    objects: BTreeMap<ObjectId, Object>,
    /// The new number of each object that was taken or referred to. `None` for those that are not copied.
    numbers: HashMap<ObjectId, Option<ObjectId>>,
    /// Objects that have a new number and are not copied yet.
    waiting: Vec<(ObjectId, ObjectId)>,
    /// The number of each list of resources that was copied for a page, so that pages share the copy.
    shared: HashMap<*const Dictionary, ObjectId>,
    last: u32,
    /// What the pages of the part use.
    usage: &'s Usage,
}

impl<'a, 's> Copier<'a, 's> {
    pub(crate) fn new(source: &'s Source<'a>, usage: &'s Usage) -> Self {
        Self {
            source,
            usage,
            shared: HashMap::new(),
            objects: BTreeMap::new(),
            numbers: HashMap::new(),
            waiting: Vec::new(),
            last: 0,
        }
    }

    /// A new number.
    pub(crate) fn reserve(&mut self) -> ObjectId {
        self.last += 1;
        (self.last, 0)
    }

    /// Takes an object, which the caller copies itself. References to it lead to the returned number.
    pub(crate) fn assign(&mut self, id: ObjectId) -> ObjectId {
        let new = self.reserve();
        self.numbers.insert(id, Some(new));
        new
    }

    /// The number of an object in the part, if it was taken.
    pub(crate) fn assigned(&self, id: ObjectId) -> Option<ObjectId> {
        self.numbers.get(&id).copied().flatten()
    }

    /// Makes later references to an object that was taken lead to another number.
    pub(crate) fn redirect(&mut self, id: ObjectId, new: ObjectId) {
        self.numbers.insert(id, Some(new));
    }

    /// Stores the object of a number.
    pub(crate) fn put(&mut self, id: ObjectId, object: Object) {
        self.objects.insert(id, object);
    }

    /// A dictionary that was stored with [`put`](Self::put).
    pub(crate) fn written(&mut self, id: ObjectId) -> Option<&mut Dictionary> {
        self.objects
            .get_mut(&id)
            .and_then(|object| object.as_dict_mut().ok())
    }

    /// Copies a value. The objects that it refers to are copied by [`finish`](Self::finish). The recursion is only as
    /// deep as the value itself, which the parser limits to 100 levels.
    pub(crate) fn copy(&mut self, object: &'a Object) -> Result<Object, Error> {
        Ok(match object {
            Object::Reference(id) => self.refer(*id)?.map_or(Object::Null, Object::Reference),
            Object::Array(array) => Object::Array(
                array
                    .iter()
                    .map(|item| self.copy(item))
                    .collect::<Result<_, _>>()?,
            ),
            Object::Dictionary(dictionary) => Object::Dictionary(self.copy_dictionary(dictionary)?),
            Object::Stream(stream) => Object::Stream(self.copy_stream(stream)?),
            scalar => scalar.clone(),
        })
    }

    /// Copies the values of these keys, as far as they exist.
    pub(crate) fn copy_keys(
        &mut self,
        from: &'a Dictionary,
        keys: &[&[u8]],
        to: &mut Dictionary,
    ) -> Result<(), Error> {
        for key in keys {
            if let Ok(value) = from.get(key) {
                self.copy_value(key, value, to)?;
            }
        }
        Ok(())
    }

    /// Copies one value into a dictionary. A null value is not stored.
    pub(crate) fn copy_value(
        &mut self,
        key: &[u8],
        value: &'a Object,
        to: &mut Dictionary,
    ) -> Result<(), Error> {
        let copy = self.copy(value)?;
        if !copy.is_null() {
            to.set(key, copy);
        }
        Ok(())
    }

    fn copy_dictionary(&mut self, dictionary: &'a Dictionary) -> Result<Dictionary, Error> {
        let usage = self.usage;
        let mut copy = Dictionary::new();
        if let Some(kept) = usage.of(dictionary) {
            self.copy_used(dictionary, kept, &mut copy)?;
        } else {
            for (key, value) in dictionary {
                self.copy_value(key, value, &mut copy)?;
            }
        }
        Ok(copy)
    }

    /// Copies only the used resources of a list.
    fn copy_used(
        &mut self,
        resources: &'a Dictionary,
        kept: &Kept,
        copy: &mut Dictionary,
    ) -> Result<(), Error> {
        for (key, value) in resources {
            let place = CATEGORIES.iter().position(|category| category == key);
            let list = as_dictionary(self.source.resolve(value)?);
            let (Some(names), Some(list)) = (place.and_then(|place| kept.get(place)), list) else {
                self.copy_value(key, value, copy)?;
                continue;
            };
            // This goes through the used names. Many pages may share a long list, so it must not be read for each of
            // them.
            let mut used = Dictionary::new();
            for name in names {
                self.copy_keys(list, &[name.as_slice()], &mut used)?;
            }
            if !used.is_empty() {
                copy.set(key.as_slice(), used);
            }
        }
        Ok(())
    }

    /// Copies the resources of a page. Pages that share them also share the copy.
    pub(crate) fn copy_page_resources(
        &mut self,
        resources: &'a Dictionary,
    ) -> Result<ObjectId, Error> {
        let address = std::ptr::from_ref(resources);
        if let Some(known) = self.shared.get(&address) {
            return Ok(*known);
        }
        let id = self.reserve();
        self.shared.insert(address, id);
        let copy = self.copy_dictionary(resources)?;
        self.put(id, Object::Dictionary(copy));
        Ok(id)
    }

    /// Copies the default resources of a form's fields.
    pub(crate) fn copy_default_resources(
        &mut self,
        resources: &'a Dictionary,
    ) -> Result<Dictionary, Error> {
        let mut copy = self.copy_dictionary(resources)?;
        self.copy_keys(resources, &FIELD_RESOURCES, &mut copy)?;
        Ok(copy)
    }

    fn copy_stream(&mut self, stream: &'a Stream) -> Result<Stream, Error> {
        let mut copy = Dictionary::new();
        for (key, value) in &stream.dict {
            if key != b"Length" && !DROPPED.contains(&key.as_slice()) {
                self.copy_value(key, value, &mut copy)?;
            }
        }
        Ok(Stream::new(copy, self.source.content(stream)?.to_vec()))
    }

    /// The number in the part for an object that is referred to. `None` if it must not be copied.
    fn refer(&mut self, id: ObjectId) -> Result<Option<ObjectId>, Error> {
        if let Some(known) = self.numbers.get(&id) {
            return Ok(*known);
        }
        let object = self.source.object(id)?;
        let stays = object.is_null()
            || self.source.is_structure(id)
            || match object {
                Object::Dictionary(dictionary) => is_of_document(dictionary),
                Object::Stream(stream) => stream.dict.has_type(b"ObjStm"),
                _ => false,
            };
        if stays {
            self.numbers.insert(id, None);
            return Ok(None);
        }
        let new = self.assign(id);
        self.waiting.push((id, new));
        Ok(Some(new))
    }

    /// Copies all objects that the objects copied so far refer to, directly or indirectly.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        while let Some((id, new)) = self.waiting.pop() {
            let copy = self.copy(self.source.object(id)?)?;
            self.put(new, copy);
        }
        Ok(())
    }

    /// The objects of the part, and the highest number among them.
    pub(crate) fn into_objects(self) -> (BTreeMap<ObjectId, Object>, u32) {
        (self.objects, self.last)
    }
}
