//! The project's chores. `cargo xtask demo` and `cargo xtask test` need nothing but Rust: they bring the compiler for the
//! plugins first.

mod fuzz;
mod toolchain;

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's chores")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Bring the compiler for the plugins, once; plain `cargo build` and `cargo test` work from then on
    Setup,
    /// Run the demo: files through plugins to assets of an emulator
    Demo {
        /// For `forebay demo`
        args: Vec<String>,
    },
    /// Run every test. Property tests try the same 256 cases in each run
    Test {
        /// Have each property test try N cases, from a seed that is new in each run. A case that fails is written
        /// beside its test, to `NAME.proptest-regressions` or `proptest-regressions/`: commit it, and every later run
        /// tries it first
        #[arg(long, value_name = "N")]
        cases: Option<u32>,
    },
    /// Feed hostile bytes to what reads bytes, guided by coverage; needs a C++ compiler
    Fuzz(fuzz::Options),
}

fn main() -> Result<()> {
    fuzz::stand_in_for_rustc()?;
    let chore = Args::parse().chore;
    let workspace = workspace()?;
    // Fuzzing builds no guest.
    if !matches!(chore, Chore::Fuzz(_)) {
        toolchain::ensure(&workspace)?;
    }
    match chore {
        Chore::Setup => Ok(()),
        Chore::Demo { args } => {
            // Resolved for the whole workspace, and with an example as tests are, so that `test` finds the same
            // dependencies built: without it cargo gives some of them fewer features, and wasmtime is built twice.
            let build = [
                "build",
                "--workspace",
                "--bin",
                "forebay",
                "--example",
                "serve",
            ];
            cargo(&workspace, &build)?;
            let forebay = std::env::current_exe()?.with_file_name("forebay");
            let status = Command::new(forebay).arg("demo").args(args).status();
            ensure!(
                status.context("cannot run the demo")?.success(),
                "the demo failed"
            );
            Ok(())
        }
        Chore::Fuzz(options) => fuzz::run(&workspace, &options),
        Chore::Test { cases } => {
            let mut test = cargo_command(&workspace, &["test", "--workspace"]);
            if let Some(cases) = cases {
                // The standard library has no random numbers, but its hash maps have random keys.
                let seed = RandomState::new().hash_one(cases);
                eprintln!("test: PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
                test.env("PROPTEST_CASES", cases.to_string())
                    .env("PROPTEST_RNG_SEED", seed.to_string());
            }
            run(&mut test, "test --workspace")
        }
    }
}

fn cargo(workspace: &Path, args: &[&str]) -> Result<()> {
    run(&mut cargo_command(workspace, args), &args.join(" "))
}

/// Runs cargo, which was told to do this.
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
