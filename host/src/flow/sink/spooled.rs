//! A sink that takes all of a file before it gives it on.

use std::sync::Arc;

use async_trait::async_trait;
use forebay_core::DEFAULT_CHUNK;
use forebay_core::channel::Fault;
use forebay_core::disk::WriteError;

use super::{Delivered, Outgoing, Sink, SinkError};
use crate::flow::place::Place;

/// Writes each file to scratch until it is whole, and then gives it to another sink. Meanwhile its plugins have ended, and
/// other jobs have their places: so a slow sink, such as a client on a slow line, keeps nobody waiting. A file that is on
/// disk already is not written again.
///
/// Scratch is bounded by [`JobLimits::scratch_bytes`](crate::JobLimits::scratch_bytes).
///
/// ```
/// use forebay::{Memory, Spooled};
///
/// let sink = Spooled::new(Memory::new());
/// ```
#[derive(Debug, Clone)]
pub struct Spooled<S>(S);

impl<S: Sink> Spooled<S> {
    /// Spools what this sink is given.
    pub fn new(sink: S) -> Self {
        Self(sink)
    }
}

#[async_trait]
impl<S: Sink> Sink for Spooled<S> {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let fault = file.spool().await?;
        match self.0.put(file).await {
            // Nothing is upstream any more but the file in scratch.
            Err(SinkError::Interrupted) => Err(match fault.and_then(|fault| fault.take()) {
                Some(reason) => SinkError::Scratch(reason),
                None => SinkError::Interrupted,
            }),
            ended => ended,
        }
    }

    fn identity(&self) -> Option<String> {
        self.0.identity()
    }

    async fn still_has(&self, place: &Place) -> Result<bool, SinkError> {
        self.0.still_has(place).await
    }
}

impl Outgoing {
    /// Writes the file to scratch, unless it is on disk or in memory already, and gives its place back. The file is whole when
    /// this returns. Returns what tells why scratch could not be read.
    async fn spool(&mut self) -> Result<Option<Fault>, SinkError> {
        let mut fault = None;
        if self.stored.is_none() && self.replay.is_none() {
            let (spool, stored) = self.scratch.file().map_err(SinkError::Scratch)?;
            let filled = spool.fill(&mut self.content, |_| {}).await;
            let size = Some(filled.map_err(|error| match error {
                WriteError::Interrupted => SinkError::Interrupted,
                WriteError::Io(reason) => SinkError::Scratch(reason),
            })?);
            let stored = Arc::new(stored);
            let content = stored.content(size, DEFAULT_CHUNK);
            let (content, reading) = content.map_err(SinkError::Scratch)?;
            self.info.size = size;
            self.content = content;
            self.stored = Some(stored);
            fault = Some(reading);
        }
        self.permit = None;
        Ok(fault)
    }
}
