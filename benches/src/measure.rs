//! Runs programs and measures what they take.
//!
//! Promise: what is measured is the whole process with all processes that it waited for: wall time, CPU time (user and
//! system) and the largest resident memory of one of them. The system counts the memory that this program once had as that of
//! each program that it starts, so this program never holds much: checks read files piece by piece. What a program writes to standard error is shown if it fails.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use wait4::Wait4 as _;

/// What one run of a program took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// The largest resident set, in bytes.
    pub(crate) memory: u64,
}

/// Runs a program to its end. A status other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<Cost> {
    let shown = format!("{command:?}");
    // A file, and no pipe: nobody needs to read it while the program runs.
    let errors = tempfile::NamedTempFile::new()?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.reopen()?);
    let begun = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let ended = child.wait4()?;
    let wall = begun.elapsed();
    ensure!(
        ended.status.success(),
        "{shown}\nended with {}:\n{}",
        ended.status,
        std::fs::read_to_string(errors.path()).unwrap_or_default()
    );
    Ok(Cost {
        wall,
        cpu: ended.rusage.utime + ended.rusage.stime,
        memory: ended.rusage.maxrss,
    })
}

/// The middle one; of an even number, the larger of the two in the middle. 0 if there is none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Medians of several runs.
pub(crate) fn medians(costs: &[Cost]) -> Cost {
    let of = |part: &dyn Fn(&Cost) -> f64| median(costs.iter().map(part).collect());
    Cost {
        wall: Duration::from_secs_f64(of(&|cost| cost.wall.as_secs_f64())),
        cpu: Duration::from_secs_f64(of(&|cost| cost.cpu.as_secs_f64())),
        memory: median(costs.iter().map(|cost| cost.memory as f64).collect()) as u64,
    }
}

/// How many times as much the first of each pair took as the second: the median of the ratios within pairs, which ran one
/// after the other, so that other work on the machine hurts both alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
}

impl Ratio {
    pub(crate) fn of(pairs: &[(Cost, Cost)]) -> Self {
        let of = |part: &dyn Fn(&Cost) -> f64| {
            // A program may take less CPU time than the system counts.
            let ratio = |(ours, peer): &(Cost, Cost)| part(ours) / part(peer).max(1e-4);
            median(pairs.iter().map(ratio).collect())
        };
        Self {
            wall: of(&|cost| cost.wall.as_secs_f64()),
            cpu: of(&|cost| cost.cpu.as_secs_f64()),
            memory: of(&|cost| cost.memory as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn cost(milliseconds: u64) -> Cost {
        Cost {
            wall: Duration::from_millis(milliseconds),
            cpu: Duration::from_millis(milliseconds / 2),
            memory: milliseconds,
        }
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_words() {
        let error = run(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }

    #[test]
    fn what_children_of_the_program_take_is_counted() {
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let cost = run(Command::new("sh").args(["-c", &format!("sh -c '{busy}'; true")])).unwrap();
        assert!(
            cost.cpu > Duration::ZERO && cost.memory > 100_000,
            "{cost:?}"
        );
    }

    #[test]
    fn a_ratio_is_the_median_within_pairs() {
        // Both are ten times slower in the second pair: the ratio is the same.
        let pairs = [
            (cost(20), cost(10)),
            (cost(200), cost(100)),
            (cost(40), cost(10)),
        ];
        let ratio = Ratio::of(&pairs);
        assert_eq!((ratio.wall, ratio.cpu, ratio.memory), (2.0, 2.0, 2.0));
        assert_eq!(medians(&[cost(20), cost(200), cost(40)]), cost(40));
        assert_eq!(median(Vec::new()), 0.0);
    }
}
