//! Writes small PDFs by hand, splits them and reads the parts.

use std::collections::HashSet;

use forebay_plugin::Error;
use lopdf::{Dictionary, Document, LoadOptions, Object, ObjectId};

/// A document that is being built: objects by number, and the entries of the trailer.
#[derive(Clone, Default)]
pub(crate) struct Pdf {
    objects: Vec<(u32, Vec<u8>)>,
    trailer: String,
}

impl Pdf {
    pub(crate) fn object(mut self, number: u32, text: impl AsRef<[u8]>) -> Self {
        self.objects.retain(|(other, _)| *other != number);
        self.objects.push((number, text.as_ref().to_vec()));
        self
    }

    /// Adds many objects, whose numbers must be new.
    pub(crate) fn append(&mut self, objects: impl Iterator<Item = (u32, String)>) {
        self.objects
            .extend(objects.map(|(number, text)| (number, text.into_bytes())));
    }

    pub(crate) fn stream(self, number: u32, entries: &str, content: &str) -> Self {
        let length = content.len();
        self.object(
            number,
            format!("<< {entries} /Length {length} >>\nstream\n{content}\nendstream"),
        )
    }

    pub(crate) fn trailer(mut self, entries: &str) -> Self {
        self.trailer.push_str(entries);
        self
    }

    /// The file, with a table of objects.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"%PDF-1.7\n".to_vec();
        let mut table = String::from("xref\n0 1\n0000000000 65535 f \n");
        for (number, text) in &self.objects {
            table += &format!("{number} 1\n{:010} 00000 n \n", bytes.len());
            bytes.extend(format!("{number} 0 obj\n").into_bytes());
            bytes.extend(text);
            bytes.extend(b"\nendobj\n");
        }
        let size = self
            .objects
            .iter()
            .map(|(number, _)| u64::from(*number) + 1)
            .max()
            .unwrap_or(1);
        let start = bytes.len();
        bytes.extend(table.into_bytes());
        bytes.extend(
            format!(
                "trailer\n<< /Size {size} {} >>\nstartxref\n{start}\n%%EOF\n",
                self.trailer
            )
            .into_bytes(),
        );
        bytes
    }
}

/// The smallest document: a catalog (1), a page tree (2) and one page (3).
pub(crate) fn smallest() -> Pdf {
    Pdf::default()
        .object(1, "<< /Type /Catalog /Pages 2 0 R >>")
        .object(2, "<< /Type /Pages /Count 1 /Kids [3 0 R] >>")
        .object(3, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>")
        .trailer("/Root 1 0 R")
}

pub(crate) fn split(bytes: &[u8], config: &str) -> Result<Vec<Part>, Error> {
    let mut files = Vec::new();
    let config = serde_json::from_str(config).unwrap();
    let outputs = pdf_split::split(bytes.to_vec(), "book.pdf", &config, |name, part| {
        let mut file = Vec::new();
        part(&mut file)?;
        files.push((name.to_owned(), file));
        Ok(())
    })?;
    assert_eq!(outputs.len(), files.len());
    Ok(files
        .into_iter()
        .zip(outputs)
        .map(|((name, bytes), output)| {
            assert_eq!((&output.name, &output.path), (&name, &name));
            Part::new(name, bytes)
        })
        .collect())
}

/// Splits a document. Splitting must succeed.
pub(crate) fn parts(pdf: &Pdf, config: &str) -> Vec<Part> {
    split(&pdf.bytes(), config).unwrap()
}

/// The message with which a document is refused as damaged or otherwise not usable.
pub(crate) fn refusal(bytes: &[u8]) -> String {
    match split(bytes, "{}") {
        Err(Error::InvalidInput(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(parts) => panic!("split into {} parts", parts.len()),
    }
}

/// A part, read back.
pub(crate) struct Part {
    pub name: String,
    pub document: Document,
}

impl Part {
    /// Reads a part strictly, and checks that every reference leads to an object and every object is used.
    fn new(name: String, bytes: Vec<u8>) -> Self {
        let options = LoadOptions {
            strict: true,
            ..LoadOptions::default()
        };
        let document = Document::load_mem_with_options(&bytes, options).unwrap();
        let mut reached = HashSet::new();
        let mut open: Vec<&Object> = document.trailer.iter().map(|(_, value)| value).collect();
        while let Some(object) = open.pop() {
            match object {
                Object::Reference(id) if reached.insert(*id) => {
                    open.push(
                        document
                            .objects
                            .get(id)
                            .unwrap_or_else(|| panic!("{name}: {id:?} is missing")),
                    );
                }
                Object::Array(array) => open.extend(array),
                Object::Dictionary(dictionary) => {
                    open.extend(dictionary.iter().map(|(_, value)| value))
                }
                Object::Stream(stream) => open.extend(stream.dict.iter().map(|(_, value)| value)),
                _ => {}
            }
        }
        for (id, object) in &document.objects {
            let written_by_the_format = object
                .type_name()
                .is_ok_and(|name| name == b"ObjStm" || name == b"XRef");
            assert!(
                reached.contains(id) || written_by_the_format,
                "{name}: {id:?} is an orphan"
            );
        }
        Self { name, document }
    }

    /// Everything in the part as text, streams decoded.
    pub(crate) fn everything(&self) -> String {
        let mut text = format!("{:?}\n", self.document.trailer);
        for object in self.document.objects.values() {
            text += &match object {
                Object::Stream(stream) => {
                    let content = stream.get_plain_content().unwrap();
                    format!("{:?} {}\n", stream.dict, String::from_utf8_lossy(&content))
                }
                object => format!("{object:?}\n"),
            };
        }
        text
    }

    pub(crate) fn catalog(&self) -> &Dictionary {
        self.document.catalog().unwrap()
    }

    /// A page, counted from 0.
    pub(crate) fn page(&self, index: usize) -> &Dictionary {
        self.document.get_dictionary(self.page_id(index)).unwrap()
    }

    pub(crate) fn page_id(&self, index: usize) -> ObjectId {
        self.document.page_iter().nth(index).unwrap()
    }

    /// The value at the end of a path of keys, from a dictionary, with references followed.
    pub(crate) fn at<'a>(
        &'a self,
        mut dictionary: &'a Dictionary,
        path: &str,
    ) -> Option<&'a Object> {
        let mut keys = path.split('/').peekable();
        while let Some(key) = keys.next() {
            let value = dictionary.get_deref(key.as_bytes(), &self.document).ok()?;
            if keys.peek().is_none() {
                return Some(value);
            }
            dictionary = value
                .as_dict()
                .or_else(|_| value.as_stream().map(|stream| &stream.dict))
                .ok()?;
        }
        None
    }

    /// The same, as the text of a string.
    pub(crate) fn text(&self, dictionary: &Dictionary, path: &str) -> Option<String> {
        self.at(dictionary, path)
            .map(|value| String::from_utf8_lossy(value.as_str().unwrap()).into_owned())
    }

    /// The same, as the dictionaries in an array.
    pub(crate) fn list<'a>(
        &'a self,
        dictionary: &'a Dictionary,
        path: &str,
    ) -> Vec<&'a Dictionary> {
        let items = self
            .at(dictionary, path)
            .map_or(&[][..], |array| array.as_array().unwrap());
        items
            .iter()
            .map(|item| {
                self.document
                    .dereference(item)
                    .unwrap()
                    .1
                    .as_dict()
                    .unwrap()
            })
            .collect()
    }
}
