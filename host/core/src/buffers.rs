//! Buffers that are reused.
//!
//! Bytes are passed on by reference, so the code that fills buffers cannot know when one is free. A new buffer for each
//! chunk costs page faults, which take longer than the copy itself. A few buffers that are used in turn stay mapped and
//! in the cache.

use std::sync::{Arc, Mutex, Weak};

use bytes::{Bytes, BytesMut};

use crate::mutex::lock;

/// Buffers that one writer fills in turn. A buffer is reused once all bytes that were split off it are dropped.
#[derive(Debug, Default)]
pub struct Blocks(Vec<BytesMut>);

impl Blocks {
    /// Most buffers that are kept: those in a channel, and those that its two ends are working on.
    const MOST: usize = 8;

    /// Returns a buffer with room for at least `least` bytes. A new one has room for `size`. Return it with
    /// [`keep`](Self::keep).
    pub fn take(&mut self, least: usize, size: usize) -> BytesMut {
        // The buffer that was used last is the most likely to be in the processor's cache.
        let free = self
            .0
            .iter_mut()
            .rposition(|block| block.try_reclaim(least));
        match free {
            Some(at) => self.0.remove(at),
            None => BytesMut::with_capacity(size.max(least)),
        }
    }

    /// Takes a buffer back, after its contents were split off. If there are too many, the least recently used one is
    /// dropped.
    pub fn keep(&mut self, block: BytesMut) {
        if self.0.len() == Self::MOST {
            self.0.remove(0);
        }
        self.0.push(block);
    }

    /// Copies a chunk. A new buffer has room for `size`.
    pub fn copy(&mut self, piece: &[u8], size: usize) -> Bytes {
        let mut block = self.take(piece.len(), size);
        block.extend_from_slice(piece);
        let copy = block.split().freeze();
        self.keep(block);
        copy
    }
}

/// Buffers for reading. They return to the pool when their bytes are dropped, and are not cleared for reuse.
#[derive(Debug, Default)]
pub struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// Most buffers that are kept.
    const MOST: usize = 8;

    /// Returns a buffer of at least `size` bytes. Its contents are arbitrary.
    pub fn take(&self, size: usize) -> Vec<u8> {
        // The buffer that was returned last is the most likely to be in the processor's cache.
        match lock(&self.0).pop() {
            Some(buffer) if buffer.len() >= size => buffer,
            _ => vec![0; size],
        }
    }

    /// Returns the first `count` bytes of a buffer, to be passed on. The buffer returns to the pool when the last
    /// reference to them is dropped.
    pub fn lend(&self, buffer: Vec<u8>, count: usize) -> Bytes {
        let lent = Lent {
            buffer,
            pool: Arc::downgrade(&self.0),
        };
        Bytes::from_owner(lent).slice(..count)
    }
}

struct Lent {
    buffer: Vec<u8>,
    /// The pool is dropped when its reader is. The buffer is then freed instead of returned.
    pool: Weak<Mutex<Vec<Vec<u8>>>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            let mut pool = lock(&pool);
            if pool.len() < Pool::MOST {
                pool.push(std::mem::take(&mut self.buffer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_nobody_reads_it() {
        let pool = Pool::default();
        let first = pool.lend(pool.take(100), 60);
        let (place, rest) = (first.as_ptr(), first.slice(50..));
        drop(first);
        assert_eq!(rest.len(), 10);
        let second = pool.take(100);
        assert_ne!(second.as_ptr(), place, "it is still read");
        drop(rest);
        let again = pool.take(100);
        assert_eq!(again.as_ptr(), place);
        let last = pool.lend(second, 100);
        drop(pool);
        assert_eq!(last.len(), 100);
    }

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
