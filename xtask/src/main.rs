//! The project's chores. `cargo xtask demo` and `cargo xtask test` need nothing but Rust: they bring the compiler for the
//! plugins first.

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
}

fn main() -> Result<()> {
    let chore = Args::parse().chore;
    let workspace = workspace()?;
    toolchain::ensure(&workspace)?;
    match chore {
        Chore::Setup => Ok(()),
        Chore::Demo { args } => {
            // Resolved for the whole workspace, so that `test` finds the same dependencies built.
            cargo(&workspace, &["build", "--workspace", "--bin", "forebay"])?;
            let forebay = std::env::current_exe()?.with_file_name("forebay");
            let status = Command::new(forebay).arg("demo").args(args).status();
            ensure!(
                status.context("cannot run the demo")?.success(),
                "the demo failed"
            );
            Ok(())
        }
        Chore::Test => cargo(&workspace, &["test", "--workspace"]),
    }
}

fn cargo(workspace: &Path, args: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(args)
        .current_dir(workspace)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo {} failed", args.join(" "));
    Ok(())
}

/// The workspace that this program was built in.
fn workspace() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest
        .parent()
        .context("xtask/ lies in the workspace")?
        .to_owned())
}
