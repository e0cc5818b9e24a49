//! Bodies: a content on its way to the service or its storage.
//!
//! Promise: a body has exactly the announced length or it breaks off, and its last piece goes only once the content has
//! ended. So whoever receives a whole body has a whole file, whose making succeeded.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use sha2::{Digest as _, Sha256};

use super::error::AssetsError;
use crate::job::Progress;
use crate::stream::{Content, Interrupted};

/// A content, one piece late.
pub(super) struct Outbound {
    content: Content,
    held: Option<Bytes>,
    size: u64,
    count: u64,
    hash: Sha256,
    passage: Passage,
    sent: Box<dyn FnMut(u64) + Send + Sync>,
}

/// How a body fared, for whoever gave it away.
#[derive(Clone, Default)]
pub(super) struct Passage(Arc<OnceLock<Result<String, Stopped>>>);

enum Stopped {
    Interrupted,
    WrongSize(u64),
}

impl Outbound {
    /// `sent` hears how many bytes went, piece by piece.
    pub(super) fn new(
        content: Content,
        size: u64,
        sent: impl FnMut(u64) + Send + Sync + 'static,
    ) -> (Self, Passage) {
        let passage = Passage::default();
        let body = Self {
            content,
            held: None,
            size,
            count: 0,
            hash: Sha256::new(),
            passage: passage.clone(),
            sent: Box::new(sent),
        };
        (body, passage)
    }

    fn stop(&mut self, why: Stopped) -> Poll<Option<io::Result<Bytes>>> {
        let reason = match why {
            Stopped::Interrupted => "interrupted",
            Stopped::WrongSize(_) => "another length than was announced",
        };
        let _ = self.passage.0.set(Err(why));
        Poll::Ready(Some(Err(io::Error::other(reason))))
    }
}

impl Stream for Outbound {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.passage.0.get() {
            Some(Ok(_)) => return Poll::Ready(None),
            Some(Err(_)) => return self.stop(Stopped::Interrupted),
            None => {}
        }
        loop {
            let piece = match ready!(self.content.poll_piece(cx)) {
                Ok(Some(piece)) => {
                    self.count += piece.len() as u64;
                    if self.count > self.size {
                        let count = self.count;
                        return self.stop(Stopped::WrongSize(count));
                    }
                    self.hash.update(&piece);
                    match self.held.replace(piece) {
                        Some(before) => before,
                        None => continue,
                    }
                }
                Ok(None) if self.count != self.size => {
                    let count = self.count;
                    return self.stop(Stopped::WrongSize(count));
                }
                Ok(None) => {
                    let sha256 = hex::encode(self.hash.finalize_reset());
                    if self.passage.0.set(Ok(sha256)).is_err() {
                        return self.stop(Stopped::Interrupted);
                    }
                    match self.held.take() {
                        Some(last) => last,
                        None => return Poll::Ready(None),
                    }
                }
                Err(Interrupted) => return self.stop(Stopped::Interrupted),
            };
            (self.sent)(piece.len() as u64);
            return Poll::Ready(Some(Ok(piece)));
        }
    }
}

impl Passage {
    /// Stops a body before its last piece goes; says whether it did. If not, the other side may have all of it.
    pub(super) fn stop(&self) -> bool {
        let _ = self.0.set(Err(Stopped::Interrupted));
        matches!(self.0.get(), Some(Err(_)))
    }

    /// The reason of our own for a request that failed, if it was one.
    pub(super) fn fault(&self, announced: u64) -> Option<AssetsError> {
        match self.0.get()? {
            Ok(_) => None,
            Err(Stopped::Interrupted) => Some(Interrupted.into()),
            &Err(Stopped::WrongSize(actual)) => Some(AssetsError::WrongSize { announced, actual }),
        }
    }

    /// SHA-256, in hex, of a body that went through.
    pub(super) fn sha256(&self) -> Option<String> {
        self.0.get()?.as_ref().ok().cloned()
    }
}

/// Tells a listener of each byte once, however often a body is sent.
#[derive(Clone)]
pub(crate) struct Sent {
    most: Arc<AtomicU64>,
    listener: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Sent {
    /// `listener` hears how many more bytes went.
    pub(crate) fn new(listener: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self {
            most: Arc::default(),
            listener: Arc::new(listener),
        }
    }

    /// Tells a job's observer.
    pub(crate) fn telling(progress: &Progress) -> Self {
        let progress = progress.clone();
        Self::new(move |bytes| progress.sent(bytes))
    }

    /// Counts one attempt from its first byte.
    pub(super) fn attempt(&self) -> impl FnMut(u64) + Send + Sync + use<> {
        let this = self.clone();
        let mut count = 0;
        move |bytes| {
            count += bytes;
            let before = this.most.fetch_max(count, Ordering::Relaxed);
            if count > before {
                (this.listener)(count - before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use futures::StreamExt as _;

    use super::*;
    use crate::stream::channel;

    async fn pass(pieces: &[&'static str], size: u64, finish: bool) -> (Vec<u8>, Passage) {
        let (mut sender, content) = channel(1 << 20);
        for piece in pieces {
            sender
                .send(Bytes::from_static(piece.as_bytes()))
                .await
                .unwrap();
        }
        if finish {
            sender.finish();
        } else {
            drop(sender);
        }
        let (body, passage) = Outbound::new(content, size, |_| {});
        let got: Vec<_> = body
            .take_while(|piece| std::future::ready(piece.is_ok()))
            .map(Result::unwrap)
            .collect()
            .await;
        (got.concat(), passage)
    }

    #[tokio::test]
    async fn only_a_whole_content_goes_through() {
        let (got, passage) = pass(&["abc", "def"], 6, true).await;
        assert_eq!(got, b"abcdef");
        assert!(!passage.stop(), "what has gone cannot be stopped");
        assert_eq!(
            passage.sha256().unwrap(),
            hex::encode(Sha256::digest(b"abcdef"))
        );

        let (got, passage) = pass(&["abc", "def"], 7, true).await;
        assert!(got.len() < 6, "the last piece is held back");
        assert!(matches!(
            passage.fault(7),
            Some(AssetsError::WrongSize {
                announced: 7,
                actual: 6
            })
        ));

        let (got, passage) = pass(&["abc", "def"], 5, true).await;
        assert!(got.len() < 5);
        assert!(matches!(
            passage.fault(5),
            Some(AssetsError::WrongSize { actual: 6, .. })
        ));

        let (_, passage) = pass(&["abc", "def"], 6, false).await;
        assert!(matches!(
            passage.fault(6),
            Some(AssetsError::Interrupted(_))
        ));
        assert!(passage.stop());

        let (got, passage) = pass(&[], 0, true).await;
        assert!(got.is_empty() && passage.sha256().is_some());
    }

    #[test]
    fn bytes_that_are_sent_again_are_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sent = {
            let told = told.clone();
            Sent::new(move |bytes| told.lock().unwrap().push(bytes))
        };
        let mut first = sent.attempt();
        first(10);
        first(5);
        let mut second = sent.attempt();
        second(10);
        second(10);
        assert_eq!(*told.lock().unwrap(), [10, 5, 5]);
    }
}
