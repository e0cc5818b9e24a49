//! Checks the host and the command for systems other than this machine's.
//!
//! Promise: [`check`] returns an error if one of [`TARGETS`] does not compile, and names the targets that it could not
//! check. A target is checked if the current compiler has its standard library. Otherwise, on a Debian machine, cargo
//! compiles the library from Debian's `rust-src`.
//!
//! Nothing is linked, so no C needs to be compiled, and no linker, C compiler or SDK of the target is needed. The
//! programs that build scripts call instead of these write empty files. So this check says nothing about how the
//! program links and runs.

use std::env;
use std::fs;
use std::iter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::toolchain;

/// The targets that are checked.
const TARGETS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// Called instead of a C compiler and an archiver. Creates the file that it was told to make, and prints nothing.
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

/// Checks one target. Uses Debian's compiler in this folder if the current compiler has no standard library for the
/// target.
fn compile(workspace: &Path, target: &str, sources: Option<&Path>, stand_ins: &Path) -> Result<()> {
    let mut cargo = crate::cargo_command(workspace, &["check", "--target", target]);
    cargo.args(["--target-dir", "target/check"]);
    cargo.args(["--package", "forebay", "--package", "forebay-cli"]);
    // Of all this code, only build scripts and procedural macros run, and only once.
    cargo.args(["--config", "profile.dev.package.\"*\".opt-level=0"]);
    cargo.args(["--config", "profile.dev.debug=false"]);
    if let Some(folder) = sources {
        // As a wrapper it replaces the current compiler, which `plugins/bundled` still calls.
        let wrapper = folder.join("in-place-of-rustc");
        let rustc = folder.join("rustc");
        let script = format!("#!/bin/sh\nshift\nexec '{}' \"$@\"\n", rustc.display());
        write_script(&wrapper, &script)?;
        let path = env::var_os("PATH").unwrap_or_default();
        let path = iter::once(folder.join("bin")).chain(env::split_paths(&path));
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            // The stable compiler compiles a standard library only if this is set.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC_WRAPPER", wrapper)
            .env("PATH", env::join_paths(path)?);
    }
    let name = target.replace('-', "_");
    for tool in ["CC", "CXX", "AR", "RANLIB"] {
        cargo.env(format!("{tool}_{name}"), stand_ins.join("cc"));
    }
    // Code that is compiled for macOS needs the path of its SDK.
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
