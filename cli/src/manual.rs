//! `forebay completions` and `forebay man`, made from the definition of the command line.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::Outcome;
use crate::args::{Args, CompletionsArgs, ManArgs};

pub(crate) fn completions(args: &CompletionsArgs) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "forebay", &mut script);
    print(&script);
    Ok(Outcome::Done)
}

pub(crate) fn man(args: &ManArgs) -> Result<Outcome> {
    let mut command = Args::command().disable_help_subcommand(true);
    // Gives the subcommands their full names, such as `forebay-run`.
    command.build();
    if let Some(folder) = &args.dir {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        write_pages(&command, folder)?;
        return Ok(Outcome::Done);
    }
    let mut shown = &command;
    for name in &args.command {
        let Some(found) = shown.find_subcommand(name) else {
            let known: Vec<&str> = shown.get_subcommands().map(Command::get_name).collect();
            bail!(
                "man: there is no command `{name}`; there are: {}",
                known.join(", ")
            );
        };
        shown = found;
    }
    print(&page(shown)?);
    Ok(Outcome::Done)
}

fn write_pages(command: &Command, folder: &Path) -> Result<()> {
    let path = folder.join(Man::new(command.clone()).get_filename());
    std::fs::write(&path, page(command)?).with_context(|| path.display().to_string())?;
    for below in command.get_subcommands() {
        write_pages(below, folder)?;
    }
    Ok(())
}

/// A manual page. Its examples keep their line breaks.
fn page(command: &Command) -> Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    // clap_mangen shows options without their values, and not which are needed.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]).text([roman(usage)]);
    synopsis.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let after = command.get_after_long_help().or(command.get_after_help());
    if let Some(after) = after {
        let mut roff = Roff::new();
        roff.control("SH", ["NOTES"]).control("nf", []);
        for line in after.to_string().lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
        roff.to_writer(&mut page)?;
    }
    Ok(page)
}

fn print(text: &[u8]) {
    say!("{}", String::from_utf8_lossy(text).trim_end());
}
