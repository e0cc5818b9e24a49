//! The only place that configures wasmtime.
//!
//! Promise: guests can always be interrupted (a clock ticks every [`TICK`] from a thread of its own, whatever the async
//! runtime does), and instances come from a pool that is sized for this host.

use std::sync::mpsc;
use std::time::Duration;

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::sandbox::limits::STACK;

/// How often running guests look up: the grain of `cpu_time`, and the longest that one may keep a thread to itself.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Core instances that one component may have. Rust and C plugins have 2 or 3 core modules; one built from an interpreter
/// and its extension modules has about 20.
const MODULES_PER_COMPONENT: u32 = 50;

/// Instances of components that a plugin may consist of. Toolchains make one; plugins that are put together from several
/// components have some more.
pub(crate) const MOST_INSTANCES: u32 = 100;

/// Stacks that the pool has for each plugin that may run.
const STACKS: u32 = 8;

/// Stacks that a plugin may hold besides one for each of its instances: one that the store keeps to use again, and those of
/// the host's own work for it.
const SPARE_STACKS: u32 = 3;

/// Linear memories that one component may have: each takes address space whether or not it is used. All toolchains make
/// components with one, or two with an adapter.
const MEMORIES: u32 = 2;

/// Tables that one component may have.
const TABLES: u32 = 20;

/// Address space for one linear memory: all that 32 bits can name. How much of it a stage may use is its own limit.
const MEMORY_SIZE: usize = 4 << 30;

/// Elements that one table may have.
const TABLE_ELEMENTS: usize = 200_000;

/// Memory that a pooled slot keeps when its instance ends, so that the next one starts without page faults.
const KEEP_RESIDENT: usize = 1 << 20;

/// The machine cannot run the engine as it was configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot start the engine: {0}")]
pub struct EngineError(String);

impl EngineError {
    pub(crate) fn new(problem: String) -> Self {
        Self(problem)
    }
}

/// A wasmtime engine with its clock.
pub(crate) struct Engine {
    engine: wasmtime::Engine,
    /// Dropping this stops the clock thread.
    _clock: mpsc::Sender<()>,
}

impl Engine {
    /// `instances` is how many plugins may run at a time.
    pub(crate) fn new(instances: u32) -> Result<Self, EngineError> {
        let mut config = config();
        config.allocation_strategy(pool(instances));
        // The pool reserves address space: some containers do not give that much. Then every instance maps its own.
        let engine = wasmtime::Engine::new(&config).or_else(|pooled| {
            tracing::warn!(
                "no instance pool on this machine, starting instances takes longer: {pooled:#}"
            );
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            wasmtime::Engine::new(&config)
        });
        let engine = engine.map_err(|error| EngineError(format!("{error:#}")))?;
        let clock = start_clock(engine.clone())?;
        Ok(Self {
            engine,
            _clock: clock,
        })
    }
}

impl std::ops::Deref for Engine {
    type Target = wasmtime::Engine;

    fn deref(&self) -> &Self::Target {
        &self.engine
    }
}

/// What code is compiled for. It is the same in each process of a program.
fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        // Each frame of a backtrace holds the name of its function, which is as long as the plugin likes. No message quotes it.
        .wasm_backtrace_max_frames(None)
        .max_wasm_stack(STACK);
    config
}

/// An engine that compiles for the others, and has no room for instances.
pub(crate) fn for_compiling() -> Result<wasmtime::Engine, EngineError> {
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    wasmtime::Engine::new(&config).map_err(|error| EngineError(format!("{error:#}")))
}

/// How many places of the pool a plugin takes that consists of so many instances. Each call into a guest runs on a stack of its
/// own, and a call that waits keeps its stack. Each instance can hold one. So a plugin of many instances takes as many places
/// as it could take stacks for, and waits until they are free: others never find the pool exhausted.
pub(crate) const fn places(instances: u32) -> u32 {
    instances.saturating_add(SPARE_STACKS).div_ceil(STACKS)
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    // However many of these a component has, it takes none from another.
    let all = |each: u32| instances.saturating_mul(each);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(all(MODULES_PER_COMPONENT))
        .total_memories(all(MEMORIES))
        .total_tables(all(TABLES))
        // Each costs a system call when the pool is made, so there are not as many as all could hold together: see `places`. A
        // pool of few places has room for the largest plugin.
        .total_stacks(all(STACKS).saturating_add(MOST_INSTANCES + SPARE_STACKS))
        .max_core_instances_per_component(MODULES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(MEMORY_SIZE)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT);
    pool
}

fn start_clock(engine: wasmtime::Engine) -> Result<mpsc::Sender<()>, EngineError> {
    let (alive, gone) = mpsc::channel();
    std::thread::Builder::new()
        .name("forebay-clock".into())
        .spawn(move || {
            while let Err(mpsc::RecvTimeoutError::Timeout) = gone.recv_timeout(TICK) {
                engine.increment_epoch();
            }
        })
        .map_err(|error| EngineError(format!("clock thread: {error}")))?;
    Ok(alive)
}
