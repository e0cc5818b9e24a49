//! Writes TIFF files of any kind (TIFF 6.0, section 2), little-endian, with one strip or the given tiles.

/// Values of a tag.
#[derive(Debug, Clone)]
pub enum Values {
    Shorts(Vec<u16>),
    Longs(Vec<u32>),
    Bytes(Vec<u8>),
}

use Values::{Bytes, Longs, Shorts};

/// One picture: its tags, its strips or tiles, and the pictures below it.
#[derive(Debug, Clone)]
pub struct Page {
    pub tags: Vec<(u16, Values)>,
    pub chunks: Vec<Vec<u8>>,
    pub below: Vec<Page>,
}

impl Page {
    /// A picture in one strip.
    pub fn new(width: u16, height: u16, photometric: u16, bits: &[u16], strip: Vec<u8>) -> Self {
        Self {
            tags: vec![
                (256, Shorts(vec![width])),
                (257, Shorts(vec![height])),
                (258, Shorts(bits.to_vec())),
                (262, Shorts(vec![photometric])),
                (277, Shorts(vec![bits.len() as u16])),
            ],
            chunks: vec![strip],
            below: Vec::new(),
        }
    }

    pub fn with(mut self, tag: u16, values: &[u16]) -> Self {
        self.tags.retain(|(known, _)| *known != tag);
        self.tags.push((tag, Shorts(values.to_vec())));
        self
    }

    pub fn with_bytes(mut self, tag: u16, bytes: &[u8]) -> Self {
        self.tags.push((tag, Bytes(bytes.to_vec())));
        self
    }
}

/// A file of these pages.
pub fn file(pages: &[Page]) -> Vec<u8> {
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    let mut link = 4;
    for page in pages {
        let (at, next) = write(&mut bytes, page);
        bytes[link..link + 4].copy_from_slice(&at.to_le_bytes());
        link = next;
    }
    bytes
}

/// Appends a page. Returns where its directory is, and where the offset of the next directory must be written.
fn write(bytes: &mut Vec<u8>, page: &Page) -> (u32, usize) {
    let below: Vec<u32> = page.below.iter().map(|page| write(bytes, page).0).collect();
    let mut offsets = Vec::new();
    let mut lengths = Vec::new();
    for chunk in &page.chunks {
        offsets.push(bytes.len() as u32);
        lengths.push(chunk.len() as u32);
        bytes.extend(chunk);
    }
    let mut tags = page.tags.clone();
    let tiled = tags.iter().any(|(tag, _)| *tag == 322);
    tags.push((if tiled { 324 } else { 273 }, Longs(offsets)));
    tags.push((if tiled { 325 } else { 279 }, Longs(lengths)));
    if !below.is_empty() {
        tags.push((330, Longs(below)));
    }
    tags.sort_by_key(|(tag, _)| *tag);
    let mut entries = Vec::new();
    for (tag, values) in &tags {
        let (kind, count, data): (u16, usize, Vec<u8>) = match values {
            Shorts(values) => (
                3,
                values.len(),
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            ),
            Longs(values) => (
                4,
                values.len(),
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            ),
            Bytes(values) => (7, values.len(), values.clone()),
        };
        entries.extend(tag.to_le_bytes());
        entries.extend(kind.to_le_bytes());
        entries.extend((count as u32).to_le_bytes());
        if data.len() <= 4 {
            let mut inline = data;
            inline.resize(4, 0);
            entries.extend(inline);
        } else {
            entries.extend((bytes.len() as u32).to_le_bytes());
            bytes.extend(data);
        }
    }
    let at = bytes.len() as u32;
    bytes.extend((tags.len() as u16).to_le_bytes());
    bytes.extend(entries);
    bytes.extend([0; 4]);
    (at, bytes.len() - 4)
}
