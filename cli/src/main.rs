//! The `forebay` command.

/// Prints a line on standard output. If it cannot be written, the command fails at its end.
macro_rules! say {
    ($($words:tt)*) => {
        crate::stdout::say(format_args!($($words)*))
    };
}

/// Prints a line on standard error. A closed pipe or terminal does not end the program: nobody could read the error.
macro_rules! complain {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
        crate::output::log_line(format_args!($($words)*));
    }};
}

mod args;
mod assets;
mod config;
mod conflicts;
mod demo;
mod emulator;
mod failures;
mod help;
mod html_report;
mod inputs;
mod inspect;
mod key;
mod lock;
mod lock_file;
mod manual;
mod name_template;
mod open_files;
mod output;
mod pipeline_reference;
mod plain;
mod plan;
mod plugins;
mod progress;
mod report_file;
mod run;
mod select;
mod service;
mod settings;
mod signals;
mod stage_arg;
mod stdout;
mod stop;
mod streams;
mod summary;
mod timeline;
mod usage_error;
mod usage_in_pipeline;
mod verify;
mod workflow;
mod wrap;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use args::{Args, Command};

/// How a command ended, if it returned no error. The help lists the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything was done.
    Done,
    /// Some file failed, or was not processed because the run ended early. The others are done.
    SomeFailed,
}

fn main() -> ExitCode {
    // This command is also the process in which it has plugins compiled.
    let mut own = std::env::args_os().skip(1);
    if own.next().is_some_and(|first| first == plugins::COMPILE) {
        return forebay::run_compiler(own.map(|arg| arg.to_string_lossy().into_owned()));
    }
    let mut args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage_error::tell(error),
    };
    output::log(args.verbosity.log_filter());
    let ready = output::init(&args.verbosity, args.command.name())
        .and_then(|()| conflicts::check(&args.command))
        .and_then(|()| settings::apply(&mut args.command, args.config.as_deref()));
    if let Err(error) = ready {
        complain!("forebay: {}", plain::plain(&plain::chain(&error)));
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("forebay: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    open_files::raise_limit();
    // An interrupt is the normal way to end the emulator.
    let breaks_off = !matches!(args.command, Command::Emulator(_));
    let ended = runtime.block_on(async {
        if breaks_off {
            tokio::spawn(stop::handle_signals());
        }
        tokio::select! {
            ended = command(args) => Some(ended),
            () = stop::dropped() => None,
        }
    });
    let settled = runtime.block_on(service::settle());
    // What was dropped with the command ends on the runtime's threads: plugins, connections, scratch folders. A read of
    // standard input may never end.
    let patience = if inputs::reads_stdin() {
        Duration::from_millis(200)
    } else {
        Duration::from_secs(5)
    };
    runtime.shutdown_timeout(patience);
    let exit_code = match ended {
        Some(Ok(Outcome::Done)) => 0,
        Some(Ok(Outcome::SomeFailed)) | None => 1,
        Some(Err(error)) => {
            complain!("forebay: {}", plain::plain(&plain::chain(&error)));
            2
        }
    };
    ExitCode::from(tell_end(exit_code, settled))
}

/// Tells what stays, and why the command ended early. Returns the exit code.
fn tell_end(exit_code: u8, settled: bool) -> u8 {
    let unfinished = service::unfinished_in_words();
    let unanswered = "a request was not answered; what it made may stay with the service";
    let left = match (&unfinished, settled) {
        (None, true) => None,
        (None, false) => Some(unanswered.to_owned()),
        (Some(unfinished), true) => Some(unfinished.clone()),
        (Some(unfinished), false) => Some(format!("{unfinished}; {unanswered}")),
    };
    if let Some(stop::Reason::Signal(signal)) = stop::reason() {
        let told = match (left, stop::last_words()) {
            (Some(left), Some(words)) => format!("{words}; {left}"),
            (Some(left), None) => left,
            (None, words) => words.unwrap_or("nothing partial is left").to_owned(),
        };
        complain!("forebay: {}; {told}", signal.verb());
        return signal.exit_code();
    }
    if let Some(left) = left {
        complain!("forebay: {left}");
    }
    if !stdout::has_failed() {
        return exit_code;
    }
    if stdout::is_closed() {
        // The same status as that of a program that such a write ends by SIGPIPE. Other commands have done what they were
        // asked to, as far as anybody wanted to know.
        let ends_run = stop::reason() == Some(stop::Reason::Output);
        return if ends_run { 128 + 13 } else { exit_code };
    }
    if let Some(problem) = stdout::untold_problem() {
        complain!("forebay: {problem}");
    }
    exit_code.max(1)
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
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    }
}
