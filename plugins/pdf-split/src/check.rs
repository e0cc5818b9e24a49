//! Checks a part before it is returned.
//!
//! The check does not rely on the pruner and the copier. It compares the pages of the part with those of the document.
//! Content must have the same bytes and the same filters, so no operator is missing. Each name in it that leads to a
//! resource in the document must also lead to one in the part.

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Document, Object, Stream};

use crate::document::{Source, as_dictionary};
use crate::pages::Page;
use crate::usage::{CATEGORIES, Drawn, MAX_LOOKUPS, Usage, page_resources};
use crate::{PageRange, annotations, content};

/// Greatest depth to which values are compared. Filters and their parameters have two levels.
const MAX_DEPTH: usize = 8;

/// Something that is missing in a part.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The number of the page in the document, from 1.
    pub(crate) page: usize,
    pub(crate) what: String,
}

type Checked = Result<(), String>;

/// Compares the pages of a part, which has only the resources that they use, with those of its document.
pub(crate) fn check(
    source: &Source<'_>,
    range: PageRange,
    part: &Document,
    usage: &Usage,
) -> Result<Result<(), Missing>, Error> {
    let missing = |page, what: String| Ok(Err(Missing { page, what }));
    if let Err(what) = references(part) {
        return missing(range.first, what);
    }
    let part = match Source::new(part) {
        Ok(part) => part,
        Err(error) => return missing(range.first, error.to_string()),
    };
    let pages = source
        .pages
        .get(range.first - 1..range.last)
        .unwrap_or_default();
    if pages.len() != part.pages.len() {
        return missing(range.first, "pages are missing".into());
    }
    for (number, (page, copy)) in (range.first..).zip(pages.iter().zip(&part.pages)) {
        let mut pair = Pair::new(source, &part, usage);
        if let Err(what) = pair.page(page, copy)? {
            return missing(number, what);
        }
    }
    Ok(Ok(()))
}

/// Checks that every reference in the part leads to an object of the part.
fn references(part: &Document) -> Checked {
    let mut open: Vec<&Object> = part.trailer.iter().map(|(_, value)| value).collect();
    open.extend(part.objects.values());
    while let Some(object) = open.pop() {
        match object {
            Object::Reference(id) if !part.objects.contains_key(id) => {
                return Err(format!(
                    "a reference leads to object {}, which is missing",
                    id.0
                ));
            }
            // The format cannot write this number.
            Object::Real(number) if !number.is_finite() => {
                return Err("a number is beyond what a PDF can hold".into());
            }
            Object::Array(array) => open.extend(array),
            Object::Dictionary(dictionary) => {
                open.extend(dictionary.iter().map(|(_, value)| value))
            }
            Object::Stream(stream) => open.extend(stream.dict.iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    Ok(())
}

/// A list of resources in the document and in the part.
struct Scope<'a, 'p> {
    resources: &'a Dictionary,
    copy: Option<&'p Dictionary>,
    /// Index of the scope in which a name is looked up next if it is not found here.
    above: Option<usize>,
}

/// Content in the document and in the part, the scope in which its names are looked up first, and how many of the
/// scopes are its own.
struct Drawing<'a, 'p> {
    stream: &'a Stream,
    copy: &'p Stream,
    scope: Option<usize>,
    own: usize,
}

/// A page of the document next to its copy.
struct Pair<'a, 'p, 's> {
    source: &'s Source<'a>,
    part: &'s Source<'p>,
    usage: &'s Usage,
    scopes: Vec<Scope<'a, 'p>>,
    open: Vec<Drawing<'a, 'p>>,
    lookups: usize,
    seen: HashSet<(*const Stream, Option<*const Dictionary>)>,
    compared: HashSet<*const Object>,
}

impl<'a, 'p, 's> Pair<'a, 'p, 's> {
    fn new(source: &'s Source<'a>, part: &'s Source<'p>, usage: &'s Usage) -> Self {
        Self {
            source,
            part,
            usage,
            scopes: Vec::new(),
            lookups: 0,
            open: Vec::new(),
            seen: HashSet::new(),
            compared: HashSet::new(),
        }
    }

    fn page(&mut self, page: &Page<'a>, copy: &Page<'p>) -> Result<Checked, Error> {
        let resources = page_resources(self.source, page)?;
        let scope = match resources {
            Some(resources) => {
                let copy = page_resources(self.part, copy)?;
                Some(self.scope(resources, copy, None))
            }
            None => None,
        };
        let (streams, copies) = (
            content::streams(self.source, page.dictionary)?,
            content::streams(self.part, copy.dictionary)?,
        );
        if streams.as_ref().map(Vec::len) != copies.as_ref().map(Vec::len) {
            return Ok(Err("a content stream is missing".into()));
        }
        let pairs = streams
            .into_iter()
            .flatten()
            .zip(copies.into_iter().flatten());
        for (stream, copy) in pairs {
            self.open.push(Drawing {
                stream,
                copy,
                scope,
                own: usize::from(resources.is_some()),
            });
        }

        let annotations = annotations::list(self.source, page)?;
        let copies = annotations::list(self.part, copy)?;
        if annotations.len() != copies.len() {
            return Ok(Err("an annotation is missing".into()));
        }
        for ((_, annotation), (_, copy)) in annotations.into_iter().zip(copies) {
            let drawn = Drawn::appearances(self.source, annotation)?;
            let copies = Drawn::appearances(self.part, copy)?;
            if let Err(what) = self.enter(drawn, copies, scope) {
                return Ok(Err(format!("{what} of an annotation")));
            }
        }
        while let Some(drawing) = self.open.pop() {
            if let checked @ Err(_) = self.drawing(&drawing)? {
                return Ok(checked);
            }
        }
        Ok(Ok(()))
    }

    /// Adds the content that a resource or an annotation draws to the walk.
    fn enter(
        &mut self,
        drawn: Vec<Drawn<'a>>,
        copies: Vec<Drawn<'p>>,
        above: Option<usize>,
    ) -> Checked {
        if drawn.len() != copies.len() {
            return Err("an appearance or a glyph is missing".into());
        }
        for (drawn, copy) in drawn.into_iter().zip(copies) {
            if drawn.own.len() != copy.own.len() {
                return Err("the resources are missing".into());
            }
            let outermost = drawn.own.last().copied().map(std::ptr::from_ref);
            if !self
                .seen
                .insert((std::ptr::from_ref(drawn.stream), outermost))
            {
                continue;
            }
            let own = drawn.own.len();
            let mut scope = above;
            for (resources, copy) in drawn.own.into_iter().zip(copy.own).rev() {
                scope = Some(self.scope(resources, Some(copy), scope));
            }
            self.open.push(Drawing {
                stream: drawn.stream,
                copy: copy.stream,
                scope,
                own,
            });
        }
        Ok(())
    }

    fn drawing(&mut self, drawing: &Drawing<'a, 'p>) -> Result<Checked, Error> {
        if !self.same_stream(drawing.stream, drawing.copy)? {
            return Ok(Err("a content stream is not what it was".into()));
        }
        let names = content::names(self.source, drawing.stream)?;
        let Ok(names) = names.as_ref() else {
            return self.all(drawing);
        };
        for name in &names.names {
            if self.lookups > MAX_LOOKUPS {
                // If nothing was left out, all resources are in the part.
                return Ok(match self.usage {
                    Usage::Sure(_) => Err("its resources are too many to be checked".into()),
                    Usage::Unsure => Ok(()),
                });
            }
            for category in CATEGORIES {
                let mut place = drawing.scope;
                let mut level = 0;
                while let Some(scope) = place {
                    match self.resource(drawing, scope, category, name)? {
                        Err(what) => return Ok(Err(what)),
                        Ok(true) if level < drawing.own => break,
                        Ok(_) => {}
                    }
                    level += 1;
                    place = self.scopes.get(scope).and_then(|scope| scope.above);
                }
            }
        }
        Ok(Ok(()))
    }

    /// Compares all resources of content whose names cannot be determined.
    fn all(&mut self, drawing: &Drawing<'a, 'p>) -> Result<Checked, Error> {
        let mut place = drawing.scope;
        while let Some(scope) = place {
            let Some(Scope {
                resources, above, ..
            }) = self.scopes.get(scope)
            else {
                break;
            };
            let resources = *resources;
            place = *above;
            for category in CATEGORIES {
                let list = self.source.dictionary(resources, category)?;
                for (name, _) in list.into_iter().flatten() {
                    if self.lookups > MAX_LOOKUPS {
                        return Ok(Ok(()));
                    }
                    if let Err(what) = self.resource(drawing, scope, category, name)? {
                        return Ok(Err(what));
                    }
                }
            }
        }
        Ok(Ok(()))
    }

    fn scope(
        &mut self,
        resources: &'a Dictionary,
        copy: Option<&'p Dictionary>,
        above: Option<usize>,
    ) -> usize {
        self.scopes.push(Scope {
            resources,
            copy,
            above,
        });
        self.scopes.len() - 1
    }

    /// Whether a name leads to a resource of the document. If so, it must lead to the same resource in the part.
    fn resource(
        &mut self,
        drawing: &Drawing<'a, 'p>,
        scope: usize,
        category: &[u8],
        name: &[u8],
    ) -> Result<Result<bool, String>, Error> {
        self.lookups += 1;
        let Some(scope) = self.scopes.get(scope) else {
            return Ok(Ok(false));
        };
        let Some(resource) = find(self.source, scope.resources, category, name)? else {
            return Ok(Ok(false));
        };
        let missing = || {
            let (category, name) = (
                String::from_utf8_lossy(category),
                String::from_utf8_lossy(name),
            );
            Ok(Err(format!(
                "the resource {name} of /{category} is missing"
            )))
        };
        let copy = match scope.copy {
            Some(copy) => find(self.part, copy, category, name)?,
            None => None,
        };
        let Some(copy) = copy else {
            return missing();
        };
        if self.compared.insert(std::ptr::from_ref(resource)) {
            let same = match (resource, copy) {
                (Object::Stream(stream), Object::Stream(copy)) => self.same_stream(stream, copy)?,
                (resource, copy) => resource.enum_variant() == copy.enum_variant(),
            };
            if !same {
                return missing();
            }
        }
        let drawn = Drawn::of_resource(self.source, category, resource)?;
        let copies = Drawn::of_resource(self.part, category, copy)?;
        Ok(self.enter(drawn, copies, drawing.scope).map(|()| true))
    }

    /// Whether a copied stream has the same bytes and filters as the original.
    fn same_stream(&self, stream: &'a Stream, copy: &'p Stream) -> Result<bool, Error> {
        if self.source.content(stream)? != self.part.content(copy)? {
            return Ok(false);
        }
        for key in [b"Filter".as_slice(), b"DecodeParms"] {
            let (value, copy) = (
                self.source.get(&stream.dict, key)?,
                self.part.get(&copy.dict, key)?,
            );
            if !self.same(value, copy, MAX_DEPTH)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether two values are the same once references are followed.
    fn same(&self, value: &'a Object, copy: &'p Object, depth: usize) -> Result<bool, Error> {
        let value = self.source.resolve(value)?;
        let copy = self.part.resolve(copy)?;
        if depth == 0 {
            return Ok(true);
        }
        match (value, copy) {
            (Object::Array(values), Object::Array(copies)) => {
                if values.len() != copies.len() {
                    return Ok(false);
                }
                for (value, copy) in values.iter().zip(copies) {
                    if !self.same(value, copy, depth - 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Object::Dictionary(values), Object::Dictionary(copies)) => {
                for (key, value) in values {
                    let copy = self.part.get(copies, key)?;
                    if !self.same(value, copy, depth - 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            // A stream that a filter uses as a table. It is not content.
            (Object::Stream(_), Object::Stream(_)) => Ok(true),
            (value, copy) => Ok(value == copy),
        }
    }
}

/// The resource of a name. `None` if it is null or missing.
fn find<'a>(
    source: &Source<'a>,
    resources: &'a Dictionary,
    category: &[u8],
    name: &[u8],
) -> Result<Option<&'a Object>, Error> {
    let list = match resources.as_hashmap().get(category) {
        Some(list) => as_dictionary(source.resolve(list)?),
        None => None,
    };
    let resource = match list.and_then(|list| list.as_hashmap().get(name)) {
        Some(resource) => source.resolve(resource)?,
        None => return Ok(None),
    };
    Ok((!resource.is_null()).then_some(resource))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use lopdf::dictionary;

    use super::*;

    /// A page with one picture. The document is used as its own part.
    fn document() -> Document {
        let mut document = Document::new();
        let picture = Stream::new(dictionary! { "Subtype" => "Image" }, b"PICTURE".to_vec());
        let picture = document.add_object(picture);
        let content = document.add_object(Stream::new(Dictionary::new(), b"/Im Do".to_vec()));
        let look = document.add_object(Stream::new(
            dictionary! { "Subtype" => "Form" },
            b"/Im Do".to_vec(),
        ));
        let page = document.add_object(dictionary! {
            "Type" => "Page",
            "Contents" => content,
            "Resources" => dictionary! { "XObject" => dictionary! { "Im" => picture } },
            "Annots" => vec![dictionary! { "AP" => dictionary! { "N" => look } }.into()],
        });
        let tree =
            document.add_object(dictionary! { "Type" => "Pages", "Kids" => vec![page.into()] });
        let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
        document.trailer.set("Root", catalog);
        document
    }

    fn missing(change: impl FnOnce(&mut Document)) -> Option<String> {
        let document = document();
        let source = Source::new(&document).unwrap();
        let mut part = document.clone();
        change(&mut part);
        let range = PageRange { first: 1, last: 1 };
        let usage = Usage::of_pages(&source, &source.pages).unwrap();
        check(&source, range, &part, &usage)
            .unwrap()
            .err()
            .map(|missing| missing.what)
    }

    fn page(part: &mut Document) -> &mut Dictionary {
        let id = part.page_iter().next().unwrap();
        part.get_object_mut(id).unwrap().as_dict_mut().unwrap()
    }

    fn stream<'a>(part: &'a mut Document, content: &[u8]) -> &'a mut Stream {
        let mut streams = part
            .objects
            .values_mut()
            .filter_map(|object| object.as_stream_mut().ok());
        streams.find(|stream| stream.content == content).unwrap()
    }

    #[test]
    fn a_whole_part_lacks_nothing() {
        assert_eq!(missing(|_| {}), None);
    }

    #[test]
    fn whatever_is_missing_is_noticed() {
        for (wanted, change) in [
            (
                "Im of /XObject",
                (|part| {
                    page(part).set("Resources", Dictionary::new());
                }) as fn(&mut Document),
            ),
            ("Im of /XObject", |part| {
                page(part).remove(b"Resources");
            }),
            ("Im of /XObject", |part| {
                stream(part, b"PICTURE").content.push(b'!');
            }),
            ("content stream", |part| {
                page(part).remove(b"Contents");
            }),
            ("content stream", |part| {
                stream(part, b"/Im Do").content.push(b' ');
            }),
            ("content stream", |part| {
                stream(part, b"/Im Do").dict.set("Filter", "FlateDecode");
            }),
            ("annotation", |part| {
                page(part).remove(b"Annots");
            }),
            ("appearance", |part| {
                page(part).set("Annots", vec![Dictionary::new().into()]);
            }),
            ("object 99", |part| {
                page(part).set("Group", (99, 0));
            }),
            ("number", |part| {
                page(part).set("UserUnit", f32::INFINITY);
            }),
            ("pages", |part| {
                part.delete_pages(&[1]);
            }),
        ] {
            let what = missing(change).unwrap();
            assert!(what.contains(wanted), "{wanted}: {what}");
        }
    }
}
