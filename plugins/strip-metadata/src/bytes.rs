//! Numbers in bytes.

/// The big-endian number of `N` bytes at `at`.
pub(crate) fn be<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: &[u8; N] = bytes.get(at..)?.first_chunk()?;
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

/// The little-endian number of `N` bytes at `at`.
pub(crate) fn le<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: &[u8; N] = bytes.get(at..)?.first_chunk()?;
    let sum = bytes.iter().rev();
    Some(sum.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// Four letters at `at`.
pub(crate) fn letters(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Overwrites what stands at `at`. Nothing happens where `bytes` is too short.
pub(crate) fn set(bytes: &mut [u8], at: usize, new: &[u8]) {
    let there = bytes
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..new.len()));
    if let Some(there) = there {
        there.copy_from_slice(new);
    }
}

/// Overwrites a part with zeros, as far as it is there.
pub(crate) fn clear(bytes: &mut [u8], from: usize, to: usize) {
    let to = to.min(bytes.len());
    if let Some(part) = bytes.get_mut(from..to) {
        part.fill(0);
    }
}

/// Appends zeros.
pub(crate) fn zeros(output: &mut Vec<u8>, count: usize) {
    output.resize(output.len() + count, 0);
}
