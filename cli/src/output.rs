//! How much is told on standard error, and the log file: `-q`, `-v` and `--log-file`.
//!
//! Promise: a failure is always told. A log file gets everything that `-v` tells, whatever else is set, and nothing is
//! ever appended to a file that is not a log of forebay.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use clap::{ArgAction, Args};
use tracing_subscriber::filter::Targets;

/// The first line of a log file, by which forebay recognizes it.
const FIRST_LINE: &str = "# log of forebay\n";

/// How much is told. These flags can be given before and after the name of a command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct Verbosity {
    /// Print nothing on standard error but failures
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Also print each step of each file; -vv also prints the log of the program itself
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// Append all messages to this log, as detailed as with -v; a FILE that is no log of forebay stays as it is
    #[arg(long, global = true, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// A step of one file. Printed with `-v`.
    Detail,
    /// Printed unless `-q` or `--json` is set.
    Note,
    /// Always printed.
    Failure,
}

struct Output {
    /// The least weight that is printed on standard error.
    least: Weight,
    log: Option<File>,
}

static OUTPUT: OnceLock<Output> = OnceLock::new();

/// Whether somebody was told that the log cannot be written.
static LOG_FAILED: AtomicBool = AtomicBool::new(false);

/// Applies the flags. Called once, before a command runs.
pub(crate) fn init(flags: &Verbosity, command: &str) -> Result<()> {
    let least = match (flags.quiet, flags.verbose) {
        (true, _) => Weight::Failure,
        (_, 0) => Weight::Note,
        _ => Weight::Detail,
    };
    let log = match &flags.log_file {
        Some(path) => {
            Some(open_log(path).with_context(|| format!("--log-file {}", path.display()))?)
        }
        None => None,
    };
    let _ = OUTPUT.set(Output { least, log });
    log_line(format_args!(
        "forebay {} {command}",
        env!("CARGO_PKG_VERSION")
    ));
    Ok(())
}

impl Verbosity {
    /// What the program's own log prints, unless the environment sets it.
    pub(crate) fn log_filter(&self) -> tracing_subscriber::filter::LevelFilter {
        use tracing_subscriber::filter::LevelFilter;
        match self.verbose {
            0 | 1 => LevelFilter::WARN,
            2 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        }
    }
}

/// Prints the log on standard error: what the variable `FOREBAY_LOG` names, such as `debug` or `forebay=debug,warn`, and
/// otherwise what is at least as important as `least`.
pub(crate) fn log(least: tracing_subscriber::filter::LevelFilter) {
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    use tracing_subscriber::util::SubscriberInitExt as _;

    let named = std::env::var("FOREBAY_LOG").ok();
    let named = named.and_then(|text| text.parse::<Targets>().ok());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        // Logging such an error to the same standard error would panic.
        .log_internal_errors(false)
        .with_filter(named.unwrap_or_else(|| Targets::new().with_default(least)));
    tracing_subscriber::registry().with(lines).init();
}

/// Whether messages of this weight are printed on standard error.
pub(crate) fn prints(weight: Weight) -> bool {
    let least = OUTPUT.get().map_or(Weight::Note, |output| output.least);
    weight >= least
}

/// Appends a line to the log file, if there is one.
pub(crate) fn log_line(line: fmt::Arguments<'_>) {
    let Some(mut log) = OUTPUT.get().and_then(|output| output.log.as_ref()) else {
        return;
    };
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    // One write, so that the lines of several processes do not mix.
    let text = format!("{now} {line}\n");
    if let Err(error) = log.write_all(text.as_bytes())
        && !LOG_FAILED.swap(true, Ordering::Relaxed)
    {
        let _ = writeln!(io::stderr(), "forebay: the log file: {error}");
    }
}

/// Opens a log for appending. A file that is neither empty nor a log is refused, because the name of the log may have been
/// forgotten, and FILE is then the first input.
fn open_log(path: &Path) -> Result<File> {
    let exists = match std::fs::metadata(path) {
        Ok(metadata) => {
            ensure!(!metadata.is_dir(), "this is a folder");
            if !metadata.is_file() {
                return crate::report_file::open_handle(path, &metadata);
            }
            metadata.len() > 0
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error.into()),
    };
    if exists {
        let mut start = Vec::new();
        let file = File::open(path)?;
        file.take(FIRST_LINE.len() as u64).read_to_end(&mut start)?;
        ensure!(
            start == FIRST_LINE.as_bytes(),
            "there is a file that is no log of forebay; it stays"
        );
    }
    let mut file = File::options().append(true).create(true).open(path)?;
    if !exists {
        file.write_all(FIRST_LINE.as_bytes())?;
    }
    Ok(file)
}
