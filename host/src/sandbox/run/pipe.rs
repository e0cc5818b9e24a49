//! Between a guest's streams and our channels: one copy into the guest, one copy out of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, Source, StreamConsumer, StreamResult};

use crate::sandbox::state::StageState;
use forebay_core::channel::{Sender, Share};
use forebay_core::mutex::lock;

/// Bytes that are offered to a guest that asks with no buffer of its own, and the size of the buffers between stages.
const OFFER: usize = forebay_core::DEFAULT_CHUNK;

/// The most that is taken of a guest's write at a time.
const BLOCK: usize = 1 << 20;

/// Gives a guest what it has room for: of `piece`, or else of the `next` one. Tells how many bytes went.
pub(crate) fn produce<'a>(
    piece: &mut Bytes,
    next: impl FnOnce() -> Poll<wasmtime::Result<Option<Bytes>>>,
    mut store: StoreContextMut<'a, StageState>,
    destination: Destination<'a, u8, Bytes>,
    finish: bool,
) -> Poll<wasmtime::Result<(StreamResult, usize)>> {
    let asks = destination.remaining(&mut store) == Some(0);
    if piece.is_empty() {
        match next() {
            Poll::Ready(Ok(Some(fresh))) => *piece = fresh,
            Poll::Ready(Ok(None)) => return Poll::Ready(Ok((StreamResult::Dropped, 0))),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending if finish => return Poll::Ready(Ok((StreamResult::Cancelled, 0))),
            Poll::Pending => return Poll::Pending,
        }
    }
    if asks {
        // Only whether there is something: there is.
        return Poll::Ready(Ok((StreamResult::Completed, 0)));
    }
    let mut direct = destination.as_direct(store, OFFER);
    let room = direct.remaining();
    let count = room.len().min(piece.len());
    let taken = piece.split_to(count);
    if let Some(room) = room.get_mut(..count) {
        room.copy_from_slice(&taken);
    }
    direct.mark_written(count);
    Poll::Ready(Ok((StreamResult::Completed, count)))
}

/// Drains a guest's stream into a channel.
pub(crate) struct Drain<C> {
    /// Sees how many bytes come before they are passed on, and may stop them.
    count: C,
    sender: Option<Sender>,
    /// What it may hold of the store's budget.
    share: Share,
    /// Gets the sender back once the guest has ended the stream.
    ended: Option<oneshot::Sender<Option<Sender>>>,
}

impl<C> Drain<C> {
    /// What comes back is the sender, once the guest has ended its stream; or nothing, when downstream took no more.
    pub(crate) fn new(
        sender: Sender,
        share: Share,
        count: C,
    ) -> (Self, oneshot::Receiver<Option<Sender>>) {
        let (done, ended) = oneshot::channel();
        let drain = Self {
            count,
            sender: Some(sender),
            share,
            ended: Some(done),
        };
        (drain, ended)
    }
}

impl<C> StreamConsumer<StageState> for Drain<C>
where
    C: FnMut(usize) -> wasmtime::Result<()> + Send + Unpin + 'static,
{
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, StageState>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = &mut *self;
        let Some(sender) = &mut this.sender else {
            return Poll::Ready(Ok(StreamResult::Dropped));
        };
        match sender.poll_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_closed)) => {
                this.sender = None;
                return Poll::Ready(Ok(StreamResult::Dropped));
            }
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        }
        // One pool for all outputs of the store: a guest may have many of them open.
        let blocks = store.data().blocks.clone();
        let mut source = source.as_direct(store);
        let piece = source.remaining();
        // A guest may offer as much as it likes. The host takes a block at a time, and no more than the share.
        let count = piece.len().min(BLOCK).min(this.share.bytes());
        if count == 0 {
            // A write of nothing asks whether there is room: there is.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        (this.count)(count)?;
        let taken = piece.get(..count).unwrap_or_default();
        sender.push_copy(taken, &mut lock(&blocks), OFFER);
        source.mark_read(count);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<C> Drop for Drain<C> {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            // Nobody listens when the guest has cancelled the call; then the sender goes unfinished, as it must.
            let _ = ended.send(self.sender.take());
        }
    }
}
