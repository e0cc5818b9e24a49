//! A source whose bytes another task sends.

use std::io;

use bytes::Bytes;
use forebay_core::DEFAULT_CHUNK;
use forebay_core::channel::{Closed, Sender, channel};
use futures::TryStreamExt as _;

use super::Source;

/// Bytes that may wait to be read: 1 MiB.
const WAITING: usize = 4 * DEFAULT_CHUNK;

impl Source {
    /// A source whose bytes are sent by another task. Its only clean end is [`finish`](SourceSender::finish): if the sender
    /// is dropped before, the task has failed or was cancelled, and the job fails as well.
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use forebay::{Host, Memory, Pipeline, Source};
    ///
    /// let host = Host::builder().build()?;
    /// let pipeline = Pipeline::builder("as it is").build()?;
    /// let (mut sender, source) = Source::channel("words.txt");
    /// tokio::spawn(async move {
    ///     sender.send("some ").await?;
    ///     sender.send("words").await?;
    ///     sender.finish();
    ///     Ok::<_, forebay::Closed>(())
    /// });
    /// let sink = Memory::new();
    /// host.run(&pipeline, source, sink.clone()).await?;
    /// assert_eq!(sink.take()[0].1, "some words");
    /// # Ok(()) }
    /// # tokio::runtime::Runtime::new()?.block_on(example())?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn channel(name: impl AsRef<str>) -> (SourceSender, Self) {
        let (sender, content) = channel(WAITING);
        let cut = |_| {
            let reason = "the source was dropped by its sender before `finish`";
            io::Error::new(io::ErrorKind::UnexpectedEof, reason)
        };
        (
            SourceSender(sender),
            Self::stream(name, content.map_err(cut)),
        )
    }
}

/// Sends the bytes of a source, from [`Source::channel`].
#[derive(Debug)]
pub struct SourceSender(Sender);

impl SourceSender {
    /// Waits until less than 1 MiB waits to be read, and adds these bytes.
    ///
    /// # Errors
    /// [`Closed`] when the job reads no more: it has failed, was cancelled, or does not need the rest.
    pub async fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), Closed> {
        self.0.send(bytes.into()).await
    }

    /// Ends the source. All of its bytes were sent.
    pub fn finish(self) {
        self.0.finish();
    }
}
