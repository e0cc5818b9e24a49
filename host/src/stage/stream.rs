//! Stream plugins: one copy into the guest, one copy out of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, HasSelf, Source, StreamConsumer, StreamProducer, StreamReader,
    StreamResult,
};

use super::state::{Outlet, StageState, Tally, admit};
use super::{Done, Emitted, Environment, FileInfo, Guest, Outputs, Stage, StageEnd};
use crate::bindings;
use crate::bindings::stream::StreamPluginPre;
use crate::bindings::stream::forebay::plugin::outputs::{self, EmitError};
use crate::bindings::stream::forebay::plugin::types;
use crate::blocks::Blocks;
use crate::error::{PluginError, StageCause};
use crate::limits::Exceeded;
use crate::stream::{Content, Interrupted, Sender, channel};

/// Bytes that are offered to a guest that asks with no buffer of its own, and the size of the buffers between stages.
const OFFER: usize = 256 * 1024;

/// The most that is taken of a guest's write at a time.
const BLOCK: usize = 1 << 20;

pub(super) async fn run(
    stage: &Stage,
    pre: &StreamPluginPre<StageState>,
    info: FileInfo,
    content: Content,
    environment: Environment<'_>,
) -> Result<Done, StageEnd> {
    let mut state = StageState::new(&stage.limits);
    state.outlet = Some(Outlet {
        emitted: environment.emitted,
        budget: environment.budget,
        open: 0,
        ended: Vec::new(),
        refused: false,
    });
    let content = Arc::new(Mutex::new(content));
    let input = Input {
        content: content.clone(),
        piece: Bytes::new(),
        taken: state.taken.clone(),
    };
    let config = stage.config.to_string();
    let mut guest = Guest::new(environment.engine, state, stage.limits.clone());
    let returned = guest
        .run(async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| {
                    let input = accessor.with(|access| StreamReader::new(access, input))?;
                    let info = bindings::FileInfo {
                        name: info.name,
                        media_type: info.media_type,
                        size: info.size,
                    };
                    plugin
                        .forebay_plugin_transform()
                        .call_transform(accessor, info, input, config)
                        .await
                })
                .await?
        })
        .await?;
    let usage = guest.usage();
    let left = guest.time_left();
    let outlet = guest.store.data_mut().outlet.take();
    let outlet = outlet.ok_or_else(|| StageCause::Host("the stage lost its outlet".into()))?;
    if let Err(error) = returned {
        // A plugin that gives up since nobody wants its output is not at fault: what refused it has an error of its own.
        return Err(if outlet.refused {
            StageEnd::Interrupted
        } else {
            PluginError::from(error).into()
        });
    }
    if outlet.open > 0 {
        return Err(StageCause::Unfinished(outlet.open).into());
    }
    drop(guest);
    // The plugin may have stopped reading early. Its ok counts only if the rest of its input turns out whole.
    let rest = Arc::into_inner(content)
        .map(|rest| rest.into_inner().unwrap_or_else(PoisonError::into_inner));
    if let Some(mut rest) = rest {
        match tokio::time::timeout(left, rest.drain()).await {
            Ok(Ok(())) => {}
            Ok(Err(Interrupted)) => return Err(StageEnd::Interrupted),
            Err(_) => return Err(Exceeded::WallClock(stage.limits.wall_clock).into()),
        }
    }
    Ok(Done {
        usage,
        outputs: Outputs::Streamed(outlet.ended),
    })
}

/// Feeds a guest from a channel.
struct Input {
    content: Arc<Mutex<Content>>,
    piece: Bytes,
    taken: Arc<AtomicU64>,
}

impl StreamProducer<StageState> for Input {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, StageState>,
        destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let asks = destination.remaining(&mut store) == Some(0);
        if self.piece.is_empty() {
            let next = self
                .content
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .poll_piece(cx);
            match next {
                Poll::Ready(Ok(Some(piece))) => self.piece = piece,
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Ready(Err(interrupted)) => return Poll::Ready(Err(interrupted.into())),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if asks {
            // Only whether there is something: there is.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let mut direct = destination.as_direct(store, OFFER);
        let room = direct.remaining();
        let count = room.len().min(self.piece.len());
        let taken = self.piece.split_to(count);
        if let Some(room) = room.get_mut(..count) {
            room.copy_from_slice(&taken);
        }
        direct.mark_written(count);
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// Drains one output of a guest into a channel.
struct Output {
    name: String,
    announced: Option<u64>,
    tally: Arc<Tally>,
    count: u64,
    blocks: Blocks,
    sender: Option<Sender>,
    /// Gets the sender back once the guest has ended the stream.
    ended: Option<oneshot::Sender<Ended>>,
}

struct Ended {
    /// `None` when downstream refused the rest.
    sender: Option<Sender>,
    count: u64,
}

impl Output {
    fn size_error(&self) -> Option<StageCause> {
        let announced = self.announced?;
        Some(StageCause::OutputSize {
            name: self.name.clone(),
            announced,
            actual: self.count,
        })
    }
}

impl StreamConsumer<StageState> for Output {
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
        let mut source = source.as_direct(store);
        let piece = source.remaining();
        // A guest may offer as much as it likes; the host takes it a block at a time.
        let count = piece.len().min(BLOCK);
        if count == 0 {
            // A write of nothing asks whether there is room: there is.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        this.count += count as u64;
        this.tally.add_bytes(count as u64)?;
        if this
            .announced
            .is_some_and(|announced| this.count > announced)
            && let Some(error) = this.size_error()
        {
            return Poll::Ready(Err(error.into()));
        }
        let copy = this
            .blocks
            .copy(piece.get(..count).unwrap_or_default(), OFFER);
        source.mark_read(count);
        if let Some(sender) = &mut this.sender {
            sender.push(copy);
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            // Nobody listens when the guest has cancelled the call; then the sender goes unfinished, as it must.
            let _ = ended.send(Ended {
                sender: self.sender.take(),
                count: self.count,
            });
        }
    }
}

impl types::Host for StageState {}
impl outputs::Host for StageState {}

impl outputs::HostWithStore<StageState> for HasSelf<StageState> {
    async fn emit(
        accessor: &Accessor<StageState, Self>,
        info: bindings::FileInfo,
        content: StreamReader<u8>,
    ) -> wasmtime::Result<Result<(), EmitError>> {
        let name = info.name.clone();
        let announced = info.size;
        let ended = accessor.with(|mut access| -> wasmtime::Result<_> {
            let state = access.get();
            admit(&state.tally, &info.name)?;
            let tally = state.tally.clone();
            let Some(outlet) = &mut state.outlet else {
                return Err(StageCause::Host("emit was called outside of transform".into()).into());
            };
            let (sender, reader) = channel(outlet.budget);
            let info = FileInfo {
                name: info.name,
                media_type: info.media_type,
                size: info.size,
            };
            // The receiver outlives the guest; were it gone, the channel would close and tell the guest.
            let _ = outlet.emitted.send(Emitted {
                info,
                content: reader,
            });
            outlet.open += 1;
            let (done, ended) = oneshot::channel();
            content.pipe(
                &mut access,
                Output {
                    name: name.clone(),
                    announced,
                    tally,
                    count: 0,
                    blocks: Blocks::default(),
                    sender: Some(sender),
                    ended: Some(done),
                },
            )?;
            Ok(ended)
        })?;
        let Ended { sender, count } = ended.await?;
        accessor.with(|mut access| {
            let Some(outlet) = &mut access.get().outlet else {
                return Ok(Err(EmitError::Closed));
            };
            outlet.open -= 1;
            let Some(sender) = sender else {
                outlet.refused = true;
                return Ok(Err(EmitError::Closed));
            };
            if let Some(announced) = announced.filter(|&announced| announced != count) {
                return Err(StageCause::OutputSize {
                    name,
                    announced,
                    actual: count,
                }
                .into());
            }
            outlet.ended.push(sender);
            Ok(Ok(()))
        })
    }
}
