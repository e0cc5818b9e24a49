//! Splits a PDF into one file for each page, or for each range of pages.
//!
//! A part contains its own pages and nothing of the other pages. It is built by copying the objects that its pages
//! reach into a new document, never by deleting objects from the old one. So other data cannot remain in it, neither as
//! an object without references nor in another revision. Content, fonts and pictures are copied byte for byte and
//! never encoded again. Fractions outside of them, such as the corners of a page, keep the 24 bits of precision that
//! lopdf reads.
//!
//! What a part keeps of the document, besides its pages:
//!
//! | | |
//! |---|---|
//! | inherited page attributes | set on the page itself |
//! | resources | those that the page's content may use. A shared list of pictures is reduced to those of the page. If it is not certain which these are, for example because content cannot be decoded, all are kept |
//! | links and other annotations | kept, on each page that lists them. A link to a page of the part leads to that page. A link to another page stays visible but has no target. Web links and links to other files are kept |
//! | scripts, form submission, media actions | dropped |
//! | form fields | those with a widget on a page of the part; XFA is dropped |
//! | signatures | dropped, because they are valid for the whole document only. Their appearance on a page is kept as a stamp |
//! | outline | entries that lead to a page of the part |
//! | page labels | as in the document |
//! | layers (optional content) | those that the part uses |
//! | output intents, language, viewer preferences | kept |
//! | document information | the standard entries: title, author, subject, keywords, creator, producer, dates |
//! | XMP metadata | dropped, because it describes the whole document, including a thumbnail and claims of conformance |
//! | structure (tags), article threads | dropped |
//! | embedded files, document scripts, open actions | dropped; a file attached to a page by an annotation is kept |
//!
//! Each part is checked before it is returned. Its content must be that of its pages, byte for byte. Each name in the
//! content that leads to a resource in the document must also do so in the part. A page that does not pass is an error.
//!
//! An encrypted document is opened with the option `password`. If other programs open it without a password, none is
//! needed here either. Its parts are not encrypted. A damaged document is repaired as in other readers. It is refused
//! if it is not certain that all of it was found, because an incomplete part would be worse than an error.

mod annotations;
mod check;
mod content;
mod copy;
mod decode;
mod destinations;
mod document;
mod form;
mod labels;
mod layers;
mod names;
mod open;
mod outline;
mod pages;
mod part;
mod ranges;
mod trees;
mod usage;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroU32;
use std::path::Path;

use forebay_plugin::{About, Error, FilePlugin, InputFile, OutputFile};
use schemars::JsonSchema;

pub use ranges::PageRange;

/// The config of `pdf-split`: `pages_per_file`, `ranges`, or neither for one file per page.
#[derive(Default, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many pages each file has. The last file may have fewer. The default is 1. Not together with `ranges`.
    pub pages_per_file: Option<NonZeroU32>,
    /// Pages to take, one file per item, such as `1-3,5,9-`. Pages count from 1. A range may omit its first or its last
    /// page. Not together with `pages_per_file`.
    pub ranges: Option<String>,
    /// The password of an encrypted document. Needed only if other programs ask for one to open the document.
    pub password: Option<String>,
}

// The password stays out of logs.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("pages_per_file", &self.pages_per_file)
            .field("ranges", &self.ranges)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

/// The plugin.
#[derive(Debug)]
pub struct PdfSplit;

impl FilePlugin for PdfSplit {
    type Config = Config;
    const ABOUT: About = About {
        name: "pdf-split",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Splits a PDF by pages",
        accepts: &["application/pdf"],
        produces: &["application/pdf"],
    };

    fn transform(
        input: &InputFile,
        output_dir: &Path,
        config: Config,
    ) -> Result<Vec<OutputFile>, Error> {
        let bytes = std::fs::read(&input.path)
            .map_err(|error| Error::Failed(format!("cannot read: {error}")))?;
        split(bytes, &input.info.name, &config, |name, part| {
            let file = File::create(output_dir.join(name))?;
            let mut file = BufWriter::new(file);
            part(&mut file)?;
            file.flush()
        })
    }
}

/// Splits a document, and calls `save` for each part with its name and a function that writes it.
///
/// # Errors
/// [`Error::InvalidConfig`] when the config does not fit the document, [`Error::InvalidInput`] when the document is
/// encrypted or damaged, [`Error::Failed`] when a part cannot be saved.
pub fn split(
    bytes: Vec<u8>,
    name: &str,
    config: &Config,
    mut save: impl FnMut(
        &str,
        &mut dyn FnMut(&mut dyn Write) -> std::io::Result<()>,
    ) -> std::io::Result<()>,
) -> Result<Vec<OutputFile>, Error> {
    let plan = ranges::Plan::new(config)?;
    let opened = open::open(bytes, config.password.as_deref())?;
    report(&opened);
    let document = document::Source::new(&opened.document)?;
    if document.repeated_pages > 0 {
        // A log that cannot be written to is no reason to fail.
        let _ = writeln!(
            std::io::stderr(),
            "{} entries of the page tree name a page again and are left out, as /Count says",
            document.repeated_pages
        );
    }

    let count = document.pages.len();
    let parts = plan.parts(count)?;
    let mut outputs = Vec::with_capacity(parts.len());
    for range in parts {
        let name = names::part_name(name, range, count);
        let mut part = part::build(&document, range)?;
        save(&name, &mut |mut file| part::write(&mut part, &mut file))
            .map_err(|error| Error::Failed(format!("cannot write {name}: {error}")))?;
        outputs.push(OutputFile {
            path: name.clone(),
            name,
        });
    }
    Ok(outputs)
}

/// Writes to the log what was repaired.
fn report(opened: &open::Opened) {
    // A log that cannot be written to is no reason to fail.
    let mut log = std::io::stderr();
    if opened.is_rebuilt {
        let _ = writeln!(
            log,
            "the table of objects does not hold and was rebuilt from the objects in the file"
        );
    }
    if !opened.left_out.is_empty() {
        let numbers: Vec<_> = opened
            .left_out
            .iter()
            .take(20)
            .map(u32::to_string)
            .collect();
        let _ = writeln!(
            log,
            "{} objects that no page needs cannot be read and are left out: {}",
            opened.left_out.len(),
            numbers.join(", ")
        );
    }
}

forebay_plugin::export_file!(PdfSplit);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_config_can_be_described() {
        forebay_plugin::config_schema::<Config>().unwrap();
    }
}
