//! Summarizes libFuzzer's output in one line.

use std::fmt;
use std::path::Path;

/// How the run of one target ended.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    runs: u64,
    /// Edges in the code of this workspace that were executed.
    pub(super) edges: u64,
    /// Inputs that were kept because they did something new.
    new_inputs: u64,
    /// Why the run ended early.
    reason: Option<String>,
    /// The input that ended it, relative to the workspace.
    pub(super) finding: Option<String>,
}

impl Report {
    /// Reads the output of a run with `-print_final_stats=1`.
    pub(super) fn read(log: &str, workspace: &Path) -> Self {
        let mut report = Self::default();
        let mut lines = log.lines();
        while let Some(line) = lines.next() {
            if let Some(n) = line.strip_prefix("stat::number_of_executed_units:") {
                report.runs = number(n);
            } else if let Some(n) = line.strip_prefix("stat::new_units_added:") {
                report.new_inputs = number(n);
            } else if let Some((_, rest)) = line.split_once(" cov: ") {
                report.edges = number(rest.split(' ').next().unwrap_or_default());
            } else if let Some((_, place)) = line.split_once(" panicked at ") {
                let message = lines.next().unwrap_or_default();
                report.reason = Some(format!("panicked at {place} {message}"));
            } else if let Some((_, error)) = line.split_once("ERROR: libFuzzer: ") {
                report.reason.get_or_insert_with(|| error.to_owned());
            } else if let Some((_, path)) = line.split_once("Test unit written to ") {
                let path = Path::new(path);
                let path = path.strip_prefix(workspace).unwrap_or(path);
                report.finding = Some(path.display().to_string());
            }
        }
        report
    }
}

/// Returns 0 if the text is not a number: libFuzzer's log also contains the output of the code under test.
fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>12} runs {:>7} edges {:>6} new inputs  ",
            self.runs, self.edges, self.new_inputs
        )?;
        match (&self.finding, &self.reason) {
            (None, _) => f.write_str("ok"),
            (Some(_), None) => f.write_str("FOUND"),
            (Some(_), Some(reason)) => write!(f, "FOUND: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_finding() {
        let log = "INFO: Loaded 1 modules   (337 inline 8-bit counters)\n\
                   #2\tINITED cov: 8 ft: 9 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                   #9731\tNEW    cov: 31 ft: 60 corp: 12/90b lim: 4 exec/s: 0 rss: 41Mb L: 4/11 MS: 1 CopyPart-\n\
                   Done 9912 runs in 61 second(s)\n\
                   stat::number_of_executed_units: 9912\n\
                   stat::new_units_added:          11\n";
        let report = Report::read(log, Path::new("/w"));
        assert_eq!(
            report.to_string(),
            "        9912 runs      31 edges     11 new inputs  ok"
        );
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_its_input() {
        let log = "#2\tINITED cov: 8 ft: 9 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                   \nthread '<unnamed>' (7) panicked at host/src/media.rs:20:41:\n\
                   index out of bounds\n\
                   ==7== ERROR: libFuzzer: deadly signal\n\
                   stat::number_of_executed_units: 5\n\
                   artifact_prefix='/w/target/'; Test unit written to /w/target/crash-1\n";
        let report = Report::read(log, Path::new("/w"));
        assert_eq!(report.finding.as_deref(), Some("target/crash-1"));
        assert_eq!(
            report.to_string(),
            "           5 runs       8 edges      0 new inputs  \
             FOUND: panicked at host/src/media.rs:20:41: index out of bounds"
        );
    }

    #[test]
    fn an_input_that_takes_too_long_is_told() {
        let log = "==7== ERROR: libFuzzer: timeout after 10 seconds\n\
                   artifact_prefix='a/'; Test unit written to a/timeout-1\n";
        let report = Report::read(log, Path::new("/w"));
        assert!(
            report
                .to_string()
                .ends_with("FOUND: timeout after 10 seconds")
        );
    }
}
