//! What is wrong with a command line, as clap found it, in the form of this program's other messages.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, Error};

use crate::args::Args;

/// Prints the error, or the help or the version that was asked for.
pub(crate) fn tell(mut error: Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::UnknownArgument {
        suggest(&mut error);
    }
    let text = error.render();
    let text = if std::io::stderr().is_terminal() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let text = text.trim_end();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        complain!("{text}");
    } else {
        complain!("{}", text.replacen("error:", "forebay:", 1));
    }
    ExitCode::from(2)
}

/// clap advises to write `-- --name`, as if every unknown option could be the name of a file.
fn suggest(error: &mut Error) {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return;
    };
    let option = option.clone();
    if Path::new(&option).exists() {
        return;
    }
    error.remove(ContextKind::Suggested);
    let command = Args::command();
    let others = commands_with(&command, option.trim_start_matches('-'), "");
    if !others.is_empty() {
        let words = format!("{option} is an option of {}", others.join(" and "));
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![words.into()]),
        );
    }
}

/// The commands that have an option of this name.
fn commands_with(command: &Command, option: &str, above: &str) -> Vec<String> {
    let mut found = Vec::new();
    for below in command.get_subcommands() {
        let name = format!("{above} {}", below.get_name());
        let has = |arg: &clap::Arg| arg.get_long() == Some(option);
        if below.get_arguments().any(has) {
            found.push(format!("`forebay{name}`"));
        }
        found.extend(commands_with(below, option, &name));
    }
    found
}
