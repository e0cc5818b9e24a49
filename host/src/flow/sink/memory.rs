//! A sink that keeps files in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use super::{Delivered, Outgoing, Sink, SinkError};
use crate::flow::place::Place;
use forebay_core::FileInfo;
use forebay_core::mutex::lock;

/// Keeps files in memory, for tests and for small results.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<(FileInfo, Bytes)>>>);

impl Memory {
    /// Creates an empty sink. Clones share their files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes and returns what was delivered so far, in the order of arrival.
    pub fn take(&self) -> Vec<(FileInfo, Bytes)> {
        std::mem::take(&mut *lock(&self.0))
    }
}

#[async_trait]
impl Sink for Memory {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let mut all = BytesMut::new();
        while let Some(piece) = file.content.next().await? {
            file.progress.sent(piece.len() as u64);
            all.extend_from_slice(&piece);
        }
        let (size, sha256) = (all.len() as u64, Some(hex::encode(Sha256::digest(&all))));
        let info = FileInfo {
            size: Some(size),
            ..file.info
        };
        lock(&self.0).push((info, all.freeze()));
        Ok(Delivered {
            size,
            sha256,
            place: Place::Memory {},
        })
    }
}
