//! Limits the rate at which all uploads of a client send together.

use std::sync::Mutex;
use std::time::Duration;

use forebay_core::mutex::lock;
use tokio::time::Instant;

/// Shares a number of bytes per second among bodies.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: u64,
    /// When the bytes that were admitted so far have been sent at that rate.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            next: Mutex::new(None),
        }
    }

    /// Most bytes of one chunk, so that each body sends ten times a second and several bodies share the rate evenly.
    pub(crate) fn chunk(&self) -> usize {
        usize::try_from(self.bytes_per_second / 10)
            .unwrap_or(usize::MAX)
            .max(1)
    }

    /// Admits a chunk, and returns when it may be sent.
    pub(crate) fn admit(&self, bytes: usize) -> Instant {
        self.admit_at(Instant::now(), bytes)
    }

    fn admit_at(&self, now: Instant, bytes: usize) -> Instant {
        let mut next = lock(&self.next);
        let at = next.map_or(now, |next| next.max(now));
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        *next = Some(at + takes);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_together_keep_the_rate() {
        let pace = Pace::new(1000);
        assert_eq!(pace.chunk(), 100);
        let start = Instant::now();
        let times: Vec<u128> = (0..4)
            .map(|_| pace.admit_at(start, 100).duration_since(start).as_millis())
            .collect();
        assert_eq!(times, [0, 100, 200, 300]);
        let later = start + Duration::from_secs(9);
        assert_eq!(
            pace.admit_at(later, 100),
            later,
            "time that was not used is not made up for"
        );
    }
}
