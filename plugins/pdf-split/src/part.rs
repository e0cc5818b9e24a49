//! One part: its pages, and the data of the document besides its pages.

use std::io::Write;

use forebay_plugin::Error;
use lopdf::xref::{Xref, XrefType};
use lopdf::{Dictionary, Document, Object, ObjectId, StringFormat};

use crate::annotations::{self, Annotation, Kind};
use crate::copy::Copier;
use crate::document::{Source, as_dictionary};
use crate::pages::{INHERITABLE, Page};
use crate::usage::Usage;
use crate::{PageRange, check, form, layers};

/// Keys of a page that are copied unchanged (ISO 32000-2, table 31). The other keys lead to other pages, to the
/// structure or to embedded files, start actions by themselves, or are unknown to this version of the standard.
const PAGE_KEYS: [&[u8]; 17] = [
    b"ArtBox",
    b"BleedBox",
    b"BoxColorInfo",
    b"Contents",
    b"Dur",
    b"Group",
    b"ID",
    b"LastModified",
    b"Metadata",
    b"OutputIntents",
    b"PZ",
    b"Tabs",
    b"Thumb",
    b"Trans",
    b"TrimBox",
    b"UserUnit",
    b"VP",
];

/// Keys of the catalog that are copied unchanged (table 29).
const CATALOG_KEYS: [&[u8]; 5] = [
    b"Extensions",
    b"Lang",
    b"OutputIntents",
    b"PageLayout",
    b"URI",
];

/// Preferences that are valid for a part as well (table 147). The others name pages.
const VIEWER_KEYS: [&[u8]; 10] = [
    b"CenterWindow",
    b"Direction",
    b"DisplayDocTitle",
    b"Duplex",
    b"FitWindow",
    b"HideMenubar",
    b"HideToolbar",
    b"HideWindowUI",
    b"PickTrayByPDFSize",
    b"PrintScaling",
];

/// The standard entries of the document information (table 349).
const INFO_KEYS: [&[u8]; 9] = [
    b"Title",
    b"Author",
    b"Subject",
    b"Keywords",
    b"Creator",
    b"Producer",
    b"CreationDate",
    b"ModDate",
    b"Trapped",
];

/// Builds the part with some pages of a document, and checks it. If something of the pages is missing, it is built
/// again with all resources. If something is still missing, the result is an error.
pub(crate) fn build(source: &Source<'_>, range: PageRange) -> Result<Document, Error> {
    let pages = source
        .pages
        .get(range.first - 1..range.last)
        .unwrap_or_default();
    let usage = Usage::of_pages(source, pages)?;
    let part = assemble(source, range, pages, &usage)?;
    let Err(missing) = check::check(source, range, &part, &usage)? else {
        return Ok(part);
    };
    let missing = match usage {
        Usage::Unsure => missing,
        Usage::Sure(_) => {
            let part = assemble(source, range, pages, &Usage::Unsure)?;
            match check::check(source, range, &part, &Usage::Unsure)? {
                Ok(()) => return Ok(part),
                Err(missing) => missing,
            }
        }
    };
    Err(Error::InvalidInput(format!(
        "page {} cannot be split off without loss: {}",
        missing.page, missing.what
    )))
}

/// Assembles a part.
fn assemble<'a>(
    source: &Source<'a>,
    range: PageRange,
    pages: &[Page<'a>],
    usage: &Usage,
) -> Result<Document, Error> {
    let mut copier = Copier::new(source, usage);
    let catalog_id = copier.reserve();
    let tree_id = copier.reserve();

    // The pages get their numbers first, because everything that leads to a page depends on which pages are in the
    // part.
    let page_ids: Vec<_> = pages
        .iter()
        .map(|page| match page.id {
            // A page that the document shows twice becomes two pages. Links lead to the first one.
            Some(id) if copier.assigned(id).is_none() => copier.assign(id),
            _ => copier.reserve(),
        })
        .collect();
    let annotations = annotations::assign(&mut copier, pages)?;

    for ((page, id), annotations) in pages.iter().zip(&page_ids).zip(&annotations) {
        let mut copy = copy_page(&mut copier, page)?;
        copy.set("Parent", tree_id);
        annotations::copy(&mut copier, annotations, *id)?;
        if !annotations.is_empty() {
            copy.set(
                "Annots",
                annotations
                    .iter()
                    .map(|annotation| annotation.id.into())
                    .collect::<Vec<_>>(),
            );
        }
        copier.put(*id, Object::Dictionary(copy));
    }

    let mut tree = Dictionary::new();
    tree.set("Type", "Pages");
    tree.set("Count", i64::try_from(page_ids.len()).unwrap_or(i64::MAX));
    tree.set(
        "Kids",
        page_ids
            .iter()
            .copied()
            .map(Object::Reference)
            .collect::<Vec<_>>(),
    );
    copier.put(tree_id, Object::Dictionary(tree));

    let mut catalog = Dictionary::new();
    catalog.set("Type", "Catalog");
    catalog.set("Pages", tree_id);
    copier.copy_keys(source.catalog, &CATALOG_KEYS, &mut catalog)?;
    if let Some(preferences) = source.dictionary(source.catalog, b"ViewerPreferences")? {
        let mut copy = Dictionary::new();
        copier.copy_keys(preferences, &VIEWER_KEYS, &mut copy)?;
        if !copy.is_empty() {
            catalog.set("ViewerPreferences", copy);
        }
    }
    let widgets: Vec<&Annotation<'_>> = annotations
        .iter()
        .flatten()
        .filter(|item| item.kind == Kind::Widget)
        .collect();
    if let Some(form) = form::copy(&mut copier, &widgets)? {
        catalog.set("AcroForm", form);
    }
    let source_ids: Vec<_> = pages.iter().filter_map(|page| page.id).collect();
    if let Some(outline) = source.outline.of_part(&mut copier, &source_ids)? {
        catalog.set("Outlines", outline);
        if source
            .get(source.catalog, b"PageMode")?
            .as_name()
            .is_ok_and(|mode| mode == b"UseOutlines")
        {
            catalog.set("PageMode", "UseOutlines");
        }
    }
    if let Some(labels) = source.labels.of_part(range) {
        catalog.set("PageLabels", labels);
    }
    let info = copy_info(&mut copier)?;
    copier.finish()?;
    if let Some(layers) = layers::copy(&mut copier)? {
        catalog.set("OCProperties", layers);
        copier.finish()?;
    }
    copier.put(catalog_id, Object::Dictionary(catalog));
    Ok(document(copier, catalog_id, info, range))
}

/// Writes a part in the same way as its document: with object streams, or with each object on its own.
pub(crate) fn write(part: &mut Document, out: &mut impl Write) -> std::io::Result<()> {
    match part.reference_table.cross_reference_type {
        XrefType::CrossReferenceStream => part.save_modern(out),
        XrefType::CrossReferenceTable => part.save_to(out),
    }
}

fn copy_page<'a>(copier: &mut Copier<'a, '_>, page: &Page<'a>) -> Result<Dictionary, Error> {
    let mut copy = Dictionary::new();
    copy.set("Type", "Page");
    copier.copy_keys(page.dictionary, &PAGE_KEYS, &mut copy)?;
    for (key, value) in INHERITABLE.into_iter().zip(page.attributes) {
        let Some(value) = value else { continue };
        match as_dictionary(copier.source.resolve(value)?) {
            Some(resources) if key == b"Resources" => {
                copy.set("Resources", copier.copy_page_resources(resources)?);
            }
            _ => copier.copy_value(key, value, &mut copy)?,
        }
    }
    // The key is required, even if there are no resources.
    if !copy.has(b"Resources") {
        copy.set("Resources", Dictionary::new());
    }
    Ok(copy)
}

/// The standard entries of the document information.
fn copy_info(copier: &mut Copier<'_, '_>) -> Result<Option<ObjectId>, Error> {
    let source = copier.source;
    let Some(info) = source.dictionary(&source.document.trailer, b"Info")? else {
        return Ok(None);
    };
    let mut copy = Dictionary::new();
    for key in INFO_KEYS {
        if let value @ (Object::String(..) | Object::Name(_)) = source.get(info, key)? {
            copy.set(key, value.clone());
        }
    }
    if copy.is_empty() {
        return Ok(None);
    }
    let id = copier.reserve();
    copier.put(id, Object::Dictionary(copy));
    Ok(Some(id))
}

/// Assembles the file.
fn document(
    copier: Copier<'_, '_>,
    catalog: ObjectId,
    info: Option<ObjectId>,
    range: PageRange,
) -> Document {
    let source = copier.source;
    let mut part = Document::new();
    part.version = version(source);
    part.reference_table = Xref::new(0, source.document.reference_table.cross_reference_type);
    part.trailer.set("Root", catalog);
    if let Some(info) = info {
        part.trailer.set("Info", info);
    }
    if let Some(id) = identifier(source, range) {
        part.trailer.set("ID", vec![id.clone(), id]);
    }
    (part.objects, part.max_id) = copier.into_objects();
    part
}

/// The version of the document: that of its header, or a later one in its catalog (7.2.2).
fn version(source: &Source<'_>) -> String {
    const VERSIONS: [&str; 9] = [
        "1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "2.0",
    ];
    let place = |version: &[u8]| {
        VERSIONS
            .iter()
            .position(|known| known.as_bytes() == version)
    };
    let later = source
        .catalog
        .get(b"Version")
        .and_then(Object::as_name)
        .ok()
        .and_then(place);
    let version = place(source.document.version.as_bytes()).max(later);
    version
        .and_then(|place| VERSIONS.get(place))
        .copied()
        .unwrap_or("1.7")
        .into()
}

/// A file identifier (14.4): that of the document, followed by the pages. So parts differ, and the same part always has
/// the same identifier. `None` if the document has none.
fn identifier(source: &Source<'_>, range: PageRange) -> Option<Object> {
    let [Object::String(id, _), ..] = source
        .document
        .trailer
        .get(b"ID")
        .ok()?
        .as_array()
        .ok()?
        .as_slice()
    else {
        return None;
    };
    let id = [
        id.as_slice(),
        format!("-{}-{}", range.first, range.last).as_bytes(),
    ]
    .concat();
    Some(Object::String(id, StringFormat::Hexadecimal))
}
