//! Programs that others wrote, and the command itself.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// The longest that a tool may take.
const LONGEST: Duration = Duration::from_secs(60);

/// What came of a tool.
pub(super) enum Ended {
    /// It is not installed.
    Missing,
    /// It refused the file, or took too long.
    Failed,
    /// What it wrote to standard output, with warnings: qpdf ends so with status 3.
    Warned(Vec<u8>),
    /// What it wrote to standard output.
    Done(Vec<u8>),
}

/// Runs a tool.
pub(super) fn tool(program: &str, args: &[&str]) -> Result<Ended> {
    let mut command = Command::new(program);
    command.args(args);
    match run_within(&mut command, LONGEST) {
        Err(error) if is_missing(&error) => Ok(Ended::Missing),
        Err(error) => Err(error),
        Ok(None) => Ok(Ended::Failed),
        Ok(Some(output)) if output.status.success() => Ok(Ended::Done(output.stdout)),
        Ok(Some(output)) if program == "qpdf" && output.status.code() == Some(3) => {
            Ok(Ended::Warned(output.stdout))
        }
        Ok(Some(_)) => Ok(Ended::Failed),
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Runs a program; `None` when it took too long and was ended.
pub(super) fn run_within(command: &mut Command, longest: Duration) -> Result<Option<Output>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Threads read what it writes, so that it never waits for a reader.
    let stdout = child.stdout.take().context("no standard output")?;
    let stderr = child.stderr.take().context("no standard error")?;
    let (stdout, stderr) = (reader(stdout), reader(stderr));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > longest {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let read = |thread: std::thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    let (stdout, stderr) = (read(stdout), read(stderr));
    Ok(status.map(|status| Output {
        status,
        stdout,
        stderr,
    }))
}

fn reader(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until an error is all that there is.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}
