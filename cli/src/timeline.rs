//! When the steps of a job ran, for reports.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use forebay::Event;
use serde_json::{Value, json};

/// Most steps of one job that are noted.
const MAX_SPANS: usize = 200;

/// The steps of one job.
pub(crate) struct Timeline {
    /// When the run started.
    started: Instant,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    spans: Vec<Value>,
    /// Start and name of each delivery that has not ended.
    deliveries: HashMap<u64, (f64, String)>,
}

impl Timeline {
    pub(crate) fn new(started: Instant) -> Self {
        Self {
            started,
            noted: Mutex::default(),
        }
    }

    /// Takes in what happens in the job.
    pub(crate) fn on(&self, event: &Event) {
        let now = self.started.elapsed().as_secs_f64();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Ended { report: stage } if stage.failure.is_none() => {
                let from = now - stage.usage.wall_clock.as_secs_f64();
                noted.add(&stage.stage, &stage.input, from.max(0.0), now);
            }
            Event::Delivering { delivery, info } => {
                noted.deliveries.insert(*delivery, (now, info.name.clone()));
            }
            Event::Delivered { delivery, .. } => {
                if let Some((from, name)) = noted.deliveries.remove(delivery) {
                    noted.add("deliver", &name, from, now);
                }
            }
            _ => {}
        }
    }

    /// Adds the steps to a job's entry in the report: what, of which file, from when to when, in seconds since the run
    /// started.
    pub(crate) fn add_to(&self, entry: &mut Value) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let spans = std::mem::take(&mut noted.spans);
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("timeline".into(), spans.into());
        }
    }
}

impl Noted {
    fn add(&mut self, what: &str, file: &str, from: f64, to: f64) {
        if self.spans.len() < MAX_SPANS {
            let rounded = |seconds: f64| (seconds * 1e6).round() / 1e6;
            self.spans.push(json!({
                "what": what, "file": file, "from": rounded(from), "to": rounded(to),
            }));
        }
    }
}
