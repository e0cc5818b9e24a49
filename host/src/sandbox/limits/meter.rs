//! What holds a store to its limits: memory and tables as they grow, CPU time as it passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::{Exceeded, Limits};

/// Counts memory and table elements over a whole store, and refuses what goes over.
#[derive(Debug)]
pub(crate) struct Memory {
    most_bytes: u64,
    bytes: u64,
    peak: u64,
    most_elements: u64,
    elements: u64,
}

impl Memory {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            most_bytes: limits.memory,
            bytes: 0,
            peak: 0,
            most_elements: limits.table_elements,
            elements: 0,
        }
    }

    /// The most that was in use at a time, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }
}

/// One memory or table at a time is reported: the total is the sum of the growths.
fn grown(total: u64, current: usize, desired: usize) -> u64 {
    total.saturating_add((desired as u64).saturating_sub(current as u64))
}

impl wasmtime::ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = grown(self.bytes, current, desired);
        if bytes > self.most_bytes {
            return Err(Exceeded::Memory(self.most_bytes).into());
        }
        self.bytes = bytes;
        self.peak = self.peak.max(bytes);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = grown(self.elements, current, desired);
        if elements > self.most_elements {
            return Err(Exceeded::TableElements(self.most_elements).into());
        }
        self.elements = elements;
        Ok(true)
    }
}

/// Adds up the CPU time that one stage takes, on whichever thread it is polled.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    /// Nanoseconds of the polls that are over.
    past: AtomicU64,
    /// The polling thread's CPU time when the present poll began, in nanoseconds.
    began: AtomicU64,
}

impl CpuMeter {
    /// CPU time so far; to be called from within a poll of [`CpuMeter::measure`].
    pub(crate) fn now(&self) -> Duration {
        let present = thread_cpu_time().saturating_sub(self.began.load(Ordering::Relaxed));
        Duration::from_nanos(self.past.load(Ordering::Relaxed) + present)
    }

    /// CPU time of the polls that are over.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.past.load(Ordering::Relaxed))
    }

    /// Runs a future and counts the CPU time of its polls. Between two polls it is ended if that is more than `most`: a
    /// plugin may have the host work for it and run no code of its own, which the clock of the engine would interrupt.
    ///
    /// # Errors
    /// [`Exceeded::CpuTime`].
    pub(crate) async fn measure<F: Future>(
        self: Arc<Self>,
        most: Duration,
        future: F,
    ) -> Result<F::Output, Exceeded> {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(move |cx| {
            let began = thread_cpu_time();
            self.began.store(began, Ordering::Relaxed);
            let polled = future.as_mut().poll(cx);
            self.past
                .fetch_add(thread_cpu_time().saturating_sub(began), Ordering::Relaxed);
            match polled {
                Poll::Pending if self.total() > most => Poll::Ready(Err(Exceeded::CpuTime(most))),
                polled => polled.map(Ok),
            }
        })
        .await
    }
}

/// CPU time of this thread, in nanoseconds. Linux and macOS know it to the nanosecond.
#[cfg(unix)]
fn thread_cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(
        Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
        .as_nanos(),
    )
    .unwrap_or(u64::MAX)
}

/// CPU time of this thread, in nanoseconds. Windows adds to it at each clock interrupt, every 15.6 ms as a rule.
#[cfg(windows)]
fn thread_cpu_time() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // In units of 100 ns, as two halves.
    let nanoseconds = |time: winsafe::FILETIME| {
        let units = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
        units.saturating_mul(100)
    };
    match winsafe::HTHREAD::GetCurrentThread().GetThreadTimes() {
        Ok((_, _, kernel, user)) => nanoseconds(kernel).saturating_add(nanoseconds(user)),
        // A thread may always ask for its own times. If not, the time that passes is no less than the CPU time.
        Err(_) => u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX),
    }
}
