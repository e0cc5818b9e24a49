//! Matroska and WebM (RFC 8794, 11.2): both start with an EBML header, whose `DocType` shows which one it is.

use super::{at, byte};

/// Longest EBML header that is read, in bytes. Real ones have about 40.
const MAX_HEADER: usize = 1024;

/// The id of `DocType`.
const DOC_TYPE: u64 = 0x4282;

/// Whether the file's document type is this one.
pub(in crate::media) fn is(head: &[u8], doc_type: &str) -> bool {
    read_doc_type(head).is_some_and(|found| found == doc_type.as_bytes())
}

fn read_doc_type(head: &[u8]) -> Option<&[u8]> {
    if !at(head, 0, b"\x1a\x45\xdf\xa3") {
        return None;
    }
    let (size, length) = number(head, 4)?;
    let mut start = 4 + length;
    let end = start
        .checked_add(usize::try_from(size).ok()?)?
        .min(MAX_HEADER);
    while start < end {
        let id_length = length_of(head, start)?;
        let id = head
            .get(start..start + id_length)?
            .iter()
            .fold(0, |id, b| id << 8 | u64::from(*b));
        start += id_length;
        let (size, length) = number(head, start)?;
        start += length;
        let next = start.checked_add(usize::try_from(size).ok()?)?;
        if id == DOC_TYPE {
            // A string may be padded with zeros (RFC 8794, 7.4).
            let text = head.get(start..next)?;
            return text.split(|b| *b == 0).next();
        }
        start = next;
    }
    None
}

/// The length in bytes of the number at an offset. The position of its first set bit is the length (RFC 8794, 4).
fn length_of(head: &[u8], offset: usize) -> Option<usize> {
    let zeros = byte(head, offset)?.leading_zeros();
    (zeros < 8).then(|| zeros as usize + 1)
}

/// The number at an offset, and its length in bytes.
fn number(head: &[u8], offset: usize) -> Option<(u64, usize)> {
    let length = length_of(head, offset)?;
    let bytes = head.get(offset..offset.checked_add(length)?)?;
    let value = bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
    // The marker is the highest bit of the value: bit 7 of one byte, bit 14 of two, and so on.
    Some((value & !(1 << (7 * length)), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_type_decides() {
        let header = |doc_type: &[u8]| {
            let mut inner =
                b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82"
                    .to_vec();
            inner.push(0x80 | doc_type.len() as u8);
            inner.extend(doc_type);
            let mut head = b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0".to_vec();
            head.push(inner.len() as u8);
            head.extend(inner);
            head
        };
        assert!(is(&header(b"webm"), "webm") && is(&header(b"webm\0\0"), "webm"));
        assert!(is(&header(b"matroska"), "matroska") && !is(&header(b"matroska"), "webm"));
        assert!(
            !is(b"\x1a\x45\xdf\xa3\x80\x42\x82\x84webm", "webm"),
            "an empty header"
        );
        assert!(!is(b"\x1a\x45\xdf\xa3", "webm"));
    }
}
