//! What is left of the piece of input that is being parsed.

/// A piece of the file, consumed from its front.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Piece<'a> {
    /// A piece whose first byte stands at `offset` in the file.
    pub(crate) fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self {
            rest: bytes,
            offset,
        }
    }

    /// Where the next byte stands in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Consumes up to `most` bytes.
    pub(crate) fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(most).unwrap_or((self.rest, &[]));
        self.rest = rest;
        self.offset += taken.len() as u64;
        taken
    }

    /// Consumes up to `*left` bytes, and counts them off.
    pub(crate) fn take_of(&mut self, left: &mut u64) -> &'a [u8] {
        let taken = self.take(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= taken.len() as u64;
        taken
    }

    /// Moves bytes into `held` until it has `want`; tells whether it has.
    pub(crate) fn fill(&mut self, held: &mut Vec<u8>, want: usize) -> bool {
        held.extend_from_slice(self.take(want.saturating_sub(held.len())));
        held.len() >= want
    }
}
