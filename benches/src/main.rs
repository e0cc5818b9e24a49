//! Compares the command with the programs that people would use in its place, and writes a page with the figures.
//!
//! Promise: both contestants of a row do the same work in the same run, and what they wrote is checked each time. A figure of
//! a contestant whose output is wrong is never written.

mod contest;
mod contests;
mod growth;
mod inputs;
mod measure;
mod page;
mod plot;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use contest::Bench;
use contests::CONTESTS;
use growth::GROWTHS;

const USAGE: &str = "\
Usage: forebay-bench --forebay PATH [OPTIONS] [NAME]...

Runs the rows with these names, or all, beside the programs that others wrote, and prints a table of ratios.

  --forebay PATH  The command that is measured; build it with --release
  --page DIR      Also measure how time and memory grow, and write the page and its plots into this folder
  --runs N        How often each row runs; medians are taken [default: 7]
  --quick         Files of a sixteenth of the size, for a first look
  --list          Print the names of all rows
";

#[derive(Debug, Default, PartialEq)]
struct Options {
    forebay: PathBuf,
    page: Option<PathBuf>,
    runs: usize,
    quick: bool,
    list: bool,
    help: bool,
    names: Vec<String>,
}

impl Options {
    fn parse(args: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            runs: 7,
            ..Self::default()
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || {
                args.next()
                    .with_context(|| format!("{arg} takes a value\n\n{USAGE}"))
            };
            match arg.as_str() {
                "--forebay" => options.forebay = value()?.into(),
                "--page" => options.page = Some(value()?.into()),
                "--runs" => {
                    let runs = value()?;
                    options.runs = runs
                        .parse()
                        .with_context(|| format!("--runs {runs}: not a number"))?;
                    ensure!(options.runs > 0, "--runs is at least 1");
                }
                "--help" | "-h" => options.help = true,
                "--quick" => options.quick = true,
                "--list" => options.list = true,
                flag if flag.starts_with('-') => bail!("there is no option {flag}\n\n{USAGE}"),
                name if is_a_name(name) => options.names.push(arg),
                name => bail!("there is no row `{name}`; --list prints all names"),
            }
        }
        ensure!(
            options.list || options.help || !options.forebay.as_os_str().is_empty(),
            "--forebay is missing\n\n{USAGE}"
        );
        Ok(options)
    }

    fn has(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|asked| asked == name)
    }
}

/// Whether there is a row or a curve of this name.
fn is_a_name(name: &str) -> bool {
    names().any(|known| known == name)
}

fn names() -> impl Iterator<Item = &'static str> {
    let contests = CONTESTS.iter().map(|contest| contest.name);
    contests.chain(GROWTHS.iter().map(|growth| growth.name))
}

fn main() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    if options.help {
        print!("{USAGE}");
        return Ok(());
    }
    if options.list {
        names().for_each(|name| println!("{name}"));
        return Ok(());
    }
    let forebay = options
        .forebay
        .canonicalize()
        .with_context(|| format!("{}", options.forebay.display()))?;
    // Beside the build, and not in /tmp, which may be memory.
    let scratch = forebay.parent().context("the command lies in no folder")?;
    let scratch = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(scratch)?;
    let divide_by = if options.quick { 16 } else { 1 };

    let mut rows = Vec::new();
    for contest in CONTESTS.iter().filter(|contest| options.has(contest.name)) {
        eprintln!("{}: {}", contest.name, contest.what);
        let emulator = Emulator::start(&forebay)?;
        let bench = Bench {
            forebay: forebay.clone(),
            emulator: emulator.base_url.clone(),
            folder: folder(scratch.path(), contest.name)?,
            divide_by,
        };
        rows.push((contest, contest.run(&bench, options.runs)?));
        std::fs::remove_dir_all(&bench.folder)?;
    }
    let table = page::table(&rows);
    println!("{table}");

    let Some(page) = &options.page else {
        return Ok(());
    };
    std::fs::create_dir_all(page)?;
    let mut curves = String::new();
    for growth in GROWTHS.iter().filter(|growth| options.has(growth.name)) {
        eprintln!("{}: {}", growth.name, growth.what);
        let bench = Bench {
            forebay: forebay.clone(),
            emulator: String::new(),
            folder: folder(scratch.path(), growth.name)?,
            divide_by,
        };
        let points = growth.run(&bench)?;
        plot::growth(
            &page.join(format!("growth-{}.svg", growth.name)),
            growth,
            &points,
        )?;
        curves.push_str(&page::points(growth, &points));
        curves.push('\n');
        std::fs::remove_dir_all(&bench.folder)?;
    }
    let text = page::whole(
        &page::machine(&forebay),
        &table,
        &curves,
        options.runs,
        options.quick,
    );
    std::fs::write(page.join("README.md"), text)?;
    Ok(())
}

fn folder(scratch: &Path, name: &str) -> Result<PathBuf> {
    let folder = scratch.join(name);
    std::fs::create_dir(&folder)?;
    Ok(folder)
}

/// A process that serves the Assets API; it ends with this value.
struct Emulator {
    process: Child,
    base_url: String,
}

impl Emulator {
    fn start(forebay: &Path) -> Result<Self> {
        let mut command = Command::new(forebay);
        command.args(["emulator", "--max-bytes", "1GiB"]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let output = process
            .stdout
            .take()
            .context("the emulator has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let base_url = line.trim().strip_prefix("listening on ");
        let base_url = base_url
            .with_context(|| format!("the emulator said: {line}"))?
            .to_owned();
        Ok(Self { process, base_url })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(ToOwned::to_owned))
    }

    #[test]
    fn options_are_read() {
        let options = parse("--forebay f --runs 3 --quick pdf size").unwrap();
        assert_eq!((options.runs, options.quick), (3, true));
        assert!(options.has("pdf") && options.has("size") && !options.has("png"));
        assert!(parse("--forebay f").unwrap().has("png"));
        for wrong in [
            "",
            "--forebay",
            "--forebay f --runs 0",
            "--forebay f --fast",
            "--forebay f pfd",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_rows_and_curves_differ() {
        let mut all: Vec<_> = names().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), names().count());
    }
}
