//! The places of a host: how much of it runs at the same time, and what waits.
//!
//! Promise: whoever has a place keeps it until it is done. Those that wait get places in the order in which they came.
//! Plugins that are loaded have places of their own, so that a busy host can load them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How many workflows may run at the same time, over all callers. Further ones wait.
pub(crate) const WORKFLOWS: u32 = 16;

/// The places of a host.
pub(crate) struct Places {
    /// Permits for plugins that run in jobs.
    pub(crate) instances: Arc<Semaphore>,
    pub(crate) max_instances: u32,
    /// Permits for workflows. A workflow waits for the stages that it runs, so it takes none of their permits.
    pub(crate) workflows: Semaphore,
    /// Permits for plugins that are asked what they are.
    pub(crate) loading: Semaphore,
    /// Permits for uploads that workflows request.
    pub(crate) uploads: Semaphore,
    pub(crate) jobs: Counter,
    pub(crate) waiting: Counter,
    /// Jobs and workflows that have begun, waiting or not, without jobs that are parts of others.
    pub(crate) running: Counter,
    /// Has a token of everything that runs or is removed.
    pub(crate) tracker: TaskTracker,
    /// Cancelled once the host takes no more jobs.
    pub(crate) draining: CancellationToken,
    /// Cancelled when all jobs are.
    pub(crate) stop: CancellationToken,
}

impl Places {
    pub(crate) fn new(instances: u32, loading: u32, uploads: usize) -> Self {
        Self {
            instances: Arc::new(Semaphore::new(instances as usize)),
            max_instances: instances,
            workflows: Semaphore::new(WORKFLOWS as usize),
            loading: Semaphore::new(loading as usize),
            uploads: Semaphore::new(uploads),
            jobs: Counter::default(),
            waiting: Counter::default(),
            running: Counter::default(),
            tracker: TaskTracker::new(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
        }
    }

    /// A token of something that runs. While there is one, the host is not drained.
    pub(crate) fn token(&self) -> TaskTrackerToken {
        self.tracker.token()
    }

    /// Cancels all jobs, and returns how many were left, without those that are parts of workflows.
    pub(crate) fn cancel_all(&self) -> usize {
        self.stop.cancel();
        self.running.get()
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        let free = self.instances.available_permits();
        let workflows = WORKFLOWS as usize - self.workflows.available_permits();
        Occupancy {
            instances: (self.max_instances as usize).saturating_sub(free),
            max_instances: self.max_instances as usize,
            workflows,
            jobs: self.jobs.get(),
            waiting: self.waiting.get(),
        }
    }
}

/// How busy a host is, from [`Host::occupancy`](crate::Host::occupancy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Occupancy {
    /// Places of plugin instances that are taken. A job takes one for each stage that is left, for each of its files.
    pub instances: usize,
    /// How many of them there are: [`HostBuilder::instances`](crate::HostBuilder::instances).
    pub max_instances: usize,
    /// Places of workflows that are taken.
    pub workflows: usize,
    /// Jobs that run, with those of workflows.
    pub jobs: usize,
    /// Jobs and workflows that wait for a place.
    pub waiting: usize,
}

/// Counts how many there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// Counts one more until the returned value is dropped.
    pub(crate) fn enter(&self) -> Entered {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(self.clone())
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One that is counted.
#[derive(Debug)]
pub(crate) struct Entered(Counter);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
