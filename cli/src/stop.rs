//! Ending a run before all of it is done: on a signal, or when it makes no sense to continue.
//!
//! The first signal cancels what is in flight. The run still writes its report and tells what it did. The second signal
//! ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use tokio::sync::watch;

use crate::signals::{Signal, Signals};
use crate::{progress, service};

/// Why a run ends before all of it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Signal(Signal),
    /// Standard output cannot be written.
    Output,
    /// The journal cannot be written.
    Journal,
}

static REASON: LazyLock<watch::Sender<Option<Reason>>> = LazyLock::new(|| watch::Sender::new(None));

/// Whether the command ends by itself when it is asked to.
static GRACEFUL: AtomicBool = AtomicBool::new(false);

/// Whether a question waits for an answer on the terminal.
static AT_PROMPT: AtomicBool = AtomicBool::new(false);

/// What stays if a signal ends the command now, in place of the usual words.
static LAST_WORDS: Mutex<Option<&'static str>> = Mutex::new(None);

/// From now on, a command that a signal ends says this about what stays.
pub(crate) fn set_last_words(words: &'static str) {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
}

/// What a command that a signal ended says about what stays.
pub(crate) fn last_words() -> Option<&'static str> {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets whether a question waits for an answer on the terminal.
pub(crate) fn set_at_prompt(waits: bool) {
    AT_PROMPT.store(waits, Ordering::Relaxed);
}

/// Asks the run to end. The first reason counts. Returns whether this is the first.
pub(crate) fn request(reason: Reason) -> bool {
    REASON.send_if_modified(|first| {
        let is_first = first.is_none();
        first.get_or_insert(reason);
        is_first
    })
}

/// Why the run was asked to end, if it was.
pub(crate) fn reason() -> Option<Reason> {
    *REASON.borrow()
}

/// Waits until the run is asked to end.
pub(crate) async fn requested() {
    // The sender is never dropped.
    let _ = REASON.subscribe().wait_for(Option::is_some).await;
}

/// From now on the command ends by itself when it is asked to.
pub(crate) fn end_gracefully() {
    GRACEFUL.store(true, Ordering::Relaxed);
}

/// Waits until a command is to be dropped because it does not end by itself.
pub(crate) async fn dropped() {
    requested().await;
    if GRACEFUL.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Handles the signals that ask this process to end.
pub(crate) async fn handle_signals() {
    let mut signals = Signals::new();
    let first = signals.next().await;
    if AT_PROMPT.load(Ordering::Relaxed) {
        // The question has no line break.
        complain!("");
    } else {
        // Bars would be drawn over it otherwise.
        progress::above_bars(|| {
            complain!(
                "forebay: {}; removing what is unfinished (once more to end at once)",
                first.verb()
            );
        });
    }
    request(Reason::Signal(first));
    let second = signals.next().await;
    let left = service::unfinished_in_words();
    let left = left.unwrap_or_else(|| "what was being sent may stay where it was sent to".into());
    complain!("forebay: ended at once; {left}");
    std::process::exit(second.exit_code().into());
}
