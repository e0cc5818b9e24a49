//! Writes the page with all figures.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::contest::{Contest, Figures, Goal, Outcome};
use crate::growth::{Growth, Point};

/// What the machine is, with the versions of the programs that ran.
pub(crate) fn machine(forebay: &std::path::Path) -> String {
    let mut text = String::new();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let cpu = cpu
        .unwrap_or("unknown processor")
        .trim_matches([' ', '\t', ':']);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let _ = writeln!(
        text,
        "{cores} cores, {cpu}. At the end of the run, {load} programs wanted a core on average (the load of the last minute); \
         a run that has the machine to itself makes less than two.\n\nVersions:\n"
    );
    for (program, args) in [
        (forebay.as_os_str(), &["--version"][..]),
        ("uname".as_ref(), &["-sr"]),
        ("cp".as_ref(), &["--version"]),
        ("curl".as_ref(), &["--version"]),
        ("vipsthumbnail".as_ref(), &["--vips-version"]),
        ("qpdf".as_ref(), &["--version"]),
        ("exiftool".as_ref(), &["-ver"]),
    ] {
        if let Ok(output) = Command::new(program).args(args).output() {
            let first = String::from_utf8_lossy(&output.stdout);
            let name = std::path::Path::new(program).file_name().unwrap_or(program);
            let first = first.lines().next().unwrap_or_default();
            let _ = writeln!(text, "- `{}`: {first}", name.display());
        }
    }
    text
}

/// The whole page.
pub(crate) fn whole(machine: &str, table: &str, curves: &str, runs: usize, quick: bool) -> String {
    let quick = if quick {
        "\nThis was a quick run: files had a sixteenth of their size.\n"
    } else {
        ""
    };
    format!(
        "# Benchmarks\n\n\
`cargo xtask bench --page docs/benchmarks` writes this page. Both programs of a row ran in turns in the same run, {runs} times after \
one that filled the caches, and what they wrote was checked each time: equal bytes, SSIM of 0.98 or more against Lanczos of ImageMagick for pictures (0.95 for the peer's), \
`qpdf --check` for parts of a PDF. A ratio is the median of the ratios within pairs: it says how many times as much forebay took. \
A ratio in bold misses the goal of the project. Times and memory are those of the whole process; less than about 12 MiB of memory cannot be told from the measuring program's own.\n{quick}\n\
Ratios can be compared between machines; seconds cannot.\n\n\
## Machine\n\n{machine}\n\
## Beside other programs\n\n{table}\n\
## Growth\n\n\
Medians of three runs; both axes are logarithmic.\n\n{curves}"
    )
}

/// The rows of the table, from its head.
pub(crate) fn table(rows: &[(&Contest, Outcome)]) -> String {
    let mut text = String::from(
        "| name | what | input | beside | CPU | wall | memory | goal: CPU, wall, memory | forebay: CPU, wall, memory | peer: CPU, wall, memory |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (contest, outcome) in rows {
        let Contest {
            name,
            what,
            peer,
            goal,
            ..
        } = contest;
        match outcome {
            Outcome::Missing(programs) => {
                let programs: Vec<_> = programs
                    .iter()
                    .map(|(program, package)| format!("`{program}` (`apt-get install {package}`)"))
                    .collect();
                let _ = writeln!(
                    text,
                    "| {name} | {what} | | {peer} | not measured: needs {} | | | | | |",
                    programs.join(", ")
                );
            }
            Outcome::Compared(figures) => {
                let Figures {
                    ratio,
                    forebay,
                    peer: other,
                    ..
                } = figures;
                let _ = writeln!(
                    text,
                    "| {name} | {what} | {} | {peer} | {} | {} | {} | {} | {} | {} |",
                    size(figures.bytes),
                    against(ratio.cpu, goal.cpu),
                    against(ratio.wall, goal.wall),
                    against(ratio.memory, goal.memory),
                    goals(goal),
                    cost(forebay),
                    cost(other),
                );
            }
        }
    }
    text
}

/// The points of a curve.
pub(crate) fn points(growth: &Growth, points: &[Point]) -> String {
    let mut text = format!(
        "### {}\n\n![{} and time, memory](growth-{}.svg)\n\n| {} | forebay: CPU, wall, memory | {} |\n|---|---|---|\n",
        growth.what,
        growth.axis,
        growth.name,
        growth.axis,
        if growth.peer.is_empty() {
            "no peer"
        } else {
            growth.peer
        },
    );
    for point in points {
        let peer = point.peer.as_ref().map(cost).unwrap_or_default();
        let _ = writeln!(text, "| {} | {} | {peer} |", point.at, cost(&point.forebay));
    }
    text
}

/// A ratio, in bold where it misses its goal.
fn against(ratio: f64, goal: Option<f64>) -> String {
    match goal {
        // What rounds to the goal has reached it.
        Some(goal) if (ratio * 100.0).round() > goal * 100.0 => format!("**{ratio:.2}**"),
        _ => format!("{ratio:.2}"),
    }
}

fn goals(goal: &Goal) -> String {
    let shown = [goal.cpu, goal.wall, goal.memory]
        .map(|goal| goal.map_or("–".into(), |goal| format!("{goal}")));
    shown.join(", ")
}

fn cost(cost: &crate::measure::Cost) -> String {
    format!(
        "{}, {}, {:.0} MiB",
        time(cost.cpu),
        time(cost.wall),
        cost.memory as f64 / f64::from(1 << 20)
    )
}

fn size(bytes: u64) -> String {
    match bytes {
        1_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
        1_000.. => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{bytes} B"),
    }
}

fn time(time: Duration) -> String {
    if time >= Duration::from_secs(1) {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{:.1} ms", time.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_bold() {
        assert_eq!(against(1.234, Some(1.2)), "**1.23**");
        assert_eq!(against(1.204, Some(1.2)), "1.20");
        assert_eq!(against(9.0, None), "9.00");
        assert_eq!(
            goals(&Goal {
                cpu: Some(1.2),
                wall: None,
                memory: Some(0.8)
            }),
            "1.2, –, 0.8"
        );
    }
}
