//! Checks the host and the command for systems that this machine is not.
//!
//! Promise: [`check`] ends in an error if one of [`TARGETS`] does not compile, and names those that it could not check.
//! A target is checked if the compiler in use has its standard library; elsewhere on a Debian machine, cargo compiles the
//! library from Debian's `rust-src`.
//!
//! Nothing is linked, so no C needs to be compiled, and no linker, C compiler or SDK of the target is needed: what
//! build scripts call in place of them writes empty files. So this tells nothing of how the program links and runs.

use std::env;
use std::fs;
use std::iter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::toolchain;

/// What is checked.
const TARGETS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// Called in place of a C compiler and of an archiver: makes the file that it was told to make, and says nothing.
const STAND_IN: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in
        -o) : > "$2" ;;
        *.a) : > "$1" ;;
    esac
    shift
done
"#;

/// Checks every target that can be checked.
pub(crate) fn check(workspace: &Path) -> Result<()> {
    let stand_ins = workspace.join("target/check/stand-ins");
    fs::create_dir_all(&stand_ins)?;
    write_script(&stand_ins.join("cc"), STAND_IN)?;
    let mut failed = Vec::new();
    for target in TARGETS {
        let sources = if toolchain::installed("rustc", target) {
            None
        } else {
            match toolchain::with_sources(workspace) {
                Ok(folder) => Some(folder),
                Err(error) => {
                    eprintln!(
                        "{target}: skipped: {error:#}; `rustup target add {target}` brings its standard library"
                    );
                    continue;
                }
            }
        };
        match compile(workspace, target, sources.as_deref(), &stand_ins) {
            Ok(()) => eprintln!("{target}: compiles"),
            Err(error) => failed.push(format!("{target}: {error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// Checks one target, with Debian's compiler in this folder if the one in use has no standard library for it.
fn compile(workspace: &Path, target: &str, sources: Option<&Path>, stand_ins: &Path) -> Result<()> {
    let mut cargo = crate::cargo_command(workspace, &["check", "--target", target]);
    cargo.args(["--target-dir", "target/check"]);
    cargo.args(["--package", "forebay", "--package", "forebay-cli"]);
    // Of all this only build scripts and procedural macros run, and once.
    cargo.args(["--config", "profile.dev.package.\"*\".opt-level=0"]);
    cargo.args(["--config", "profile.dev.debug=false"]);
    if let Some(folder) = sources {
        // As a wrapper it takes the place of the compiler in use, which `plugins/bundled` goes on to call.
        let wrapper = folder.join("in-place-of-rustc");
        let rustc = folder.join("rustc");
        let script = format!("#!/bin/sh\nshift\nexec '{}' \"$@\"\n", rustc.display());
        write_script(&wrapper, &script)?;
        let path = env::var_os("PATH").unwrap_or_default();
        let path = iter::once(folder.join("bin")).chain(env::split_paths(&path));
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            // The stable compiler does so on this condition only.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC_WRAPPER", wrapper)
            .env("PATH", env::join_paths(path)?);
    }
    let name = target.replace('-', "_");
    for tool in ["CC", "CXX", "AR", "RANLIB"] {
        cargo.env(format!("{tool}_{name}"), stand_ins.join("cc"));
    }
    // What is compiled for macOS asks for its SDK.
    cargo
        .env("SDKROOT", stand_ins)
        .env("MACOSX_DEPLOYMENT_TARGET", "11.0");
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "it does not compile");
    Ok(())
}

fn write_script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
