//! What a whole run did: the last line on standard error, and the last object of `--json`.

use std::fmt;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use forebay::FileReport;
use serde_json::{Value, json};

use crate::Outcome;

/// The totals of a run.
#[derive(Debug)]
pub(crate) struct Totals {
    started: Instant,
    /// Inputs of which everything was delivered in this run.
    done: u64,
    /// Inputs that were done already, according to the journal.
    known: u64,
    /// Inputs that failed, or failed in part.
    failed: u64,
    /// Inputs that were cancelled when the run ended early.
    cancelled: u64,
    /// Inputs that were not started because the run ended early.
    not_started: u64,
    /// Inputs that were not uploaded because every upload fails for the same reason.
    not_tried: u64,
    /// Files that were delivered in this run.
    files: u64,
    /// Bytes of these files.
    bytes: u64,
}

/// How an input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// The journal records it as done.
    Known,
    Failed,
    /// The run ended early while it was processed.
    Cancelled,
    /// The run ended early before it was processed.
    NotStarted,
    /// Every upload fails for the same reason.
    NotTried,
}

impl Totals {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            done: 0,
            known: 0,
            failed: 0,
            cancelled: 0,
            not_started: 0,
            not_tried: 0,
            files: 0,
            bytes: 0,
        }
    }

    /// When the run started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Counts one input, with the files that were made of it.
    pub(crate) fn count(&mut self, end: End, files: &[FileReport]) {
        match end {
            End::Done => self.done += 1,
            // Its files were delivered by an earlier run.
            End::Known => {
                self.known += 1;
                return;
            }
            End::Failed => self.failed += 1,
            End::Cancelled => self.cancelled += 1,
            End::NotStarted => self.not_started += 1,
            End::NotTried => self.not_tried += 1,
        }
        self.files += files.len() as u64;
        self.bytes += files.iter().map(|file| file.size).sum::<u64>();
    }

    /// Counts the inputs of a workflow, which all succeed or all fail, with the files that it made of them.
    pub(crate) fn count_all(&mut self, inputs: usize, succeeded: bool, files: &[FileReport]) {
        let end = if succeeded { End::Done } else { End::Failed };
        for _ in 0..inputs {
            self.count(end, &[]);
        }
        // What a workflow made is deleted if it fails.
        if succeeded {
            self.files += files.len() as u64;
            self.bytes += files.iter().map(|file| file.size).sum::<u64>();
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        if self.failed + self.cancelled + self.not_started + self.not_tried == 0 {
            Outcome::Done
        } else {
            Outcome::SomeFailed
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "inputs": self.done
                + self.known
                + self.failed
                + self.cancelled
                + self.not_started
                + self.not_tried,
            "done": self.done,
            "done_already": self.known,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "not_started": self.not_started,
            "not_tried": self.not_tried,
            "files": self.files,
            "bytes": self.bytes,
            "seconds": self.started.elapsed().as_secs_f64(),
        })
    }

    fn line(&self, elapsed: Duration) -> String {
        let mut line = if self.files > 0 || self.done > 0 {
            let mut line = count(self.files, "file");
            if self.files != self.done && self.done > 0 {
                line += &format!(" from {}", count(self.done, "input"));
            }
            if self.files > 0 {
                line += &format!(", {}", ByteSize(self.bytes).display().si());
            }
            line + &format!(" in {}", span(elapsed))
        } else if self.failed + self.cancelled + self.not_started + self.not_tried > 0 {
            "nothing done".to_owned()
        } else {
            "nothing to do".to_owned()
        };
        if self.known > 0 {
            line += &format!("; {} done before", self.known);
        }
        for (many, word) in [
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.not_started, "not started"),
            (self.not_tried, "not tried"),
        ] {
            if many > 0 {
                line += &format!("; {many} {word}");
            }
        }
        line
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(self.started.elapsed()))
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A time as a person says it: two units at most.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_a_line() {
        let line = |done, known, failed, files, bytes, seconds| {
            let totals = Totals {
                started: Instant::now(),
                done,
                known,
                failed,
                cancelled: 0,
                not_started: 0,
                not_tried: 0,
                files,
                bytes,
            };
            totals.line(Duration::from_secs_f64(seconds))
        };
        assert_eq!(
            line(38, 0, 2, 38, 412_000_000, 31.4),
            "38 files, 412.0 MB in 31 s; 2 failed"
        );
        assert_eq!(
            line(1, 0, 0, 104, 9_500_000, 0.44),
            "104 files from 1 input, 9.5 MB in 0.4 s"
        );
        assert_eq!(line(1, 0, 0, 1, 0, 125.0), "1 file, 0 B in 2 min 5 s");
        assert_eq!(
            line(0, 12, 0, 0, 0, 3700.0),
            "nothing to do; 12 done before"
        );
        assert_eq!(
            line(0, 1, 1, 0, 0, 0.04),
            "nothing done; 1 done before; 1 failed"
        );
        assert_eq!(line(3, 0, 0, 0, 0, 0.04), "0 files from 3 inputs in 0.0 s");
    }
}
