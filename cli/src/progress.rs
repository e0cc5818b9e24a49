//! Progress output while jobs run: two bars on a terminal, otherwise one line for each file. All of it is written to
//! standard error.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::inputs::Input;
use crate::plain::one_line;
use bytesize::ByteSize;
use forebay::{Event, FileReport, Place};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bars of a run. Clones share them.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    /// Bytes read from the sources, out of all their bytes.
    read: ProgressBar,
    /// Bytes that were sent to the sink.
    sent: ProgressBar,
    /// Files that the sink has accepted.
    files: Arc<AtomicU64>,
    live: bool,
    quiet: bool,
}

impl Progress {
    /// `verb` names what the sink does: `upload` or `write`.
    pub(crate) fn new(verb: &'static str, total: u64, quiet: bool) -> Self {
        let live = std::io::stderr().is_terminal() && !quiet;
        let target = if live {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = MultiProgress::with_draw_target(target);
        let bar = |prefix: &'static str, template: &str, length| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bars.add(
                ProgressBar::new(length)
                    .with_style(style.progress_chars("=> "))
                    .with_prefix(prefix),
            )
        };
        let read = bar(
            "transform",
            "{prefix:>9} [{bar:32}] {bytes}/{total_bytes}, {bytes_per_sec}",
            total,
        );
        let sent = bar(
            verb,
            "{prefix:>9} [{bar:32}] {bytes}/{total_bytes}, {bytes_per_sec}  {msg}",
            0,
        );
        Self {
            bars,
            read,
            sent,
            files: Arc::default(),
            live,
            quiet,
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

    /// Takes in what happens in a job.
    pub(crate) fn on(&self, event: &Event<'_>) {
        match event {
            Event::Read(bytes) => {
                self.read.inc(*bytes);
                // Standard input has no length: the bar grows with it.
                if self.read.length().unwrap_or(0) < self.read.position() {
                    self.read.set_length(self.read.position());
                }
            }
            Event::Delivering(_, info) => {
                self.sent.inc_length(info.size.unwrap_or(0));
                let files = self.files.load(Ordering::Relaxed);
                self.sent
                    .set_message(format!("{files} done, now {}", info.name));
            }
            Event::Delivered(..) => {
                let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
                self.sent.set_message(format!("{files} done"));
            }
            Event::Known(report) => {
                let files = report.files.len() as u64;
                self.files.fetch_add(files, Ordering::Relaxed);
                self.note(&format!(
                    "{}: done already, says the journal",
                    report.source.name
                ));
            }
            Event::Changed(name) => {
                self.note(&format!(
                    "{name}: changed since the journal noted it, and is sent anew"
                ));
            }
            Event::Retry(_, retry) if retry.pause.is_zero() => {
                self.note(&format!("{}: {}; again now", retry.file, retry.reason));
            }
            Event::Retry(_, retry) => {
                let pause = retry.pause.as_secs_f64();
                self.note(&format!(
                    "{}: {}; again in {pause:.1} s",
                    retry.file, retry.reason
                ));
            }
            Event::Sent(_, bytes) => {
                self.sent.inc(*bytes);
                if self.sent.length().unwrap_or(0) < self.sent.position() {
                    self.sent.set_length(self.sent.position());
                }
            }
            _ => {}
        }
    }

    /// Reports a file that is done, if no bar shows it.
    pub(crate) fn done(&self, input: &str, file: &FileReport) {
        if !self.live {
            complain!("{}", one_line(&format!("{input}: {}", describe(file))));
        }
    }

    /// Reports something that is not a failure, above the bars.
    fn note(&self, line: &str) {
        if !self.quiet {
            self.bars.suspend(|| complain!("{}", one_line(line)));
        }
    }

    /// Reports a failure, above the bars.
    pub(crate) fn failed(&self, line: &str) {
        self.bars
            .suspend(|| complain!("forebay: {}", one_line(line)));
    }

    /// Prints results on standard output without damaging the bars.
    pub(crate) fn print(&self, line: &str) {
        self.bars.suspend(|| say!("{line}"));
    }

    /// Removes the bars.
    pub(crate) fn finish(&self) {
        self.read.finish_and_clear();
        self.sent.finish_and_clear();
    }
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
