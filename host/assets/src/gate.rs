//! Limits how many requests may be in flight at a time.
//!
//! Promise: there are never more requests than the limit that was set. There are fewer for a while when the service
//! says that there are too many. A 429 halves the number and delays new requests for as long as the service asks. Every
//! success then adds half a permit, so that the number grows slowly (additive increase, multiplicative decrease, as TCP
//! does).

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::retry::LONGEST_WAIT;
use forebay_core::mutex::lock;

/// Gives permits to requests.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Notified whenever a permit may have become free.
    changed: Notify,
    most: f64,
}

#[derive(Debug)]
struct State {
    under_way: usize,
    /// Number of permits. A fraction counts only when it has grown to a whole permit.
    places: f64,
    /// No request starts before this time.
    closed_until: Option<Instant>,
}

/// How many permits one success adds.
const GROWTH: f64 = 0.5;

/// A permit. It is returned when dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new(most: usize) -> Self {
        // Far more than the sockets of any machine, and exact as a float.
        let most = u32::try_from(most.max(1)).map_or(f64::from(u32::MAX), f64::from);
        Self {
            state: Mutex::new(State {
                under_way: 0,
                places: most,
                closed_until: None,
            }),
            changed: Notify::new(),
            most,
        }
    }

    /// Waits for a permit.
    pub(crate) async fn pass(&self) -> Pass<'_> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // No change is missed from here on.
            changed.as_mut().enable();
            let closed = {
                let mut state = self.lock();
                let now = Instant::now();
                match state.closed_until.filter(|&until| until > now) {
                    Some(until) => Some(until),
                    None if (state.under_way as f64) < state.places.floor() => {
                        state.under_way += 1;
                        return Pass(self);
                    }
                    None => None,
                }
            };
            match closed {
                Some(until) => tokio::time::sleep_until(until).await,
                None => changed.await,
            }
        }
    }

    /// Called when the service answered that there are too many requests, with the time that it asks to wait.
    pub(crate) fn too_many(&self, wait: Option<Duration>) {
        let mut state = self.lock();
        state.places = (state.places / 2.0).max(1.0);
        // Nothing waits longer. A request that is asked to fails at once, and so does the next one.
        let wait = wait.filter(|&wait| wait <= LONGEST_WAIT);
        if let Some(until) = wait.and_then(|wait| Instant::now().checked_add(wait)) {
            state.closed_until = Some(state.closed_until.map_or(until, |other| other.max(until)));
        }
    }

    /// Called when the service answered without an error.
    pub(crate) fn well(&self) {
        let mut state = self.lock();
        if state.places < self.most {
            state.places = (state.places + GROWTH).min(self.most);
            drop(state);
            self.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_open(gate: &Gate) -> bool {
        let wait = Duration::from_millis(20);
        tokio::time::timeout(wait, gate.pass()).await.is_ok()
    }

    #[tokio::test]
    async fn places_are_bounded_halve_and_grow_again() {
        let gate = Gate::new(4);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(gate.pass().await);
        }
        assert!(!is_open(&gate).await);
        held.pop();
        assert!(is_open(&gate).await);

        gate.too_many(None);
        held.pop();
        assert!(
            !is_open(&gate).await,
            "two are under way, and there are two places"
        );
        held.pop();
        assert!(is_open(&gate).await);
        gate.well();
        held.push(gate.pass().await);
        assert!(!is_open(&gate).await, "half a place is none");
        gate.well();
        assert!(is_open(&gate).await);
        (0..100).for_each(|_| gate.well());
        held.clear();
        for _ in 0..4 {
            held.push(gate.pass().await);
        }
        assert!(!is_open(&gate).await, "never more than the most");
    }

    #[tokio::test]
    async fn the_service_says_how_long_to_wait() {
        let gate = Gate::new(4);
        gate.too_many(Some(Duration::from_millis(200)));
        let began = Instant::now();
        drop(gate.pass().await);
        assert!(began.elapsed() >= Duration::from_millis(200));
    }
}
