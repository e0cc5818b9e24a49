//! The `forebay` command.

/// Prints a line on standard output. It is not an error if the reader has closed the pipe, as `head` does.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

/// Prints a line on standard error. A closed pipe or terminal does not end the program: nobody could read the error.
macro_rules! complain {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

mod args;
mod assets;
mod config;
mod demo;
mod emulator;
mod inputs;
mod inspect;
mod lock;
mod lock_file;
mod name_template;
mod pipeline_reference;
mod plain;
mod plugins;
mod progress;
mod report_file;
mod run;
mod service;
mod signals;
mod stage_arg;
mod usage_in_pipeline;
mod verify;
mod workflow;
mod wrap;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use args::{Args, Command};

/// How a command ended, if it returned no error. The help lists the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything was done.
    Done,
    /// Some file failed. The others are done.
    SomeFailed,
}

fn main() -> ExitCode {
    // This command is also the process in which it has plugins compiled.
    let mut own = std::env::args_os().skip(1);
    if own.next().is_some_and(|first| first == plugins::COMPILE) {
        return forebay::run_compiler(own.map(|arg| arg.to_string_lossy().into_owned()));
    }
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
                .with_env_var("FOREBAY_LOG")
                .from_env_lossy(),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        // Logging such an error to the same standard error would panic.
        .log_internal_errors(false)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("forebay: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    // An interrupt is the normal way to end the emulator.
    let breaks_off = !matches!(args.command, Command::Emulator(_));
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = command(args) => Ok(ended),
            signal = signals::wait(), if breaks_off => Err(signal),
        }
    });
    runtime.block_on(service::settle());
    // What was dropped with the command ends on the runtime's threads: plugins, connections, scratch folders.
    runtime.shutdown_timeout(Duration::from_secs(5));
    match ended {
        Ok(Ok(Outcome::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Outcome::SomeFailed)) => ExitCode::from(1),
        Ok(Err(error)) => {
            complain!("forebay: {}", plain::plain(&format!("{error:#}")));
            ExitCode::from(2)
        }
        Err(signal) => {
            complain!("forebay: {}; nothing partial is left", signal.verb());
            ExitCode::from(signal.exit_code())
        }
    }
}

async fn command(args: Args) -> anyhow::Result<Outcome> {
    match args.command {
        Command::Run(args) => run::run(args).await,
        Command::Upload(args) => run::upload(args).await,
        Command::Plugins(args) => inspect::plugins(&args).await,
        Command::Inspect(args) => inspect::inspect(&args).await,
        Command::Lock(args) => lock::lock(&args).await,
        Command::Verify(args) => verify::verify(&args),
        Command::Assets(args) => assets::assets(args).await,
        Command::FileInput(args) => assets::file_input(&args),
        Command::Emulator(args) => emulator::serve(args).await,
        Command::Demo(args) => demo::demo(&args).await,
    }
}
