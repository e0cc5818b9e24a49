//! The structure of binary formats, as far as the leading bytes show it.
//!
//! A few letters at the start do not prove a format. Each check also reads the header fields after them.

pub(super) mod audio;
pub(super) mod iso_bmff;
pub(super) mod matroska;
pub(super) mod ogg;
pub(super) mod pdf;
pub(super) mod picture;
pub(super) mod program;
pub(super) mod tiff;
pub(super) mod zip;

/// Whether `bytes` are at an offset.
pub(super) fn at(head: &[u8], offset: usize, bytes: &[u8]) -> bool {
    head.get(offset..)
        .is_some_and(|rest| rest.starts_with(bytes))
}

/// Some bytes at an offset, if the head has them all.
fn array<const N: usize>(head: &[u8], offset: usize) -> Option<[u8; N]> {
    let end = offset.checked_add(N)?;
    head.get(offset..end)?.try_into().ok()
}

pub(super) fn byte(head: &[u8], offset: usize) -> Option<u8> {
    head.get(offset).copied()
}

pub(super) fn le16(head: &[u8], offset: usize) -> Option<u16> {
    array(head, offset).map(u16::from_le_bytes)
}

pub(super) fn le32(head: &[u8], offset: usize) -> Option<u32> {
    array(head, offset).map(u32::from_le_bytes)
}

pub(super) fn be16(head: &[u8], offset: usize) -> Option<u16> {
    array(head, offset).map(u16::from_be_bytes)
}

pub(super) fn be32(head: &[u8], offset: usize) -> Option<u32> {
    array(head, offset).map(u32::from_be_bytes)
}

/// An offset or a length of a file as an index. It fits on every platform that has at least 32 bits.
pub(super) fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
