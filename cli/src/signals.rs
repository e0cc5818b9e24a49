//! The signals that ask this process to end.

/// A signal that asks this process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// Sent by another process.
    #[cfg(unix)]
    Terminate,
    /// The terminal was closed.
    #[cfg(unix)]
    HangUp,
}

impl Signal {
    /// Describes what happened to the run.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupted",
            #[cfg(unix)]
            Self::Terminate => "terminated",
            #[cfg(unix)]
            Self::HangUp => "ended by a hangup",
        }
    }

    /// 128 plus the signal's number, as in shells.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            #[cfg(unix)]
            Self::Terminate => 143,
            #[cfg(unix)]
            Self::HangUp => 129,
        }
    }
}

/// Waits for one of these signals.
pub(crate) async fn wait() -> Signal {
    Signals::new().next().await
}

/// Receives these signals, one after the other.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// From now on, these signals do not end the process by themselves.
    pub(crate) fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = !unix::hangup_is_ignored();
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
            hangup: hangup.then(|| signal(SignalKind::hangup()).ok()).flatten(),
        }
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            () = received(&mut self.interrupt) => Signal::Interrupt,
            () = received(&mut self.terminate) => Signal::Terminate,
            () = received(&mut self.hangup) => Signal::HangUp,
        }
    }
}

/// Waits for this signal. Never returns if the signal cannot be received.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// Receives these signals, one after the other.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}

#[cfg(unix)]
mod unix {
    use std::process::{Command, Stdio};

    const SIGHUP: u32 = 1;

    /// Whether this process was started with hangups ignored, as `nohup` does. Then it must keep running after its
    /// terminal was closed.
    pub(super) fn hangup_is_ignored() -> bool {
        match std::fs::read_to_string("/proc/self/status") {
            Ok(status) => ignores(&status, SIGHUP).unwrap_or(false),
            Err(_) => child_ignores_hangup(),
        }
    }

    /// Whether a process with this `/proc/PID/status` ignores a signal. Returns `None` if the text does not say.
    fn ignores(status: &str, signal: u32) -> Option<bool> {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))?;
        let mask = u128::from_str_radix(mask.trim(), 16).ok()?;
        Some(mask & (1 << (signal - 1)) != 0)
    }

    /// A shell that was started with hangups ignored survives a hangup. It inherits this setting from this process.
    fn child_ignores_hangup() -> bool {
        Command::new("/bin/sh")
            .args(["-c", "kill -HUP $$; exit 0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn ignored_signals_are_read_from_the_mask() {
            let status = "Name:\tforebay\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
            assert_eq!(ignores(status, SIGHUP), Some(true));
            assert_eq!(ignores(status, 2), Some(false));
            assert_eq!(ignores(status, 13), Some(true));
            assert_eq!(ignores("Name:\tforebay\n", SIGHUP), None);
        }

        #[test]
        fn a_shell_tells_the_same() {
            assert_eq!(child_ignores_hangup(), hangup_is_ignored());
        }
    }
}
