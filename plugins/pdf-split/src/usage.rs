//! Which resources the content of some pages uses (ISO 32000-2, 7.8.3).
//!
//! In files of many producers, all pages share one list of resources, with every picture of the document in it. A part
//! gets only the resources that its content names. The walk begins with the content of a page and the appearances of
//! its annotations. It continues with the forms, patterns, glyphs and soft masks that they draw.
//!
//! A name in a form is looked up in the form's own resources. If it has no resources, or they do not have the name,
//! readers differ: some look in the resources of the form that draws it, some in those of the page, some in the default
//! resources of the document's fields. So such a name counts as used in every list of resources that the walk finds on
//! the page.
//!
//! If the walk is not certain, nothing is left out.

use std::collections::{BTreeSet, HashMap, HashSet};

use forebay_plugin::Error;
use lopdf::{Dictionary, Object, Stream};

use crate::annotations;
use crate::content;
use crate::decode::{Sure, Unsure};
use crate::document::{Source, as_dictionary};
use crate::pages::{INHERITABLE, Page};

/// The most look-ups for one page. Real pages need some thousands. Charts that are made of forms need some 100,000.
pub(crate) const MAX_LOOKUPS: usize = 5_000_000;

/// Categories of resources that content uses by name. `ColorSpace` and `ProcSet` are not among them and are copied in
/// full: they contain nothing that a page shows, and a colour space can apply without being named (8.6.5.6).
pub(crate) const CATEGORIES: [&[u8]; 6] = [
    b"ExtGState",
    b"Font",
    b"Pattern",
    b"Properties",
    b"Shading",
    b"XObject",
];

/// The used names of one list of resources, for each of [`CATEGORIES`].
pub(crate) type Kept = [BTreeSet<Vec<u8>>; CATEGORIES.len()];

/// What the pages of a part use.
pub(crate) enum Usage {
    /// The used names of each list of resources that was found. A list that was not found is copied in full.
    Sure(HashMap<*const Dictionary, Kept>),
    /// It cannot be determined, so all lists are copied in full.
    Unsure,
}

impl Usage {
    /// What the content of some pages uses.
    pub(crate) fn of_pages<'a>(source: &Source<'a>, pages: &[Page<'a>]) -> Result<Self, Error> {
        let mut used = HashMap::new();
        for page in pages {
            let mut walk = Walk::new(source, &mut used);
            if walk.page(page)?.is_err() {
                return Ok(Self::Unsure);
            }
        }
        Ok(Self::Sure(used))
    }

    /// The used names of a list of resources. `None` if all of it must be kept.
    pub(crate) fn of(&self, resources: &Dictionary) -> Option<&Kept> {
        match self {
            Self::Sure(used) => used.get(&std::ptr::from_ref(resources)),
            Self::Unsure => None,
        }
    }
}

/// Content that is drawn, and its own resources, innermost first.
#[derive(Debug, Clone)]
pub(crate) struct Drawn<'a> {
    pub(crate) stream: &'a Stream,
    pub(crate) own: Vec<&'a Dictionary>,
}

impl<'a> Drawn<'a> {
    /// A form, a pattern or an appearance.
    fn form(source: &Source<'a>, stream: &'a Stream) -> Result<Self, Error> {
        let own = source.dictionary(&stream.dict, b"Resources")?;
        Ok(Self {
            stream,
            own: own.into_iter().collect(),
        })
    }

    /// The glyphs of a font of type 3.
    fn glyphs(source: &Source<'a>, font: &'a Dictionary) -> Result<Vec<Self>, Error> {
        let Some(procedures) = source.dictionary(font, b"CharProcs")? else {
            return Ok(Vec::new());
        };
        let resources = source.dictionary(font, b"Resources")?;
        let mut glyphs = Vec::new();
        for (_, glyph) in procedures {
            if let Object::Stream(stream) = source.resolve(glyph)? {
                let mut glyph = Self::form(source, stream)?;
                glyph.own.extend(resources);
                glyphs.push(glyph);
            }
        }
        Ok(glyphs)
    }

    /// What a graphics state draws: a soft mask (table 142), and the glyphs of its font.
    fn state(source: &Source<'a>, state: &'a Dictionary) -> Result<Vec<Self>, Error> {
        let mut drawn = Vec::new();
        if let Some(mask) = source.dictionary(state, b"SMask")?
            && let Object::Stream(form) = source.get(mask, b"G")?
        {
            drawn.push(Self::form(source, form)?);
        }
        if let [font, ..] = source.array(state, b"Font")?
            && let Some(font) = as_dictionary(source.resolve(font)?)
        {
            drawn.extend(Self::glyphs(source, font)?);
        }
        Ok(drawn)
    }

    /// What a resource draws.
    pub(crate) fn of_resource(
        source: &Source<'a>,
        category: &[u8],
        resource: &'a Object,
    ) -> Result<Vec<Self>, Error> {
        match (category, resource) {
            (b"XObject", Object::Stream(stream)) => {
                let kind = source.get(&stream.dict, b"Subtype")?;
                if kind.as_name().is_ok_and(|kind| kind == b"Image") {
                    return Ok(Vec::new());
                }
                Ok(vec![Self::form(source, stream)?])
            }
            (b"Pattern", Object::Stream(stream)) => Ok(vec![Self::form(source, stream)?]),
            (b"Pattern", Object::Dictionary(pattern)) => source
                .dictionary(pattern, b"ExtGState")?
                .map_or(Ok(Vec::new()), |state| Self::state(source, state)),
            (b"Font", Object::Dictionary(font)) => Self::glyphs(source, font),
            (b"ExtGState", Object::Dictionary(state)) => Self::state(source, state),
            _ => Ok(Vec::new()),
        }
    }

    /// The appearances of an annotation in every state (12.5.5).
    pub(crate) fn appearances(
        source: &Source<'a>,
        annotation: &'a Dictionary,
    ) -> Result<Vec<Self>, Error> {
        Self::under(source, annotation, b"AP", [b"N", b"R", b"D"])
    }

    /// The icons of a button (table 192).
    fn icons(source: &Source<'a>, annotation: &'a Dictionary) -> Result<Vec<Self>, Error> {
        Self::under(source, annotation, b"MK", [b"I", b"RI", b"IX"])
    }

    /// The forms under these keys of a dictionary, or in dictionaries under these keys.
    fn under(
        source: &Source<'a>,
        parent: &'a Dictionary,
        key: &[u8],
        below: [&[u8]; 3],
    ) -> Result<Vec<Self>, Error> {
        let mut drawn = Vec::new();
        let Some(parent) = source.dictionary(parent, key)? else {
            return Ok(drawn);
        };
        for key in below {
            match source.get(parent, key)? {
                Object::Stream(stream) => drawn.push(Self::form(source, stream)?),
                Object::Dictionary(states) => {
                    for (_, state) in states {
                        if let Object::Stream(stream) = source.resolve(state)? {
                            drawn.push(Self::form(source, stream)?);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(drawn)
    }
}

/// The resources of a page, its own or those it inherits.
pub(crate) fn page_resources<'a>(
    source: &Source<'a>,
    page: &Page<'a>,
) -> Result<Option<&'a Dictionary>, Error> {
    let attributes = INHERITABLE.into_iter().zip(page.attributes);
    for (key, value) in attributes {
        if let (b"Resources", Some(value)) = (key, value) {
            return source.resolve(value).map(as_dictionary);
        }
    }
    Ok(None)
}

/// A list of resources: the dictionary of each category.
struct List<'a> {
    resources: &'a Dictionary,
    categories: [Option<&'a Dictionary>; CATEGORIES.len()],
}

/// The walk over what one page draws.
struct Walk<'a, 's> {
    source: &'s Source<'a>,
    used: &'s mut HashMap<*const Dictionary, Kept>,
    lists: Vec<List<'a>>,
    places: HashMap<*const Dictionary, usize>,
    /// Names that content did not find in its own resources, for each category.
    elsewhere: Kept,
    /// Content that was visited, with its outermost own resources.
    seen: HashSet<(*const Stream, Option<*const Dictionary>)>,
    /// Resources that were found.
    found: HashSet<*const Object>,
    open: Vec<Drawn<'a>>,
    lookups: usize,
}

impl<'a, 's> Walk<'a, 's> {
    fn new(source: &'s Source<'a>, used: &'s mut HashMap<*const Dictionary, Kept>) -> Self {
        Self {
            source,
            used,
            lists: Vec::new(),
            places: HashMap::new(),
            elsewhere: Kept::default(),
            seen: HashSet::new(),
            found: HashSet::new(),
            open: Vec::new(),
            lookups: 0,
        }
    }

    fn page(&mut self, page: &Page<'a>) -> Result<Sure<()>, Error> {
        let source = self.source;
        let streams = match content::streams(source, page.dictionary)? {
            Ok(streams) => streams,
            Err(unsure) => return Ok(Err(unsure)),
        };
        if let Err(unsure) = content::names_are_whole(source, &streams)? {
            return Ok(Err(unsure));
        }
        let own = match page_resources(source, page)? {
            Some(resources) => Some(self.list(resources)?),
            None => None,
        };
        for stream in streams {
            let names = content::names(source, stream)?;
            let names = match names.as_ref() {
                Ok(names) => names,
                Err(unsure) => return Ok(Err(*unsure)),
            };
            for name in &names.names {
                for category in 0..CATEGORIES.len() {
                    // A name that the page's resources do not have is not looked up in other lists.
                    if let Some(place) = own {
                        self.look_up(place, category, name)?;
                    }
                }
            }
        }

        let annotations = annotations::list(source, page)?;
        if !annotations.is_empty()
            && let Some(form) = source.dictionary(source.catalog, b"AcroForm")?
            && let Some(resources) = source.dictionary(form, b"DR")?
        {
            self.list(resources)?;
        }
        for (_, annotation) in annotations {
            self.open.extend(Drawn::appearances(source, annotation)?);
            self.open.extend(Drawn::icons(source, annotation)?);
            // The text of a field or of a comment is drawn with the resources that its default appearance names.
            if let Ok(text) = source.get(annotation, b"DA")?.as_str() {
                for name in content::names_in_text(text) {
                    self.look_elsewhere(&name)?;
                }
            }
        }
        while let Some(drawn) = self.open.pop() {
            if let Err(unsure) = self.content(&drawn)? {
                return Ok(Err(unsure));
            }
        }
        Ok(Ok(()))
    }

    /// Looks up the names in a form, a pattern or a glyph.
    fn content(&mut self, drawn: &Drawn<'a>) -> Result<Sure<()>, Error> {
        let key = (
            std::ptr::from_ref(drawn.stream),
            drawn.own.last().copied().map(std::ptr::from_ref),
        );
        self.lookups += 1;
        if !self.seen.insert(key) {
            return Ok(Ok(()));
        }
        let names = content::names(self.source, drawn.stream)?;
        let names = match names.as_ref() {
            Ok(names) => names,
            Err(unsure) => return Ok(Err(*unsure)),
        };
        let mut own = Vec::with_capacity(drawn.own.len());
        for resources in &drawn.own {
            own.push(self.list(resources)?);
        }
        for name in &names.names {
            if self.lookups > MAX_LOOKUPS {
                return Ok(Err(Unsure::TooMuch));
            }
            for category in 0..CATEGORIES.len() {
                let mut found = false;
                for place in &own {
                    found = found || self.look_up(*place, category, name)?;
                }
                if !found {
                    self.look_in_all(category, name)?;
                }
            }
        }
        Ok(Ok(()))
    }

    /// Adds a list of resources, and looks up in it the names that were not found in their own resources so far.
    fn list(&mut self, resources: &'a Dictionary) -> Result<usize, Error> {
        let address = std::ptr::from_ref(resources);
        if let Some(place) = self.places.get(&address) {
            return Ok(*place);
        }
        let mut categories = [None; CATEGORIES.len()];
        for (list, category) in categories.iter_mut().zip(CATEGORIES) {
            *list = self
                .source
                .dictionary(resources, category)?
                .filter(|list| !list.is_empty());
        }
        let place = self.lists.len();
        self.lists.push(List {
            resources,
            categories,
        });
        self.places.insert(address, place);
        self.used.entry(address).or_default();
        for (category, list) in categories.iter().enumerate() {
            if list.is_none() {
                continue;
            }
            let names = self.elsewhere.get_mut(category).map(std::mem::take);
            for name in names.iter().flatten() {
                self.look_up(place, category, name)?;
            }
            if let (Some(names), Some(empty)) = (names, self.elsewhere.get_mut(category)) {
                // The look-ups above add no names here, so nothing is overwritten.
                *empty = names;
            }
        }
        Ok(place)
    }

    /// Looks up a name in one list. If the list has it, it is kept, and the content that it draws is visited as well.
    fn look_up(&mut self, place: usize, category: usize, name: &[u8]) -> Result<bool, Error> {
        let Some(list) = self.lists.get(place) else {
            return Ok(false);
        };
        let Some(resources) = list.categories.get(category).copied().flatten() else {
            return Ok(false);
        };
        self.lookups += 1;
        let Some(value) = resources.as_hashmap().get(name) else {
            return Ok(false);
        };
        let resource = self.source.resolve(value)?;
        if resource.is_null() {
            return Ok(false);
        }
        let address = std::ptr::from_ref(list.resources);
        let kept = self.used.entry(address).or_default();
        if let Some(kept) = kept.get_mut(category)
            && !kept.contains(name)
        {
            kept.insert(name.to_vec());
        }
        if self.found.insert(std::ptr::from_ref(resource)) {
            let category = CATEGORIES.get(category).copied().unwrap_or_default();
            let drawn = Drawn::of_resource(self.source, category, resource)?;
            self.open.extend(drawn);
        }
        Ok(true)
    }

    /// Looks up a name in every list of the page: those that are known now, and those that are found later.
    fn look_in_all(&mut self, category: usize, name: &[u8]) -> Result<(), Error> {
        let Some(known) = self.elsewhere.get_mut(category) else {
            return Ok(());
        };
        if known.contains(name) {
            return Ok(());
        }
        known.insert(name.to_vec());
        for place in 0..self.lists.len() {
            self.look_up(place, category, name)?;
        }
        Ok(())
    }

    fn look_elsewhere(&mut self, name: &[u8]) -> Result<(), Error> {
        (0..CATEGORIES.len()).try_for_each(|category| self.look_in_all(category, name))
    }
}
