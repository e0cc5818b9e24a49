//! EBML elements (RFC 8794): an id, a size and so many bytes.

/// The id of `Void`, an element that says nothing (11.3.2).
const VOID: u8 = 0xEC;
/// The longest id (4-byte ids are all that Matroska has), and the longest size.
const MAX_ID: usize = 4;
const MAX_SIZE: usize = 8;
/// The longest header of an element.
pub(super) const MAX_HEADER: usize = MAX_ID + MAX_SIZE;

/// The header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u32,
    /// Bytes of the header itself.
    pub(super) length: usize,
    /// Bytes of the element's content; `None` where that is not known (6.2).
    pub(super) size: Option<u64>,
}

/// What can be read of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Whole(Header),
    /// More bytes are needed.
    Part,
    /// It is none.
    Bad,
}

/// Reads the header that `bytes` begin with.
pub(super) fn header(bytes: &[u8]) -> Read {
    let Some(id_length) = length(bytes) else {
        return if bytes.is_empty() {
            Read::Part
        } else {
            Read::Bad
        };
    };
    if id_length > MAX_ID {
        return Read::Bad;
    }
    let (Some(id), Some(rest)) = (bytes.get(..id_length), bytes.get(id_length..)) else {
        return Read::Part;
    };
    let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let Some(size_length) = length(rest) else {
        return if rest.is_empty() {
            Read::Part
        } else {
            Read::Bad
        };
    };
    let Some(size) = number(rest) else {
        return Read::Part;
    };
    let unknown = (1 << (7 * size_length)) - 1;
    Read::Whole(Header {
        id,
        length: id_length + size_length,
        size: (size != unknown).then_some(size),
    })
}

/// The length in bytes of the number that `bytes` begin with: its first set bit says so (4).
fn length(bytes: &[u8]) -> Option<usize> {
    let zeros = bytes.first()?.leading_zeros() as usize;
    (zeros < MAX_SIZE).then_some(zeros + 1)
}

/// The number that `bytes` begin with, without the bit that gives its length.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    let length = length(bytes)?;
    let all = bytes.get(..length)?;
    let value = all.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some(value & !(1 << (7 * length)))
}

/// The header of a `Void` that takes the place of an element with this header, and how many bytes of content it has.
pub(super) fn void(header: usize, content: u64) -> (Vec<u8>, u64) {
    let length = (header - 1).clamp(1, MAX_SIZE);
    let size = content + (header - 1 - length) as u64;
    let field = size | 1 << (7 * length);
    let bytes = field.to_be_bytes();
    let start = bytes.len() - length;
    let mut written = vec![VOID];
    written.extend(bytes.iter().skip(start));
    (written, size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn headers_are_read() {
        let whole = |id, length, size| Read::Whole(Header { id, length, size });
        assert_eq!(header(b"\xA3\x82.."), whole(0xA3, 2, Some(2)));
        assert_eq!(
            header(b"\x1A\x45\xDF\xA3\x40\x05"),
            whole(0x1A45_DFA3, 6, Some(5))
        );
        assert_eq!(
            header(b"\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
            whole(0x1853_8067, 12, None)
        );
        assert_eq!(header(b"\xA3\xFF"), whole(0xA3, 2, None));
        for part in [&b""[..], b"\x1A\x45", b"\xA3", b"\xA3\x01\0\0"] {
            assert_eq!(header(part), Read::Part);
        }
        for bad in [&b"\x08"[..], b"\0", b"\xA3\0"] {
            assert_eq!(header(bad), Read::Bad);
        }
    }

    #[test]
    fn a_void_is_as_long_as_what_it_takes_the_place_of() {
        for id in [
            &b"\xA3"[..],
            b"\x42\x86",
            b"\x2A\xD7\xB1",
            b"\x15\x49\xA9\x66",
        ] {
            for size in [&b"\x85"[..], b"\x40\x05", b"\x01\0\0\0\0\0\0\x05"] {
                let old = [id, size, b"12345"].concat();
                let (head, content) = void(id.len() + size.len(), 5);
                let new = [&head[..], &vec![0; usize::try_from(content).unwrap()]].concat();
                assert_eq!(new.len(), old.len());
                let Read::Whole(read) = header(&new) else {
                    panic!("{new:x?}")
                };
                assert_eq!(
                    (read.id, read.length, read.size),
                    (0xEC, head.len(), Some(content))
                );
            }
        }
    }
}
