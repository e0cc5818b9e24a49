//! The project's chores. `cargo xtask demo` and `cargo xtask test` need nothing but Rust: they bring the compiler for the
//! plugins first.

mod fuzz;
mod toolchain;

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
    /// Run every test
    Test,
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
        Chore::Test => cargo(&workspace, &["test", "--workspace"]),
    }
}

fn cargo(workspace: &Path, args: &[&str]) -> Result<()> {
    let status = cargo_command(workspace, args)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo {} failed", args.join(" "));
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
