//! A sink that keeps files in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use super::{Delivered, Outgoing, Sink, SinkError};
use crate::flow::place::Place;
use forebay_core::FileInfo;
use forebay_core::mutex::lock;

/// Keeps files in memory, for tests and for small results. Clones share their files.
#[derive(Debug, Clone)]
pub struct Memory {
    held: Arc<Mutex<Held>>,
    /// The most bytes that it may hold.
    most: u64,
}

#[derive(Debug, Default)]
struct Held {
    files: Vec<(FileInfo, Bytes)>,
    /// Bytes of these files, and of those that are still written.
    bytes: u64,
}

impl Memory {
    /// Creates an empty sink that holds as much as it is given.
    pub fn new() -> Self {
        Self::at_most(u64::MAX)
    }

    /// Creates an empty sink that holds at most this many bytes at a time, in all files together. A file that does not fit
    /// fails with [`SinkError::Full`].
    pub fn at_most(bytes: u64) -> Self {
        Self {
            held: Arc::default(),
            most: bytes,
        }
    }

    /// Removes and returns what was delivered so far, in the order of arrival.
    pub fn take(&self) -> Vec<(FileInfo, Bytes)> {
        let mut held = lock(&self.held);
        let files = std::mem::take(&mut held.files);
        let taken: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        held.bytes -= taken;
        files
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Sink for Memory {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let mut all = Buffer {
            held: &self.held,
            bytes: BytesMut::new(),
        };
        while let Some(piece) = file.content.next().await? {
            file.progress.sent(piece.len() as u64);
            all.add(&piece, self.most)?;
        }
        let bytes = all.bytes.split().freeze();
        let (size, sha256) = (bytes.len() as u64, hex::encode(Sha256::digest(&bytes)));
        let info = FileInfo {
            size: Some(size),
            ..file.info
        };
        lock(&self.held).files.push((info, bytes));
        Ok(Delivered {
            size,
            sha256: Some(sha256),
            place: Place::Memory {},
        })
    }
}

/// A file that is still written. Dropping it gives back what it holds.
struct Buffer<'a> {
    held: &'a Mutex<Held>,
    bytes: BytesMut,
}

impl Buffer<'_> {
    fn add(&mut self, piece: &Bytes, most: u64) -> Result<(), SinkError> {
        let length = piece.len() as u64;
        let mut held = lock(self.held);
        if held.bytes.saturating_add(length) > most {
            return Err(SinkError::Full(most));
        }
        held.bytes += length;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        lock(self.held).bytes -= self.bytes.len() as u64;
    }
}
