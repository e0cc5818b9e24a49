//! Standard output: the results of a command.
//!
//! Promise: a result that cannot be written there is not lost. It is printed on standard error, and the command does not
//! end as if it had succeeded.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The first error.
static FAULT: OnceLock<io::Error> = OnceLock::new();

/// Whether somebody was told about it.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Prints a line. Nothing is written any more after an error.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = write(line);
}

/// Prints a result. If that is not possible, it is printed on standard error. Returns whether it was written.
pub(crate) fn result(line: &str) -> bool {
    if write(format_args!("{line}")).is_ok() {
        return true;
    }
    if let Some(problem) = untold_problem() {
        complain!("forebay: {problem}; what is missing there is printed here");
    }
    complain!("{line}");
    false
}

/// Whether a line could not be written.
pub(crate) fn has_failed() -> bool {
    FAULT.get().is_some()
}

/// Whether nobody reads standard output any more, as after `| head`.
pub(crate) fn is_closed() -> bool {
    FAULT
        .get()
        .is_some_and(|fault| fault.kind() == io::ErrorKind::BrokenPipe)
}

/// What is wrong with standard output, if nobody was told yet.
pub(crate) fn untold_problem() -> Option<String> {
    let fault = FAULT.get()?;
    if TOLD.swap(true, Ordering::Relaxed) {
        return None;
    }
    Some(if is_closed() {
        "nobody reads standard output any more".into()
    } else {
        format!("standard output: {fault}")
    })
}

fn write(line: fmt::Arguments<'_>) -> Result<(), ()> {
    if has_failed() {
        return Err(());
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|error| {
            let _ = FAULT.set(error);
        })
}
