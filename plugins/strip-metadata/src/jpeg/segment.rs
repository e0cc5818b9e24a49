//! What may stay of one segment. A body is what follows the segment's length field.

use super::marker::*;

/// The JFIF header without its thumbnail (ITU-T T.871, 10.1): identifier, version, unit and density, and a thumbnail of
/// 0 × 0 pixels. Gives `None` for any other `APP0`, such as the thumbnails of `JFXX`.
pub(super) fn jfif(body: &[u8]) -> Option<[u8; 14]> {
    let mut header: [u8; 14] = *body.first_chunk()?;
    let [b'J', b'F', b'I', b'F', 0, .., width, height] = &mut header else {
        return None;
    };
    (*width, *height) = (0, 0);
    Some(header)
}

/// Adobe's segment (Adobe Technical Note 5116, section 18): identifier, version, two sets of flags, colour transform.
/// What some writers put behind these 12 bytes goes.
pub(super) fn adobe(body: &[u8]) -> Option<&[u8]> {
    body.get(..12).filter(|body| body.starts_with(b"Adobe"))
}

/// Whether this is the marker of a frame header.
pub(super) fn is_frame(code: u8) -> bool {
    (SOF0..=SOF2).contains(&code)
}

/// Whether a segment of the picture itself has exactly the bytes that its syntax gives it (T.81, B.2.2 to B.2.5).
pub(super) fn is_exact(code: u8, body: &[u8]) -> bool {
    match code {
        DQT => is_sequence(body, quantization_table),
        DHT => is_sequence(body, huffman_table),
        DRI => body.len() == 2,
        // The number of components, and two bytes for each of up to four.
        SOS => matches!(body, [count @ 1..=4, ..] if body.len() == 4 + 2 * usize::from(*count)),
        // Precision, height, width, the number of components, and three bytes for each.
        _ if is_frame(code) => {
            matches!(body, [_, _, _, _, _, count @ (1..), ..] if body.len() == 6 + 3 * usize::from(*count))
        }
        _ => false,
    }
}

/// Whether `body` is one table after the other; `table` gives the length of the first one.
fn is_sequence(mut body: &[u8], table: fn(&[u8]) -> Option<usize>) -> bool {
    while !body.is_empty() {
        let Some(rest) = table(body).and_then(|length| body.get(length..)) else {
            return false;
        };
        body = rest;
    }
    true
}

/// A byte for precision and destination, then 64 numbers of 8 or 16 bits.
fn quantization_table(body: &[u8]) -> Option<usize> {
    match body.first()? {
        0x00..=0x03 => Some(1 + 64),
        0x10..=0x13 => Some(1 + 128),
        _ => None,
    }
}

/// A byte for class and destination, the number of codes of each length from 1 to 16, and a value for each code.
fn huffman_table(body: &[u8]) -> Option<usize> {
    let (0x00..=0x03 | 0x10..=0x13, counts) = body.split_first()? else {
        return None;
    };
    let values: usize = counts.get(..16)?.iter().copied().map(usize::from).sum();
    (values <= 256).then_some(1 + 16 + values)
}
