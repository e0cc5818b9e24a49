//! A store under its limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_core::channel::Interrupted;
use forebay_core::text;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use super::cause::{MAX_ERROR, StageCause, StageEnd};
use super::engine::Engine;
use super::limits::{CpuMeter, Exceeded, Limits, STACK, limit_in_words};
use super::state::StageState;
use super::usage::{Usage, UsageSlot};

/// Entries that wasmtime makes for one handle at most: a call that has begun has a task, a thread and a set of what it waits
/// for. All of them are known to the plugin as handles, or belong to one; this holds if some should not.
const ENTRIES: usize = 3;

/// Entries besides: those of the host's own calls and streams.
const SPARE_ENTRIES: usize = 1000;

/// A store under its limits.
pub(crate) struct Guest {
    store: Store<StageState>,
    limits: Limits,
    meter: Arc<CpuMeter>,
    started: Instant,
    /// Receives the usage when this is dropped.
    slot: Option<UsageSlot>,
}

impl Guest {
    pub(crate) fn new(engine: &Engine, state: StageState, limits: Limits) -> Self {
        let mut store = Store::new(engine, state);
        let meter = Arc::new(CpuMeter::default());
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(usize::try_from(limits.call_bytes).unwrap_or(usize::MAX));
        let handles = usize::try_from(limits.handles).unwrap_or(usize::MAX);
        store.set_max_component_handles(handles);
        if let Some(entries) = store.concurrent_resource_table() {
            entries.set_max_capacity(
                handles
                    .saturating_mul(ENTRIES)
                    .saturating_add(SPARE_ENTRIES),
            );
        }
        store.set_epoch_deadline(1);
        let (watch, most) = (meter.clone(), limits.cpu_time);
        store.epoch_deadline_callback(move |_| {
            if watch.now() > most {
                return Err(Exceeded::CpuTime(most).into());
            }
            // Other tasks get their turn at every tick, so a plugin that only computes slows nobody by more than that.
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        Self {
            store,
            limits,
            meter,
            started: Instant::now(),
            slot: None,
        }
    }

    /// Runs calls into the guest, timed, and tells what ended them.
    pub(crate) async fn run<T>(
        &mut self,
        calls: impl AsyncFnOnce(&mut Store<StageState>) -> wasmtime::Result<T>,
    ) -> Result<T, StageEnd> {
        let left = self.time_left();
        let meter = self.meter.clone();
        let measured = meter.measure(self.limits.cpu_time, calls(&mut self.store));
        match tokio::time::timeout(left, measured).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(self.explain(&error)),
            Ok(Err(exceeded)) => Err(exceeded.into()),
            Err(_) => Err(Exceeded::WallClock(self.limits.wall_clock).into()),
        }
    }

    /// Drops the store once all changes of files have ended that the plugin began and did not wait for. The plugin has returned
    /// ok.
    ///
    /// # Errors
    /// If a change failed of which the plugin was not told, or a limit was reached.
    pub(crate) async fn finish(mut self) -> Result<Usage, StageEnd> {
        let changes = self.state().written.changes().clone();
        changes.plugin_returned();
        if changes.are_under_way() {
            // Calls of WASI 0.3 go on only while the store runs.
            let rest = async |store: &mut Store<StageState>| {
                let ended = store.run_concurrent(async |_| {
                    changes.ended().await;
                    // Streams that have ended are taken down before this is polled again.
                    tokio::task::yield_now().await;
                });
                ended.await
            };
            self.run(rest).await?;
        }
        let (usage, left) = (self.usage(), self.time_left());
        let most = self.limits.wall_clock;
        changes.store_closes();
        drop(self);
        // Writes of WASI 0.2 go on without the store.
        let ended = tokio::time::timeout(left, changes.ended()).await;
        ended.map_err(|_| Exceeded::WallClock(most))?;
        changes.check()?;
        Ok(usage)
    }

    /// Finds our own reason in what wasmtime gives back; anything else is a trap.
    fn explain(&self, error: &wasmtime::Error) -> StageEnd {
        if error.is::<Interrupted>() {
            StageEnd::Interrupted
        } else if let Some(&exceeded) = error.downcast_ref::<Exceeded>() {
            exceeded.into()
        } else if let Some(cause) = error.downcast_ref::<StageCause>() {
            cause.clone().into()
        } else if error.downcast_ref() == Some(&Trap::StackOverflow) {
            Exceeded::Stack(STACK as u64).into()
        } else if error.downcast_ref() == Some(&Trap::CannotBlockSyncTask) {
            let why = "it waited in a function that is not `async`; a file plugin takes WASI 0.2 for what it waits for";
            StageCause::Trap(why.into()).into()
        } else if let Some(pool) = error.downcast_ref::<PoolConcurrencyLimitError>() {
            // Others hold what this one needs. That is no fault of the plugin.
            StageCause::Host(format!(
                "the host has no room for another instance: {pool}; let fewer jobs run at a time, or allow more instances"
            ))
            .into()
        } else if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
            Exceeded::Handles(self.limits.handles).into()
        } else {
            let message = error.root_cause().to_string();
            if let Some(exceeded) = limit_in_words(&message, &self.limits) {
                return exceeded.into();
            }
            // It may quote names from the component.
            let trap = text::tidy(&message, MAX_ERROR);
            StageCause::Trap(match self.store.data().log.last_line() {
                Some(line) => format!("{trap}: {line}"),
                None => trap,
            })
            .into()
        }
    }

    /// What the store holds.
    pub(crate) fn state(&mut self) -> &mut StageState {
        self.store.data_mut()
    }

    /// What the plugin printed.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.store.data().log.lines()
    }

    pub(crate) fn usage(&self) -> Usage {
        let state = self.store.data();
        Usage {
            bytes_in: state.taken(),
            bytes_out: state.emitted_bytes(),
            cpu_time: self.meter.total(),
            wall_clock: self.started.elapsed(),
            peak_memory: state.memory.peak(),
        }
    }

    /// Writes the usage into this slot when the guest is dropped, also if a failure or a cancellation drops it.
    pub(crate) fn report_to(&mut self, slot: UsageSlot) {
        self.slot = Some(slot);
    }

    /// Counts wall-clock time from an earlier moment than the making of the store.
    pub(crate) fn count_from(&mut self, started: Instant) {
        self.started = started;
    }

    /// Wall-clock time that is left.
    fn time_left(&self) -> Duration {
        self.limits
            .wall_clock
            .saturating_sub(self.started.elapsed())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.set(self.usage());
        }
    }
}
