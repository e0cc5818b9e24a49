//! The document to split. It is loaded once, indexed once, and then only read.
//!
//! A reference to an object that the document does not have is null (ISO 32000-2, 7.3.10). All objects that a page
//! needs exist, because [`open`](crate::open::open) refuses documents without them.

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Document, Object, ObjectId, Stream};

use crate::content;
use crate::destinations::Destinations;
use crate::labels::Labels;
use crate::outline::Outline;
use crate::pages::{self, Page};
use crate::trees::{self, Fields};

/// The longest chain of references that is followed. Usually there is one.
const MAX_REFERENCES: usize = 32;

/// The value of a missing object.
pub(crate) static NULL: Object = Object::Null;

/// The error of a file that breaks its own format.
pub(crate) fn damaged(what: String) -> Error {
    Error::InvalidInput(format!("the PDF is damaged: {what}"))
}

/// A document, with the indexes that the parts need.
pub(crate) struct Source<'a> {
    pub(crate) document: &'a Document,
    pub(crate) catalog: &'a Dictionary,
    pub(crate) pages: Vec<Page<'a>>,
    /// How many entries of the page tree name a page again and were skipped.
    pub(crate) repeated_pages: usize,
    pub(crate) destinations: Destinations<'a>,
    pub(crate) outline: Outline<'a>,
    pub(crate) labels: Labels<'a>,
    /// The fields and widgets of the form, each with the field above it.
    pub(crate) fields: Fields<'a>,
    /// Pages, nodes of the page tree and annotations.
    structure: HashSet<ObjectId>,
    /// Cache of the names in recently read content streams.
    pub(crate) names: content::Cache,
}

impl<'a> Source<'a> {
    pub(crate) fn new(document: &'a Document) -> Result<Self, Error> {
        let mut source = Self {
            document,
            catalog: document
                .catalog()
                .map_err(|_| damaged("it has no catalog".into()))?,
            pages: Vec::new(),
            repeated_pages: 0,
            destinations: Destinations::default(),
            outline: Outline::default(),
            labels: Labels::default(),
            fields: Fields::new(),
            structure: HashSet::new(),
            names: content::Cache::default(),
        };
        let tree = pages::read(&source)?;
        source.pages = tree.pages;
        source.repeated_pages = tree.repeated;
        source.structure = tree.nodes;
        let annotations = annotations(&source)?;
        source
            .structure
            .extend(annotations.iter().map(|(id, _)| *id));
        if let Some(form) = source.dictionary(source.catalog, b"AcroForm")? {
            let widgets: Vec<_> = annotations
                .into_iter()
                .filter(|(_, annotation)| is_widget(&source, annotation))
                .collect();
            source.fields = trees::fields(&source, source.array(form, b"Fields")?, &widgets)?;
        }
        source.destinations = Destinations::read(&source)?;
        source.outline = Outline::read(&source)?;
        source.labels = Labels::read(&source)?;
        Ok(source)
    }

    /// Whether an object leads to other pages: a node of the page tree, an annotation or a form field. A part takes
    /// such an object only explicitly, by its number.
    pub(crate) fn is_structure(&self, id: ObjectId) -> bool {
        self.structure.contains(&id) || self.fields.contains_key(&id)
    }

    /// The object with this number. Null if the file has none.
    pub(crate) fn object(&self, id: ObjectId) -> Result<&'a Object, Error> {
        Ok(self.document.objects.get(&id).unwrap_or(&NULL))
    }

    /// Follows references to an object.
    pub(crate) fn resolve(&self, mut object: &'a Object) -> Result<&'a Object, Error> {
        for _ in 0..MAX_REFERENCES {
            match object {
                Object::Reference(id) => object = self.object(*id)?,
                object => return Ok(object),
            }
        }
        Err(damaged("references lead in a circle".into()))
    }

    /// The value of a key with references followed. Null if there is none.
    pub(crate) fn get(&self, dictionary: &'a Dictionary, key: &[u8]) -> Result<&'a Object, Error> {
        dictionary
            .get(key)
            .map_or(Ok(&NULL), |value| self.resolve(value))
    }

    /// The dictionary under a key. Of a stream, it is the stream's dictionary.
    pub(crate) fn dictionary(
        &self,
        parent: &'a Dictionary,
        key: &[u8],
    ) -> Result<Option<&'a Dictionary>, Error> {
        self.get(parent, key).map(as_dictionary)
    }

    /// The array under a key.
    pub(crate) fn array(&self, parent: &'a Dictionary, key: &[u8]) -> Result<&'a [Object], Error> {
        Ok(self.get(parent, key)?.as_array().map_or(&[], Vec::as_slice))
    }

    /// The same, but an array that is an object of its own is returned only once, and is empty from then on. If many
    /// dictionaries shared one array, walks over them would be quadratic. In a valid document they never share a list
    /// of nodes.
    pub(crate) fn array_once(
        &self,
        parent: &'a Dictionary,
        key: &[u8],
        seen: &mut HashSet<ObjectId>,
    ) -> Result<&'a [Object], Error> {
        match parent.get(key) {
            Ok(Object::Reference(id)) if !seen.insert(*id) => Ok(&[]),
            _ => self.array(parent, key),
        }
    }

    /// The encoded bytes of a stream, as in the file.
    pub(crate) fn content(&self, stream: &'a Stream) -> Result<&'a [u8], Error> {
        Ok(&stream.content)
    }
}

/// An object as a dictionary. Of a stream, it is the stream's dictionary.
pub(crate) fn as_dictionary(object: &Object) -> Option<&Dictionary> {
    match object {
        Object::Dictionary(dictionary) => Some(dictionary),
        Object::Stream(stream) => Some(&stream.dict),
        _ => None,
    }
}

/// Every annotation that a page lists by reference, with its object number.
fn annotations<'a>(source: &Source<'a>) -> Result<Vec<(ObjectId, &'a Dictionary)>, Error> {
    let mut found = Vec::new();
    let mut lists = HashSet::new();
    let mut seen = HashSet::new();
    for page in &source.pages {
        for item in source.array_once(page.dictionary, b"Annots", &mut lists)? {
            if let Object::Reference(id) = item
                && seen.insert(*id)
                && let Object::Dictionary(annotation) = source.resolve(item)?
            {
                found.push((*id, annotation));
            }
        }
    }
    Ok(found)
}

fn is_widget<'a>(source: &Source<'a>, annotation: &'a Dictionary) -> bool {
    source
        .get(annotation, b"Subtype")
        .is_ok_and(|kind| kind.as_name().is_ok_and(|kind| kind == b"Widget"))
}
