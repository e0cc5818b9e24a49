//! Builds the guests for `wasm32-wasip2` and lays their components beside this crate's output.
//!
//! They get a target folder of their own, `target/guests`: another compiler may build them than the one in use (see
//! `cargo xtask setup`), and the two must not fight over one folder.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

const TARGET: &str = "wasm32-wasip2";
const GUESTS: [&str; 11] = [
    "drill",
    "hostile",
    "hostile-describe",
    "hostile-file",
    "identity",
    "image-resize",
    "media-kit",
    "pdf-split",
    "strip-metadata",
    "wasi3",
    "wasi3-folders",
];

fn main() -> Result<()> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let plugins = manifest.parent().context("this crate lies in plugins/")?;
    let workspace = plugins.parent().context("plugins/ lies in the workspace")?;
    for name in GUESTS.iter().chain(&["sdk"]) {
        println!("cargo::rerun-if-changed={}", plugins.join(name).display());
    }
    for path in [
        "host/config-schema",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
        "target/wasm-toolchain/rustc",
    ] {
        let path = workspace.join(path);
        // What is not there would count as changed at every build.
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }

    let target_dir = workspace.join("target/guests");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace).args([
        "build",
        "--quiet",
        "--profile",
        "guest",
        "--target",
        TARGET,
    ]);
    cargo.arg("--target-dir").arg(&target_dir);
    for name in GUESTS {
        cargo.args(["--package", name]);
    }
    // What the outer cargo says of itself (its flags, clippy as a wrapper, its job server's profile) is not for the guests.
    for (key, _) in env::vars_os() {
        let text = key.to_string_lossy();
        if text.starts_with("CARGO_")
            && !text.starts_with("CARGO_HOME")
            && !text.starts_with("CARGO_NET")
            || text.starts_with("RUSTC")
            || text.starts_with("RUSTDOC")
            || text == "RUSTFLAGS"
        {
            cargo.env_remove(key);
        }
    }
    cargo.env("RUSTC", compiler(workspace)?);
    let status = cargo
        .stdout(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "the plugins did not build for {TARGET}; the compiler's messages are above"
    );

    let out = PathBuf::from(env::var("OUT_DIR")?);
    for name in GUESTS {
        let file = format!("{}.wasm", name.replace('-', "_"));
        fs::copy(
            target_dir.join(TARGET).join("guest").join(&file),
            out.join(&file),
        )
        .with_context(|| format!("{file} was not built"))?;
    }
    Ok(())
}

/// The compiler in use, if it has the target; or else the one that `cargo xtask setup` unpacked.
fn compiler(workspace: &Path) -> Result<OsString> {
    let own = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let unpacked = workspace
        .join("target/wasm-toolchain/rustc")
        .into_os_string();
    for rustc in [own, unpacked] {
        let libdir = Command::new(&rustc)
            .args(["--print", "target-libdir", "--target", TARGET])
            .output();
        if libdir.is_ok_and(|out| {
            out.status.success() && Path::new(String::from_utf8_lossy(&out.stdout).trim()).exists()
        }) {
            return Ok(rustc);
        }
    }
    bail!(
        "the compiler has no target {TARGET}: run `cargo xtask setup` once, or `rustup target add {TARGET}`"
    )
}
