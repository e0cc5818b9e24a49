//! The project's tasks. `cargo xtask demo` and `cargo xtask test` need only Rust: they first get the compiler for the
//! plugins.
//!
//! This program is built before everything else, so it has one small dependency and parses its arguments by hand.

mod corpus;
mod features;
mod fuzz;
mod package;
mod targets;
mod toolchain;
mod wit;

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

const USAGE: &str = "\
Usage: cargo xtask CHORE

  setup            Bring the compiler for the plugins, once; plain `cargo build` and `cargo test` work from then on
  demo [ARG]...    Run the demo: files through plugins to assets of an emulator
  test [--cases N] Run every test. Property tests try the same cases in each run; with --cases each tries N cases from a new
                   seed, and writes a case that fails beside its test: commit that file, and every run tries it first
  check            Check that the copies of wit/ are equal to it
  check-targets    Check that the host and the command compile for Windows and macOS, as far as this machine can
  sync-wit         Make the copies of wit/ equal to it
  package          Pack what is published, install the command from the packed crates alone, and run its demo
  corpus DIR... [--limit N]
                   Strip, resize and split anyone's files, compare with what others' tools make of them, and print a table.
                   Uses exiftool, djpeg, ImageMagick, libvips, qpdf, poppler and MuPDF, as far as they are
                   installed
  bench [OPTION]... [NAME]...
                   Run the command beside the programs that people would use in its place, and print a table of ratios. With
                   `--page docs/benchmarks`, write the page with plots; `--help` tells the rest
  fuzz [TARGET]... [--seconds SECONDS] [--replay FILE]
                   Feed hostile bytes to what reads bytes, guided by coverage; needs a C++ compiler
";

#[derive(Debug, PartialEq)]
enum Chore {
    Help,
    Setup,
    Demo(Vec<OsString>),
    Test {
        /// Cases of each property test, from a new seed. Without it every run tries the same cases.
        cases: Option<u32>,
    },
    Check,
    CheckTargets,
    SyncWit,
    Package,
    Corpus(corpus::Options),
    /// Arguments of `forebay-bench`.
    Bench(Vec<OsString>),
    Fuzz(fuzz::Options),
}

impl Chore {
    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut args = args.into_iter();
        let name = args.next().unwrap_or_default();
        let mut rest: Vec<OsString> = args.collect();
        let chore = match name.to_string_lossy().as_ref() {
            "demo" => {
                // The arguments after `--` are for the demo as well.
                if rest.first().is_some_and(|first| first == "--") {
                    rest.remove(0);
                }
                return Ok(Self::Demo(rest));
            }
            "bench" => return Ok(Self::Bench(rest)),
            "corpus" => return Ok(Self::Corpus(corpus::Options::parse(rest)?)),
            "fuzz" => return Ok(Self::Fuzz(fuzz::Options::parse(rest)?)),
            "help" | "--help" | "-h" => Self::Help,
            "setup" => Self::Setup,
            "test" => {
                let cases = match rest.as_slice() {
                    [] => None,
                    [flag, cases] if flag == "--cases" => {
                        let cases = cases.to_string_lossy();
                        let number = cases.parse();
                        Some(number.with_context(|| format!("--cases {cases}: not a number"))?)
                    }
                    _ => bail!("`test` takes `--cases N` and nothing else"),
                };
                return Ok(Self::Test { cases });
            }
            "check" => Self::Check,
            "check-targets" => Self::CheckTargets,
            "sync-wit" => Self::SyncWit,
            "package" => Self::Package,
            name => bail!("there is no chore `{name}`\n\n{USAGE}"),
        };
        ensure!(
            rest.is_empty(),
            "`{}` takes no arguments",
            name.to_string_lossy()
        );
        Ok(chore)
    }
}

fn main() -> Result<()> {
    fuzz::stand_in_for_rustc()?;
    package::stand_in_for_rustc()?;
    let chore = Chore::parse(std::env::args_os().skip(1))?;
    let workspace = workspace()?;
    match chore {
        Chore::Help => {
            print!("{USAGE}");
            Ok(())
        }
        Chore::Setup => toolchain::ensure(&workspace),
        Chore::Demo(args) => {
            toolchain::ensure(&workspace)?;
            demo(&workspace, &args)
        }
        Chore::Test { cases } => {
            toolchain::ensure(&workspace)?;
            test(&workspace, cases)
        }
        Chore::Check => wit::check(&workspace),
        Chore::CheckTargets => targets::check(&workspace),
        Chore::SyncWit => wit::sync(&workspace),
        Chore::Package => {
            toolchain::ensure(&workspace)?;
            package::run(&workspace)
        }
        Chore::Corpus(options) => {
            toolchain::ensure(&workspace)?;
            corpus::run(&workspace, &options)
        }
        Chore::Bench(args) => {
            toolchain::ensure(&workspace)?;
            bench(&workspace, &args)
        }
        // Fuzzing builds no guest.
        Chore::Fuzz(options) => fuzz::run(&workspace, &options),
    }
}

fn test(workspace: &Path, cases: Option<u32>) -> Result<()> {
    let mut test = cargo_command(workspace, &["test", "--workspace"]);
    if let Some(cases) = cases {
        // The standard library has no random numbers, but its hash maps have random keys.
        let seed = RandomState::new().hash_one(cases);
        eprintln!("test: PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
        test.env("PROPTEST_CASES", cases.to_string())
            .env("PROPTEST_RNG_SEED", seed.to_string());
    }
    run(&mut test, "test --workspace")
}

fn demo(workspace: &Path, args: &[OsString]) -> Result<()> {
    cargo(workspace, &[&["build"], &features::DEMO[..]].concat())?;
    let forebay = std::env::current_exe()?.with_file_name("forebay");
    let status = Command::new(forebay).arg("demo").args(args).status();
    ensure!(
        status.context("cannot run the demo")?.success(),
        "the demo failed"
    );
    Ok(())
}

/// Measures the command as people install it.
fn bench(workspace: &Path, args: &[OsString]) -> Result<()> {
    cargo(
        workspace,
        &["build", "--release", "--package", "forebay-cli"],
    )?;
    cargo(
        workspace,
        &["build", "--package", "forebay-benches", "--bins"],
    )?;
    let built = std::env::current_exe()?;
    let forebay = built
        .ancestors()
        .nth(2)
        .context("the build folder is unknown")?
        .join("release/forebay");
    let status = Command::new(built.with_file_name("forebay-bench"))
        .arg("--forebay")
        .arg(forebay)
        .args(args)
        .current_dir(workspace)
        .status();
    ensure!(
        status.context("cannot run the benchmarks")?.success(),
        "the benchmarks failed"
    );
    Ok(())
}

fn cargo(workspace: &Path, args: &[&str]) -> Result<()> {
    run(&mut cargo_command(workspace, args), &args.join(" "))
}

/// Runs cargo. `what` names its task in the error.
fn run(cargo: &mut Command, what: &str) -> Result<()> {
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "cargo {what} failed");
    Ok(())
}

fn cargo_command(workspace: &Path, args: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(args).current_dir(workspace);
    cargo
}

/// The workspace that this program was built in.
fn workspace() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest
        .parent()
        .context("xtask/ lies in the workspace")?
        .to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parse(line: &str) -> Result<Chore> {
        Chore::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn chores_are_read() {
        assert_eq!(parse("test").unwrap(), Chore::Test { cases: None });
        assert_eq!(
            parse("test --cases 9").unwrap(),
            Chore::Test { cases: Some(9) }
        );
        assert_eq!(parse("sync-wit").unwrap(), Chore::SyncWit);
        let args = vec!["--json".into(), "a.jpg".into()];
        assert_eq!(
            parse("demo --json a.jpg").unwrap(),
            Chore::Demo(args.clone())
        );
        assert_eq!(parse("demo -- --json a.jpg").unwrap(), Chore::Demo(args));
    }

    #[test]
    fn what_is_no_chore_is_refused() {
        for line in [
            "",
            "tset",
            "test --release",
            "fuzz --seconds",
            "fuzz --seconds 0",
            "fuzz --replay file",
            "fuzz --jobs 2",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
