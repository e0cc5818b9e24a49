//! Compiling in a process of its own.
//!
//! The compiler works on a stranger's bytes: some make it take gigabytes or minutes. In a process of its own it can be
//! bounded, and ended. The process gets the component on standard input, writes code to a file that is its standard output,
//! and has neither the environment nor any other file of this one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use forebay_core::text;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::sandbox::engine;
use crate::sandbox::plugin::{LoadError, in_words};

/// Threads of the compiler. Each takes memory of its own.
const THREADS: &str = "2";

/// Bytes of an error message.
const MAX_ERROR: u64 = 4096;

/// Bytes of compiled code. That of CPython and its modules has some 60 MB.
const MAX_CODE: u64 = 1 << 30;

/// A program that calls [`run`].
pub(crate) struct Program<'a> {
    pub(super) path: &'a Path,
    pub(super) args: &'a [OsString],
    pub(super) time: Duration,
    pub(super) memory: u64,
}

impl Program<'_> {
    /// Compiles a component into a file. Dropping the future ends the process.
    pub(super) async fn compile(&self, bytes: Vec<u8>, target: &File) -> Result<(), LoadError> {
        let compiling = self.start(bytes, target.try_clone()?);
        let ended = tokio::time::timeout(self.time, compiling).await;
        let (status, said) = ended.map_err(|_| LoadError::CompileTime(self.time))??;
        self.explain(status, &said)
    }

    async fn start(&self, bytes: Vec<u8>, target: File) -> Result<(ExitStatus, String), LoadError> {
        let mut command = Command::new(self.path);
        command
            .args(self.args)
            .arg(self.memory.to_string())
            .arg(self.time.as_secs().saturating_add(1).to_string())
            .env_clear()
            .env("RAYON_NUM_THREADS", THREADS)
            .stdin(Stdio::piped())
            .stdout(target)
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            LoadError::Compiler(format!("cannot start {}: {error}", self.path.display()))
        })?;
        let (input, errors) = (child.stdin.take(), child.stderr.take());
        let write = async {
            if let Some(mut input) = input {
                // If it takes no more, it has ended, and says why.
                let _ = input.write_all(&bytes).await;
                let _ = input.shutdown().await;
            }
        };
        let read = async {
            let mut said = Vec::new();
            if let Some(errors) = errors {
                errors.take(MAX_ERROR).read_to_end(&mut said).await?;
            }
            Ok::<_, io::Error>(said)
        };
        let ((), said, status) = tokio::join!(write, read, child.wait());
        let said = String::from_utf8_lossy(&said?).into_owned();
        Ok((status?, said))
    }

    fn explain(&self, status: ExitStatus, said: &str) -> Result<(), LoadError> {
        if status.success() {
            return Ok(());
        }
        if let Some(problem) = said.strip_prefix(NOT_A_COMPONENT) {
            return Err(LoadError::NotAComponent(text::tidy(problem, 1000)));
        }
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt as _;
            let signal = status.signal();
            if signal == Some(rustix::process::Signal::XCPU.as_raw()) {
                return Err(LoadError::CompileTime(self.time));
            }
            // What a program does that gets no memory: it aborts, or the system kills it.
            if signal.is_some() {
                return Err(LoadError::CompileMemory(self.memory));
            }
        }
        Err(LoadError::Compiler(format!(
            "{} ended with {status}: {}",
            self.path.display(),
            text::tidy(said, 1000)
        )))
    }
}

/// How the process says that the component is at fault.
const NOT_A_COMPONENT: &str = "not a component: ";

/// Compiles one component, in a process that [`HostBuilder::compiler`](crate::HostBuilder::compiler) has started. A program
/// that names itself there calls this before anything else when it is started with the arguments that it gave, and returns
/// what this returns.
///
/// It reads the component from standard input and writes the code to standard output. `args` are the last two arguments: the
/// memory that it may take, in bytes, and the seconds of CPU time.
pub fn run(args: impl IntoIterator<Item = String>) -> ExitCode {
    match compile(args.into_iter()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Who started it may be gone.
            let _ = io::stderr().write_all(problem.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn compile(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let mut number = || args.next().and_then(|text| text.parse::<u64>().ok());
    let (Some(memory), Some(seconds)) = (number(), number()) else {
        return Err("the compiler is started with two numbers: memory and seconds".into());
    };
    bound(memory, seconds).map_err(|error| format!("limits: {error}"))?;
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| format!("the component cannot be read: {error}"))?;
    let engine = engine::for_compiling().map_err(|error| error.to_string())?;
    let code = engine
        .precompile_component(&bytes)
        .map_err(|error| format!("{NOT_A_COMPONENT}{}", in_words(&error)))?;
    let mut to = io::stdout().lock();
    let written = to.write_all(&code).and_then(|()| to.flush());
    written.map_err(|error| format!("the code cannot be written: {error}"))
}

/// Bounds this process.
#[cfg(unix)]
fn bound(memory: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    for (resource, most) in [
        // What is written to counts, and not the address space that threads only reserve.
        (Resource::Data, memory),
        (Resource::Cpu, seconds),
        (Resource::Fsize, MAX_CODE),
        (Resource::Core, 0),
    ] {
        let most = Some(
            getrlimit(resource)
                .maximum
                .map_or(most, |hard| hard.min(most)),
        );
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Other systems have no such limits for a process by itself. The time is bounded all the same: who started it ends it.
#[cfg(not(unix))]
fn bound(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}
