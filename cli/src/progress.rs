//! Progress output while jobs run: two bars on a terminal, otherwise one line for each file. All of it is written to
//! standard error.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::inputs::Input;
use crate::output::{self, Weight};
use crate::plain::one_line;
use crate::stdout;
use crate::stop::{self, Reason};
use crate::summary::span;
use bytesize::ByteSize;
use forebay::{Event, FileReport, Place, StageReport};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Columns of everything in a line but the bar itself and the message, at most: the longest line is
/// `transform [] 999.9 MB/999.9 MB, 999.9 MB/s, ETA 59 min 59 s  `.
const BESIDE_BAR: u16 = 62;

/// Columns of the longest bar.
const LONGEST_BAR: u16 = 32;

/// Columns of a bar that still shows something.
const SHORTEST_BAR: u16 = 4;

/// Columns that the message, such as `12 done, now a.jpg`, gets in the longest line. It has more in most.
const MESSAGE: u16 = 8;

/// The bars that are drawn now.
static DRAWN: OnceLock<MultiProgress> = OnceLock::new();

/// Prints something on standard error that the bars of a run do not overwrite. It must not print above the bars itself.
pub(crate) fn above_bars(print: impl FnOnce()) {
    match DRAWN.get() {
        Some(bars) => bars.suspend(print),
        None => print(),
    }
}

/// The template of a line that fits into so many columns. `{wide_msg}` is cut to what is left.
fn template(columns: u16, with_eta: bool) -> String {
    let left = if with_eta { ", ETA {left}" } else { "" };
    let bar = columns
        .saturating_sub(BESIDE_BAR + MESSAGE)
        .clamp(SHORTEST_BAR, LONGEST_BAR);
    if columns < BESIDE_BAR + SHORTEST_BAR {
        return "{prefix:>9} {now}/{total}  {wide_msg}".into();
    }
    format!("{{prefix:>9}} [{{bar:{bar}}}] {{now}}/{{total}}, {{rate}}{left}  {{wide_msg}}")
}

/// The bars of a run. Clones share them.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    /// Bytes read from the sources, out of all their bytes. Absent if they are sent as they are: then the other bar says
    /// the same.
    read: Option<ProgressBar>,
    /// Bytes that were sent to the sink.
    sent: ProgressBar,
    /// Files that the sink has accepted.
    files: Arc<AtomicU64>,
    live: bool,
}

/// What a run does with its inputs, for the labels of the bars.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    /// What the sink does: `upload` or `write`.
    pub(crate) verb: &'static str,
    /// Whether stages make other bytes of the inputs.
    pub(crate) transforms: bool,
}

impl Progress {
    /// `total` is the number of bytes of all inputs whose length is known.
    pub(crate) fn new(work: Work, total: u64, json: bool) -> Self {
        let live = std::io::stderr().is_terminal() && !json && output::prints(Weight::Note);
        let columns = console::Term::stderr().size().1;
        let target = if live {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = MultiProgress::with_draw_target(target);
        if live {
            let _ = DRAWN.set(bars.clone());
        }
        let bar = |prefix: &'static str, with_eta, length| {
            let style = ProgressStyle::with_template(&template(columns, with_eta))
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .with_key("now", write_now)
                .with_key("total", write_total)
                .with_key("rate", write_rate)
                .with_key("left", write_left);
            bars.add(
                ProgressBar::new(length)
                    .with_style(style.progress_chars("=> "))
                    .with_prefix(prefix),
            )
        };
        let (read, sent) = if work.transforms {
            let read = bar("transform", true, total);
            // The total of its bytes is not known before the end.
            (Some(read), bar(work.verb, false, 0))
        } else {
            (None, bar(work.verb, true, total))
        };
        Self {
            bars,
            read,
            sent,
            files: Arc::default(),
            live,
        }
    }

    /// Bytes of all inputs whose length is known.
    pub(crate) fn total(inputs: &[Input]) -> u64 {
        inputs
            .iter()
            .filter_map(|input| std::fs::metadata(&input.path).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Takes in what happens in the job of this input.
    pub(crate) fn on(&self, input: &str, event: &Event) {
        match event {
            Event::Read { bytes } => {
                if let Some(read) = &self.read {
                    advance(read, *bytes);
                }
            }
            Event::Opened { info } => {
                let size = info.size.map_or_else(String::new, |size| {
                    format!(", {}", ByteSize(size).display().si())
                });
                self.detail(&format!("{input}: opened, {}{size}", info.media_type));
            }
            Event::Ended { report } if report.failure.is_none() => {
                self.detail(&format!("{input}: {}", used(report)));
            }
            Event::Delivering { info, .. } => {
                // Without stages the total is known from the start.
                if self.read.is_some() {
                    self.sent.inc_length(info.size.unwrap_or(0));
                }
                let files = self.files.load(Ordering::Relaxed);
                self.sent
                    .set_message(format!("{files} done, now {}", one_line(&info.name)));
            }
            Event::Phase { phase, .. } => self.detail(&format!("{input}: {phase}")),
            Event::Delivered { .. } => {
                let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
                self.sent.set_message(format!("{files} done"));
            }
            Event::Known { report } => {
                let files = report.files.len() as u64;
                self.files.fetch_add(files, Ordering::Relaxed);
                let first = self.read.as_ref().unwrap_or(&self.sent);
                // Nothing of it is read or sent.
                first.dec_length(report.source.size.unwrap_or(0));
            }
            Event::Changed { file } => {
                self.note(&format!(
                    "{}: changed since it was uploaded before, and is uploaded again",
                    place(input, file)
                ));
            }
            Event::Gone { file } => {
                self.note(&format!(
                    "{}: uploaded before, but the service does not have the asset any more; it is uploaded again",
                    place(input, file)
                ));
            }
            Event::Retry { retry, .. } => {
                let when = if retry.pause.is_zero() {
                    "now".to_owned()
                } else {
                    format!("in {:.1} s", retry.pause.as_secs_f64())
                };
                self.note(&format!(
                    "{}: {}; again {when}",
                    place(input, &retry.file),
                    retry.reason
                ));
            }
            Event::Sent { bytes, .. } => advance(&self.sent, *bytes),
            _ => {}
        }
    }

    /// Reports a file that is done, if no bar shows it.
    pub(crate) fn done(&self, input: &str, file: &FileReport) {
        self.tell(self.weight(), &format!("{input} {}", describe(file)));
    }

    /// Reports a file that an earlier run uploaded, if no bar shows it.
    pub(crate) fn known(&self, input: &str, file: &FileReport) {
        let place = match &file.place {
            Place::Asset { asset, .. } => format!("uploaded before, asset {}", asset.asset_id),
            _ => format!("done before, as {}", file.name),
        };
        self.tell(self.weight(), &format!("{input}: {place}"));
    }

    /// How much a file that is done matters.
    fn weight(&self) -> Weight {
        if self.live {
            Weight::Detail
        } else {
            Weight::Note
        }
    }

    /// Reports something that is not a failure, above the bars.
    pub(crate) fn note(&self, line: &str) {
        self.tell(Weight::Note, line);
    }

    /// Reports a step of a file.
    fn detail(&self, line: &str) {
        self.tell(Weight::Detail, line);
    }

    fn tell(&self, weight: Weight, line: &str) {
        let line = one_line(line);
        if output::prints(weight) {
            self.bars.suspend(|| complain!("{line}"));
        } else {
            output::log_line(format_args!("{line}"));
        }
    }

    /// Reports a failure, above the bars.
    pub(crate) fn failed(&self, line: &str) {
        self.bars
            .suspend(|| complain!("forebay: {}", one_line(line)));
    }

    /// Prints a result on standard output without damaging the bars. If that fails, the run ends: nobody wants more
    /// results, or there is no room for them.
    pub(crate) fn print(&self, line: &str) {
        if !self.bars.suspend(|| stdout::result(line)) {
            stop::request(Reason::Output);
        }
    }

    /// Removes the bars.
    pub(crate) fn finish(&self) {
        if let Some(read) = &self.read {
            read.finish_and_clear();
        }
        self.sent.finish_and_clear();
    }
}

fn write_now(state: &ProgressState, into: &mut dyn std::fmt::Write) {
    let _ = write!(into, "{}", ByteSize(state.pos()).display().si());
}

fn write_total(state: &ProgressState, into: &mut dyn std::fmt::Write) {
    let total = state.len().unwrap_or(0);
    let _ = write!(into, "{}", ByteSize(total).display().si());
}

fn write_rate(state: &ProgressState, into: &mut dyn std::fmt::Write) {
    // A rate is never negative. One of more bytes than fit stays the largest number.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is saturated"
    )]
    let rate = state.per_sec() as u64;
    let _ = write!(into, "{}/s", ByteSize(rate).display().si());
}

/// Writes the time that is left. Before the first bytes it is not known.
fn write_left(state: &ProgressState, into: &mut dyn std::fmt::Write) {
    let _ = if state.per_sec() > 0.0 {
        write!(into, "{}", span(state.eta()))
    } else {
        write!(into, "-")
    };
}

/// Adds bytes to a bar. If their total was not known, the bar grows with them.
fn advance(bar: &ProgressBar, bytes: u64) {
    bar.inc(bytes);
    if bar.length().unwrap_or(0) < bar.position() {
        bar.set_length(bar.position());
    }
}

/// An input and, if it has another name, the file of it that something is said about.
fn place(input: &str, file: &str) -> String {
    let leaf = Path::new(input).file_name();
    if leaf.is_some_and(|leaf| leaf == file) {
        input.to_owned()
    } else {
        format!("{input}: {file}")
    }
}

/// What a stage did with a file.
fn used(stage: &StageReport) -> String {
    let size = |bytes| ByteSize(bytes).display().si();
    format!(
        "stage {}: {} -> {}, {:.0} ms, {} of memory",
        stage.stage,
        size(stage.usage.bytes_in),
        size(stage.usage.bytes_out),
        stage.usage.wall_clock.as_secs_f64() * 1000.0,
        size(stage.usage.peak_memory)
    )
}

/// A short description of a delivered file.
fn describe(file: &FileReport) -> String {
    let FileReport {
        name,
        media_type,
        size,
        ..
    } = file;
    let size = ByteSize(*size).display().si();
    let place = match &file.place {
        Place::File { path } => format!("-> {}", path.display()),
        Place::Asset { asset, flow } => format!("-> {name}, {flow}, asset {}", asset.asset_id),
        _ => format!("-> {name}"),
    };
    format!("{place} ({media_type}, {size})")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io;
    use std::sync::Mutex;

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what is written on it.
    #[derive(Debug, Clone)]
    struct Terminal {
        columns: u16,
        written: Arc<Mutex<String>>,
    }

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            self.columns
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.written.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.written.lock().unwrap().clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_fits_the_terminal() {
        for columns in [30, 40, 60, 65, 66, 67, 70, 80, 81, 100, 200] {
            for with_eta in [true, false] {
                let terminal = Terminal {
                    columns,
                    written: Arc::default(),
                };
                let style = ProgressStyle::with_template(&template(columns, with_eta))
                    .unwrap()
                    .with_key("now", write_now)
                    .with_key("total", write_total)
                    .with_key(
                        "rate",
                        |_: &ProgressState, into: &mut dyn std::fmt::Write| {
                            let _ = write!(into, "999.9 MB/s");
                        },
                    )
                    .with_key(
                        "left",
                        |_: &ProgressState, into: &mut dyn std::fmt::Write| {
                            let _ = write!(into, "59 min 59 s");
                        },
                    );
                let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
                let bar = ProgressBar::with_draw_target(Some(999_900_000), target)
                    .with_style(style)
                    .with_prefix("transform");
                bar.set_position(999_900_000);
                bar.set_message("12 done, now a-file-with-a-long-name-that-goes-on-and-on.jpg");
                bar.force_draw();
                let drawn = terminal.written.lock().unwrap().clone();
                let length = drawn.trim_end().chars().count();
                assert!(
                    length <= usize::from(columns),
                    "{columns}: {length}: {drawn}"
                );
                assert!(drawn.contains("999.9 MB/999.9 MB"), "{drawn}");
            }
        }
    }
}
