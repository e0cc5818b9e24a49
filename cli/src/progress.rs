//! Progress output while jobs run: two bars on a terminal, otherwise one line for each file. All of it is written to
//! standard error.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::inputs::Input;
use crate::output::{self, Weight};
use crate::plain::one_line;
use crate::stdout;
use crate::stop::{self, Reason};
use crate::summary::span;
use bytesize::ByteSize;
use forebay::{Event, FileReport, Place, StageReport};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar with the time that is left.
const WITH_ETA: &str = "{prefix:>9} [{bar:32}] {decimal_bytes}/{decimal_total_bytes}, \
                        {decimal_bytes_per_sec}, ETA {left}  {msg}";

/// The bar of bytes whose total is not known before the end.
const WITHOUT_ETA: &str = "{prefix:>9} [{bar:32}] {decimal_bytes}/{decimal_total_bytes}, \
                           {decimal_bytes_per_sec}  {msg}";

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
        let target = if live {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = MultiProgress::with_draw_target(target);
        let bar = |prefix: &'static str, template: &str, length| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .with_key("left", write_left);
            bars.add(
                ProgressBar::new(length)
                    .with_style(style.progress_chars("=> "))
                    .with_prefix(prefix),
            )
        };
        let (read, sent) = if work.transforms {
            let read = bar("transform", WITH_ETA, total);
            (Some(read), bar(work.verb, WITHOUT_ETA, 0))
        } else {
            (None, bar(work.verb, WITH_ETA, total))
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
                self.note(&format!(
                    "{}: done already, says the journal",
                    report.source.name
                ));
            }
            Event::Changed { file } => {
                self.note(&format!(
                    "{file}: changed since the journal noted it, and is sent anew"
                ));
            }
            Event::Gone { file } => {
                self.note(&format!(
                    "{file}: the service does not have the asset of the journal any more; it is sent anew"
                ));
            }
            Event::Retry { retry, .. } if retry.pause.is_zero() => {
                self.note(&format!("{}: {}; again now", retry.file, retry.reason));
            }
            Event::Retry { retry, .. } => {
                let pause = retry.pause.as_secs_f64();
                self.note(&format!(
                    "{}: {}; again in {pause:.1} s",
                    retry.file, retry.reason
                ));
            }
            Event::Sent { bytes, .. } => advance(&self.sent, *bytes),
            _ => {}
        }
    }

    /// Reports a file that is done, if no bar shows it.
    pub(crate) fn done(&self, input: &str, file: &FileReport) {
        let weight = if self.live {
            Weight::Detail
        } else {
            Weight::Note
        };
        self.tell(weight, &format!("{input}: {}", describe(file)));
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
