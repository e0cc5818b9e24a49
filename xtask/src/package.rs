//! Packs the crates that are published, and tests the archives.
//!
//! Promise: [`run`] packs every crate that is published, and cargo builds each from its own archive. Then it installs
//! the command from those archives alone, with a compiler that does not support WebAssembly, into an empty folder, and
//! runs its demo there. If any of this fails, `run` fails.
//!
//! The crates are packed in a copy of the workspace, `target/package/source`. The copy also contains files that are not
//! in the repository: the built components of `forebay-bundled`, and the licences in each crate's folder. Publish from
//! there:
//! `cd target/package/source && cargo publish --workspace`.
//!
//! Before a release, `cargo semver-checks --workspace --baseline-rev TAG` (`cargo install cargo-semver-checks`)
//! compares the interfaces of the crates with those of the last release. There is no release to compare with yet.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::cargo_command;

/// The compiler that this program replaces. Set for cargo, and so for this program when cargo calls it.
const NO_WASM_RUSTC: &str = "FOREBAY_XTASK_RUSTC_WITHOUT_WASM";

/// Files that are put into the folder of every published crate.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// A published crate.
#[derive(Debug, PartialEq)]
struct Package {
    name: String,
    /// Its folder, relative to the workspace's folder.
    folder: PathBuf,
}

/// Packs, installs and runs.
pub(crate) fn run(workspace: &Path) -> Result<()> {
    let target = workspace.join("target");
    let work = target.join("package");
    let source = work.join("source");
    let packages = published(workspace)?;

    step("copying the workspace to", &source);
    if source.exists() {
        fs::remove_dir_all(&source)?;
    }
    copy(workspace, &source)?;
    for package in &packages {
        for licence in LICENCES {
            fs::copy(
                workspace.join(licence),
                source.join(&package.folder).join(licence),
            )?;
        }
    }

    let components = source.join("plugins/bundled/components");
    step("building the standard plugins into", &components);
    if components.exists() {
        fs::remove_dir_all(&components)?;
    }
    let mut unpack = cargo_command(workspace, &["run", "--quiet"]);
    unpack.args(["--package", "forebay-bundled", "--example", "unpack", "--"]);
    succeed(unpack.arg(&components))?;

    let profile = work.join("profile.toml");
    fs::write(&profile, dev_profile(workspace)?)?;

    step("packing into", &work);
    let mut pack = cargo_command(&source, &["package", "--allow-dirty"]);
    pack.arg("--target-dir").arg(&target);
    pack.arg("--config").arg(&profile);
    for package in &packages {
        pack.args(["--package", &package.name]);
    }
    succeed(without_wasm(&mut pack)?)?;

    // Outside of the workspace: otherwise cargo would find the workspace in a parent folder.
    let empty = env::temp_dir().join(format!("forebay-package-{}", std::process::id()));
    fs::create_dir(&empty)?;
    let tried = install_and_run(&target, &empty, &packages);
    fs::remove_dir_all(&empty)?;
    tried
}

/// Installs the command from the archives into an empty folder, and runs its demo.
fn install_and_run(target: &Path, empty: &Path, packages: &[Package]) -> Result<()> {
    step("installing from the archives alone into", empty);
    let mut install = cargo_command(empty, &["install", "--debug"]);
    install.arg("--target-dir").arg(target);
    install.arg("--root").arg(empty);
    install
        .arg("--config")
        .arg(target.join("package/profile.toml"));
    for Package { name, .. } in packages {
        let (archive, folder) = unpack(&target.join("package"), empty, name)?;
        let size = fs::metadata(&archive)?.len();
        println!("{:>9} bytes  {}", size, archive.display());
        if name == "forebay-cli" {
            install.arg("--path").arg(folder);
        } else {
            // A TOML string in double quotes is written like a Rust string.
            let patch = format!(
                "patch.crates-io.{name}.path={:?}",
                folder.display().to_string()
            );
            install.args(["--config", &patch]);
        }
    }
    succeed(without_wasm(&mut install)?)?;

    let forebay = empty.join("bin/forebay");
    step("running the demo of", &forebay);
    succeed(Command::new(forebay).arg("demo").current_dir(empty))
}

/// The workspace's profile `dev`, as a configuration of cargo, because no archive contains it. With it, cargo reuses
/// what it has compiled for the workspace.
fn dev_profile(workspace: &Path) -> Result<String> {
    let manifest = fs::read_to_string(workspace.join("Cargo.toml"))?;
    let mut inside = false;
    let mut profile = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.starts_with("[profile.dev");
        }
        if inside {
            profile.push_str(line);
            profile.push('\n');
        }
    }
    Ok(profile)
}

/// Unpacks the archive of this package. Returns the path of the archive and the folder with its content.
fn unpack(archives: &Path, empty: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
    // A name may begin with another name: the rest must be the version.
    let archive = fs::read_dir(archives)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.extension().is_some_and(|end| end == "crate")
                && path.file_name().is_some_and(|file| {
                    file.to_string_lossy()
                        .strip_prefix(name)
                        .and_then(|rest| rest.strip_prefix('-'))
                        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                })
        })
        .with_context(|| format!("{name} was not packed"))?;
    succeed(
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .arg("-C")
            .arg(empty),
    )?;
    let folder = empty.join(archive.file_stem().context("an archive has a name")?);
    Ok((archive, folder))
}

/// The members of the workspace that are published: all whose manifest does not forbid it.
fn published(workspace: &Path) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(workspace.join(&folder))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && is_source(&entry.file_name().to_string_lossy()) {
                folders.push(folder.join(entry.file_name()));
            }
        }
        let Ok(manifest) = fs::read_to_string(workspace.join(&folder).join("Cargo.toml")) else {
            continue;
        };
        let line = |start: &str| manifest.lines().find_map(|line| line.strip_prefix(start));
        if let Some(name) = line("name = ")
            && line("publish = false").is_none()
        {
            packages.push(Package {
                name: name.trim_matches('"').to_owned(),
                folder,
            });
        }
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// Copies a folder, without its build output.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if !is_source(&name.to_string_lossy()) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    !matches!(name, "target" | ".git")
}

/// Makes cargo use a compiler that cannot compile to WebAssembly, even if the current compiler can.
fn without_wasm(cargo: &mut Command) -> Result<&mut Command> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(cargo
        .env("RUSTC", env::current_exe()?)
        .env(NO_WASM_RUSTC, rustc))
}

/// Runs the compiler if cargo called this program instead of it, and refuses WebAssembly. Returns if cargo did not
/// call it that way.
pub(crate) fn stand_in_for_rustc() -> Result<()> {
    let Some(rustc) = env::var_os(NO_WASM_RUSTC) else {
        return Ok(());
    };
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    if args
        .iter()
        .any(|arg| arg.to_string_lossy().starts_with("wasm32"))
    {
        bail!("this compiler has no WebAssembly");
    }
    Err(Command::new(rustc).args(args).exec()).context("cannot run rustc")
}

fn step(what: &str, path: &Path) {
    println!("package: {what} {}", path.display());
}

fn succeed(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot run {name}"))?;
    let first = command.get_args().next().unwrap_or_default();
    ensure!(
        status.success(),
        "{name} {} failed",
        first.to_string_lossy()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn published_crates_have_what_the_registry_shows() {
        let workspace = crate::workspace().unwrap();
        let packages = published(&workspace).unwrap();
        assert!(packages.iter().any(|package| package.name == "forebay-cli"));
        assert!(packages.iter().all(|package| package.name != "xtask"));
        for Package { name, folder } in packages {
            let folder = workspace.join(folder);
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            for line in [
                "description = ",
                "license.workspace = ",
                "readme = \"README.md\"",
                "keywords = ",
                "categories = ",
                "include = ",
                "[package.metadata.docs.rs]",
            ] {
                assert!(manifest.contains(line), "{name} has no {line}");
            }
            for file in ["README.md", "CHANGELOG.md"] {
                assert!(folder.join(file).is_file(), "{name} has no {file}");
            }
        }
    }
}
