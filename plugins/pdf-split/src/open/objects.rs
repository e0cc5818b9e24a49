//! The objects of a file, read from where a table or a scan says they are.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use forebay_plugin::Error;
use lopdf::xref::{Xref, XrefType};
use lopdf::{Dictionary, Document, Object, ObjectId, Stream};

use super::crypt::Crypt;
use super::lexer::{Lexer, Unreadable};
use super::scan::Scan;
use super::stream;
use super::table::{Place, Table};
use crate::document::damaged;

/// The most bytes that all object streams together are decoded to: this, or four times the size of the file if that is
/// more. Programs write an object of 20 to 200 bytes for each paragraph or mark of a page.
const MAX_DECODED: usize = 256 << 20;

/// How many bytes of the file are freed at a time.
const RELEASED: usize = 16 << 20;

/// Objects. The data of their streams is still in the file.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) trailer: Dictionary,
    pub(super) objects: BTreeMap<ObjectId, Object>,
    /// Objects that are listed but cannot be read.
    pub(super) lost: BTreeSet<u32>,
    is_stream: bool,
    crypt: Option<Crypt>,
    /// Where the data of each stream is.
    data: BTreeMap<ObjectId, Range<usize>>,
}

/// The objects in an object stream, by number.
type Members = BTreeMap<u32, Result<Object, Unreadable>>;

/// Which objects to read from the object streams.
enum Compressed<'a> {
    /// Those that a table lists, by object stream.
    Listed(HashMap<u32, Vec<u32>>),
    /// Those that no later object replaces.
    Newest(&'a Scan),
}

impl Objects {
    /// Reads the objects that a table lists.
    pub(super) fn listed(
        bytes: &[u8],
        base: usize,
        table: &Table,
        password: Option<&str>,
    ) -> Result<Self, Error> {
        let mut places = Vec::new();
        let mut compressed: HashMap<u32, Vec<u32>> = HashMap::new();
        for (number, place) in &table.places {
            match place {
                Place::Free => {}
                Place::At { offset, generation } => {
                    places.push((*number, *generation, offset.saturating_add(base)));
                }
                Place::In { stream } => compressed.entry(*stream).or_default().push(*number),
            }
        }
        let mut objects = Self {
            trailer: table.trailer.clone(),
            objects: BTreeMap::new(),
            lost: BTreeSet::new(),
            is_stream: table.is_stream,
            crypt: None,
            data: BTreeMap::new(),
        };
        objects.read(bytes, &places, Compressed::Listed(compressed), password)?;
        Ok(objects)
    }

    /// Reads the objects that a scan has found.
    pub(super) fn found(bytes: &[u8], scan: &Scan, password: Option<&str>) -> Result<Self, Error> {
        let places: Vec<_> = scan
            .objects
            .iter()
            .map(|(number, (generation, offset))| (*number, *generation, *offset))
            .collect();
        let mut objects = Self {
            trailer: scan.trailer.clone(),
            objects: BTreeMap::new(),
            lost: scan.unreadable.clone(),
            is_stream: scan.is_stream,
            crypt: None,
            data: BTreeMap::new(),
        };
        objects.read(bytes, &places, Compressed::Newest(scan), password)?;
        Ok(objects)
    }

    /// Whether there is an object with this number.
    pub(super) fn holds(&self, number: u32) -> bool {
        let generations = (number, 0)..=(number, u16::MAX);
        self.objects.range(generations).next().is_some()
    }

    fn read(
        &mut self,
        bytes: &[u8],
        places: &[(u32, u16, usize)],
        compressed: Compressed<'_>,
        password: Option<&str>,
    ) -> Result<(), Error> {
        let starts = self.read_plain(bytes, places);
        self.crypt = Crypt::new(&self.trailer, |id| self.objects.get(&id), password)?;
        if let Some(crypt) = &self.crypt {
            for (id, object) in &mut self.objects {
                // A stream is decrypted together with its data.
                if !starts.contains_key(id) {
                    crypt.decrypt(*id, object);
                }
            }
        }
        let ends = Ends::new(bytes);
        self.read_compressed(bytes, &starts, &ends, compressed)?;
        self.place_data(bytes, starts, &ends);
        Ok(())
    }

    /// Reads the objects that are not in object streams, and returns where the data of their streams begins. Each
    /// object is read up to the next one at most, so no byte is read twice.
    fn read_plain(
        &mut self,
        bytes: &[u8],
        places: &[(u32, u16, usize)],
    ) -> BTreeMap<ObjectId, usize> {
        let is_there = |(number, generation, offset): &(u32, u16, usize)| {
            Lexer::new(bytes, *offset).take_header() == Some((*number, *generation))
        };
        let (mut there, gone): (Vec<_>, Vec<_>) = places.iter().copied().partition(is_there);
        self.lost.extend(gone.iter().map(|(number, ..)| *number));
        there.sort_unstable_by_key(|(.., offset)| *offset);
        let limits = there
            .iter()
            .skip(1)
            .map(|(.., offset)| *offset)
            .chain([bytes.len()]);
        let mut starts = BTreeMap::new();
        for (&(number, generation, offset), limit) in there.iter().zip(limits) {
            match stream::parse(bytes, offset, limit) {
                Ok(parsed) => {
                    starts.extend(parsed.data.map(|start| ((number, generation), start)));
                    self.objects.insert((number, generation), parsed.object);
                }
                Err(Unreadable) => {
                    self.lost.insert(number);
                }
            }
        }
        starts
    }

    /// Reads the objects in object streams (ISO 32000-2, 7.5.7).
    fn read_compressed(
        &mut self,
        bytes: &[u8],
        starts: &BTreeMap<ObjectId, usize>,
        ends: &Ends<'_>,
        compressed: Compressed<'_>,
    ) -> Result<(), Error> {
        let mut left = MAX_DECODED.max(bytes.len().saturating_mul(4));
        match compressed {
            Compressed::Listed(listed) => {
                let mut containers: Vec<_> = listed.into_iter().collect();
                containers.sort_unstable();
                for (container, numbers) in containers {
                    let mut found = self
                        .container(bytes, starts, ends, container, &mut left)?
                        .unwrap_or_default();
                    for number in numbers {
                        match found.remove(&number) {
                            Some(Ok(object)) => {
                                self.objects.insert((number, 0), object);
                            }
                            Some(Err(Unreadable)) | None => {
                                self.lost.insert(number);
                            }
                        }
                    }
                }
            }
            Compressed::Newest(scan) => {
                for container in &scan.containers {
                    let Some(&(_, offset)) = scan.objects.get(container) else {
                        continue;
                    };
                    let Some(found) = self.container(bytes, starts, ends, *container, &mut left)?
                    else {
                        // Its objects are unknown.
                        return Err(damaged(format!("object stream {container} cannot be read")));
                    };
                    for (number, object) in found {
                        if scan
                            .objects
                            .get(&number)
                            .is_some_and(|(_, later)| *later > offset)
                        {
                            continue;
                        }
                        match object {
                            Ok(object) => {
                                self.lost.remove(&number);
                                self.objects.insert((number, 0), object);
                            }
                            Err(Unreadable) => {
                                self.objects.remove(&(number, 0));
                                self.lost.insert(number);
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The objects of one object stream. `None` if it cannot be read.
    fn container(
        &self,
        bytes: &[u8],
        starts: &BTreeMap<ObjectId, usize>,
        ends: &Ends<'_>,
        number: u32,
        left: &mut usize,
    ) -> Result<Option<Members>, Error> {
        let Some((id, Object::Dictionary(dictionary))) =
            self.objects.range((number, 0)..=(number, u16::MAX)).next()
        else {
            return Ok(None);
        };
        let Some(data) = starts.get(id).and_then(|start| {
            stream::extent(bytes, *start, self.length(dictionary), || {
                ends.after(*start)
            })
        }) else {
            return Ok(None);
        };
        let dictionary: Dictionary = dictionary
            .iter()
            .map(|(key, value)| (key.clone(), self.resolved(value).clone()))
            .collect();
        let content = bytes.get(data).unwrap_or_default().to_vec();
        let mut object = Object::Stream(Stream::new(dictionary, content));
        if let Some(crypt) = &self.crypt
            && !crypt.decrypt(*id, &mut object)
        {
            return Ok(None);
        }
        let Object::Stream(stream) = object else {
            return Ok(None);
        };
        // The limit applies to all object streams together. A stream that exceeds it counts as unreadable.
        let Ok(content) = stream::decode(&stream.dict, &stream.content, *left) else {
            return Ok(None);
        };
        *left = left.checked_sub(content.len()).ok_or_else(|| {
            Error::InvalidInput("the PDF expands to far more than it holds; it is refused".into())
        })?;
        Ok(Some(members(&stream.dict, &content)))
    }

    /// An object, with one reference followed.
    fn resolved<'a>(&'a self, value: &'a Object) -> &'a Object {
        match value {
            Object::Reference(id) => self.objects.get(id).unwrap_or(value),
            value => value,
        }
    }

    fn length(&self, dictionary: &Dictionary) -> Option<usize> {
        let length = self.resolved(dictionary.get(b"Length").ok()?);
        usize::try_from(length.as_i64().ok()?).ok()
    }

    /// Finds the data of all streams.
    fn place_data(&mut self, bytes: &[u8], starts: BTreeMap<ObjectId, usize>, ends: &Ends<'_>) {
        for (id, start) in starts {
            let Some(Object::Dictionary(dictionary)) = self.objects.get(&id) else {
                continue;
            };
            // Object streams and cross-reference streams are not needed any more.
            if dictionary.has_type(b"ObjStm") || dictionary.has_type(b"XRef") {
                self.objects.remove(&id);
                continue;
            }
            let data = stream::extent(bytes, start, self.length(dictionary), || ends.after(start));
            match (data, self.objects.remove(&id)) {
                (Some(data), Some(Object::Dictionary(dictionary))) => {
                    self.data.insert(id, data);
                    let stream = Stream::with_position(dictionary, start);
                    self.objects.insert(id, Object::Stream(stream));
                }
                _ => {
                    self.lost.insert(id.0);
                }
            }
        }
    }

    /// Copies the data of the streams from the file, from its end to its start, and frees the file's memory step by
    /// step. So the total memory is little more than the size of the file.
    pub(super) fn into_document(
        mut self,
        mut bytes: Vec<u8>,
    ) -> Result<(Document, BTreeSet<u32>), Error> {
        let mut data: Vec<_> = std::mem::take(&mut self.data).into_iter().collect();
        data.sort_unstable_by_key(|(_, range)| (range.start, range.end));
        let total = data.iter().fold(0_usize, |total, (_, range)| {
            total.saturating_add(range.len())
        });
        if total > bytes.len() {
            return Err(damaged("its streams overlap".into()));
        }
        // For each stream: how many bytes of the file the streams before it need.
        let needed: Vec<usize> = std::iter::once(0)
            .chain(data.iter().scan(0, |end, (_, range)| {
                *end = range.end.max(*end);
                Some(*end)
            }))
            .collect();
        for ((id, range), needed) in data.into_iter().zip(needed).rev() {
            if let Some(object) = self.objects.get_mut(&id)
                && let Object::Stream(stream) = object
            {
                stream.set_content(bytes.get(range).unwrap_or_default().to_vec());
                if let Some(crypt) = &self.crypt
                    && !crypt.decrypt(id, object)
                {
                    self.objects.remove(&id);
                    self.lost.insert(id.0);
                }
            }
            bytes.truncate(needed);
            if bytes.capacity() - bytes.len() > RELEASED {
                bytes.shrink_to_fit();
            }
        }
        let mut document = Document::new();
        self.trailer.remove(b"Encrypt");
        document.trailer = self.trailer;
        document.reference_table = Xref::new(
            0,
            if self.is_stream {
                XrefType::CrossReferenceStream
            } else {
                XrefType::CrossReferenceTable
            },
        );
        document.objects = self.objects;
        Ok((document, self.lost))
    }
}

/// The objects in the decoded content of an object stream. Each ends where the next begins, so all are read once.
fn members(dictionary: &Dictionary, content: &[u8]) -> Members {
    let number = |key: &[u8]| {
        dictionary
            .get(key)
            .and_then(Object::as_i64)
            .ok()
            .and_then(|number| usize::try_from(number).ok())
    };
    let (Some(first), Some(count)) = (number(b"First"), number(b"N")) else {
        return Members::new();
    };
    let mut index = Lexer::new(content.get(..first).unwrap_or_default(), 0);
    let mut places = Vec::new();
    for _ in 0..count {
        let (Some(number), Some(offset)) = (index.take_unsigned(), index.take_unsigned()) else {
            break;
        };
        if let (Ok(number), Ok(offset)) = (u32::try_from(number), usize::try_from(offset)) {
            places.push((first.saturating_add(offset), number));
        }
    }
    places.sort_unstable();
    let limits = places
        .iter()
        .skip(1)
        .map(|(offset, _)| *offset)
        .chain([content.len()]);
    places
        .iter()
        .zip(limits)
        .map(|(&(offset, number), limit)| {
            let content = content.get(..limit).unwrap_or(content);
            (number, Lexer::new(content, offset).value())
        })
        .collect()
}

/// All offsets of `endstream` in a file. They are searched only if the length of a stream is wrong.
struct Ends<'a> {
    bytes: &'a [u8],
    found: OnceCell<Vec<usize>>,
}

impl<'a> Ends<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            found: OnceCell::new(),
        }
    }

    /// The first one at or after an offset.
    fn after(&self, start: usize) -> Option<usize> {
        let found = self
            .found
            .get_or_init(|| memchr::memmem::find_iter(self.bytes, b"endstream").collect());
        found.get(found.partition_point(|at| *at < start)).copied()
    }
}
