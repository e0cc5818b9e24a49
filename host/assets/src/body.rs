//! Request bodies: a content that is sent to the service or its storage.
//!
//! Promise: a body has exactly the announced length, or it ends with an error. Its last chunk is sent only after the
//! content has ended. So whoever receives a complete body has a complete file, and producing that file succeeded.
//!
//! How long a body may stand still: bytes that were passed to the network may lie in buffers on the way (of this system,
//! of relays, of the other side), and a slow line needs minutes to move them. Nothing can be seen of that from here. So
//! for [`BUFFERS`] bytes at most, the client waits as long as a line of the slowest supported rate would need. The system
//! itself sees a peer that takes nothing at all: its TCP user timeout ends the connection.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use crate::error::{AssetsError, TransportKind};
use crate::pace::Pace;
use forebay_core::channel::{Content, Interrupted};

/// Most bytes that lie in buffers between here and the other side: Linux gives a connection up to 4 MiB for sending and
/// 6 MiB for receiving.
const BUFFERS: u64 = 10 << 20;

/// How long a request with a body may stand still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// With nothing of the body taken.
    pub(crate) stall: Duration,
    /// Without an answer, when all of the body has arrived.
    pub(crate) answer: Duration,
    /// The slowest line, in bytes per second.
    pub(crate) slowest: u64,
}

impl Patience {
    /// How long `passed` bytes, that were passed on during `elapsed`, may need from here to the other side.
    fn in_buffers(&self, passed: u64, elapsed: Duration) -> Duration {
        let slowest =
            Duration::from_secs_f64(passed.min(BUFFERS) as f64 / self.slowest.max(1) as f64);
        // Of a long body, what went through the buffers shows how fast the line is.
        match passed.checked_sub(BUFFERS) {
            Some(beyond) if beyond > BUFFERS => {
                let measured = elapsed.mul_f64(BUFFERS as f64 / beyond as f64);
                slowest.min(measured.saturating_mul(2))
            }
            _ => slowest,
        }
    }
}

/// A content, delayed by one chunk.
pub(crate) struct Outbound {
    content: Content,
    held: Option<Bytes>,
    /// What is passed on next.
    out: Bytes,
    /// `out` is the end of the content.
    is_last: bool,
    pace: Option<Arc<Pace>>,
    /// The number of bytes of `out` that may be sent when the time has come.
    admitted: Option<(usize, Pin<Box<Sleep>>)>,
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
    /// Notified when all of the body has been passed on.
    through: Notify,
    /// Number of chunks that were requested. It does not grow while the other side takes nothing.
    asked: AtomicU64,
    /// Number of bytes that were passed on.
    passed: AtomicU64,
    /// Whether the body waits for its own source, or for its share of the bandwidth.
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
        pace: Option<Arc<Pace>>,
        sent: impl FnMut(u64) + Send + Sync + 'static,
    ) -> (Self, BodyStatus) {
        let status = BodyStatus::default();
        let body = Self {
            content,
            held: None,
            out: Bytes::new(),
            is_last: false,
            pace,
            admitted: None,
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

    /// Takes the next part of `out`, as much as the bandwidth limit admits, when it admits it.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(pace) = &self.pace else {
            return Poll::Ready(std::mem::take(&mut self.out));
        };
        let (length, sleep) = self.admitted.get_or_insert_with(|| {
            let length = self.out.len().min(pace.chunk());
            let at = pace.admit(length);
            (length, Box::pin(tokio::time::sleep_until(at)))
        });
        let polled = sleep.as_mut().poll(cx);
        let length = *length;
        self.status
            .0
            .waiting
            .store(polled.is_pending(), Ordering::Relaxed);
        ready!(polled);
        self.admitted = None;
        Poll::Ready(self.out.split_to(length.min(self.out.len())))
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
            if !self.out.is_empty() {
                let piece = ready!(self.poll_out(cx));
                if self.out.is_empty() && self.is_last && !self.status.finish() {
                    return self.stop(Stopped::Interrupted);
                }
                let length = piece.len() as u64;
                self.status.0.passed.fetch_add(length, Ordering::Relaxed);
                (self.sent)(length);
                return Poll::Ready(Some(Ok(piece)));
            }
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
                    self.held.replace(piece)
                }
                Ok(None) if self.count != self.size => {
                    let count = self.count;
                    return self.stop(Stopped::WrongSize(count));
                }
                Ok(None) => {
                    self.is_last = true;
                    let last = self.held.take();
                    if last.is_none() {
                        if !self.status.finish() {
                            return self.stop(Stopped::Interrupted);
                        }
                        return Poll::Ready(None);
                    }
                    last
                }
                Err(Interrupted) => return self.stop(Stopped::Interrupted),
            };
            self.out = piece.unwrap_or_default();
        }
    }
}

impl BodyStatus {
    /// Records that all of the body has been passed on. Returns false if it was stopped before.
    fn finish(&self) -> bool {
        let finished = self.0.end.set(Ok(())).is_ok();
        if finished {
            self.0.through.notify_one();
        }
        finished
    }

    /// Stops a body before its last chunk is sent, and returns whether it did. If not, the other side may have all
    /// bytes.
    pub(crate) fn stop(&self) -> bool {
        let _ = self.0.end.set(Err(Stopped::Interrupted));
        matches!(self.0.end.get(), Some(Err(_)))
    }

    /// Runs a request that sends this body, as long as it does not stand still longer than `patience` allows. A body that
    /// waits for its own source or for its share of the bandwidth does not stand still.
    ///
    /// # Errors
    /// [`TransportKind::Stalled`] when the other side took no more of the body. When all of the body was passed on:
    /// [`TransportKind::Unanswered`] when no answer came, [`TransportKind::AnswerLost`] when the connection broke.
    pub(crate) async fn run<T>(
        &self,
        operation: &'static str,
        patience: Patience,
        request: impl Future<Output = Result<T, AssetsError>>,
    ) -> Result<T, AssetsError> {
        let mut request = std::pin::pin!(request);
        let start = Instant::now();
        loop {
            let before = self.0.asked.load(Ordering::Relaxed);
            let waiting = self.0.waiting.load(Ordering::Relaxed);
            let through = self.is_through();
            let base = if through {
                patience.answer
            } else {
                patience.stall
            };
            let passed = self.0.passed.load(Ordering::Relaxed);
            let limit = base.saturating_add(patience.in_buffers(passed, start.elapsed()));
            let ended = tokio::select! {
                biased;
                ended = tokio::time::timeout(limit, &mut request) => ended,
                // The answer has its own time, from now on.
                () = self.0.through.notified(), if !through => continue,
            };
            match ended {
                Ok(ended) => return ended.map_err(|error| self.after_the_body(error)),
                Err(_) if self.0.asked.load(Ordering::Relaxed) != before => {}
                Err(_) if waiting && self.0.waiting.load(Ordering::Relaxed) => {}
                Err(_) => {
                    let limit = humantime::format_duration(Duration::from_secs(limit.as_secs()));
                    let (kind, reason) = if through {
                        (
                            TransportKind::Unanswered,
                            format!("all bytes were sent, and no answer came for {limit}"),
                        )
                    } else {
                        (TransportKind::Stalled, format!("nothing moved for {limit}"))
                    };
                    return Err(AssetsError::transport(operation, kind, reason));
                }
            }
        }
    }

    /// A connection that breaks after the whole body takes the answer with it.
    fn after_the_body(&self, error: AssetsError) -> AssetsError {
        match error {
            AssetsError::Transport {
                operation,
                kind: TransportKind::Broken,
                reason,
            } if self.is_through() => AssetsError::Transport {
                operation,
                kind: TransportKind::AnswerLost,
                reason,
            },
            error => error,
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
        let (body, status) = Outbound::new(content, size, None, |_| {});
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

    #[tokio::test]
    async fn a_bandwidth_limit_splits_chunks() {
        let (mut sender, content) = channel(1 << 20);
        sender.send(Bytes::from(vec![7; 1000])).await.unwrap();
        sender.finish();
        let pace = Some(Arc::new(Pace::new(50_000)));
        let (mut body, status) = Outbound::new(content, 1000, pace, |_| {});
        // 5000 bytes are a tenth of a second; these are shared with another body.
        assert_eq!(body.next().await.unwrap().unwrap().len(), 1000);
        assert!(status.is_through());

        let (mut sender, content) = channel(1 << 20);
        sender.send(Bytes::from(vec![7; 1000])).await.unwrap();
        sender.finish();
        let pace = Some(Arc::new(Pace::new(5000)));
        let (mut body, status) = Outbound::new(content, 1000, pace, |_| {});
        for part in 0..2 {
            assert!(!status.is_through(), "only the last part ends it");
            let piece = body.next().await.unwrap().unwrap();
            assert_eq!(piece.len(), 500, "{part}");
        }
        assert!(status.is_through());
        assert!(body.next().await.is_none());
    }

    const HOUR: Duration = Duration::from_secs(3600);
    /// So fast a line that buffers take no time.
    const FAST: u64 = u64::MAX;

    /// A body of `size` bytes that has been passed on, but for its last chunk if `is_through` is false.
    async fn passed(size: usize, is_through: bool) -> BodyStatus {
        let (mut sender, content) = channel(1 << 30);
        for _ in 0..2 {
            sender.send(Bytes::from(vec![0; size / 2])).await.unwrap();
        }
        sender.finish();
        let (mut body, status) = Outbound::new(content, size as u64, None, |_| {});
        body.next().await.unwrap().unwrap();
        if is_through {
            body.next().await.unwrap().unwrap();
        }
        status
    }

    async fn end(status: &BodyStatus, patience: Patience) -> TransportKind {
        let never = std::future::pending::<Result<(), AssetsError>>();
        match status.run("upload", patience, never).await.unwrap_err() {
            AssetsError::Transport { kind, .. } => kind,
            other => unreachable!("{other}"),
        }
    }

    async fn answer() -> Result<(), AssetsError> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    }

    #[tokio::test]
    async fn the_answer_has_its_own_time_once_the_body_is_through() {
        let (short, slowest) = (Duration::from_millis(5), FAST);
        let stalls = Patience {
            stall: short,
            answer: HOUR,
            slowest,
        };
        let unanswered = Patience {
            stall: HOUR,
            answer: short,
            slowest,
        };
        let through = passed(100, true).await;
        through.run("upload", stalls, answer()).await.unwrap();
        assert_eq!(end(&through, unanswered).await, TransportKind::Unanswered);
        let halfway = passed(100, false).await;
        halfway.run("upload", unanswered, answer()).await.unwrap();
        assert_eq!(end(&halfway, stalls).await, TransportKind::Stalled);
    }

    #[tokio::test]
    async fn the_time_of_the_answer_begins_when_the_body_ends() {
        let (mut sender, content) = channel(1 << 20);
        sender.send(Bytes::from_static(b"abc")).await.unwrap();
        sender.finish();
        let (mut body, status) = Outbound::new(content, 3, None, |_| {});
        let request = async {
            while body.next().await.is_some() {}
            std::future::pending::<Result<(), AssetsError>>().await
        };
        let patience = Patience {
            stall: HOUR,
            answer: Duration::from_millis(5),
            slowest: FAST,
        };
        let error = status.run("upload", patience, request).await.unwrap_err();
        assert!(error.is_unanswered(), "{error}");
    }

    #[tokio::test]
    async fn bytes_in_buffers_have_the_time_that_a_slow_line_needs() {
        let short = Duration::from_millis(5);
        let patience = |slowest| Patience {
            stall: short,
            answer: short,
            slowest,
        };
        for is_through in [true, false] {
            let status = passed(3_000_000, is_through).await;
            status.run("put", patience(10_000), answer()).await.unwrap();
            end(&status, patience(FAST)).await;
        }
    }

    const PATIENCE: Patience = Patience {
        stall: Duration::from_secs(60),
        answer: Duration::from_secs(300),
        slowest: 10_000,
    };

    #[test]
    fn a_long_body_shows_how_fast_the_line_is() {
        let seconds = |passed, elapsed| {
            let elapsed = Duration::from_secs(elapsed);
            PATIENCE.in_buffers(passed, elapsed).as_secs()
        };
        assert_eq!(seconds(1_000_000, 1), 100, "all of it may lie in buffers");
        assert_eq!(seconds(BUFFERS, 1), 1048);
        assert_eq!(seconds(15 << 20, 1), 1048, "too little beyond the buffers");
        assert_eq!(seconds(110 << 20, 100), 20, "1 MiB/s, doubled");
        assert_eq!(
            seconds(110 << 20, 100_000),
            1048,
            "never longer than the slowest"
        );
    }

    #[test]
    fn a_connection_that_breaks_after_the_body_loses_the_answer() {
        let broken = || AssetsError::transport("put", TransportKind::Broken, "reset");
        let status = BodyStatus::default();
        assert!(!status.after_the_body(broken()).is_answer_lost());
        let _ = status.0.end.set(Ok(()));
        assert!(status.after_the_body(broken()).is_answer_lost());
    }
}
