//! Stream plugins: bytes in, bytes out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, HasSelf, StreamProducer, StreamReader, StreamResult,
};

use super::pipe::{Drain, produce};
use crate::sandbox::bindings;
use crate::sandbox::bindings::stream::StreamPluginPre;
use crate::sandbox::bindings::stream::forebay::plugin::outputs::{self, EmitError};
use crate::sandbox::bindings::stream::forebay::plugin::types;
use crate::sandbox::cause::{PluginError, StageCause, StageEnd};
use crate::sandbox::guest::Guest;
use crate::sandbox::limits::Exceeded;
use crate::sandbox::run::{Done, Environment, StageOutputs};
use crate::sandbox::stage::Stage;
use crate::sandbox::state::Emitted;
use crate::sandbox::state::{Outlet, StageState, admit};
use forebay_core::FileInfo;
use forebay_core::channel::{Content, Interrupted, SharedBudget, channel_within};
use forebay_core::mutex::lock;

/// Memory that the host holds for an open output, besides its name: the least share of the queues, what may be taken on top
/// of that, and the tasks and channels that serve it.
const OPEN_OUTPUT: u64 = 2 * SharedBudget::LEAST as u64 + (4 << 10);

pub(super) async fn run(
    stage: &Stage,
    pre: &StreamPluginPre<StageState>,
    info: FileInfo,
    content: Content,
    environment: Environment<'_>,
) -> Result<Done, StageEnd> {
    let limits = stage.limits_of_store();
    let mut state = stage.state(&limits, |_| Ok(()))?;
    state.outlet = Some(Outlet {
        emitted: environment.emitted,
        input: info.name.clone(),
        open: 0,
        ended: Vec::new(),
        refused: false,
    });
    state.queues = StageState::queues(&limits, environment.budget);
    let content = Arc::new(Mutex::new(content));
    let input = Input {
        content: content.clone(),
        piece: Bytes::new(),
        taken: state.taken.clone(),
    };
    let config = stage.config.to_string();
    let mut guest = Guest::new(environment.engine, state, limits);
    guest.report_to(environment.usage);
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
    let outlet = guest.state().outlet.take();
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
    let messages = guest.messages();
    let usage = guest.finish().await?;
    let left = stage.limits.wall_clock.saturating_sub(usage.wall_clock);
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
        messages,
        usage,
        outputs: StageOutputs::Streamed(outlet.ended),
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
        store: StoreContextMut<'a, StageState>,
        destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = &mut *self;
        let next = || {
            let mut content = lock(&this.content);
            content.poll_piece(cx).map_err(Into::into)
        };
        produce(&mut this.piece, next, store, destination, finish).map_ok(|(result, count)| {
            this.taken.fetch_add(count as u64, Ordering::Relaxed);
            result
        })
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
        let passed = Arc::new(AtomicU64::new(0));
        let ended = accessor.with(|mut access| -> wasmtime::Result<_> {
            let state = access.get();
            let Some(outlet) = &mut state.outlet else {
                return Err(
                    StageCause::Trap("it called `emit` outside of `transform`".into()).into(),
                );
            };
            admit(&state.tally, &info.name, &outlet.input, &info.media_type)?;
            let strings = info.name.len() + info.media_type.len();
            let held = state.host_memory.hold(OPEN_OUTPUT + 2 * strings as u64)?;
            let (tally, share) = (state.tally.clone(), state.queues.open());
            let (sender, reader) = channel_within(&state.queues);
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
            let (count, announced_name) = (passed.clone(), name.clone());
            let (drain, ended) = Drain::new(sender, share, move |bytes| {
                let count = count.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
                tally.add_bytes(bytes as u64)?;
                match announced {
                    Some(announced) if count > announced => Err(StageCause::OutputSize {
                        name: announced_name.clone(),
                        announced,
                        actual: count,
                    }
                    .into()),
                    _ => Ok(()),
                }
            });
            content.pipe(&mut access, drain)?;
            Ok((ended, held))
        })?;
        let (ended, _held) = ended;
        let sender = ended.await?;
        accessor.with(|mut access| {
            let Some(outlet) = &mut access.get().outlet else {
                return Ok(Err(EmitError::Closed));
            };
            outlet.open -= 1;
            let Some(sender) = sender else {
                outlet.refused = true;
                return Ok(Err(EmitError::Closed));
            };
            let actual = passed.load(Ordering::Relaxed);
            if let Some(announced) = announced.filter(|&announced| announced != actual) {
                return Err(StageCause::OutputSize {
                    name,
                    announced,
                    actual,
                }
                .into());
            }
            outlet.ended.push(sender);
            Ok(Ok(()))
        })
    }
}
