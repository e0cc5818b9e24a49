//! Buffers that are used again.
//!
//! Bytes that move on are handed over by reference, so whoever fills buffers cannot know when one is free. A fresh one for
//! each piece costs page faults that take longer than the copy itself; a few in turn stay mapped, and warm.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Buffers that one writer fills in turn. One is used again once all that was cut from it has gone.
#[derive(Debug, Default)]
pub struct Blocks(VecDeque<BytesMut>);

impl Blocks {
    /// Buffers that are kept: what a channel holds, and what both of its sides have in hand.
    const MOST: usize = 8;

    /// A buffer with room for at least `least` bytes; a new one has room for `size`. To be given back with
    /// [`keep`](Self::keep).
    pub fn take(&mut self, least: usize, size: usize) -> BytesMut {
        let free = self.0.iter_mut().position(|block| block.try_reclaim(least));
        match free.and_then(|at| self.0.remove(at)) {
            Some(block) => block,
            None => BytesMut::with_capacity(size.max(least)),
        }
    }

    /// Takes a buffer back, its contents cut off. The one that was used longest ago makes room for it.
    pub fn keep(&mut self, block: BytesMut) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(block);
    }

    /// Copies a piece; a new buffer has room for `size`.
    pub fn copy(&mut self, piece: &[u8], size: usize) -> Bytes {
        let mut block = self.take(piece.len(), size);
        block.extend_from_slice(piece);
        let copy = block.split().freeze();
        self.keep(block);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_only_when_it_is_free() {
        let mut blocks = Blocks::default();
        let first = blocks.copy(&[1; 100], 100);
        let second = blocks.copy(&[2; 100], 100);
        assert_ne!(first.as_ptr(), second.as_ptr());
        let place = first.as_ptr();
        drop(first);
        let third = blocks.copy(&[3; 100], 100);
        assert_eq!(third.as_ptr(), place);
        assert_eq!((&second[..], &third[..]), (&[2; 100][..], &[3; 100][..]));
    }

    #[test]
    fn small_pieces_share_a_buffer_and_few_are_kept() {
        let mut blocks = Blocks::default();
        let pieces: Vec<Bytes> = (0..1000)
            .map(|n| blocks.copy(&[n as u8; 10], 100))
            .collect();
        assert!(
            pieces
                .iter()
                .enumerate()
                .all(|(n, piece)| piece[..] == [n as u8; 10])
        );
        assert!(blocks.0.len() <= Blocks::MOST);
    }
}
