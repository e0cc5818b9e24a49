//! Request bodies: a content that is sent to the service or its storage.
//!
//! Promise: a body has exactly the announced length, or it ends with an error. Its last chunk is sent only after the
//! content has ended. So whoever receives a complete body has a complete file, and producing that file succeeded.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;

use crate::error::AssetsError;
use forebay_core::channel::{Content, Interrupted};

/// A content, delayed by one chunk.
pub(crate) struct Outbound {
    content: Content,
    held: Option<Bytes>,
    size: u64,
    count: u64,
    status: BodyStatus,
    sent: Box<dyn FnMut(u64) + Send + Sync>,
}

/// The state of a body, for the task that passed the body to the HTTP client.
#[derive(Clone, Default)]
pub(crate) struct BodyStatus(Arc<Progress>);

#[derive(Default)]
struct Progress {
    end: OnceLock<Result<(), Stopped>>,
    /// Number of chunks that were requested. It does not grow while the other side takes nothing.
    asked: AtomicU64,
    /// Whether the body waits for its own source.
    waiting: AtomicBool,
}

enum Stopped {
    Interrupted,
    WrongSize(u64),
}

impl Outbound {
    /// `sent` is called for each chunk, with the number of bytes that were sent.
    pub(crate) fn new(
        content: Content,
        size: u64,
        sent: impl FnMut(u64) + Send + Sync + 'static,
    ) -> (Self, BodyStatus) {
        let status = BodyStatus::default();
        let body = Self {
            content,
            held: None,
            size,
            count: 0,
            status: status.clone(),
            sent: Box::new(sent),
        };
        (body, status)
    }

    fn stop(&mut self, why: Stopped) -> Poll<Option<io::Result<Bytes>>> {
        let reason = match why {
            Stopped::Interrupted => "interrupted",
            Stopped::WrongSize(_) => "another length than was announced",
        };
        let _ = self.status.0.end.set(Err(why));
        Poll::Ready(Some(Err(io::Error::other(reason))))
    }
}

impl Stream for Outbound {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.status.0.asked.fetch_add(1, Ordering::Relaxed);
        match self.status.0.end.get() {
            Some(Ok(())) => return Poll::Ready(None),
            Some(Err(_)) => return self.stop(Stopped::Interrupted),
            None => {}
        }
        loop {
            let polled = self.content.poll_piece(cx);
            let waiting = polled.is_pending();
            self.status.0.waiting.store(waiting, Ordering::Relaxed);
            let piece = match ready!(polled) {
                Ok(Some(piece)) => {
                    self.count += piece.len() as u64;
                    if self.count > self.size {
                        let count = self.count;
                        return self.stop(Stopped::WrongSize(count));
                    }
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
                    if self.status.0.end.set(Ok(())).is_err() {
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

impl BodyStatus {
    /// Stops a body before its last chunk is sent, and returns whether it did. If not, the other side may have all
    /// bytes.
    pub(crate) fn stop(&self) -> bool {
        let _ = self.0.end.set(Err(Stopped::Interrupted));
        matches!(self.0.end.get(), Some(Err(_)))
    }

    /// Runs a request. Returns `None` if, for as long as `patience`, nothing of the body was requested and no answer
    /// came. A body that waits for its own source does not count as stalled.
    pub(crate) async fn unless_stalled<T>(
        &self,
        patience: Duration,
        request: impl Future<Output = T>,
    ) -> Option<T> {
        let mut request = std::pin::pin!(request);
        loop {
            let before = self.0.asked.load(Ordering::Relaxed);
            let waiting = self.0.waiting.load(Ordering::Relaxed);
            match tokio::time::timeout(patience, &mut request).await {
                Ok(ended) => return Some(ended),
                Err(_) if self.0.asked.load(Ordering::Relaxed) != before => {}
                Err(_) if waiting && self.0.waiting.load(Ordering::Relaxed) => {}
                Err(_) => return None,
            }
        }
    }

    /// The error of this side that ended the body, if there was one.
    pub(crate) fn fault(&self, announced: u64) -> Option<AssetsError> {
        match self.0.end.get()? {
            Ok(()) => None,
            Err(Stopped::Interrupted) => Some(Interrupted.into()),
            &Err(Stopped::WrongSize(actual)) => Some(AssetsError::WrongSize { announced, actual }),
        }
    }

    /// Whether the whole body was passed on.
    pub(crate) fn is_through(&self) -> bool {
        matches!(self.0.end.get(), Some(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures::StreamExt as _;

    use super::*;
    use forebay_core::channel::channel;

    async fn pass(pieces: &[&'static str], size: u64, finish: bool) -> (Vec<u8>, BodyStatus) {
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
        let (body, status) = Outbound::new(content, size, |_| {});
        let got: Vec<_> = body
            .take_while(|piece| std::future::ready(piece.is_ok()))
            .map(Result::unwrap)
            .collect()
            .await;
        (got.concat(), status)
    }

    #[tokio::test]
    async fn only_a_whole_content_goes_through() {
        let (got, status) = pass(&["abc", "def"], 6, true).await;
        assert_eq!(got, b"abcdef");
        assert!(!status.stop(), "what has gone cannot be stopped");
        assert!(status.is_through());

        let (got, status) = pass(&["abc", "def"], 7, true).await;
        assert!(got.len() < 6, "the last piece is held back");
        assert!(matches!(
            status.fault(7),
            Some(AssetsError::WrongSize {
                announced: 7,
                actual: 6
            })
        ));

        let (got, status) = pass(&["abc", "def"], 5, true).await;
        assert!(got.len() < 5);
        assert!(matches!(
            status.fault(5),
            Some(AssetsError::WrongSize { actual: 6, .. })
        ));

        let (_, status) = pass(&["abc", "def"], 6, false).await;
        assert!(matches!(status.fault(6), Some(AssetsError::Interrupted(_))));
        assert!(status.stop());

        let (got, status) = pass(&[], 0, true).await;
        assert!(got.is_empty() && status.is_through());
    }
}
