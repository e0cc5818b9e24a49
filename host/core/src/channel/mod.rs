//! Bytes between two tasks, bounded in bytes.
//!
//! Promise: a channel holds no more bytes than its budget, plus one chunk that may be larger. Each chunk counts as at
//! least 512 bytes, and short chunks that wait are joined. Several channels may share a budget. The reader gets the end
//! only after the writer has called [`Sender::finish`]. If the writer is dropped without that, the reader gets
//! [`Interrupted`]. Chunks are passed on by reference and never copied.

mod budget;
mod content;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};

pub use budget::{Share, SharedBudget};
pub use content::{Content, Ending, Fault, Fingerprint, Pull, Pulled};

use crate::buffers::Blocks;
use crate::mutex::lock;
use budget::Budget;

/// Cost of a chunk against the channel's budget. Small chunks count as 512 bytes, because each has fixed overhead.
fn cost(piece: &Bytes) -> usize {
    piece.len().max(512)
}

/// Longest chunk that is joined with others that wait, and their greatest length together. In bytes.
const SHORT: usize = 16 << 10;

/// Makes a channel that holds up to `budget` bytes.
pub fn channel(budget: usize) -> (Sender, Content) {
    channel_with(Budget::Own(budget))
}

/// Makes a channel that holds up to its share of a shared budget.
pub fn channel_within(budget: &SharedBudget) -> (Sender, Content) {
    channel_with(Budget::Shared(budget.clone()))
}

fn channel_with(budget: Budget) -> (Sender, Content) {
    let shared = Arc::new(Shared {
        budget,
        state: Mutex::new(State {
            queue: VecDeque::new(),
            joined: BytesMut::new(),
            queued: 0,
            end: End::Open,
            closed: false,
            reader: None,
            writer: None,
        }),
    });
    (
        Sender {
            shared: shared.clone(),
            finished: false,
        },
        Content::received(Receiver(shared)),
    )
}

#[derive(Debug)]
struct Shared {
    budget: Budget,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Bytes>,
    /// Short chunks that came after those in the queue.
    joined: BytesMut,
    /// Cost of the queue.
    queued: usize,
    end: End,
    /// The reader was dropped.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// All bytes have arrived, and everything upstream has succeeded.
    Finished,
    /// The writer was dropped without finishing.
    Interrupted,
}

impl State {
    /// Moves the joined chunks to the queue.
    fn enqueue_joined(&mut self) {
        if !self.joined.is_empty() {
            let joined = std::mem::take(&mut self.joined).freeze();
            self.queued += cost(&joined);
            self.queue.push_back(joined);
        }
    }

    /// Drops the bytes that will not be read.
    fn clear(&mut self) {
        self.queue.clear();
        self.joined = BytesMut::new();
        self.queued = 0;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The reader was dropped, so nothing reads these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("closed: the reader was dropped, so nothing reads these bytes")]
pub struct Closed;

/// Something upstream failed, so these bytes stay incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted: an earlier stage failed, so the file never became whole")]
pub struct Interrupted;

/// The writing end.
#[derive(Debug)]
pub struct Sender {
    shared: Arc<Shared>,
    finished: bool,
}

impl Sender {
    /// Waits until there is room. Then one chunk of any size may be pushed.
    ///
    /// # Errors
    /// [`Closed`] when the reader was dropped.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.shared.lock();
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        if state.queued + state.joined.len() < self.shared.budget.bytes() {
            return Poll::Ready(Ok(()));
        }
        remember(&mut state.writer, cx);
        Poll::Pending
    }

    /// Adds a chunk. Call it after [`poll_ready`](Self::poll_ready) has returned ok.
    pub fn push(&mut self, piece: Bytes) {
        let mut state = self.shared.lock();
        if piece.is_empty() || state.closed {
            return;
        }
        state.enqueue_joined();
        state.queued += cost(&piece);
        state.queue.push_back(piece);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// Adds a copy of a chunk. Short chunks are joined while they wait. Long ones are copied into `blocks`, in buffers
    /// of `size` bytes. Call it after [`poll_ready`](Self::poll_ready) has returned ok.
    pub fn push_copy(&mut self, piece: &[u8], blocks: &mut Blocks, size: usize) {
        if piece.len() > SHORT {
            return self.push(blocks.copy(piece, size));
        }
        let mut state = self.shared.lock();
        if piece.is_empty() || state.closed {
            return;
        }
        if state.joined.len() + piece.len() > SHORT {
            state.enqueue_joined();
        }
        state.joined.extend_from_slice(piece);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// Waits for room and adds a chunk.
    ///
    /// # Errors
    /// [`Closed`] when the reader was dropped.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), Closed> {
        std::future::poll_fn(|cx| self.poll_ready(cx)).await?;
        self.push(piece);
        Ok(())
    }

    /// Ends the content, and promises that its bytes are complete.
    pub fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if self.finished {
            state.end = End::Finished;
        } else {
            state.end = End::Interrupted;
            state.clear();
        }
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }
}

/// The reading end, inside a [`Content`]. Dropping it closes the channel, and the writer gets [`Closed`].
#[derive(Debug)]
struct Receiver(Arc<Shared>);

impl Receiver {
    fn shared(&self) -> Arc<Shared> {
        self.0.clone()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Interrupted>> {
        let mut state = self.0.lock();
        if state.queue.is_empty() {
            state.enqueue_joined();
        }
        if let Some(piece) = state.queue.pop_front() {
            state.queued -= cost(&piece);
            // A waiting writer is woken once half of the budget is free, so that the two do not alternate chunk by
            // chunk.
            let writer = if state.queued + state.joined.len() <= self.0.budget.bytes() / 2 {
                state.writer.take()
            } else {
                None
            };
            drop(state);
            wake(writer);
            return Poll::Ready(Ok(Some(piece)));
        }
        match state.end {
            End::Open => {
                remember(&mut state.reader, cx);
                Poll::Pending
            }
            End::Finished => Poll::Ready(Ok(None)),
            End::Interrupted => Poll::Ready(Err(Interrupted)),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.clear();
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    async fn collect(content: &mut Content) -> Result<Vec<u8>, Interrupted> {
        let mut all = Vec::new();
        while let Some(piece) = content.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn an_end_comes_only_from_finish() {
        let (mut sender, mut content) = channel(10);
        sender.send(Bytes::from_static(b"abc")).await.unwrap();
        sender.finish();
        assert_eq!(collect(&mut content).await.unwrap(), b"abc");

        let (mut sender, mut content) = channel(10);
        sender.send(Bytes::from_static(b"abc")).await.unwrap();
        drop(sender);
        assert_eq!(collect(&mut content).await, Err(Interrupted));
    }

    #[tokio::test]
    async fn the_budget_holds_and_admits_one_large_piece() {
        let (mut sender, mut content) = channel(4);
        sender
            .send(Bytes::from_static(b"much more than four"))
            .await
            .unwrap();
        let ready = std::future::poll_fn(|cx| Poll::Ready(sender.poll_ready(cx))).await;
        assert!(ready.is_pending());
        assert!(content.next().await.unwrap().is_some());
        let ready = std::future::poll_fn(|cx| Poll::Ready(sender.poll_ready(cx))).await;
        assert_eq!(ready, Poll::Ready(Ok(())));
    }

    #[tokio::test]
    async fn channels_share_a_budget() {
        let budget = SharedBudget::new(64 << 10, 32 << 10);
        let shares: Vec<Share> = (0..4).map(|_| budget.open()).collect();
        assert_eq!(budget.each(), 16 << 10);
        let (mut sender, _content) = channel_within(&budget);
        let (mut blocks, mut pushed) = (Blocks::default(), 0);
        while std::future::poll_fn(|cx| Poll::Ready(sender.poll_ready(cx)))
            .await
            .is_ready()
        {
            sender.push_copy(&[7; 1000], &mut blocks, 1000);
            pushed += 1000;
        }
        assert_eq!(pushed, 17_000, "the share, and the rest of the last chunk");
        drop(shares);
        assert_eq!(budget.each(), 32 << 10, "no more than one alone may hold");
        let _many: Vec<Share> = (0..1000).map(|_| budget.open()).collect();
        assert_eq!(budget.each(), SharedBudget::LEAST);
    }

    #[tokio::test]
    async fn short_chunks_are_joined_while_they_wait() {
        let (mut sender, mut content) = channel(1 << 20);
        let mut blocks = Blocks::default();
        for byte in 0..100_u8 {
            sender.push_copy(&[byte], &mut blocks, 10);
        }
        sender.push(Bytes::from_static(b"long"));
        sender.push_copy(b"last", &mut blocks, 10);
        sender.finish();
        let mut chunks = Vec::new();
        while let Some(chunk) = content.next().await.unwrap() {
            chunks.push(chunk);
        }
        assert_eq!(
            chunks,
            [
                (0..100).collect::<Vec<u8>>(),
                b"long".to_vec(),
                b"last".to_vec()
            ]
        );
    }

    #[tokio::test]
    async fn a_reader_that_goes_closes_the_channel() {
        let (mut sender, content) = channel(4);
        drop(content);
        assert_eq!(sender.send(Bytes::from_static(b"x")).await, Err(Closed));
    }

    proptest! {
        #[test]
        fn every_byte_arrives_once_and_in_order(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..40),
            budget in 1_usize..64,
            peek in 0_usize..100,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let expected = pieces.concat();
            let (mut sender, mut content) = channel(budget);
            let (head, got) = runtime.block_on(async {
                let write = async {
                    for piece in pieces {
                        sender.send(piece.into()).await.unwrap();
                    }
                    sender.finish();
                };
                let read = async {
                    let head = content.peek(peek).await.unwrap();
                    (head, collect(&mut content).await.unwrap())
                };
                futures::join!(write, read).1
            });
            prop_assert!(head.len() >= peek.min(expected.len()));
            prop_assert!(expected.starts_with(&head));
            prop_assert_eq!(got, expected);
        }
    }
}
