//! The colour profile in `APP2`, which comes in pieces (ICC.1:2022, B.4).

use std::collections::BTreeMap;

use crate::icc::{self, MAX_PROFILE};

/// What opens each piece; its number and the number of pieces follow.
const NAME: &[u8] = b"ICC_PROFILE\0";
/// The most bytes of a profile that fit into a segment.
const MAX_PIECE: usize = u16::MAX as usize - 2 - NAME.len() - 2;

/// The profile is longer than [`MAX_PROFILE`].
#[derive(Debug)]
pub(super) struct TooLong;

/// The pieces that have arrived.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pieces: BTreeMap<u8, Vec<u8>>,
    count: Option<u8>,
    size: usize,
    /// A piece does not fit the others: there is no profile then, as for every decoder.
    is_bad: bool,
}

impl Profile {
    /// Takes the body of an `APP2`, which may be something else.
    pub(super) fn push(&mut self, body: &[u8]) -> Result<(), TooLong> {
        let Some(body) = body.strip_prefix(NAME) else {
            return Ok(());
        };
        let Some((&[number, count], data)) = body.split_first_chunk::<2>() else {
            self.is_bad = true;
            return Ok(());
        };
        self.is_bad |= number == 0
            || number > count
            || self.count.is_some_and(|known| known != count)
            || self.pieces.contains_key(&number);
        self.count = Some(count);
        if self.is_bad {
            self.pieces.clear();
            return Ok(());
        }
        self.size += data.len();
        if self.size > MAX_PROFILE {
            return Err(TooLong);
        }
        self.pieces.insert(number, data.to_vec());
        Ok(())
    }

    /// Whether all pieces have arrived, and fit each other.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_bad && self.count.map(usize::from) == Some(self.pieces.len())
    }

    /// The bodies of the segments that stay: none, if there is no whole profile.
    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        if !self.is_whole() {
            return Vec::new();
        }
        let whole = std::mem::take(self);
        let profile: Vec<u8> = whole.pieces.into_values().flatten().collect();
        let clean = icc::clean(&profile).unwrap_or_default();
        let pieces = clean.chunks(MAX_PIECE);
        let count = pieces.len() as u8;
        (1_u8..)
            .zip(pieces)
            .map(|(number, piece)| [NAME, &[number, count], piece].concat())
            .collect()
    }
}
