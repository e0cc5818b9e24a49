//! Programs, fonts, libraries and archives.

use super::{at, be16, byte, index, le16, le32};

/// ELF: a class, a byte order and version 1.
pub(in crate::media) fn is_elf(head: &[u8]) -> bool {
    at(head, 0, b"\x7fELF")
        && matches!(byte(head, 4), Some(1 | 2))
        && matches!(byte(head, 5), Some(1 | 2))
        && byte(head, 6) == Some(1)
}

/// The offset of the Windows or OS/2 header in a program that starts with a DOS header.
fn new_header(head: &[u8]) -> Option<usize> {
    // Bytes on the last page, number of pages, and length of the header in paragraphs. A header has at least 28 bytes.
    let dos =
        at(head, 0, b"MZ") && le16(head, 2)? < 512 && le16(head, 4)? > 0 && le16(head, 8)? >= 2;
    dos.then(|| le32(head, 0x3c).map_or(0, index))
}

/// A program or a library of Windows: `PE` is at the offset in its DOS header. It must be within the head.
pub(in crate::media) fn is_windows_program(head: &[u8]) -> bool {
    new_header(head).is_some_and(|offset| at(head, offset, b"PE\0\0"))
}

/// A program of DOS, of 16-bit Windows or of OS/2.
pub(in crate::media) fn is_dos_program(head: &[u8]) -> bool {
    new_header(head).is_some()
}

/// WebAssembly: a module of version 1, or a component, whose version field also has a layer. Any value is accepted.
pub(in crate::media) fn is_wasm(head: &[u8]) -> bool {
    at(head, 0, b"\0asm") && le32(head, 4).is_some()
}

/// bzip2: a block size, then the mark of a block or of the end.
pub(in crate::media) fn is_bzip2(head: &[u8]) -> bool {
    at(head, 0, b"BZh")
        && byte(head, 3).is_some_and(|size| (b'1'..=b'9').contains(&size))
        && (at(head, 4, b"\x31\x41\x59\x26\x53\x59") || at(head, 4, b"\x17\x72\x45\x38\x50\x90"))
}

/// gzip (RFC 1952, 2.3): deflate, without reserved flags.
pub(in crate::media) fn is_gzip(head: &[u8]) -> bool {
    at(head, 0, b"\x1f\x8b\x08") && byte(head, 3).is_some_and(|flags| flags & 0xe0 == 0)
}

/// `compress`: codes of 9 to 16 bits, without reserved flags.
pub(in crate::media) fn is_compress(head: &[u8]) -> bool {
    at(head, 0, b"\x1f\x9d")
        && byte(head, 2)
            .is_some_and(|flags| flags & 0x60 == 0 && (9..=16).contains(&(flags & 0x1f)))
}

/// The archive of `ar`: the letters, then a member's header of 60 bytes, which ends in two fixed bytes.
pub(in crate::media) fn is_ar(head: &[u8]) -> bool {
    at(head, 0, b"!<arch>\n") && at(head, 66, b"`\n")
}

/// A package of Debian: an `ar` whose first member is `debian-binary`.
pub(in crate::media) fn is_deb(head: &[u8]) -> bool {
    is_ar(head) && at(head, 8, b"debian-binary")
}

/// Flash: plain or compressed, and a known version.
pub(in crate::media) fn is_flash(head: &[u8]) -> bool {
    let letters = at(head, 0, b"FWS") || at(head, 0, b"CWS") || at(head, 0, b"ZWS");
    letters && byte(head, 3).is_some_and(|version| (1..=50).contains(&version)) && head.len() >= 8
}

/// A TrueType font (OpenType 1.9, table directory): a number of tables, then a tag of four letters.
pub(in crate::media) fn is_truetype(head: &[u8]) -> bool {
    at(head, 0, b"\0\x01\0\0")
        && be16(head, 4).is_some_and(|tables| (1..=64).contains(&tables))
        && head
            .get(12..16)
            .is_some_and(|tag| tag.iter().all(|b| (b' '..=b'~').contains(b)))
}

/// A certificate in DER: a sequence in a sequence, which starts with a version or a number.
pub(in crate::media) fn is_certificate(head: &[u8]) -> bool {
    at(head, 0, b"\x30\x82")
        && at(head, 4, b"\x30\x82")
        && (at(head, 8, b"\xa0\x03\x02\x01") || at(head, 8, b"\x02"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn a_program_of_windows_has_two_headers() {
        let mut exe = vec![0; 0x90];
        exe[..10].copy_from_slice(b"MZ\x90\0\x03\0\0\0\x04\0");
        exe[0x3c] = 0x80;
        exe[0x80..0x84].copy_from_slice(b"PE\0\0");
        assert!(is_windows_program(&exe));
        exe[0x80] = b'Q';
        assert!(!is_windows_program(&exe) && is_dos_program(&exe));
        assert!(!is_dos_program(b"MZ is the signature of Mark Zbikowski"));
    }

    #[test]
    fn letters_alone_are_no_archive() {
        assert!(is_bzip2(b"BZh91AY&SY") && !is_bzip2(b"BZh is short for bzip"));
        assert!(is_gzip(b"\x1f\x8b\x08\0") && !is_gzip(b"\x1f\x8b\x08\xe0"));
        assert!(is_compress(b"\x1f\x9d\x90") && !is_compress(b"\x1f\x9d\x1f"));
        assert!(is_flash(b"CWS\x0a\0\0\x10\0") && !is_flash(b"FWS \0\0\x10\0"[..3].as_ref()));
        assert!(is_truetype(b"\0\x01\0\0\0\x11\x01\0\0\x04\0\x10GDEF"));
        assert!(!is_truetype(b"\0\x01\0\0\0\0\0\x20\0\0\0\0\0\0\0\0"));
    }
}
